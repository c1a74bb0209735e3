"""`MaskedSequenceLoss` and `MaskedCTC` against loops over the real steps."""

import itertools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import keras_masking
from keras_masking._replicas import Replicas
from keras_masking.contract import LossCase
from keras_masking.contract import check_loss
from keras_masking.losses import MaskedCTC
from keras_masking.losses import MaskedLoss
from keras_masking.losses import MaskedSequenceLoss
from keras_masking.losses import reduced
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import at_once
from tests.helpers import compiled
from tests.helpers import finite_differences
from tests.helpers import gradient
from tests.helpers import gradients_of
from tests.helpers import padded_here
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy
from tests.helpers import with_padding

SCORES = sample()
TARGETS = sample(seed=1)
WEIGHTS = np.array([0.5, 0.0, 2.0], "float32")


@keras.saving.register_keras_serializable("tests")
def rooted(y_true: Any, y_pred: Any, mask: Any) -> Any:
    """The root of the mean square of each sequence; NaN for an empty row."""
    squares = ops.mean(ops.square(y_true - y_pred), axis=-1)
    real = ops.cast(mask, squares.dtype)
    return ops.sqrt(ops.sum(squares * real, axis=1) / ops.sum(real, axis=1))


def each_root(
    targets: np.ndarray, scores: np.ndarray, mask: np.ndarray
) -> list[float]:
    """The loss of each row, 0 for an empty one."""
    found = []
    for t, p, real in zip(targets, scores, mask):
        steps = [i for i in range(len(real)) if real[i]]
        total = sum((a - b) ** 2 for i in steps for a, b in zip(t[i], p[i]))
        count = len(steps) * len(t[0])
        found.append(math.sqrt(total / count) if count else 0.0)
    return found


@pytest.mark.parametrize("kind", MASKS)
def test_each_sequence(kind: str) -> None:
    mask = MASKS[kind]
    loss = MaskedSequenceLoss(rooted, reduction=None)
    bad = [poisoned(x, mask, np.nan) for x in (TARGETS, SCORES)]
    wanted = each_root(TARGETS, SCORES, mask)
    assert_close(loss(*bad, mask=mask), wanted)
    whole = MaskedSequenceLoss(rooted)(*bad, mask=mask)
    rows = int(mask.any(axis=1).sum())
    assert_close(whole, sum(wanted) / max(rows, 1))


@pytest.mark.parametrize(
    ("reduction", "count"),
    [("mean", 2.0), ("mean_with_sample_weight", 0.5), ("sum", 1.0)],
)
def test_weights(reduction: str, count: float) -> None:
    """A row of weight 0 may be NaN; the last row is empty."""
    mask = MASKS["right"].copy()
    mask[2] = False
    scores = SCORES.copy()
    scores[1] = np.nan
    loss = MaskedSequenceLoss(rooted, reduction=reduction)
    wanted = 0.5 * each_root(TARGETS, SCORES, mask)[0] / count
    for weights in (WEIGHTS, WEIGHTS[:, None]):
        assert_close(loss(TARGETS, scores, weights, mask), wanted)


def test_gradients() -> None:
    mask = MASKS["empty"]
    loss = MaskedSequenceLoss(rooted)

    def oracle(scores: np.ndarray) -> float:
        return sum(each_root(TARGETS.astype("float64"), scores, mask)) / 2

    wanted = finite_differences(oracle, SCORES, np.ones_like(SCORES))
    bad, targets = (poisoned(x, mask, np.nan) for x in (SCORES, TARGETS))
    (found,) = gradient(lambda x: loss(targets, x, mask=mask), bad)
    assert_close(found, wanted)
    assert not found[~mask].any()


def test_targets_of_other_axes() -> None:
    """They are what they are, but for rows that do not count."""

    def nearest(y_true: Any, y_pred: Any, mask: Any) -> Any:
        errors = ops.abs(y_pred - y_true[:, None])
        return keras_masking.ops.masked_min(errors, mask, axis=(1, 2))

    mask = MASKS["empty"]
    targets = np.array([[1.0], [np.nan], [-1.0]], "float32")
    loss = MaskedSequenceLoss(nearest, None, mask_targets=False)
    wanted = [
        min((abs(v - t[0]) for v in x[real].ravel()), default=0.0)
        for t, x, real in zip(targets, SCORES, mask)
    ]
    assert_close(loss(targets, SCORES, mask=mask), wanted)


def alignments(
    chances: np.ndarray, labels: list[int], blank: int
) -> float | None:
    """The likelihood of the labels over all paths, None without a path."""
    total, found = 0.0, False
    steps, classes = chances.shape
    for path in itertools.product(range(classes), repeat=steps):
        merged = [c for i, c in enumerate(path) if not i or path[i - 1] != c]
        if [c for c in merged if c != blank] == labels:
            found = True
            total += math.prod(chances[i, c] for i, c in enumerate(path))
    return total if found else None


def each_ctc(
    labels: np.ndarray, logits: np.ndarray, mask: np.ndarray, blank: int
) -> list[float]:
    found = []
    for row, x, real in zip(labels, logits.astype("float64"), mask):
        x = np.exp(x[real])
        chances = x / x.sum(axis=-1, keepdims=True)
        wanted = [int(c) for c in row if c >= 0 and c != blank]
        chance = alignments(chances, wanted, blank) if real.any() else None
        found.append(0.0 if chance is None else -math.log(chance))
    return found


# Five steps: the oracle takes all paths.
SHORT = {name: mask[:, :5] for name, mask in MASKS.items()}
LOGITS = 2 * sample()[:, :5, :3]
# Holes, then right, left and no padding; the blank is first, then last.
LABELS = {
    "first": np.array([[1, -1, 2], [2, 2, -1], [0, -100, 1]]),
    "last": np.array([[0, -1, 1], [1, 1, -1], [2, -100, 0]]),
}


@pytest.mark.parametrize("kind", SHORT)
def test_ctc(kind: str) -> None:
    mask = SHORT[kind]
    for blank, labels in LABELS.items():
        index = 0 if blank == "first" else 2
        wanted = each_ctc(labels, LOGITS, mask, index)
        loss = MaskedCTC(blank, reduction=None)
        bad = poisoned(LOGITS, mask, np.nan)
        assert_close(loss(labels, bad, mask=mask), wanted)
        rows = max(int(mask.any(axis=1).sum()), 1)
        assert_close(
            MaskedCTC(blank)(labels, bad, mask=mask), sum(wanted) / rows
        )


def test_ctc_without_an_alignment() -> None:
    """Two equal labels need three steps; the first row has two."""
    mask = np.array([[1, 0, 1, 0], [1, 1, 1, 0]], bool)
    labels = np.array([[1, 1], [1, 1]])
    logits = LOGITS[:2, :4]
    loss = at_once(MaskedCTC(reduction=None))
    wanted = each_ctc(labels, logits, mask, 0)
    assert wanted[0] == 0 and wanted[1] > 0
    assert_close(loss(labels, logits, mask=mask), wanted)
    (found,) = gradient(
        lambda x: ops.sum(loss(labels, x, mask=mask)),
        logits,
        compile=BACKEND == "jax",
    )
    assert not found[0].any()
    assert found[1, :3].any() and np.isfinite(found).all()
    # More labels than steps, and none at all.
    many = np.array([[1, 2, 1, 2, 1], [-1, -1, -1, -1, -1]])
    wanted = each_ctc(many, logits, mask, 0)
    assert_close(loss(many, logits, mask=mask), wanted)
    assert_close(loss(many[:, :0], logits, mask=mask)[1], wanted[1])


def test_ctc_gradients() -> None:
    mask, labels = SHORT["holes"], LABELS["first"]
    loss = MaskedCTC(reduction="sum")

    def oracle(logits: np.ndarray) -> float:
        return sum(each_ctc(labels, logits, mask, 0))

    wanted = finite_differences(oracle, LOGITS, np.ones_like(LOGITS, bool))
    grads = gradients_of(lambda x: loss(labels, x, mask=mask))
    for value in (np.nan, np.inf):
        (found,) = grads(poisoned(LOGITS, mask, value))
        assert_close(found, wanted)
        assert not found[~mask].any()


def test_ctc_without_a_mask() -> None:
    """All steps are real; a row of weight 0 may be NaN."""
    labels, scores = LABELS["first"], LOGITS.copy()
    scores[1] = np.nan
    every = each_ctc(labels, LOGITS, np.ones((3, 5), bool), 0)
    found = MaskedCTC(reduction=None)(labels, scores, WEIGHTS)
    assert_close(found, [w * x for w, x in zip(WEIGHTS, every)])
    assert every[0] > 0 and every[2] > 0


def test_ctc_of_half_precision() -> None:
    mask, labels = SHORT["left"], LABELS["first"]
    loss = MaskedCTC(reduction=None)
    half = ops.cast(LOGITS, "float16")
    wanted = each_ctc(labels, to_numpy(ops.cast(half, "float32")), mask, 0)
    assert_close(loss(labels, half, mask=mask), wanted)


def test_ctc_of_a_long_row() -> None:
    """Without a label, and with a sum that float16 does not hold."""
    logits = np.zeros((1, 800, 2), "float16")
    logits[..., 1] = 2.0
    found = MaskedCTC()(np.array([[-1]]), logits)
    assert_close(found, 800 * math.log(1 + math.exp(2.0)))


def test_masks_of_labels_and_of_predictions_are_read() -> None:
    mask, labels = SHORT["right"], LABELS["first"]
    for carries in (False, True):
        given, kept = ops.convert_to_tensor(LOGITS), labels != 2
        masked = ops.convert_to_tensor(labels)
        keras_masking._keras.set_mask(masked, ops.convert_to_tensor(kept))
        how = {"mask": mask}
        if carries:
            keras_masking._keras.set_mask(given, ops.convert_to_tensor(mask))
            how = {}
        found = MaskedCTC(reduction=None)(masked, given, **how)
        wanted = each_ctc(np.where(kept, labels, -1), LOGITS, mask, 0)
        assert_close(found, wanted)


LOSSES: dict[str, tuple[Any, np.ndarray, np.ndarray]] = {
    "function": (lambda: MaskedSequenceLoss(rooted), TARGETS, SCORES),
    "ctc": (MaskedCTC, LABELS["first"], LOGITS),
}


@pytest.mark.parametrize(
    "name", ["function", pytest.param("ctc", marks=pytest.mark.long)]
)
def test_compiled_and_loaded(name: str) -> None:
    make, targets, scores = LOSSES[name]
    loss, mask = make(), MASKS["holes"][:, : scores.shape[1]]
    wanted = float(loss(targets, scores, mask=mask))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(targets, scores, mask=mask)) == wanted
    given = [ops.convert_to_tensor(x) for x in (targets, scores, mask)]
    if name == "ctc" and BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(lambda t, p, m: loss(t, p, mask=m))
    else:
        run = compiled(lambda t, p, m: loss(t, p, mask=m))
    assert_close(run(*given), wanted)


IDS = np.array([[1, 2, 3, 0, 0], [4, 1, 0, 0, 0]])


@pytest.mark.parametrize("name", LOSSES)
def test_a_model(name: str, tmp_path: Path) -> None:
    """A step of `fit`, `predict` and `evaluate` with padding of every kind."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    model = keras.Model(ids, keras.layers.Dense(3)(x))
    rng = np.random.default_rng(0)
    start = [rng.normal(size=w.shape) for w in model.get_weights()]
    model.compile(
        keras.optimizers.SGD(0.1),
        LOSSES[name][0](),
        jit_compile=BACKEND == "jax",  # op by op it is slow there
    )
    steps = {"function": sample(5, 3)[:2], "ctc": np.array([[1, 2], [2, -1]])}
    path = tmp_path / "model.keras"
    after, seen, found = [], [], []
    for kind in (None, *padded_here(name == "ctc")):
        x, y = IDS, steps[name]
        if kind:
            x = with_padding(kind, x, 0)
        if kind == "empty" or (kind and name == "function"):
            y = with_padding(kind, y, -1 if name == "ctc" else np.nan)
        model.set_weights(start)
        model.fit(x, y, verbose=0, batch_size=3)
        after.append(model.get_weights())
        if kind is None:
            model.save(path)
            again = keras.saving.load_model(path)
        seen.append(again.evaluate(x, y, verbose=0))
        found.append(again.predict(x, verbose=0)[x != 0])
    for weights in after[1:]:
        for one, other, first in zip(weights, after[0], start):
            assert_close(one, other)
            assert np.abs(one - first).max() > 0
    assert_close(seen, [seen[0]] * len(seen))
    for scores in found[1:]:
        assert_close(scores, found[0])


CASES = {
    "function": LossCase(lambda: MaskedSequenceLoss(rooted), name="function"),
    "ctc": LossCase(
        MaskedCTC,
        y_true=np.array([[1, 2, -1], [2, -1, -1], [1, 1, -1]]),
        y_pred=sample(6)[:, :, :3],
    ),
}


@pytest.mark.kit
@pytest.mark.parametrize("name", CASES)
def test_the_kit_passes(name: str) -> None:
    report = check_loss(CASES[name])
    assert report.ok, str(report)
    assert report.ran >= 8


def refused(loss: Any, y_true: Any = TARGETS, **kwargs: Any) -> str:
    with pytest.raises(ValueError, match="Received") as error:
        loss(y_true, SCORES, **{"mask": MASKS["right"], **kwargs})
    return str(error.value)


def test_what_does_not_fit_is_refused() -> None:
    ours = MaskedSequenceLoss(rooted, name="mine")
    who = "loss 'mine' (of type MaskedSequenceLoss)"
    short = refused(ours, TARGETS[:, :5])
    assert who in short and "pass `mask_targets=False`" in short
    rows = MaskedSequenceLoss(rooted, mask_targets=False)
    assert "a row for each row" in refused(rows, TARGETS[:2])
    assert "mask.shape" in refused(ours, mask=MASKS["right"][:, :5])
    assert "sample_weight.shape" in refused(ours, sample_weight=np.ones((3, 7)))
    steps = MaskedSequenceLoss(lambda t, p, mask: ops.sum(t - p, axis=-1))
    assert "a number for each sequence, (batch,)" in refused(steps)
    scalar = MaskedSequenceLoss(lambda t, p, mask: ops.sum(t - p))
    assert "losses.shape=()" in refused(scalar)
    with pytest.raises(ValueError, match="`fn` must be a function"):
        MaskedSequenceLoss("mse")
    with pytest.raises(ValueError, match=r"must be \(batch, steps"):
        ours(TARGETS[:, 0, 0], SCORES[:, 0, 0])


def test_labels_that_do_not_fit_are_refused() -> None:
    loss = MaskedCTC()
    assert "wrong=4" in refused(loss, np.array([[1], [2], [4]]))
    assert "must be integers" in refused(loss, np.array([[1.0], [2.0], [3.0]]))
    assert "must be integers" in refused(loss, np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="must be logits"):
        loss(np.array([[1]]), np.zeros((1, 4)))
    with pytest.raises(ValueError, match="blank='middle'"):
        MaskedCTC("middle")


def test_a_loss_of_steps_names_the_loss_of_sequences() -> None:
    with pytest.raises(ValueError, match="MaskedSequenceLoss"):
        MaskedLoss(keras.losses.Dice())(TARGETS, SCORES, mask=MASKS["right"])


@pytest.mark.parametrize("averages", [False, True])
def test_replicas_count_the_sequences_of_all(
    averages: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica has a sum of 5 over 3 sequences."""
    mask = MASKS["empty"]

    def add(x: Any) -> Any:
        return ops.stop_gradient(x) + np.array([5.0, 3.0], "float32")

    monkeypatch.setattr(
        reduced, "find_replicas", lambda *_: Replicas(2, averages, add)
    )
    wanted = (sum(each_root(TARGETS, SCORES, mask)) + 5) / (2 + 3)
    found = MaskedSequenceLoss(rooted)(TARGETS, SCORES, mask=mask)
    assert_close(found, wanted if averages else wanted / 2)


def test_a_constant_normalizer() -> None:
    loss = MaskedSequenceLoss(rooted, normalizer=10, synchronized=False)
    wanted = sum(each_root(TARGETS, SCORES, MASKS["right"])) / 10
    for one in (loss, MaskedSequenceLoss.from_config(loss.get_config())):
        assert_close(one(TARGETS, SCORES, mask=MASKS["right"]), wanted)
        assert one.synchronized is False
