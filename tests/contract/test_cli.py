"""The command line as a user types it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import __version__
from keras_masking.contract import registry
from keras_masking.contract.backends import processes
from keras_masking.contract.backends import supervisor
from keras_masking.contract.report import Report
from keras_masking.contract.reports import summary
from keras_masking.contract.reports import writers
from keras_masking.names import ROLES
from tests import helpers
from tests.contract.reports import report
from tests.contract.reports import reports
from tests.contract.reports import result
from tests.contract.test_supervisor import answers

pytestmark = [pytest.mark.kit, pytest.mark.once]

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()
GROUP = "keras.layers:GroupNormalization(groups=2)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Any:
    return helpers.typed(monkeypatch, capfd)


def check(*words: str) -> tuple[str, ...]:
    return ("check", *words, "--backends", BACKEND, "--only", "pad-value")


def test_check(typed: Any, folder: Path) -> None:
    (folder / "known.toml").write_text(
        '["GroupNormalization(groups=4)"]\npad-value = "no mask in Keras"\n'
    )
    known = GROUP.replace("2", "4")
    code, out, _ = typed(
        *check(GROUP, known, "--expected-failures", "known.toml"),
        *("--report", "out.json", "--report", "out.md"),
        *("--report", "out.html", "--badge", "badge.json"),
    )
    assert code == 1
    assert "FAIL pad-value  GroupNormalization(groups=2)  (required)" in out
    assert "FAIL 1 of 2" in out
    assert "pass 1, xfail 1" in out
    assert out.splitlines()[-1] == f"checks that ran: {BACKEND} 4 (1 failed)"
    data = json.loads((folder / "out.json").read_text())
    assert data["exit_code"] == 1
    assert data["targets"] == [GROUP, known]
    assert data["command"].startswith(f"keras-masking check '{GROUP}'")
    assert "--expected-failures known.toml" in data["command"]
    first, second = (Report.from_dict(report) for report in data["reports"])
    assert [r.check for r in first.failures] == ["pad-value"]
    assert second.ok
    assert second.results[-1].reason == "no mask in Keras"
    text = (folder / "out.md").read_text()
    assert f"| layer | role | {BACKEND} |" in text
    summary = f"GroupNormalization(groups=2): pad-value ({BACKEND})</summary>"
    assert summary in text
    text = (folder / "out.html").read_text()
    assert 'href="#GroupNormalization-groups-2/pad-value"' in text
    badge = json.loads((folder / "badge.json").read_text())
    assert badge["message"] == f"1 of 4 checks fail on {BACKEND}"
    script = first.failures[0].script
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": BACKEND},
    )
    assert "FAIL pad-value" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "--backends", "cntk"], "'cntk' is unknown. Installed: "),
        (["check", "--backends", "pytorch"], "Did you mean 'torch'?"),
        (["check", "--backends", "numpy"], "'numpy' has no gradients, which"),
        (["check", "--backends", ","], "name one of"),
        (["check", "--level", "most"], "'most' is not one of"),
        (["check", "--role", "eats"], "'eats' is not one of"),
        (["check", "--ids", "1"], "1 is not in the range"),
        (["check", "--timeout", "0"], "0.0 is not in the range"),
        (["check", "--report", "out.pdf"], "must end in .html, .json or .md"),
        (["check", "--report", "no/out.md"], "there is no folder no."),
        (["check", "--badge", "no/b.json"], "there is no folder no."),
        (["report"], "Missing argument"),
        (["report", "no.json"], "'no.json' does not exist"),
        (["report", "bad.toml"], "bad.toml is not a JSON report"),
        (["report", "bad.toml", "./bad.toml"], "is given twice"),
        (["report", "r.json", "--report", "r.json"], "r.json is a SOURCE"),
        (["check", "--expected-failures", "no.toml"], "cannot be read"),
        (["check", "--expected-failures", "bad.toml"], "cannot be read"),
        (["check", "--expected-failures", "flat.toml"], "must be a table"),
        (["check", "--expected-failures", "mute.toml"], "needs a reason"),
        (["explain"], "Missing argument"),
        (["init", "keras", "--output", "flat.toml"], "not overwritten"),
        (["init", "keras", "--output", "no/t.py"], "no directory no"),
        (["chekc"], "No such command 'chekc'"),
    ],
)
def test_wrong_use(
    typed: Any, folder: Path, words: list[str], message: str
) -> None:
    (folder / "bad.toml").write_text("no toml")
    (folder / "r.json").write_text("")
    (folder / "flat.toml").write_text('pad-value = "so"')
    (folder / "mute.toml").write_text('[ReLU]\npad-value = " "')
    code, _, err = typed(*words)
    assert code == 2
    assert message in err


def test_a_wrong_target(typed: Any) -> None:
    code, out, err = typed(*check("keras.layers:Relu"))
    assert (code, out) == (2, "")
    assert "Did you mean 'ReLU'?" in err


def test_models(typed: Any, folder: Path) -> None:
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(9, 4)(ids)
    pooled = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    keras.Model(ids, pooled).save(folder / "model.keras")
    np.save(folder / "ids.npy", np.array([[1, 2, 3], [4, 0, 0]], "int32"))
    model = ("check", "--model", "model.keras", "--backends", BACKEND)
    given = ("--inputs", "ids.npy", "--padding", "ids=0")
    code, out, _ = typed(*model, *given, "--report", "out.json")
    assert code == 1
    assert "FAIL model-more-padding  model.keras" in out
    assert "`pool` (GlobalAveragePooling1D)" in out
    data = json.loads((folder / "out.json").read_text())
    (found,) = data["reports"]
    assert found["role"] == "model"
    assert found["examples"] == "padding of `ids`: 0, passed"
    for words, message in (
        (("check", *given), "need --model"),
        (("check", "--model", "none.keras"), "there is no file none.keras"),
        ((*model, "--padding", "idz=0"), "Did you mean 'ids'?"),
        ((*model, "--inputs", "model.keras"), "--inputs: model.keras"),
        ((*model, "--import", "no_such"), "--import: no_such"),
    ):
        code, _, error = typed(*words)
        assert code == 2
        assert message in error


def test_losses_and_metrics(typed: Any, folder: Path) -> None:
    code, out, _ = typed(
        *("check", "keras.layers:ReLU", "--loss", "keras.losses:Huber"),
        *("--metric", "keras.metrics:Precision", "--backends", BACKEND),
        *("--only", "pad-value,loss-pad-value,metric-pad-value"),
        *("--report", "out.json"),
    )
    assert code == 1
    assert "FAIL metric-pad-value  Precision  (required)" in out
    assert "keras_masking.metrics.MaskedMetric(Precision())" in out
    assert out.splitlines()[-1] == f"checks that ran: {BACKEND} 6 (1 failed)"
    data = json.loads((folder / "out.json").read_text())
    assert data["targets"] == [
        "keras.layers:ReLU",
        "--loss=keras.losses:Huber",
        "--metric=keras.metrics:Precision",
    ]
    roles = [report["role"] for report in data["reports"]]
    assert roles == ["passes", "loss", "metric"]
    assert summary.verdict(writers.read(folder / "out.json"))[1] == (
        "Violations in 1 of 3 targets."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["keras.losses:Huber"],
            "not a layer, but a loss. Write `keras-masking check --loss "
            "keras.losses:Huber`.",
        ),
        (
            ["--metric", "keras.layers:ReLU"],
            "not a metric, but a layer. Write `keras-masking check "
            "keras.layers:ReLU`.",
        ),
        (
            ["keras.layers:ReLU", "--loss", "keras.losses:Huber"],
            "none of pad-value is a check of a loss",
        ),
        (["--loss", "keras.losses:Huber"], "Did you mean 'loss-pad-value'?"),
    ],
)
def test_a_target_of_another_kind(
    typed: Any, words: list[str], message: str
) -> None:
    code, _, err = typed(*check(*words))
    assert code == 2
    assert message in err


def test_a_missing_backend(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "find_spec", lambda name: name == "torch")
    code, _, err = typed("check", "--backends", "torch,jax")
    assert code == 2
    assert "'jax' is not installed. Installed: torch." in err
    monkeypatch.setattr(processes, "find_spec", lambda name: False)
    for command in (["check"], ["checks"]):
        code, _, err = typed(*command)
        assert code == 2
        assert "No backend is installed." in err


def test_defaults(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our pack, on what is installed; the rest is named."""
    passed: dict[str, Any] = {}

    def run(job: Any, backends: list[str], **how: Any) -> Any:
        passed.update(job, backends=backends, **how)
        return {
            b: [report(result("pad-value", "pass"), backend=b)]
            for b in backends
        }

    monkeypatch.setattr(processes, "find_spec", lambda name: name != "jax")
    monkeypatch.setattr(supervisor, "run", run)
    code, out, err = typed("check")
    assert code == 0
    assert passed["targets"] == ["keras_masking.cases"]
    assert passed["backends"] == ["torch", "tensorflow"]
    assert passed["device"] == "cpu"
    assert "Not installed, so not run: jax" in err
    last = "checks that ran: torch 1 (0 failed), tensorflow 1 (0 failed)"
    assert out.splitlines()[-1] == last


def test_report(typed: Any, folder: Path) -> None:
    """Reports of several jobs, combined as if one job had run all backends."""
    names = []
    for backend, those in reports().items():
        names.append(f"{backend}.json")
        writers.write(folder / names[-1], {backend: those}, ["a:Pool(2)"])
    code, out, _ = typed(
        *("report", *names, "--report", "all.html", "--badge", "b.json")
    )
    assert code == 1
    assert out.splitlines()[-1] == summary.last_line(reports())
    text = (folder / "all.html").read_text()
    targets = ["a:Pool(2)"]
    assert text == writers.as_html(reports(), targets, summary.command(targets))
    badge = json.loads((folder / "b.json").read_text())
    assert badge["message"].endswith("; 3 of 7 on torch")


def test_checks(typed: Any) -> None:
    code, out, _ = typed("checks")
    assert code == 0
    for name in registry.every_check():
        assert f" {name} " in out


def test_explain(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ask", lambda job: answers(**job))
    assert typed("explain", "metric-split")[1].startswith(
        "metric-split (required; any metric)\n"
    )
    code, out, _ = typed("explain", "cross-backend")
    assert code == 0
    for title in ("Rule: ", "Why: ", "Likely cause: ", "Wrong:", "Right:"):
        assert title in out


def test_init_writes_tests_that_run(typed: Any, folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "mine.py").write_text(
        "import keras\n\n\nclass Twice(keras.layers.Layer):\n"
        "    supports_masking = True\n\n    def call(self, x):\n"
        "        return 2 * x\n\n\nclass Needs(keras.layers.Layer):\n"
        "    def __init__(self, units):\n        super().__init__()\n"
    )
    code, out, _ = typed("init", "src/mine.py", "--output", "test_it.py")
    assert code == 0
    assert out == "Wrote test_it.py. Run it: pytest test_it.py\n"
    text = (folder / "test_it.py").read_text()
    assert "Needs needs arguments: units" in text
    assert str(folder) not in text
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_it.py", "-k", "pad-value"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": BACKEND},
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize(
    ("kind", "case"), [("loss", "LossCase"), ("metric", "MetricCase")]
)
def test_init_writes_tests_of_losses_and_metrics(
    typed: Any, folder: Path, kind: str, case: str
) -> None:
    (folder / "mine.py").write_text(
        "import keras\n\n\nclass Mine(keras."
        + {"loss": "losses.Loss", "metric": "metrics.MeanSquaredError"}[kind]
        + "):\n    pass\n"
    )
    assert typed("init", "mine.py", "--kind", kind, "--output", "t.py")[0] == 0
    text = (folder / "t.py").read_text()
    assert f"from keras_masking.contract import {case}\n" in text
    assert f"CASES = [\n    {case}(Mine),\n]" in text
    assert f'{case}(..., expected_failures={{"ID": "the reason"}})' in text


def test_what_any_layer_owes(
    typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It listed all six roles."""
    texts = dict.fromkeys(["statement", "why", "cause", "wrong", "right"], "")
    check = {"kind": "check", "id": "x", "level": "required", **texts}
    for roles, subject in (
        (ROLES, "any layer"),
        (["merges"], "a layer that merges"),
    ):
        answer = [{**check, "roles": roles}]
        monkeypatch.setattr(supervisor, "ask", lambda job, a=answer: a)
        assert typed("explain", "x")[1].startswith(f"x (required; {subject})\n")


@pytest.mark.parametrize(("seconds", "shown"), [(0.9, False), (1.1, True)])
def test_slow_checks(
    typed: Any, folder: Path, seconds: float, shown: bool
) -> None:
    """It listed five of a thousandth of a second, too."""
    slow = replace(result("pad-value", "pass"), seconds=seconds)
    writers.write(folder / "r.json", {"jax": [report(slow)]}, ["a:Pool"])
    out = typed("report", "r.json")[1]
    assert ("slowest checks" in out) == shown
    assert ("   1.10  pad-value" in out) == shown


def test_windows_is_refused(
    typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "POSIX", False)
    code, out, err = typed(*check(GROUP))
    assert (code, out) == (2, "")
    assert "it runs on Linux and macOS" in err


def test_as_a_module() -> None:
    for module in ("keras_masking", "keras_masking.cli"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"keras-masking, version {__version__}\n"
