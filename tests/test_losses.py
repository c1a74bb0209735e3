"""`MaskedLoss` against plain loops over the real steps."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.losses import MaskedLoss
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import finite_differences
from tests.helpers import gradient
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

MASK = MASKS["holes"]
SCORES = sample()
TARGETS = sample(seed=1)
CHANCES = np.exp(SCORES) / np.exp(SCORES).sum(axis=-1, keepdims=True)
CLASSES = np.random.default_rng(2).integers(0, 4, size=(3, 7))
ONE_HOT = np.eye(4, dtype="float32")[CLASSES]
WEIGHTS = np.random.default_rng(3).uniform(0.5, 2, (3, 7)).astype("float32")
MEANS = ["sum_over_batch_size", "mean", "mean_with_sample_weight"]


def squared(t: np.ndarray, p: np.ndarray) -> float:
    return sum((a - b) ** 2 for a, b in zip(t, p)) / len(t)


def absolute(t: np.ndarray, p: np.ndarray) -> float:
    return sum(abs(a - b) for a, b in zip(t, p)) / len(t)


def cross_entropy(t: np.ndarray, p: np.ndarray) -> float:
    return -sum(float(a) * math.log(b / sum(p)) for a, b in zip(t, p))


def of_class(t: int, p: np.ndarray) -> float:
    return -math.log(p[t])


def of_logits(t: int, p: np.ndarray) -> float:
    return math.log(sum(math.exp(b) for b in p)) - p[t]


def binary(t: np.ndarray, p: np.ndarray) -> float:
    each = (-math.log(b if a else 1 - b) for a, b in zip(t, p))
    return sum(each) / len(t)


# Name: targets, predictions, the loss of a step, and the wrapped loss.
LOSSES: dict[str, tuple[np.ndarray, np.ndarray, Callable, Any]] = {
    "mse": (TARGETS, SCORES, squared, "mse"),
    "mae": (TARGETS, SCORES, absolute, keras.losses.mean_absolute_error),
    "classes": (
        ONE_HOT,
        CHANCES,
        cross_entropy,
        keras.losses.CategoricalCrossentropy(),
    ),
    "sparse": (
        CLASSES,
        CHANCES,
        of_class,
        "sparse_categorical_crossentropy",
    ),
    "logits": (
        CLASSES,
        SCORES,
        of_logits,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "binary": (ONE_HOT, CHANCES, binary, keras.losses.BinaryCrossentropy()),
}


def each_step(
    loss: Callable, y_true: Any, y_pred: Any, mask: Any, weights: Any = None
) -> list[tuple[float, float]]:
    """Loss and weight of every real step."""
    return [
        (
            float(loss(y_true[b][t], y_pred[b][t].astype("float64"))),
            1.0 if weights is None else float(weights[b][t]),
        )
        for b in range(len(mask))
        for t in range(len(mask[b]))
        if mask[b][t]
    ]


def mean(*args: Any) -> float:
    """The mean over real steps, weighted ones divided by their number."""
    steps = each_step(*args)
    return sum(w * v for v, w in steps) / len(steps) if steps else 0.0


def spoiled(x: np.ndarray, mask: np.ndarray, value: float) -> np.ndarray:
    """`x` with `value` or an invalid class at padding steps."""
    if x.dtype.kind == "i":
        return np.where(mask, x, -1)
    return poisoned(x, mask, value)


@pytest.mark.parametrize("name", LOSSES)
def test_mean_over_real_steps(name: str) -> None:
    y_true, y_pred, loss, theirs = LOSSES[name]
    ours = MaskedLoss(theirs)
    for mask in MASKS.values():
        for value in (0.0, np.nan):
            seen = ours(
                spoiled(y_true, mask, value),
                layers.AttachMask()(spoiled(y_pred, mask, value), mask=mask),
            )
            assert_close(seen, mean(loss, y_true, y_pred, mask))


@pytest.mark.parametrize("reduction", [*MEANS, "sum", "none", None])
def test_reductions_and_weights(reduction: str | None) -> None:
    ours = MaskedLoss("mse", reduction=reduction)
    of_rows = WEIGHTS[:, :1].repeat(7, axis=1)
    for given, weights in (
        (None, None),
        (WEIGHTS, WEIGHTS),
        (WEIGHTS[..., None], WEIGHTS),
        (WEIGHTS[:, :1], of_rows),
        (WEIGHTS[:, 0], of_rows),
        (2.0, np.full((3, 7), 2.0)),
    ):
        seen = ours(TARGETS, SCORES, given, mask=MASK)
        if reduction in (None, "none"):
            wanted = np.zeros((3, 7))
            steps = each_step(squared, TARGETS, SCORES, MASK, weights)
            wanted[MASK] = [w * v for v, w in steps]
        else:
            steps = each_step(squared, TARGETS, SCORES, MASK, weights)
            wanted = sum(w * v for v, w in steps)
            if reduction == "mean_with_sample_weight":
                wanted /= sum(w for _, w in steps)
            elif reduction != "sum":
                wanted /= len(steps)
        assert_close(seen, wanted)


@pytest.mark.parametrize("reduction", [*MEANS, "sum", None])
@pytest.mark.parametrize("masked", [True, False], ids=["mask", "no mask"])
def test_keras_number_where_padding_is_finite(
    reduction: str | None, masked: bool
) -> None:
    for name in ("MeanSquaredError", "Huber", "LogCosh", "CosineSimilarity"):
        theirs = getattr(keras.losses, name)(reduction=reduction)
        ours = MaskedLoss(theirs)
        y_pred = ops.convert_to_tensor(SCORES)
        if masked:
            y_pred = layers.AttachMask()(y_pred, mask=MASK)
        for weights in (None, WEIGHTS):
            assert_close(
                ours(TARGETS, y_pred, weights),
                to_numpy(theirs(TARGETS, y_pred, weights)),
            )


def test_without_steps_it_is_the_inner_loss() -> None:
    theirs = keras.losses.MeanSquaredError()
    columns = TARGETS[:, 0, :1], SCORES[:, 0, :1]
    for y_true, y_pred in (
        (TARGETS[:, 0], SCORES[:, 0]),
        (columns[0][:, 0], columns[1]),
    ):
        for weights in (None, WEIGHTS[:, 0]):
            assert_close(
                MaskedLoss("mse")(y_true, y_pred, weights),
                to_numpy(theirs(y_true, y_pred, weights)),
            )
    dice = keras.losses.Dice()
    assert_close(
        MaskedLoss(dice)(ONE_HOT, CHANCES),
        to_numpy(dice(ONE_HOT, CHANCES)),
    )


@pytest.mark.parametrize("name", ["mse", "classes", "logits"])
def test_gradients(name: str) -> None:
    y_true, y_pred, loss, theirs = LOSSES[name]
    ours = MaskedLoss(theirs)
    wanted = finite_differences(
        lambda p: mean(loss, y_true, p, MASK, WEIGHTS),
        y_pred,
        np.broadcast_to(MASK[..., None], y_pred.shape),
    )
    for value in POISON.values():
        t = spoiled(y_true, MASK, value)
        (seen,) = gradient(
            lambda p, t=t: ours(t, p, WEIGHTS, mask=MASK),
            spoiled(y_pred, MASK, value),
            compile=name == "mse" and np.isnan(value),
        )
        np.testing.assert_array_equal(seen[~MASK], 0)
        assert_close(seen, wanted)


def test_nothing_real() -> None:
    nothing = MASKS["nothing"]
    for reduction in (*MEANS, "sum"):
        ours = MaskedLoss("mse", reduction=reduction)
        nan = np.full_like(SCORES, np.nan)
        (grad,) = gradient(
            lambda p, ours=ours: ours(p, p, WEIGHTS, mask=nothing), nan
        )
        assert float(ours(nan, nan, WEIGHTS, mask=nothing)) == 0
        np.testing.assert_array_equal(grad, 0)


@pytest.mark.parametrize("value", POISON.values(), ids=POISON)
def test_more_padding_on_both_sides(value: float) -> None:
    ours = MaskedLoss("mae")
    wide = ((0, 0), (2, 3), (0, 0))
    seen = ours(
        np.pad(TARGETS, wide, constant_values=value),
        np.pad(SCORES, wide, constant_values=value),
        np.pad(WEIGHTS, wide[:2], constant_values=value),
        mask=np.pad(MASK, wide[:2]),
    )
    assert_close(seen, mean(absolute, TARGETS, SCORES, MASK, WEIGHTS))


@pytest.mark.parametrize("name", ["mse", "binary_crossentropy"])
def test_a_number_for_each_step(name: str) -> None:
    """Targets, predictions or both without the axis of features."""
    loss = binary if name.startswith("b") else squared
    y_true, y_pred = ONE_HOT[..., :1], CHANCES[..., :1]
    wanted = mean(loss, y_true, y_pred, MASK, WEIGHTS)
    ours = MaskedLoss(name)
    for t, p in (
        (y_true, y_pred),
        (y_true[..., 0], y_pred),
        (y_true, y_pred[..., 0]),
        (y_true[..., 0], y_pred[..., 0]),
        (y_true.tolist(), y_pred.tolist()),
    ):
        assert_close(ours(t, p, WEIGHTS, mask=MASK), wanted)
        assert_close(ours(t, p, WEIGHTS, mask=MASK.tolist()), wanted)


def test_masks_and_losses_of_other_ranks() -> None:
    shape = (3, 7, 2, 4)
    y_true, y_pred = np.random.default_rng(5).normal(size=(2, *shape))
    ours = MaskedLoss("mse")
    each = [
        [squared(t, p) for t, p in zip(y_true[b][s], y_pred[b][s])]
        for b in range(3)
        for s in range(7)
        if MASK[b][s]
    ]
    assert_close(ours(y_true, y_pred, mask=MASK), np.mean(each))
    tokens = np.random.default_rng(6).random(shape[:3]) < 0.5
    each = [
        squared(y_true[b, s, w], y_pred[b, s, w])
        for b, s, w in zip(*np.nonzero(tokens))
    ]
    assert_close(ours(y_true, y_pred, mask=tokens), np.mean(each))


@pytest.mark.parametrize("reduction", [*MEANS, "sum", None])
def test_weights_of_0_hide_what_is_nan(reduction: str | None) -> None:
    """It was NaN, and so was the gradient.

    A mean counts these steps, as Keras does; the mean by weights does not.
    """
    weights = np.where(MASK, WEIGHTS, np.float32(0))
    ours = MaskedLoss("mse", reduction)
    wanted = to_numpy(
        keras.losses.MeanSquaredError(reduction)(TARGETS, SCORES, weights)
    )
    seen = ours(spoiled(TARGETS, MASK, np.nan), SCORES, weights)
    assert_close(seen, wanted)
    (seen,) = gradient(
        lambda p: ops.sum(ours(spoiled(TARGETS, MASK, np.nan), p, weights)),
        spoiled(SCORES, MASK, np.nan),
    )
    scale = {None: 1, "sum": 1, MEANS[2]: weights.sum()}.get(reduction, 21)
    wanted = (SCORES - TARGETS) * weights[..., None] / 2 / scale
    assert_close(seen, wanted)


def test_labels_of_weight_0_may_be_no_classes() -> None:
    ours = MaskedLoss(
        "sparse_categorical_crossentropy", "mean_with_sample_weight"
    )
    labels = spoiled(CLASSES, MASK, np.nan)
    assert labels.min() == -1
    seen = ours(labels, CHANCES, MASK.astype("float32"))
    assert_close(seen, mean(of_class, CLASSES, CHANCES, MASK))


CLASS_WEIGHT = {0: 1.0, 1: 3.0, 3: 0.25}  # 2 is missing


def by_class(classes: np.ndarray, weights: Any = None) -> list:
    """A weight for each step, looked up by class."""
    return [
        [
            CLASS_WEIGHT.get(int(c), 1.0)
            * (1.0 if weights is None else float(weights[b][t]))
            for t, c in enumerate(row)
        ]
        for b, row in enumerate(classes)
    ]


@pytest.mark.parametrize("reduction", [*MEANS, "sum", None])
def test_class_weights(reduction: str | None) -> None:
    ours = MaskedLoss(
        "sparse_categorical_crossentropy", reduction, class_weight=CLASS_WEIGHT
    )
    of_rows = WEIGHTS[:, :1].repeat(7, axis=1)
    for given, weights in (
        (None, None),
        (WEIGHTS, WEIGHTS),
        (WEIGHTS[:, 0], of_rows),
    ):
        weights = by_class(CLASSES, weights)
        steps = each_step(of_class, CLASSES, CHANCES, MASK, weights)
        wanted = sum(w * v for v, w in steps)
        if reduction is None:
            wanted = np.zeros((3, 7))
            wanted[MASK] = [w * v for v, w in steps]
        elif reduction == "mean_with_sample_weight":
            wanted /= sum(w for _, w in steps)
        elif reduction != "sum":
            wanted /= len(steps)
        labels = spoiled(CLASSES, MASK, np.nan)
        assert_close(ours(labels, CHANCES, given, mask=MASK), wanted)


def test_class_weights_of_each_kind_of_targets() -> None:
    wanted = mean(of_class, CLASSES, CHANCES, MASK, by_class(CLASSES))
    labels = spoiled(CLASSES, MASK, np.nan)
    floats = np.where(MASK, CLASSES, np.nan)
    for name, y_true in (
        ("sparse_categorical_crossentropy", labels[..., None]),
        ("sparse_categorical_crossentropy", floats),
        ("sparse_categorical_crossentropy", floats[..., None].astype("f")),
        (
            "sparse_categorical_crossentropy",
            np.where(MASK, CLASSES, 255).astype("uint8"),
        ),
        ("categorical_crossentropy", spoiled(ONE_HOT, MASK, np.nan)),
        ("categorical_crossentropy", ONE_HOT.astype("int64")),
    ):
        ours = MaskedLoss(name, class_weight=CLASS_WEIGHT)
        assert_close(ours(y_true, CHANCES, mask=MASK), wanted)
    true, chance = (CLASSES > 1).astype("f"), CHANCES[..., :1]
    wanted = mean(binary, true[..., None], chance, MASK, by_class(true))
    ours = MaskedLoss("binary_crossentropy", class_weight=CLASS_WEIGHT)
    for y_true in (
        np.where(MASK, true, np.nan),
        true.astype(bool),
        true[..., None],
    ):
        for y_pred in (chance, chance[..., 0]):
            assert_close(ours(y_true, y_pred, mask=MASK), wanted)
    # Without a mask, and one number for each row.
    wanted = mean(binary, true[..., None], chance, MASK | True, by_class(true))
    assert_close(ours(true, chance), wanted)
    rows = CHANCES[:, 0], CLASSES[:, 0]
    each = [
        -math.log(p[t]) * CLASS_WEIGHT.get(int(t), 1.0) for p, t in zip(*rows)
    ]
    ours = MaskedLoss(
        "sparse_categorical_crossentropy", class_weight=CLASS_WEIGHT
    )
    assert_close(ours(rows[1], rows[0]), sum(each) / 3)


def test_class_weights_and_ignored_classes() -> None:
    theirs = keras.losses.SparseCategoricalCrossentropy(ignore_class=2)
    ours = MaskedLoss(theirs, class_weight=CLASS_WEIGHT)
    wanted = mean(
        of_class, CLASSES, CHANCES, MASK & (CLASSES != 2), by_class(CLASSES)
    )
    assert_close(ours(CLASSES, CHANCES, mask=MASK), wanted)


def test_class_weights_of_a_loss_inside() -> None:
    inside = MaskedLoss("categorical_crossentropy", class_weight={1: 9.0})
    assert MaskedLoss(inside).class_weight == {1: 9.0}
    outside = MaskedLoss(inside, class_weight=CLASS_WEIGHT)
    wanted = mean(of_class, CLASSES, CHANCES, MASK, by_class(CLASSES))
    assert_close(outside(ONE_HOT, CHANCES, mask=MASK), wanted)


def test_ignored_classes_are_padding_too() -> None:
    theirs = keras.losses.SparseCategoricalCrossentropy(ignore_class=2)
    wanted = mean(of_class, CLASSES, CHANCES, MASK & (CLASSES != 2))
    y_true = np.where(MASK, CLASSES, 99)
    assert_close(MaskedLoss(theirs)(y_true, CHANCES, mask=MASK), wanted)
    everywhere = mean(of_class, CLASSES, CHANCES, CLASSES != 2)
    assert_close(MaskedLoss(theirs)(CLASSES, CHANCES), everywhere)


def test_the_caller_keeps_what_it_passed() -> None:
    given = [ops.convert_to_tensor(x) for x in (TARGETS, SCORES, WEIGHTS)]
    before = [to_numpy(x).copy() for x in given]
    ours = MaskedLoss("mse")
    first, *others = (float(ours(*given, mask=MASK)) for _ in range(3))
    assert others == [first, first]
    for x, was in zip(given, before):
        np.testing.assert_array_equal(to_numpy(x), was)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_adds_up_in_float32(dtype: str) -> None:
    """The sum is 5000 * 16, beyond float16, with exact terms."""
    steps = ops.full((1, 5000, 1), 4.0, dtype=dtype)
    mask = np.ones((1, 5000), bool)
    theirs = keras.losses.MeanSquaredError(dtype=dtype)
    seen = MaskedLoss(theirs)(ops.zeros_like(steps), steps, mask=mask)
    assert keras.backend.standardize_dtype(seen.dtype) == dtype
    assert float(seen) == 16


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_tells_classes_apart(dtype: str) -> None:
    """Class 2049 was 2048 in float16, class 257 was 256 in bfloat16."""
    theirs = keras.losses.SparseCategoricalCrossentropy(dtype=dtype)
    label = 2049 if dtype == "float16" else 257
    chances = np.zeros((1, 1, 2100), "float32")
    chances[..., [label - 1, label]] = 0.25, 0.75
    weight = {label: 2.0}
    seen = MaskedLoss(theirs, class_weight=weight)([[label]], chances)
    assert_close(float(seen), -2 * math.log(0.75), dtype)


def test_the_explicit_mask_wins() -> None:
    y_pred = layers.AttachMask()(SCORES, mask=MASKS["right"])
    seen = MaskedLoss("mse")(TARGETS, y_pred, mask=MASK)
    assert_close(seen, mean(squared, TARGETS, SCORES, MASK))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
@pytest.mark.parametrize("reduction", [*MEANS, "sum"])
def test_a_replica_gives_its_share(
    reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strategy sums over replicas, so means must be scaled down."""
    import tensorflow as tf

    how = (TARGETS, layers.AttachMask()(SCORES, mask=MASK))
    theirs = keras.losses.MeanSquaredError(reduction=reduction)
    alone = float(MaskedLoss(theirs)(*how))
    two = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: two)
    seen = MaskedLoss(theirs)(*how)
    assert_close(seen, alone if reduction == "sum" else alone / 2)
    assert_close(seen, to_numpy(theirs(*how)))


def test_names_and_reductions_are_those_of_the_loss() -> None:
    summed = keras.losses.MeanSquaredError(reduction="sum", name="mine")
    ours = MaskedLoss(summed)
    assert (ours.name, ours.reduction) == ("mine", "sum")
    ours = MaskedLoss(summed, reduction="mean", name="yours")
    assert (ours.name, ours.reduction) == ("yours", "mean")
    assert MaskedLoss("mse").name == "mean_squared_error"


@keras.saving.register_keras_serializable("tests")
def fourth_power(y_true: Any, y_pred: Any) -> Any:
    return ops.mean((y_true - y_pred) ** 4, axis=-1)


@pytest.mark.parametrize(
    "loss",
    [
        "mae",
        fourth_power,
        keras.losses.BinaryCrossentropy(True, reduction="sum"),
        MaskedLoss("mse", class_weight={1: 2.0}),
    ],
    ids=["name", "function", "Loss", "nested"],
)
def test_config(loss: Any) -> None:
    ours = MaskedLoss(loss)
    written = json.dumps(keras.losses.serialize(ours))  # keys are strings
    again = keras.losses.deserialize(json.loads(written))
    assert isinstance(again, MaskedLoss)
    assert again.get_config() == ours.get_config()
    how = (TARGETS, SCORES, WEIGHTS, MASK)
    assert float(again(*how)) == float(ours(*how))


IDS = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
REAL = IDS != 0
GOALS = np.where(REAL[..., None], sample(5, 2)[:2], np.nan)


def tagger(jit: bool = True) -> keras.Model:
    """A vector for each id and two outputs; compiled, with fixed weights."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    outputs = {n: keras.layers.Dense(2, name=n)(x) for n in ("one", "two")}
    model = keras.Model(ids, outputs)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile(
        keras.optimizers.SGD(0.1),
        {"one": MaskedLoss("mse"), "two": MaskedLoss("mae")},
        jit_compile=jit and BACKEND != "torch",
    )
    return model


def test_training_with_nan_targets_is_training_without_padding(
    tmp_path: Path,
) -> None:
    """One step on a padded sentence, and one on the sentence alone."""
    padded, alone = tagger(), tagger()
    weights = np.array([0.5])
    for model, steps in ((padded, 5), (alone, 3)):
        goals = {n: GOALS[:1, :steps] for n in ("one", "two")}
        model.fit(IDS[:1, :steps], goals, verbose=0, sample_weight=weights)
    for ours, wanted in zip(padded.get_weights(), alone.get_weights()):
        assert_close(ours, wanted)
    assert np.abs(alone.get_weights()[0] - tagger().get_weights()[0]).max() > 0

    path = tmp_path / "model.keras"
    padded.save(path)
    again = keras.saving.load_model(path)
    goals = {n: GOALS for n in ("one", "two")}
    seen = again.evaluate(IDS, goals, verbose=0)
    predicted = {n: to_numpy(p) for n, p in again(IDS).items()}
    one = mean(squared, GOALS, predicted["one"], REAL)
    two = mean(absolute, GOALS, predicted["two"], REAL)
    assert_close(seen, [one + two, one, two])


WHO = "In loss 'mine' (of type MaskedLoss): "


def refused(loss: Any, y_true: Any = TARGETS, **kwargs: Any) -> str:
    """The error message of a call."""
    ours = MaskedLoss(loss, name="mine")
    with pytest.raises(ValueError, match="Received") as error:
        ours(y_true, SCORES, **{"mask": MASK, **kwargs})
    return str(error.value)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.Dice(),
        keras.losses.Tversky(),
        lambda t, p: ops.mean(t - p, axis=(1, 2)),
        lambda t, p: ops.mean(t - p),
        lambda t, p: ops.mean(t - p, axis=1),
    ],
    ids=["Dice", "Tversky", "(batch,)", "()", "(batch, features)"],
)
def test_losses_of_whole_sequences_are_refused(loss: Any) -> None:
    message = refused(loss)
    assert message.startswith(f"{WHO}the loss must give a number for each step")
    assert "losses=(" in message
    assert "keras_masking.losses.MaskedSequenceLoss" in message


def test_targets_of_another_length_are_refused() -> None:
    message = refused(keras.losses.CTC(), np.ones((3, 2)))
    assert message.startswith(
        f"{WHO}`y_true` must have the batch and the steps"
    )
    assert "y_true.shape=(3, 2)" in message
    assert "MaskedSequenceLoss" in message


def test_weights_and_masks_that_do_not_fit_are_refused() -> None:
    assert refused("mse", sample_weight=np.ones(7)) == (
        f"{WHO}`sample_weight` must be (batch,), a weight for each sequence, "
        "or (batch, steps), a weight for each step. Received: "
        "sample_weight.shape=(7,), weighed=(3, 7). Its axes must be the "
        "first axes of `y_pred`."
    )
    assert "mask.shape=(3, 6)" in refused("mse", mask=MASK[:, :6])


@pytest.mark.parametrize(
    "class_weight",
    [
        {-1: 1.0},
        {"1": 1.0},
        {1.5: 1.0},
        {True: 1.0},
        {1: np.nan},
        {1: np.inf},
        {1: -1.0},
        {1: "2"},
        {1: None},
        [1.0, 2.0],
        3,
    ],
    ids=str,
)
def test_class_weights_that_are_none_are_refused(class_weight: Any) -> None:
    with pytest.raises(ValueError) as error:
        MaskedLoss("mse", name="mine", class_weight=class_weight)
    assert str(error.value) == (
        f"{WHO}`class_weight` must map classes, integers from 0, to finite "
        "weights that are not negative. Received: "
        f"class_weight={class_weight!r}. For example {{0: 1.0, 1: 5.0}}; a "
        "class without an entry has weight 1."
    )


@pytest.mark.parametrize(
    "y_true", [CLASSES, ONE_HOT], ids=["classes", "one-hot"]
)
def test_class_weights_of_classes_that_are_none_are_refused(
    y_true: Any,
) -> None:
    ours = MaskedLoss("mse", name="mine", class_weight={1: 2, 4: np.int64(3)})
    with pytest.raises(ValueError) as error:
        ours(y_true, CHANCES, mask=MASK)
    assert str(error.value) == (
        f"{WHO}the classes in `class_weight` must exist in the predictions. "
        "Received: class_weight={1: 2.0, 4: 3.0}, classes=4. Classes are "
        "numbered from 0."
    )


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        ((3, 7), (3, 7)),  # one-hot rows, or steps: Keras uses the argmax
        ((3, 7, 1), (3, 7)),
        ((3, 7, 4), (3, 7, 1)),
        ((3, 7, 4), (3, 7, 5)),
        ((3,), (3, 7, 4)),
        ((3, 7, 4, 1), (3, 7, 4)),
        ((3,), (3,)),
    ],
    ids=str,
)
def test_targets_without_a_class_for_each_step_are_refused(
    y_true: tuple, y_pred: tuple
) -> None:
    ours = MaskedLoss("mse", name="mine", class_weight={1: 2.0})
    with pytest.raises(ValueError) as error:
        ours(np.ones(y_true), np.ones(y_pred))
    assert str(error.value).startswith(
        f"{WHO}with `class_weight`, `y_true` must be integers (batch, steps), "
        "0 or 1 (batch, steps, 1), or one-hot (batch, steps, classes). "
        f"Received: y_true.shape={y_true}, y_pred.shape={y_pred}. "
    )


def test_weights_of_steps_for_numbers_without_a_mask_are_refused() -> None:
    ours = MaskedLoss("mse", name="mine")
    with pytest.raises(ValueError, match=r"need a feature axis") as error:
        ours(TARGETS[..., 0], SCORES[..., 0], WEIGHTS)
    assert "weighed=(3,)" in str(error.value)
    ours = MaskedLoss("mse", class_weight={1: 2.0}, name="mine")
    with pytest.raises(ValueError, match="`sample_weight` must be"):
        ours(TARGETS[..., :1], SCORES[..., :1], np.ones((3, 7, 4)))


@pytest.mark.parametrize("loss", [None, "no such", 3])
def test_what_is_no_loss_is_refused(loss: Any) -> None:
    with pytest.raises(ValueError) as error:
        MaskedLoss(loss)
    assert str(error.value) == (
        "In MaskedLoss: `loss` must be a Keras loss or a function. Received: "
        f"loss={loss!r}. Pass a name in `keras.losses`, for example 'mse'."
    )
    with pytest.raises(ValueError, match="Received: reduction=most"):
        MaskedLoss("mse", reduction="most")


def test_the_weight_of_class_0() -> None:
    """Of two steps of class 0 and one of class 1; the padding has class 0."""
    ours = MaskedLoss("mae", reduction="sum", class_weight={0: 3.0})
    y_true = np.array([[[0.0], [1.0], [0.0], [0.0]]], "float32")
    y_pred = y_true + np.array([[[1.0], [1.0], [1.0], [5.0]]], "float32")
    mask = np.array([[True, True, True, False]])
    assert_close(ours(y_true, y_pred, mask=mask), 3.0 + 1.0 + 3.0)


def test_class_weights_compiled() -> None:
    ours = MaskedLoss(
        "sparse_categorical_crossentropy", class_weight=CLASS_WEIGHT
    )
    run = compiled(lambda t, p, w, m: ours(t, p, w, m))
    given = (spoiled(CLASSES, MASK, np.nan), CHANCES, WEIGHTS, MASK)
    seen = run(*(ops.convert_to_tensor(x) for x in given))
    weights = by_class(CLASSES, WEIGHTS)
    assert_close(seen, mean(of_class, CLASSES, CHANCES, MASK, weights))


def test_compiled() -> None:
    ours = MaskedLoss("mse")
    run = compiled(lambda t, p, w, m: ours(t, p, w, m))
    given = (poisoned(TARGETS, MASK, np.nan), SCORES, WEIGHTS, MASK)
    seen = run(*(ops.convert_to_tensor(x) for x in given))
    assert_close(seen, mean(squared, TARGETS, SCORES, MASK, WEIGHTS))


@pytest.mark.parametrize("ignored", [-1, 0])
def test_a_weight_of_0_ignores_no_more_and_no_less(ignored: int) -> None:
    # Divided by 4 instead of 2 for -1, and by 2 instead of 4 for 0.
    classes = np.array([[1, 2, ignored or 1, ignored or 1]])
    chances = np.array([[[0.2, 0.3, 0.5]] * 4], "float32")
    weights = np.array([[1.0, 1.0, 0.0, 0.0]], "float32")
    total = -(math.log(0.3) + math.log(0.5))
    inner = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored)
    loss = MaskedLoss(inner)(classes, chances, weights)
    assert_close(loss, total / (2 if ignored else 4))
