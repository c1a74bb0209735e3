"""The benchmark's rows compare equal work, and its page is correct."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import tree

from benchmarks import __main__
from benchmarks import measure
from benchmarks import picture
from benchmarks import records
from benchmarks import report
from benchmarks import run
from benchmarks import timing
from benchmarks import worker
from benchmarks.batch import Batch
from benchmarks.modes import Run
from benchmarks.peers import peers
from benchmarks.row import BACKENDS
from benchmarks.rows import ROWS
from keras_masking import layers
from keras_masking import ops
from tests.helpers import assert_close

ROOT = Path(__file__).parents[1]
BACKEND = keras.backend.backend()
SHAPE = (2, 6, 8)
HERE = [row for row in ROWS.values() if BACKEND in row.backends]
HERE = [row for row in HERE if row.group != "growth"]
# Each compiles or traces several contenders.
ELSEWHERE = [] if BACKEND == "torch" else [pytest.mark.long]


def ready(contender: Any, mode: str = "predict") -> Run:
    measure.build(contender)
    return Run(mode, contender)


def outputs(run: Run, inputs: Any) -> list[np.ndarray]:
    found = tree.flatten(run.call(*inputs))
    return [keras.ops.convert_to_numpy(y) for y in found]


# Keras warns where its layers lose a mask, the nightly more often.
@pytest.mark.filterwarnings("ignore:Layer '.*an input with a mask:UserWarning")
@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=ELSEWHERE) for row in HERE],
    ids=lambda row: row.name,
)
def test_a_row_is_one_job(row: Any) -> None:
    """Without padding the contenders agree; our function ignores padding."""
    batch = Batch(SHAPE, padding=0.0)
    full = {name: make(batch) for name, make in row.makers.items()}
    ours = ready(full["ours"])
    found = outputs(ours, full["ours"].inputs)
    names = {"floor"} if row.keras == "none" else {"floor", "keras"}
    for name in names & set(full):
        theirs = outputs(ready(full[name]), full[name].inputs)
        for mine, other in zip(found, theirs, strict=True):
            if row.name == "position_ids":  # from 0; the other from 1
                other = other - 1
            if row.name == "transposed_window_mask":  # one step longer
                mine = mine[:, : other.shape[1]]
            assert_close(mine, other)
    if not row.nan:
        return
    clean, missing = Batch(SHAPE), Batch(SHAPE, nan=True)
    clean_outputs = outputs(ours, row.ours.make(clean).inputs)
    with_nan = outputs(ours, row.ours.make(missing).inputs)
    for mine, other in zip(clean_outputs, with_nan, strict=True):
        where: Any = clean.real if mine.shape[:2] == SHAPE[:2] else ...
        if row.name in ("split", "cropping", "zero_padding", "up_sampling"):
            where = ~np.isnan(other)  # padding is moved too
            assert where.any()
        assert_close(other[where], mine[where])


def test_fit_takes_the_gradients_of_the_weighted_sum() -> None:
    """By hand: each real step of a mean has gradient weight / number."""
    batch = Batch((2, 3, 4))
    run = ready(ROWS["mean"].ours.make(batch), "fit")
    found = outputs(run, batch.read("x mask"))
    (gradient,) = [y for y in found if y.shape == batch.shape]
    weights = np.random.default_rng(4).uniform(0.5, 1.5, (2, 4))
    for row, count in enumerate(batch.counts):
        for step in range(3):
            expected = weights[row] / count if step < count else np.zeros(4)
            assert_close(gradient[row, step], expected)


def test_fit_takes_the_gradients_of_the_weights() -> None:
    batch = Batch((2, 3, 4))
    contender = ROWS["conv_64"].ours.make(batch)
    shapes = [
        y.shape for y in outputs(ready(contender, "fit"), contender.inputs)
    ]
    assert {(3, 4, 64), (64,), batch.shape} <= set(shapes)


@pytest.mark.parametrize("name", ["mean", "max"])
def test_what_others_offer_gives_the_same_numbers(name: str) -> None:
    batch = Batch(SHAPE)
    expected = outputs(ready(ROWS[name].ours.make(batch)), batch.read("x mask"))
    others = {"torch": {"nested"}, "tensorflow": {"ragged"}, "jax": set()}
    if name == "mean":
        others["torch"].add("by hand")
    found = peers(name)
    assert set(found) == others[BACKEND]
    for make in found.values():
        peer = make(batch)
        assert_close(outputs(ready(peer), peer.inputs)[0], expected[0])


def made_up(ratios: dict[str, dict[str, float]]) -> list[records.Record]:
    """The records of a run in which rows had these ratios."""

    def cell(backend: str, row: str, ratio: float) -> records.Record:
        ours = {"ms": ratio, "first_ms": 9.0}
        ours["to_floor"] = [ratio - 0.1, ratio, ratio + 0.1]
        return {
            **dict(backend=backend, group="made_up", row=row, mode="predict"),
            **dict(dtype="float32", shape=[2, 3, 4], limits={"floor": 1.3}),
            **dict(ours="Ours()", keras="ignores the mask"),
            "contenders": {"floor": {"ms": 1.0, "first_ms": 4.0}, "ours": ours},
        }

    return [cell(b, *one) for b in ratios for one in ratios[b].items()]


@pytest.mark.parametrize("seed", range(3))
def test_the_page_says_the_worst_ratio(seed: int) -> None:
    draw = random.Random(seed)
    ratios = {
        backend: {f"row{i}": round(draw.uniform(0.5, 9.5), 2) for i in range(7)}
        for backend in BACKENDS
    }
    found = made_up(ratios)
    outside = {**found[0], "group": "parts", "row": "x", "limits": {}}
    outside["contenders"] = {"ours": {"ms": 1.0, "to_floor": [99.0] * 3}}
    page = report.page([*found, outside])
    every = sorted(r for rows in ratios.values() for r in rows.values())
    first = page.split("\n\n")[1]
    assert f"at worst {every[-1]:.2f} (" in first
    assert f"typically {every[len(every) // 2]:.2f}, " in first
    # Bold: it misses its target.
    assert page.count("**") == 2 * sum(ratio > 1.3 for ratio in every)
    for backend, rows in ratios.items():
        met = sum(ratio <= 1.3 for ratio in rows.values())
        line = next(s for s in page.splitlines() if f"| {backend} |" in s)
        assert line.endswith(f"| {met} of 7 |")
        assert (
            f"{sorted(rows.values())[3]:.2f} | {max(rows.values()):.2f} ("
            in line
        )
    assert "| 4.00 / - / 9.00 |" in page


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    found = made_up({"jax": {"mean": 0.7, "max": 3.0}, "torch": {"mean": 1.0}})
    picture.draw(found, tmp_path / "speed.png", "cpu")
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_typical_and_worst_are_over_the_shapes() -> None:
    cells = [made_up({"jax": {"mean": ratio}})[0] for ratio in (0.5, 2.0, 1.0)]
    assert report.ratios(cells) == "**1.00, 2.00**"
    assert report.ratios(cells[:1]) == "0.50"
    failed = {**cells[0], "contenders": {"ours": {"error": "ValueError: no"}}}
    assert "| jax | `mean` ours | ValueError: no | 1 |" in report.page([failed])


def test_two_checkouts_are_compared_by_the_medians_of_their_processes() -> None:
    found = [
        {
            **made_up({"torch": {"mean": ratio}})[0],
            "checkout": side,
            "turn": turn,
        }
        for turn, both in enumerate([(1.0, 2.0), (1.1, 8.0), (9.0, 2.2)])
        for side, ratio in zip(("here", "there"), both)
    ]
    line = report.against(found).splitlines()[2]
    expected = "ours | floor | 2.20 | 1.10 | 2.20 | 1.10 | 0.50 |"
    assert line.endswith(expected)


def test_growth_is_the_exponent_of_the_steps() -> None:
    cells = []
    for steps in (128, 2048, 8192):
        (cell,) = made_up({"jax": {"mean": 1.0}})
        cell["shape"] = [4, steps, 64]
        cell["contenders"]["floor"]["ms"] = steps / 2048 if steps > 128 else 7
        cell["contenders"]["ours"]["ms"] = steps**2
        cells.append(cell)
    assert report.growth(cells) == "1.00 / 2.00"


def test_the_nearest_limit_counts() -> None:
    mean, largest, softmax = (ROWS[name] for name in ("mean", "max", "softmax"))
    small, large = (48, 512, 256), (64, 512, 256)
    assert mean.limits("jax", "predict", small) == {"floor": 1.3, "keras": 0.5}
    assert mean.limits("torch", "predict", large)["keras"] == 0.2
    assert mean.limits("tensorflow", "predict", large)["keras"] == 0.5
    assert largest.limits("tensorflow", "fit", small) == {"floor": 2.4}
    assert largest.limits("torch", "fit", small) == {"floor": 3.0}
    assert softmax.limits("jax", "fit", small)["keras"] == 1.0


def test_contenders_run_in_turns() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    times = timing.in_turns(calls, 0.0, 4, 9)
    assert {name: len(one) for name, one in times.items()} == dict.fromkeys(
        "abc", 4
    )
    rounds = [order[at : at + 3] for at in range(0, 12, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_a_ratio_is_that_of_a_round() -> None:
    times = {
        "floor": [1.0, 10.0, 1.0, 1.0, 1.0],
        "ours": [2.0, 20.0, 3.0, 4.0, 1.0],
    }
    found = timing.compared(times)
    assert found["ours"] == {
        "ms": 3.0,
        "rounds": 5,
        "to_floor": [2.0, 2.0, 3.0],
    }


def test_a_process_that_ends_costs_its_cell_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rerun skips recorded cells, and gives up without progress."""
    file, left = tmp_path / "records.jsonl", [-11, -11, 0]

    def process(command: list[str], **options: Any) -> Any:
        cell = {"backend": "jax", "row": str(len(left))}
        records.append(file, {**cell, "error": "crashed"})
        return SimpleNamespace(returncode=left.pop(0) if left else 1)

    monkeypatch.setattr(run.subprocess, "run", process)
    options = {"file": str(file), "device": "cpu"}
    assert run.work(options, "jax", {})
    assert [record["row"] for record in records.read(file)] == ["3", "2", "1"]
    assert not run.work(options, "jax", {})  # the same cell twice: no progress


def test_a_worker_goes_on_behind_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, asked = tmp_path / "records.jsonl", []

    def do(job: records.Record, *rest: Any) -> records.Record:
        asked.append(job["mode"])
        raise ValueError("no /home/somebody/file")

    monkeypatch.setattr(worker, "do", do)
    monkeypatch.setattr(worker, "measure", lambda *args: {})
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    options = {"names": ["min"], "modes": ["predict"], "file": str(file)}
    options |= {"quick": True, "device": "cpu", "turn": {}}
    worker.work(options)
    failed = records.select(records.read(file), row="min")
    assert [one["error"] for one in failed] == ["ValueError: no file"] * 2
    assert [one["dtype"] for one in failed] == ["float32", "bfloat16"]
    worker.work(options)
    assert asked == ["predict", "predict"]


def test_names_that_no_row_has_are_said() -> None:
    options = {"names": ["meen"], "modes": ["predict"], "quick": True}
    with pytest.raises(SystemExit, match=r"meen.*there are activation, add"):
        worker.plan(BACKEND, options)


def test_a_gpu_that_is_not_there_is_said() -> None:
    if "cpu" not in str(keras.ops.zeros(1).device).lower():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match="finds none"):
        worker.machine(BACKEND, "gpu")


@pytest.mark.long
def test_a_quick_run_records_and_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "records.jsonl"
    arguments = ["mean", "--quick", "--backend", BACKEND, "--out", str(file)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        check=True,
        timeout=600,
    )
    machine, *cells = (json.loads(s) for s in file.read_text().splitlines())
    assert machine["group"] == "machine" and "keras" in machine["versions"]
    cells = [cell for cell in cells if "error" not in cell]
    both = ("predict", "fit"), ("float32", "bfloat16")
    seen = {(cell["mode"], cell["dtype"]) for cell in cells}
    assert seen == {(mode, dtype) for mode in both[0] for dtype in both[1]}
    for cell in cells:
        for name in ("floor", "keras", "ours"):
            one = cell["contenders"][name]
            assert "error" not in one, one
            assert one["ms"] > 0 and one["first_ms"] > 0
    __main__.main(["--render", str(file)])
    assert "| `mean` | " in capsys.readouterr().out


def test_every_op_and_layer_has_a_row() -> None:
    """By name, from the description of the rows."""
    said = " ".join(row.ours.text for row in ROWS.values())
    words = set(re.findall(r"\w+", said))
    assert not set(layers.__all__) - words
    # Covered by a layer above, or no computation on a sequence.
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
        "crf_decode": "ViterbiDecode",
        "crf_log_likelihood": "ViterbiDecode",
        "crf_marginals": "ViterbiDecode",
    }
    assert set(behind.values()) <= words
    left = set(ops.__all__) - words - set(behind)
    assert left == {
        "full_mask",
        "check_mask",
        "plain_formulas",
        "bio_transitions",
        "ctc_beam_decode",
        "ctc_greedy_decode",
    }
