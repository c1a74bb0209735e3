"""The worker of `keras-masking check`: one backend, results as JSON lines.

The job is one JSON line on stdin; the end of stdin means that the parent has
exited. Answers go to the original stdout. What layers print goes to stderr,
which the parent logs.
"""

import faulthandler
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from keras_masking.contract.backends.processes import TorchFirst
from keras_masking.contract.backends.processes import load_torch_first
from keras_masking.contract.backends.processes import missing
from keras_masking.contract.backends.processes import spared

# Fields of a check that are no texts; `kind` is that of a message.
HIDDEN = ("run", "kind")

Job = dict[str, Any]
Send = Callable[..., None]


def main() -> None:
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)
        kept = sys.argv[1:]  # the job of a process that starts again
        job = json.loads(Path(kept[0]).read_text() if kept else _first_line())
        finder = TorchFirst(lambda: _start_again(job, channel.fileno()))

        def send(kind: str, **content: Any) -> None:
            if kind == "cases":
                finder.again = None  # no report is sent twice
            channel.write(json.dumps({"kind": kind, **content}) + "\n")
            channel.flush()

        threading.Thread(
            target=_leave_with_parent, args=(job["folder"],), daemon=True
        ).start()
        faulthandler.enable()
        # With this signal, the parent asks where a layer hangs.
        faulthandler.register(signal.SIGUSR1)
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        if kept:
            load_torch_first(os.environ["KERAS_BACKEND"])
        else:
            sys.meta_path.insert(0, finder)
        _run(job, send)
    # At once, since frameworks take seconds to exit, and some crash.
    os._exit(0)


def _start_again(job: Job, channel: int) -> None:
    """Replaces this process by one that imports torch first."""
    kept = Path(job["folder"]) / f"{job['backend']}.json"
    kept.write_text(json.dumps(job))
    os.dup2(channel, 1)
    os.execv(sys.executable, [sys.executable, "-m", __spec__.name, str(kept)])


def _first_line() -> bytes:
    """Reads one line unbuffered, so that the thread gets the rest."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1 << 16)
        if not read:
            os._exit(1)
        line += read
    return line


def _leave_with_parent(folder: str) -> None:
    """Waits for the end of stdin, deletes the parent's folder, and exits."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _run(job: Job, send: Send) -> None:
    with missing(spared(os.environ["KERAS_BACKEND"])):
        import keras

    from keras_masking._keras import spare_tensorflow
    from keras_masking.contract.case import TargetError

    spare_tensorflow()
    # Otherwise a layer's error starts with text that Keras adds.
    keras.config.disable_traceback_filtering()
    send("ready")
    try:
        if job["device"] == "gpu":
            _require_gpu(keras.backend.backend())
        WORK[job["work"]](job, send)
    except TargetError as error:
        send("refused", message=str(error))
    else:
        send("done")


def _require_gpu(backend: str) -> None:
    from keras_masking.contract.case import TargetError

    framework: Any = import_module(backend)
    if backend == "torch":
        there = framework.cuda.is_available()
    elif backend == "tensorflow":
        there = bool(framework.config.list_physical_devices("GPU"))
    else:
        try:
            there = bool(framework.devices("gpu"))
        except RuntimeError:
            there = False
    if not there:
        raise TargetError(f"--device gpu: the backend {backend} finds no GPU.")


def _checks(job: Job, send: Send) -> None:
    """Sends all checks, or the one that the job names."""
    from keras_masking.contract.registry import every_check
    from keras_masking.contract.registry import get_check

    wanted = job.get("check")
    checks = [get_check(wanted)] if wanted else every_check().values()
    for check in checks:
        texts = {k: v for k, v in vars(check).items() if k not in HIDDEN}
        send("check", subject=check.kind, **texts)


def _find(job: Job, send: Send) -> None:
    """Sends what a target names, for the test file of `init`."""
    from keras_masking.contract.backends.targets import find
    from keras_masking.contract.backends.targets import make
    from keras_masking.contract.case import TargetError

    (target,) = job["targets"]
    found = find(target)
    if all(one.lacks for one in found):
        raise TargetError(" ".join(one.lacks for one in found))
    for one in found:
        if not one.lacks:
            make(target, one.case)
        send(
            "found",
            imports=one.imports,
            expression=one.expression,
            name=one.case.name,
            lacks=one.lacks,
        )


def _check(job: Job, send: Send) -> None:
    from keras_masking.contract.backends import kinds
    from keras_masking.contract.backends import models
    from keras_masking.contract.backends.targets import resolve_all
    from keras_masking.contract.case import TargetError
    from keras_masking.contract.registry import get_check
    from keras_masking.contract.report import Report
    from keras_masking.contract.report import Result

    options = job["options"]
    models.import_all(job["modules"])
    across = get_check("cross-backend")
    cases = _expecting(job["expected"], resolve_all(job["targets"]))
    cases = [
        models.with_inputs(case, job["inputs"], job["padding"])
        for case in cases
    ]
    ids = kinds.ids_by_kind(options, cases)
    send("cases", names=[case.name for case in cases])
    inputs = _ids(job["ids"], options["seed"]) if job["ids"] else None
    for index, case in enumerate(cases[job["start"] :], job["start"]):
        send("case", index=index)
        kind = case.kind
        try:
            report = kinds.judge(
                case,
                {**options, **ids[kind]},
                inputs,
                lambda r: send("result", result=asdict(r)),
            )
        except Exception as error:
            if isinstance(error, TargetError) and kind == "model":
                raise  # the inputs do not fit
            text = f"{type(error).__name__}: {error}"
            result = Result(
                case.name, "worker", "required", "kit-error", seen=text
            )
            role = getattr(case, "role", kind) or "unknown"
            report = Report(
                case.name, role, False, job["backend"], {}, [result]
            )
        send(
            "report",
            report=report.to_dict(),
            digest=_digest(case, inputs, report) if job["compare"] else None,
            texts={
                "cause": across.cause,
                "right": across.right,
                "reason": case.expected_failures.get(across.id, ""),
            },
        )


def _expecting(expected: dict[str, Any], cases: list[Any]) -> list[Any]:
    """The cases, with the expected failures of the file added to their own."""
    from keras_masking.contract.case import TargetError
    from keras_masking.names import did_you_mean

    names = [case.name for case in cases]
    for name in expected:
        if name not in names:
            raise TargetError(
                f"--expected-failures: the table {name!r} matches no target. "
                "The targets are: "
                f"{', '.join(names)}.{did_you_mean(name, names)}"
            )
    return [
        replace(
            case,
            expected_failures={
                **case.expected_failures,
                **expected.get(case.name, {}),
            },
        )
        for case in cases
    ]


def _ids(below: int, seed: int) -> Any:
    """Integer ids with zeros for padding."""
    import numpy as np

    from keras_masking.contract.harness.batches import make_mask

    ids = np.random.default_rng(seed).integers(1, below, (3, 6))
    return np.where(make_mask(3, 6), ids, 0).astype("int32")


def _digest(case: Any, inputs: Any, report: Any) -> Any:
    """The outputs that the parent compares, if `cross-backend` runs."""
    for result in report.results:
        if result.check == "cross-backend" and "several" in result.reason:
            try:
                return _outputs(case, inputs)
            except Exception as error:
                return {"error": f"{type(error).__name__}: {error}"}
    return None


def _outputs(case: Any, inputs: Any) -> dict[str, Any]:
    """Outputs for weights that are equal on every backend.

    They are random if they depend on a seed, because each backend draws its own
    numbers.
    """
    import numpy as np

    from keras_masking.contract.harness.layer_harness import LayerHarness

    harness = LayerHarness(
        case if inputs is None else replace(case, inputs=inputs)
    )
    rng = np.random.default_rng(0)
    for weight in harness.layer.variables:
        if "float" in str(weight.dtype):
            value = rng.normal(size=weight.shape) * 0.1
            # Others are statistics: a variance is not negative.
            weight.assign(value if weight.trainable else np.abs(value))
    harness.restore()
    result = harness.call(harness.layer, harness.batch)
    harness.restore()
    for state in harness.layer.variables:
        if "int" in str(state.dtype):
            state.assign(state + 1)
    again = harness.call(harness.layer, harness.batch)
    return {
        "outputs": [y.tolist() for y in result.outputs],
        "masks": [None if m is None else m.tolist() for m in result.masks],
        "shapes": [list(y.shape) for y in result.outputs],
        "dtypes": result.dtypes,
        "random": not all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            for a, b in zip(result.outputs, again.outputs)
        ),
    }


WORK: dict[str, Callable[[Job, Send], None]] = {
    "check": _check,
    "checks": _checks,
    "find": _find,
}

if __name__ == "__main__":
    main()
