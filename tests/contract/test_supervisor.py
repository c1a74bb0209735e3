"""Processes that crash, hang, print and are interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.contract import Case
from keras_masking.contract.backends import processes
from keras_masking.contract.backends import supervisor
from keras_masking.contract.backends import worker
from keras_masking.contract.backends.agreement import disagreement
from keras_masking.contract.backends.agreement import judge
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

pytestmark = [pytest.mark.kit, pytest.mark.once]

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()
OPTIONS = {
    "only": ["pad-value"],
    "skip": None,
    "level": "advised",
    "role": None,
    "seed": 0,
    "torch_compile": False,
}
JOB = {
    "work": "check",
    "ids": None,
    "inputs": None,
    "padding": None,
    "modules": [],
    "options": OPTIONS,
    "expected": {},
}
LAYERS = """
import ctypes, os, sys, time
import keras

class Crashes(keras.layers.Layer):
    def call(self, x):
        ctypes.string_at(0)

class Hangs(keras.layers.Layer):
    def call(self, x):
        open("pid", "w").write(str(os.getpid()))
        time.sleep(1000)

class Prints(keras.layers.Layer):
    supports_masking = True

    def call(self, x):
        print('{"kind": "done"}')
        os.write(1, b'{"kind": "done"}\\n\\xff')
        return x

class Differs(keras.layers.Layer):
    supports_masking = True

    def call(self, x):
        return x + 1 if keras.backend.backend() == "BACKEND" else x
""".replace("BACKEND", BACKEND)

LATE = """
import os
import keras

class First(keras.layers.ReLU):
    def call(self, x):
        os.environ["FIRST"] = "ran"
        return super().call(x)

class Then(keras.layers.ReLU):
    def call(self, x):
        if "FIRST" in os.environ:
            os.abort()
        return super().call(x)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "layers.py").write_text(LAYERS)
    return tmp_path


def test_a_layer_that_ends_its_worker_spoils_nothing_else() -> None:
    names = ["Crashes", "Prints", "Hangs"]
    targets = [f"layers.py:{name}" for name in names]
    job = {**JOB, "targets": [*targets, "keras.layers:ReLU"]}
    reports = supervisor.run(job, [BACKEND], timeout=4)[BACKEND]
    assert [report.layer for report in reports] == [*names, "ReLU"]
    crash, prints, hang, fine = reports
    for report, text in (
        (crash, "the worker was killed by SIGSEGV"),
        (hang, "the worker gave no result for 4 seconds"),
    ):
        (result,) = report.results
        assert (result.status, result.check) == ("kit-error", "worker")
        assert result.seen.startswith(text)
    for report in (crash, hang):
        assert 'layers.py", line ' in report.results[0].seen
    for report in (prints, fine):
        assert report.ok
        assert [r.check for r in report] == ["runs-with-mask", "pad-value"]


def test_a_crash_that_is_due_to_what_ran_before(folder: Path) -> None:
    """In a process of its own the layer does not crash."""
    (folder / "late.py").write_text(LATE)
    job = {**JOB, "targets": ["late.py:First", "late.py:Then"]}
    reports = supervisor.run(job, [BACKEND])[BACKEND]
    assert [report.layer for report in reports] == ["First", "Then"]
    assert [r.check for r in reports[1]] == ["runs-with-mask", "pad-value"]
    assert all(report.ok for report in reports)


def test_a_target_that_ends_its_worker_at_import(folder: Path) -> None:
    (folder / "ends.py").write_text("import os; os._exit(7)")
    job = {**JOB, "targets": ["ends:X"]}
    (report,) = supervisor.run(job, [BACKEND])[BACKEND]
    assert report.layer == "ends:X"
    assert report.results[0].seen == "the worker exited with status 7."


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_nothing_is_left_running(folder: Path, number: int, code: int) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    command = ["check", "layers.py:Hangs", "--backends", BACKEND]
    # A shell that runs this in the background ignores Ctrl-C for its children.
    handler = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    start = (
        f"import signal; {handler}; from keras_masking.cli import main; main()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", start, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
        text=True,
    )
    until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    child = int((folder / "pid").read_text())
    assert list(temporary.iterdir())
    parent.send_signal(number)
    out, err = parent.communicate(timeout=20)
    assert parent.returncode == code
    assert "Traceback" not in out + err
    until(lambda: not runs(child))
    until(lambda: not list(temporary.iterdir()))


def until(there: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and ") Z" in state.read_text())


def test_the_users_keras_settings_stay_out(folder: Path) -> None:
    there = processes.environment("jax", "cpu", folder)
    assert there["KERAS_BACKEND"] == "jax"
    assert there["KERAS_HOME"] == str(folder)
    assert there["CUDA_VISIBLE_DEVICES"] == ""
    gpu = processes.environment("jax", "gpu", folder)
    assert gpu["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


@pytest.mark.skipif(
    len(processes.installed()) < 2, reason="compares installed backends"
)
def test_backends_are_compared() -> None:
    other = next(b for b in processes.installed() if b != BACKEND)
    options = {**OPTIONS, "only": ["cross-backend"]}
    targets = ["layers.py:Differs", "keras.layers:LSTM(3)"]
    job = {**JOB, "options": options, "targets": targets}
    job["expected"] = {"LSTM(3)": {"cross-backend": "it was once"}}
    for reports in supervisor.run(job, [BACKEND, other]).values():
        differs, same = (report.results[-1] for report in reports)
        assert differs.status == "fail"
        assert BACKEND in differs.seen
        assert other in differs.seen
        assert "--only cross-backend" in differs.script
        assert differs.cause
        assert same.status == "xpass"


def answers(**job: Any) -> list[dict[str, Any]]:
    """The messages of a worker for a job, without a process."""
    messages: list[dict[str, Any]] = []

    def send(kind: str, **content: Any) -> None:
        messages.append({"kind": kind, **content})

    full = {**JOB, "device": "cpu", "start": 0, "compare": False, **job}
    worker._run({"backend": BACKEND, **full}, send)
    return messages


def refusal(**job: Any) -> str:
    messages = answers(**job)
    assert messages[-1]["kind"] == "refused"
    assert "report" not in [message["kind"] for message in messages]
    return messages[-1]["message"]


def test_messages_of_a_worker() -> None:
    messages = answers(
        targets=["keras.layers:ReLU", "layers.py:Prints"], start=1
    )
    kinds = [message["kind"] for message in messages]
    assert kinds == ["ready", "cases", "case"] + ["result"] * 2 + [
        "report",
        "done",
    ]
    assert messages[1]["names"] == ["ReLU", "Prints"]
    assert messages[2]["index"] == 1
    assert Report.from_dict(messages[-2]["report"]).ok


def test_ids() -> None:
    messages = answers(
        targets=["keras.layers:Embedding(5, 2, mask_zero=True)"], ids=5
    )
    assert Report.from_dict(messages[-2]["report"]).role == "generates"
    ids = worker._ids(5, 0)
    assert ids.shape == (3, 6)
    assert set(np.unique(ids)) <= set(range(5))
    assert (ids == 0).any()


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"targets": ["keras.layers:Relu"]}, "Did you mean 'ReLU'?"),
        ({"options": {**OPTIONS, "only": ["pad-valu"]}}, "mean 'pad-value'?"),
        ({"options": {**OPTIONS, "skip": ["pad-valu"]}}, "mean 'pad-value'?"),
        ({"expected": {"ReLU": {"pad": "so"}}}, "Received: 'pad'."),
        (
            {"expected": {"Relu": {"pad-value": "so"}}},
            "the table 'Relu' matches no target. The targets are: ReLU. Did "
            "you "
            "mean 'ReLU'?",
        ),
        ({"work": "checks", "check": "pad-valu"}, "mean 'pad-value'?"),
        ({"work": "find", "targets": ["keras.layers:Dense"]}, "needs arg"),
    ],
)
def test_what_a_worker_refuses(job: dict[str, Any], message: str) -> None:
    assert message in refusal(**{"targets": ["keras.layers:ReLU"], **job})


def test_a_kit_error_leaves_the_other_cases(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    (folder / "flat.py").write_text(
        "import keras, numpy as np\n"
        "from keras_masking.contract import Case\n"
        "flat = [Case(keras.layers.ReLU, inputs=np.zeros(3)), "
        "keras.layers.ReLU]\n"
    )
    messages = answers(targets=["flat:flat"])
    first, second = (m["report"] for m in messages if m["kind"] == "report")
    assert first["results"][0]["status"] == "kit-error"
    assert second["ok"]


def test_digests() -> None:
    same = worker._outputs(Case(keras.layers.BatchNormalization), None)
    assert same["shapes"] == [[3, 6, 4]]
    assert not same["random"]
    assert np.isfinite(same["outputs"][0]).all()
    noise = Case(lambda: keras.layers.Dropout(0.5), call_kwargs={"training": 1})
    assert worker._outputs(noise, None)["random"]


def digest(**other: Any) -> dict[str, Any]:
    return {
        "outputs": [[[1.0, 2.0, 9.0]]],
        "masks": [[[True, True, False]]],
        "shapes": [[1, 3]],
        "dtypes": ["float32"],
        "random": False,
        **other,
    }


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"outputs": [[[1.0, 2.00001, 5.0]]]}, ""),
        (
            {"outputs": [[[1.0, 2.1, 9.0]]]},
            "the output at row 0, step 1 is 2 on jax and 2.1 on torch "
            "(allowed: 0.0002)",
        ),
        (
            {"outputs": [[[1.0, float("nan"), 9.0]]]},
            "the output at row 0, step 1 is 2 on jax and nan on torch "
            "(allowed: 0.0002)",
        ),
        ({"masks": [None]}, "the mask of the output is"),
        ({"shapes": [[3, 1]]}, "the shape of the output is [1, 3] on jax"),
        ({"dtypes": ["int32"]}, "the dtype of the output is float32 on jax"),
        ({"outputs": []}, "1 outputs on jax, 0 on torch"),
    ],
)
def test_disagreement(other: dict[str, Any], text: str) -> None:
    found = disagreement({"jax": digest(), "torch": digest(**other)})
    assert found.startswith(text)
    assert bool(found) == bool(text)


def test_the_odd_one_is_named() -> None:
    far = digest(outputs=[[[1.0, 3.0, 9.0]]])
    near = digest(outputs=[[[1.0, 2.01, 9.0]]])
    found = disagreement({"a": digest(), "b": far, "c": near})
    assert "2 on a and 3 on b" in found


@pytest.mark.parametrize(
    ("one", "status"),
    [
        ({"random": True}, "n/a"),
        ({"masks": [None]}, "fail"),
        ({}, "pass"),
    ],
)
def test_judging(one: dict[str, Any], status: str) -> None:
    undecided = Result("L", "cross-backend", "advised", "n/a", reason="")
    digests = {"jax": digest(), "torch": digest(**one)}
    assert judge(undecided, digests).status == status
    broken = judge(undecided, {**digests, "torch": {"error": "E: no"}})
    assert (broken.status, broken.seen) == ("kit-error", "torch: E: no")
