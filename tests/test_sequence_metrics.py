"""`MaskedEditDistance` and `SpanF1` against loops over sequences."""

import itertools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.contract import MetricCase
from keras_masking.contract import check_metric
from keras_masking.losses import CRFLoss
from keras_masking.losses import MaskedCTC
from keras_masking.metrics import MaskedEditDistance
from keras_masking.metrics import SpanF1
from keras_masking.ops import ctc_beam_decode
from keras_masking.ops import ctc_greedy_decode
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import to_numpy

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(3, 7, 3)).astype("float32")
# Padding on the right, on the left and in holes; the blank may be 0 or 2.
LABELS = np.array([[1, 1, -1], [-1, 1, -100], [1, -1, 1]])
WEIGHTS = np.array([0.5, 2.0, 1.0], "float32")


def decoded(row: np.ndarray, real: np.ndarray, blank: int) -> list[int]:
    best = [int(np.argmax(row[t])) for t in range(len(real)) if real[t]]
    merged = [c for i, c in enumerate(best) if not i or best[i - 1] != c]
    return [c for c in merged if c != blank]


def edits(one: list[int], other: list[int]) -> int:
    """By trying each edit of the first symbols."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return edits(one[1:], other[1:])
    tries = (one[1:], other), (one, other[1:]), (one[1:], other[1:])
    return 1 + min(edits(*pair) for pair in tries)


@pytest.mark.parametrize("kind", MASKS)
def test_edit_distance(kind: str) -> None:
    mask = MASKS[kind]
    bad = np.where(mask[..., None], LOGITS, np.nan)
    for name, blank in (("first", 0), ("last", 2)):
        found = to_numpy(ctc_greedy_decode(bad, mask, name))
        metric, total, count = MaskedEditDistance(name), 0.0, 0.0
        for i, (row, real) in enumerate(zip(LOGITS, mask)):
            wanted = decoded(row, real, blank)
            assert found[i].tolist() == wanted + [-1] * (7 - len(wanted))
            if real.any():
                labels = [int(c) for c in LABELS[i] if c >= 0]
                total += WEIGHTS[i] * edits(labels, wanted)
                count += WEIGHTS[i] * len(labels)
        # In two batches.
        for some in (slice(2), slice(2, 3)):
            metric.update_state(
                LABELS[some], bad[some], WEIGHTS[some], mask[some]
            )
        assert_close(metric.result(), total / count if count else 0.0)


def most_likely(row: np.ndarray, real: np.ndarray, blank: int) -> list[int]:
    """The labels whose alignments have the largest sum, by trying all."""
    steps = row[real].astype("float64")
    chances = np.exp(steps) / np.exp(steps).sum(axis=-1, keepdims=True)
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(3), repeat=len(steps)):
        merged = [c for i, c in enumerate(path) if not i or path[i - 1] != c]
        labels = tuple(c for c in merged if c != blank)
        chance = math.prod(chances[i, c] for i, c in enumerate(path))
        totals[labels] = totals.get(labels, 0.0) + chance
    return list(max(totals, key=lambda labels: totals[labels]))


@pytest.mark.parametrize("kind", MASKS)
def test_beam_decoding(kind: str) -> None:
    """In a beam that loses nothing; here greedy decoding is not as good."""
    if BACKEND == "torch" and keras.version().startswith("3.12"):
        pytest.skip("Keras 3.12 has no beam search on PyTorch")
    mask = MASKS[kind][:, :5]
    logits = LOGITS[:, :5]
    bad = np.where(mask[..., None], logits, np.nan)
    for name, blank in (("first", 0), ("last", 2)):
        wanted = [most_likely(*pair, blank) for pair in zip(logits, mask)]
        rows = [labels + [-1] * (5 - len(labels)) for labels in wanted]
        found = to_numpy(ctc_beam_decode(bad, mask, name))
        assert found.tolist() == rows
        assert found.dtype == "int32"
    greedy = to_numpy(ctc_greedy_decode(bad, mask, "last"))
    assert kind == "nothing" or greedy.tolist() != rows


def test_edits_of_long_sequences() -> None:
    """Symbols that are replaced, inserted and deleted at each end."""
    for one, other in (
        ([1, 2, 3, 4], [2, 3, 4, 1]),
        ([1, 2, 3], [3, 2, 1]),
        ([1, 1, 1, 2], [2]),
        ([4], [1, 2, 3, 4, 1, 2]),
    ):
        # Each class between blanks. All have the same shape.
        best = [c for symbol in other for c in (0, symbol)]
        best += [0] * (12 - len(best))
        labels = [*one, -1, -1, -1][:4]
        metric = MaskedEditDistance()
        metric.update_state(
            np.array([labels]), np.eye(5, dtype="float32")[[best]]
        )
        assert_close(metric.result(), edits(one, other) / len(one))


NAMES = ["O", "B-A", "I-A", "B-B", "I-B"]


def spans(tags: list[int]) -> set[tuple[int, int, str]]:
    """First step, step after the last, and kind of each span."""
    found, start, kind = set(), 0, ""
    for t, tag in enumerate([*tags, 0]):
        name = NAMES[tag]
        goes_on = bool(kind) and name == "I-" + kind
        if kind and not goes_on:
            found.add((start, t, kind))
        if name == "O":
            kind = ""
        elif not goes_on:
            start, kind = t, name[2:]
    return found


TAGS = RANDOM.integers(0, 5, (3, 7))
OTHERS = np.where(RANDOM.random((3, 7)) < 0.7, TAGS, (TAGS + 1) % 5)


def f1(others: np.ndarray, mask: np.ndarray, weights: np.ndarray) -> float:
    same = number = 0.0
    for ours, theirs, real, weight in zip(TAGS, others, mask, weights):
        a, b = spans(list(ours[real])), spans(list(theirs[real]))
        same += weight * 2 * len(a & b)
        number += weight * (len(a) + len(b))
    return same / number if number else 0.0


@pytest.mark.parametrize("kind", MASKS)
def test_spans(kind: str) -> None:
    mask = MASKS[kind]
    wanted = f1(OTHERS, mask, WEIGHTS)
    scores = np.eye(5, dtype="float32")[OTHERS]
    spoiled = np.where(mask[..., None], scores, np.nan)
    pairs = np.repeat(spoiled[:, :, None], 5, axis=2)
    true = np.where(mask, TAGS, -1)
    for found in (np.where(mask, OTHERS, -7), spoiled, pairs):
        metric = SpanF1(NAMES)
        metric.update_state(true[..., None], found, WEIGHTS, mask)
        assert_close(metric.result(), wanted)
    assert 0 < f1(OTHERS, np.ones((3, 7), bool), WEIGHTS) < 1


def test_spans_of_bioes() -> None:
    """`E` and `S` end a span: what goes on after them begins another."""
    names = ["O", "B-A", "I-A", "E-A", "S-A", "S-B"]
    metric = SpanF1(names)
    ours = np.array([[1, 2, 3, 3, 4, 2, 5, 0]])
    # Of five spans the first and the last agree; the second is longer, and the
    # third and the fourth are one.
    others = np.array([[1, 2, 3, 1, 2, 3, 5, 0]])
    metric.update_state(ours, others)
    assert_close(metric.result(), 2 * 2 / (5 + 3))


IDS = np.array([[1, 2, 3, 0, 0], [4, 1, 0, 0, 0]])


@pytest.mark.parametrize("kind", ["ctc", "crf"])
def test_evaluate(kind: str, tmp_path: Path) -> None:
    """With more padding, and loaded again, the metric is the same."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    metric: Any
    if kind == "ctc":
        model = keras.Model(ids, keras.layers.Dense(3)(x))
        loss, metric = MaskedCTC(), MaskedEditDistance()
        y = np.array([[1, 2], [2, -1]])
    else:
        x = layers.LinearChainCRF(3)(keras.layers.Dense(3)(x))
        model = keras.Model(ids, x)
        loss, metric = CRFLoss(), SpanF1(["O", "B-A", "I-A"])
        y = np.array([[1, 2, 0, -1, -1], [0, 1, -1, -1, -1]])
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile("sgd", loss, metrics=[metric])
    seen = model.evaluate(IDS, y, verbose=0)
    assert seen[1] > 0, seen
    path = tmp_path / "model.keras"
    model.save(path)
    padded = np.pad(IDS, [(0, 0), (0, 3)])
    goals = y if kind == "ctc" else np.pad(y, [(0, 0), (0, 3)])
    again = keras.saving.load_model(path).evaluate(padded, goals, verbose=0)
    assert_close(again, seen)


CASES = {
    "distance": MetricCase(
        MaskedEditDistance,
        y_true=np.array([[1, 2, -1], [2, -1, -1], [1, 1, -1]]),
        y_pred=LOGITS[:, :6],
    ),
    "spans": MetricCase(
        lambda: SpanF1(NAMES),
        y_true=TAGS[:, :6],
        y_pred=RANDOM.normal(size=(3, 6, 5)).astype("float32"),
    ),
}


@pytest.mark.kit
@pytest.mark.parametrize("name", CASES)
def test_the_kit_passes(name: str) -> None:
    report = check_metric(CASES[name])
    assert report.ok, str(report)
    assert report.ran >= 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: MaskedEditDistance().update_state(LABELS[:2], LOGITS),
            "a row for each row",
        ),
        (
            lambda: MaskedEditDistance().update_state(LABELS, LOGITS[..., 0]),
            "must be .batch, steps, classes",
        ),
        (
            lambda: MaskedEditDistance().update_state(LABELS + 2, LOGITS),
            "classes=3, wrong=3",
        ),
        (lambda: MaskedEditDistance("middle"), "blank='middle'"),
        (lambda: ctc_greedy_decode(LOGITS[0]), "batch, steps, classes"),
        (lambda: ctc_beam_decode(LOGITS[0]), "batch, steps, classes"),
        (lambda: ctc_beam_decode(LOGITS, blank="any"), "blank='any'"),
        (lambda: ctc_beam_decode(LOGITS, beam_width=0), "beam_width"),
        (lambda: SpanF1(["O", "N"]), "must have tags of spans"),
        (lambda: SpanF1(NAMES).update_state(TAGS, LOGITS), "labels=5"),
        (lambda: SpanF1(NAMES).update_state(TAGS, TAGS + 1), "wrong=5"),
        (lambda: SpanF1(NAMES).update_state(TAGS + 1, TAGS), "wrong=5"),
        (lambda: SpanF1(NAMES).update_state(TAGS * 1.0, TAGS), "integers"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
