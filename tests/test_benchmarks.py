"""The benchmarks run, and their page says the worst of what they measured."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks import __main__
from benchmarks import machine
from benchmarks import render
from benchmarks import row
from benchmarks import run
from benchmarks import timing
from benchmarks.jobs import Job
from benchmarks.rows import ROWS
from benchmarks.worker import Worker
from benchmarks.worker import difference
from keras_masking import layers
from keras_masking import ops

ROOT = Path(__file__).parents[1]


def command(*arguments: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_a_quick_run_writes_numbers_and_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = keras.backend.backend()
    options = ("--quick", "--only", "mean", "--parts", "rows")
    command(*options, "--backend", backend, "--into", tmp_path)
    (file,) = tmp_path.glob("cpu-*.json")
    found = json.loads(file.read_text("utf-8"))["backends"][backend]
    assert found["error"] is None
    cells = [one for one in found["results"] if one["part"] == "rows"]
    seen = {(cell["mode"], cell["dtype"]) for cell in cells}
    dtypes = ("float32", "bfloat16")
    assert seen == {(m, d) for m in ("predict", "fit") for d in dtypes}
    for cell in cells:
        for name in ("floor", "keras", "ours"):
            one = cell["contenders"][name]
            assert "error" not in one, one
            assert 0 < one["min_ms"] <= one["median_ms"]
    page = (tmp_path / "speed.md").read_text("utf-8")
    assert "A quick run" in page and "| `mean` | 4 x 64 x 16 |" in page
    assert (tmp_path / "speed.png").stat().st_size > 1000
    # The tables anew, from the numbers alone.
    (tmp_path / "speed.md").unlink()
    arguments = ["benchmarks", "--render", str(file), "--into", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    __main__.main()
    assert (tmp_path / "speed.md").read_text("utf-8") == page


def made_up(ratios: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The results of a run in which rows had these ratios."""

    def cell(name: str, ratio: float) -> dict[str, Any]:
        spread = {"median": ratio, "q1": ratio - 0.1, "q3": ratio + 0.1}
        time = {"median_ms": ratio, "min_ms": ratio, "first_ms": 9.0}
        return {
            "part": "rows",
            "name": name,
            "mode": "predict",
            "dtype": "float32",
            "shape": [2, 3, 4],
            "targets": [{"of": "floor", "limit": 1.3}],
            "contenders": {
                "floor": {**time, "median_ms": 1.0},
                "ours": {**time, "to_floor": spread},
            },
        }

    return {
        "date": "2026-01-01",
        "device": "cpu",
        "options": {"quick": False},
        "backends": {
            backend: {
                "machine": {},
                "error": None,
                "results": [cell(*one) for one in rows.items()],
            }
            for backend, rows in ratios.items()
        },
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_headline_says_the_worst_ratio(seed: int) -> None:
    draw = random.Random(seed)
    ratios = {
        backend: {f"row{i}": round(draw.uniform(0.5, 9.5), 2) for i in range(7)}
        for backend in run.BACKENDS
    }
    page = render.page(made_up(ratios))
    every = sorted(r for rows in ratios.values() for r in rows.values())
    first = page.split("\n\n")[1]
    assert f"**{every[-1]:.2f} times**" in first
    assert f"typically {every[len(every) // 2]:.2f} times" in first
    missed = sum(ratio > 1.3 for ratio in every)
    assert f"Targets: {len(every) - missed} of {len(every)} met" in page
    assert page.count("| MISSED ") == missed
    for backend, rows in ratios.items():
        met = sum(ratio <= 1.3 for ratio in rows.values())
        line = next(s for s in page.splitlines() if f"| {backend} |" in s)
        assert line.endswith(f"| {met} of 7 |")
        assert f"{max(rows.values()):.2f} (" in line


def test_a_job_that_ends_its_process_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def messages(backend: str, options: dict[str, Any]) -> Any:
        calls.append(options["skip"])
        yield {"machine": {"gpu": None}, "jobs": 3}
        for at in range(options["skip"], 3):
            yield {"start": at, "job": {"name": at}, "text": ""}
            if at == 1:
                yield {"ended": "the process ended with -11"}
                return
            yield {"done": at, "job": {"name": at}, "result": {"ok": True}}
        yield {"ended": "the process ended with 0"}

    monkeypatch.setattr(run, "_messages", messages)
    found = run.run("jax", {"seconds": 9.0}, show=lambda text: None)
    assert calls == [0, 2]
    assert found["error"] is None
    assert found["results"] == [
        {"name": 0, "ok": True},
        {"name": 1, "error": "the process ended with -11"},
        {"name": 2, "ok": True},
    ]


def test_the_nearest_limit_counts() -> None:
    target = row.times_faster(2, torch_at_64x512x256=5)
    assert target.limit("jax", "predict", (64, 512, 256)) == 0.5
    assert target.limit("torch", "predict", (48, 512, 256)) == 0.5
    assert target.limit("torch", "predict", (64, 512, 256)) == 0.2
    assert target.limit("jax", "eager", (48, 512, 256)) is None
    target = row.at_most(2, torch=2.5)
    assert target.limit("tensorflow", "fit", (1, 2, 3)) == 2.4
    assert target.limit("torch", "fit", (1, 2, 3)) == 3.0


def test_contenders_run_in_turns() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    times = timing.in_turns(calls, seconds=0.0, rounds=(4, 9))
    assert {name: len(one) for name, one in times.items()} == dict.fromkeys(
        "abc", 4
    )
    rounds = [order[at : at + 3] for at in range(0, 12, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_values_are_compared() -> None:
    values = np.array([1.0, np.nan, -4.0])
    assert difference(values, values) == {"difference": 0.0, "relative": 0.0}
    found = difference(values, np.array([1.0, np.nan, -5.0]))
    assert found == {"difference": 1.0, "relative": 0.2}


def test_values_of_two_devices_are_compared(tmp_path: Path) -> None:
    options = {"quick": True, "values": str(tmp_path), "seconds": 9.0}
    job = Job("values", "variance", shape=(3, 5, 4))
    Worker({**options, "device": "cpu"}).do_values(job, 1.0)
    # The one that compares: where it runs is all one to it.
    on_gpu = Worker({**options, "device": "gpu"})
    assert on_gpu.do_values(job, 1.0)["difference"] <= 1e-6
    values = np.load(tmp_path / "variance.npy")
    np.save(tmp_path / "variance.npy", values + 1)
    found = on_gpu.do_values(job, 1.0)
    np.testing.assert_allclose(found["difference"], 1.0, rtol=1e-5)


def test_a_gpu_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if machine.gpu(keras.backend.backend()) is not None:
        pytest.skip("there is a GPU")
    Worker({"device": "gpu", "seconds": 9.0}).work()
    said = capsys.readouterr().out
    assert "fatal" in said and "finds none" in said


def test_every_op_and_layer_has_a_row() -> None:
    """By name, in what the rows say of themselves."""
    said = " ".join(row.ours for row in ROWS.values())
    words = set(re.findall(r"\w+", said))
    assert not set(layers.__all__) - words
    # What a layer above does, or what computes nothing of a sequence.
    behind = {
        "masked_mean": "MaskedGlobalAveragePooling1D",
        "masked_sum": "MaskedGlobalSumPooling1D",
        "masked_max": "MaskedGlobalMaxPooling1D",
        "masked_min": "MaskedGlobalMinPooling1D",
        "masked_softmax": "TemporalSoftmax",
        "window_mean": "MaskedAveragePooling1D",
        "window_max": "MaskedMaxPooling1D",
        "first_step": "FirstStep",
        "last_step": "LastStep",
        "compact_steps": "CompactSteps",
        "pack_steps": "TemporalConcatenate",
        "reverse_steps": "TemporalReverse",
        "split_steps": "TemporalSplit",
        "lengths_to_mask": "LengthMask",
    }
    assert set(behind.values()) <= words
    left = set(ops.__all__) - words - set(behind)
    assert left == {"all_real", "check_mask", "plain_formulas"}
