"""The examples run, and print what they promise."""

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.helpers import BACKEND
from tools import notebook

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    # Like a script, which imports from its own folder.
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


@pytest.mark.long
def test_japanese_vowels(
    load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("japanese_vowels")
    results = example.run()
    plain, ours = results["plain Keras"], results["keras_masking"]
    assert ours["accuracy"] >= 0.95
    assert max(ours["drift"].values()) < 1e-5
    assert max(plain["drift"].values()) > 0.1
    # Not only by odd values: zeros at padding are visible too.
    assert plain["drift"]["1 more appended"] > 0.01
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['accuracy']:.3f}" in table
    assert "padding holds NaN" in table
    example.plot(results, str(tmp_path / "drift.png"))
    assert (tmp_path / "drift.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.long
def test_dilated_tcn(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("dilated_tcn")
    results = example.run()
    plain, ours = results["plain Keras"], results["keras_masking"]
    assert ours["accuracy"] >= 0.93
    assert max(ours["drift"].values()) < 1e-5
    # A causal network of plain layers is right too, with padding on the right.
    assert plain["drift"]["right, 20 more"] < 1e-5
    assert plain["drift"]["left"] > 0.03
    assert max(plain["drift"].values()) > 0.3
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['accuracy']:.3f}" in table
    assert "left, holding NaN" in table


@pytest.mark.long
def test_speech_encoder(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("speech_encoder")
    results = example.run()
    plain, ours = results["plain Keras"], results["keras_masking"]
    assert ours["accuracy"] >= 0.96
    for kind, drift in ours["drift"].items():
        # Not a multiple of the strides: no mask can fix that.
        assert drift > 0.03 if kind == example.SHIFTED else drift < 1e-5, kind
    assert plain["drift"]["right, 0 more"] > 0.05
    assert max(plain["drift"].values()) > 0.3
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['accuracy']:.3f}" in table
    assert example.SHIFTED in table


@pytest.mark.long
def test_missing_values(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("missing_values")
    results = example.run(epochs=25)
    ours = results.pop("keras_masking")
    assert ours[example.ERROR] < 0.9
    assert max(ours["drift"].values()) < 1e-5 * example.PPM
    for how, filled in results.items():
        # Neither much better nor worse: the series is smooth.
        assert filled[example.ERROR] < 0.9
        assert filled["drift"]["in a padded batch"] > 0.03
        # The forecast predicts filled values too.
        others = {"zeros", "mean", "line"} - {how}
        assert min(filled["drift"][f"gaps hold {o}"] for o in others) > 0.3
    results["keras_masking"] = ours
    example.show(results, example.Console())
    example.Console().print(example.conclude(results))
    words = capsys.readouterr().out
    assert f"{ours[example.ERROR]:.3f}" in words
    assert f"Error {ours[example.ERROR]:.2f} ppm" in words


@pytest.mark.long
def test_transformer(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("transformer")
    results = example.run()
    plain, ours = results["plain Keras"], results["keras_masking"]
    assert ours["accuracy"] >= 0.96
    assert max(ours["drift"].values()) < 1e-5
    # Even right padding matters: the second block attends to it.
    assert plain["drift"]["right"] > 0.3
    assert plain["drift"]["left"] > 0.3
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['accuracy']:.3f}" in table
    assert "left, holding NaN" in table


@pytest.mark.long
def test_split_batches(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("split_batches")
    results = example.run(words=256)
    one = results.pop((example.WHOLE, example.PLAIN))
    assert one["distance"] == 0
    on_jax = example.keras.config.backend() == "jax"
    for (way, title), found in results.items():
        if title == example.OURS or (on_jax and way == example.DEVICES):
            assert found["distance"] < 1e-5
            assert abs(found["loss"] - one["loss"]) < 1e-5
        else:
            assert found["distance"] > 0.01
    example.show(results, example.Console())
    assert "two devices" in capsys.readouterr().out


@pytest.mark.long
def test_stress_tagger(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("stress_tagger")
    results = example.run()
    plain, mixed = results["plain Keras"], results["our layers only"]
    ours = results["keras_masking"]
    assert ours["words all right"] > 0.7
    assert max(ours["drift"].values()) < 1e-5
    assert min(plain["drift"].values()) > 0.3
    for figure in ("precision", "loss"):
        truth = ours[f"{figure}, words alone"]
        reported = [
            ours[f"{figure}, {batch}"]
            for batch in (*example.PADDINGS, "batches of 16", "one batch")
        ]
        assert max(abs(value - truth) for value in reported) < 1e-5
    # More padding, better figures.
    assert plain["precision, right"] > plain["precision, words alone"] + 0.02
    assert plain["precision, right, 20 more"] > plain["precision, right"] + 0.01
    assert plain["loss, right, 20 more"] < 0.6 * plain["loss, right"]
    # Even with a mask, if the metric ignores it.
    precision = mixed["precision, right"]
    assert abs(precision - mixed["precision, words alone"]) > 0.02
    assert abs(precision - mixed["precision, right, 20 more"]) > 0.01
    # And the mean over batches depends on the batches.
    assert mixed["loss, one batch"] - mixed["loss, batches of 16"] > 0.005
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['precision, words alone']:.3f}" in table
    assert "batches of 16" in table


@pytest.mark.long
def test_address_parts(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("address_parts")
    results = example.run(epochs=8, titles=(example.PLAIN, example.CRF))
    plain, ours = results.values()
    for name in example.PADDINGS:
        assert ours[f"F1, {name}"] == ours["F1, alone"] > 0.8
        assert plain[f"F1, {name}"] != plain["F1, alone"]
    assert not max(ours["drift"].values())
    assert min(plain["drift"].values()) > 0.001
    assert ours["tags that do not fit"] == 0 < plain["tags that do not fit"]
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['F1, alone']:.3f}" in table
    assert "tags that do not fit" in table


@pytest.mark.long
def test_spelling_to_sounds(
    load: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("spelling_to_sounds")
    results = example.run(epochs=14, every=6)
    plain, ours = results["plain Keras"], results["keras_masking"]
    for what in ("loss", "error rate"):
        truth = ours[f"{what}, alone"]
        for name in example.PADDINGS:
            assert abs(ours[f"{what}, {name}"] - truth) < 1e-5 * truth
        assert plain[f"{what}, left"] > plain[f"{what}, right"] + 0.02
    assert ours["error rate, alone"] < 0.7
    assert max(ours["drift"].values()) < 1e-4
    assert min(plain["drift"].values()) > 0.1
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['error rate, alone']:.3f}" in table
    assert "loss, left, 20 more" in table


@pytest.mark.long
@pytest.mark.parametrize("kind", ["convolutions", "transformer"])
def test_less_padding(
    kind: str, load: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "transformer" and BACKEND != "torch":
        pytest.skip("traces or compiles 25 lengths, for minutes")
    example = load("less_padding")
    results = example.run(kind, epochs=1)
    padded, buckets, packed = (results[way] for way in example.WAYS)
    assert padded["share of padding"] > 0.6
    assert packed["share of padding"] < 0.25
    assert buckets["share of padding"] < 0.1
    assert packed["shapes of batches"] == 1
    assert buckets["shapes of batches"] <= 7
    for one in results.values():
        assert max(one["drift"].values()) < 1e-5
        assert one["loss, test words alone"] < 0.45
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{packed['share of padding']:.3f}" in table
    assert "predicted packed" in table


@pytest.mark.long
def test_guide(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    guide = load("guide")
    guide.main()
    assert "more padding" in capsys.readouterr().out


def test_the_notebook() -> None:
    made = notebook.read(notebook.PATH)
    with warnings.catch_warnings():
        printed = notebook.run(made)
    stored = [notebook.stored(cell) for cell in notebook.code(made)]
    assert printed == stored, "run `python -m tools.notebook`"
    assert "0.00" in printed[3] and "0.00" not in printed[1]
