"""Disables each check in turn, so that a test of what is broken goes red.

`.ci/run` runs it on PyTorch. It exits with 1 if a check that runs on
this backend has no broken layer, loss, metric or model, or if such a test stays
green although its check was disabled.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import keras

from keras_masking.contract import registry
from tests.contract.broken import Broken
from tests.contract.broken import here
from tests.contract.broken import judge
from tests.contract.broken import losses
from tests.contract.broken import metrics
from tests.contract.broken import models
from tests.contract.broken import modes
from tests.contract.broken import packed
from tests.contract.broken import values

# PyTorch compiles only on request, and then takes seconds for each layer. What
# compares backends has its broken layer in test_supervisor.py.
NOT_HERE = {"torch": {"jit", "model-compiled"}}
ELSEWHERE = {"cross-backend"}


@contextmanager
def disabled(name: str) -> Iterator[None]:
    check = registry._checks[name]
    registry._checks[name] = replace(check, run=lambda harness: None)
    try:
        yield
    finally:
        registry._checks[name] = check


def fails(broken: Broken, name: str) -> bool:
    report = judge(broken.case, only=[name])
    return {r.check: r.status for r in report}[name] == "fail"


def main() -> int:
    modules = (values, modes, packed, losses, metrics, models)
    every = here([b for module in modules for b in module.BROKEN])
    backend = keras.backend.backend()
    bad = 0
    for name in registry.every_check():
        if name in ELSEWHERE | NOT_HERE.get(backend, set()):
            print(f"{name}: not on {backend}")
            continue
        cases = [broken for broken in every if broken.catches == name]
        caught = sum(fails(case, name) for case in cases)
        with disabled(name):
            missed = sum(fails(case, name) for case in cases)
        red = caught - missed
        bad += not red
        print(f"{name}: {red} of {len(cases)} tests go red when it is disabled")
    print(f"{bad} checks could be removed unseen" if bad else "all are needed")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
