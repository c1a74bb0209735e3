"""`MaskedMetric` and `LossPerStep` against plain loops over the real steps."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import sample
from tests.helpers import to_numpy

# Keras' own IoU says so.
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
MASK = MASKS["holes"]
RNG = np.random.default_rng(0)
# No two features of a step are equal, so the argmax is unique.
SCORES, VALUES = RNG.normal(size=(2, 3, 7, 4)).astype("float32")
CHANCES = np.exp(SCORES) / np.exp(SCORES).sum(axis=-1, keepdims=True)
CLASSES = RNG.integers(0, 4, size=(3, 7))
ONE_HOT = np.eye(4, dtype="float32")[CLASSES]
TRUE = RNG.integers(0, 2, size=(3, 7, 1)).astype("float32")
CHANCE = RNG.uniform(size=(3, 7, 1)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2, (3, 7)).astype("float32")


def steps(y_true: Any, y_pred: Any, mask: Any, weights: Any = None) -> list:
    """Target, prediction and weight of every real step, in float64."""
    return [
        (
            np.asarray(y_true[b][t], "float64"),
            np.asarray(y_pred[b][t], "float64"),
            1.0 if weights is None else float(weights[b][t]),
        )
        for b in range(len(mask))
        for t in range(len(mask[b]))
        if mask[b][t]
    ]


def counts(real: list) -> tuple[float, float, float, float]:
    """Weighted true and false positives, false and true negatives."""
    tp = fp = fn = tn = 0.0
    for t, p, w in real:
        if p[0] > 0.5:
            tp, fp = (tp + w, fp) if t[0] else (tp, fp + w)
        else:
            fn, tn = (fn + w, tn) if t[0] else (fn, tn + w)
    return tp, fp, fn, tn


def precision(real: list) -> float:
    tp, fp, _, _ = counts(real)
    return tp / (tp + fp)


def recall(real: list) -> float:
    tp, _, fn, _ = counts(real)
    return tp / (tp + fn)


def root_mean_square(real: list) -> float:
    total = sum(w * sum((t - p) ** 2) / len(t) for t, p, w in real)
    return math.sqrt(total / sum(w for _, _, w in real))


def accuracy(real: list) -> float:
    hit = sum(w for t, p, w in real if t == p.argmax())
    return hit / sum(w for _, _, w in real)


def f1(real: list) -> list[float]:
    """For each class; the predicted class is the most likely."""
    scores = []
    for c in range(4):
        tp = sum(w for t, p, w in real if t[c] and p.argmax() == c)
        guessed = sum(w for _, p, w in real if p.argmax() == c)
        there = sum(w for t, _, w in real if t[c])
        scores.append(2 * tp / (guessed + there))
    return scores


def binary_iou(real: list) -> float:
    tp, fp, fn, tn = counts(real)
    return (tp / (tp + fp + fn) + tn / (tn + fp + fn)) / 2


def mean_iou(real: list) -> float:
    each = []
    for c in range(4):
        both = sum(w for t, p, w in real if t == c == p.argmax())
        any_ = sum(w for t, p, w in real if c in (t, p.argmax()))
        each.append(both / any_)
    return sum(each) / 4


def cross_entropy(real: list) -> float:
    total = sum(-w * math.log(p[t.argmax()] / sum(p)) for t, p, w in real)
    return total / sum(w for _, _, w in real)


def correlation(real: list) -> float:
    """Over the features of each step."""
    total = 0.0
    for t, p, w in real:
        a, b = t - sum(t) / len(t), p - sum(p) / len(p)
        total += w * sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))
    return total / sum(w for _, _, w in real)


def area(real: list) -> float:
    """Area under the ROC curve of three thresholds, by trapezoids."""
    points = []
    for threshold in (-1.0, 0.25, 0.5, 0.75, 2.0):
        tp, fp, fn, tn = counts(
            [(t, p - threshold + 0.5, w) for t, p, w in real]
        )
        points.append((fp / (fp + tn), tp / (tp + fn)))
    return sum(
        (x1 - x2) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points)
    )


K = keras.metrics
# Metric, targets, predictions, and the oracle.
METRICS: dict[str, tuple] = {
    "Precision": (lambda: "precision", TRUE, CHANCE, precision),
    "Recall": (K.Recall, TRUE, CHANCE, recall),
    "AUC": (lambda: K.AUC(thresholds=[0.25, 0.5, 0.75]), TRUE, CHANCE, area),
    "TruePositives": (K.TruePositives, TRUE, CHANCE, lambda r: counts(r)[0]),
    "FalseNegatives": (K.FalseNegatives, TRUE, CHANCE, lambda r: counts(r)[2]),
    "BinaryIoU": (
        lambda: K.BinaryIoU(dtype="float32"),
        TRUE,
        CHANCE,
        binary_iou,
    ),
    "RootMeanSquaredError": (
        K.RootMeanSquaredError,
        VALUES,
        SCORES,
        root_mean_square,
    ),
    "PearsonCorrelation": (
        K.PearsonCorrelation,
        VALUES,
        SCORES,
        correlation,
    ),
    "F1Score": (K.F1Score, ONE_HOT, CHANCES, f1),
    "MeanIoU": (
        lambda: K.MeanIoU(4, dtype="float32", sparse_y_pred=False),
        CLASSES,
        CHANCES,
        mean_iou,
    ),
    "SparseCategoricalAccuracy": (
        K.SparseCategoricalAccuracy,
        CLASSES,
        CHANCES,
        accuracy,
    ),
    "CategoricalCrossentropy": (
        K.CategoricalCrossentropy,
        ONE_HOT,
        CHANCES,
        cross_entropy,
    ),
    "a function": (
        lambda: keras.metrics.mean_squared_error,
        VALUES,
        SCORES,
        lambda real: root_mean_square(real) ** 2,
    ),
}


def spoiled(x: np.ndarray, mask: np.ndarray, value: float) -> np.ndarray:
    """`x` with `value` or an invalid class at padding steps."""
    real = mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    return np.where(real, x, -1 if x.dtype.kind == "i" else np.float32(value))


@pytest.mark.parametrize("name", METRICS)
def test_real_steps_alone_count(name: str) -> None:
    make, y_true, y_pred, oracle = METRICS[name]
    ours = metrics.MaskedMetric(make())
    for mask in (MASK, MASKS["left"], np.ones_like(MASK)):
        for weights in (None, WEIGHTS):
            wanted = oracle(steps(y_true, y_pred, mask, weights))
            for value in (0.0, np.nan)[BACKEND == "jax" :]:
                ours.reset_state()
                for b in range(3):  # in batches of one
                    row = slice(b, b + 1)
                    ours.update_state(
                        spoiled(y_true, mask, value)[row],
                        layers.AttachMask()(
                            spoiled(y_pred, mask, value)[row], mask=mask[row]
                        ),
                        None if weights is None else weights[row],
                    )
                assert_close(ours.result(), wanted)


def test_one_batch_or_several_whatever_the_padding() -> None:
    ours = metrics.MaskedMetric("Precision")
    wanted = precision(steps(TRUE, CHANCE, MASK, WEIGHTS))
    wide = ((0, 0), (2, 3), (0, 0))
    ours.update_state(
        np.pad(TRUE, wide, constant_values=1),
        np.pad(CHANCE, wide, constant_values=np.nan),
        np.pad(WEIGHTS, wide[:2], constant_values=np.nan),
        mask=np.pad(MASK, wide[:2]),
    )
    assert_close(ours.result(), wanted)


def test_weights_of_sequences() -> None:
    ours = metrics.MaskedMetric("Recall")
    wanted = recall(steps(TRUE, CHANCE, MASK, WEIGHTS[:, :1].repeat(7, 1)))
    for weights in (WEIGHTS[:, 0], WEIGHTS[:, :1]):
        ours.reset_state()
        ours.update_state(TRUE, CHANCE, weights, mask=MASK)
        assert_close(ours.result(), wanted)


@pytest.mark.parametrize("masked", [True, False], ids=["mask", "no mask"])
def test_a_step_without_weight_is_padding(masked: bool) -> None:
    mask = np.ones_like(MASK) if masked else None
    for name in ("RootMeanSquaredError", "PearsonCorrelation", "F1Score"):
        make, y_true, y_pred, oracle = METRICS[name]
        ours = metrics.MaskedMetric(make())
        ours.update_state(
            spoiled(y_true, MASK, np.nan),
            spoiled(y_pred, MASK, np.nan),
            MASK.astype("float32"),
            mask=mask,
        )
        assert_close(ours.result(), oracle(steps(y_true, y_pred, MASK)))


@pytest.mark.parametrize("name", sorted({*METRICS} - {"PearsonCorrelation"}))
def test_a_batch_without_real_steps_changes_nothing(name: str) -> None:
    make, y_true, y_pred, oracle = METRICS[name]
    ours = metrics.MaskedMetric(make())
    ours.update_state(y_true, y_pred, mask=MASK)
    nan = (spoiled(x, MASK & False, np.nan) for x in (y_true, y_pred))
    ours.update_state(*nan, mask=MASK & False)
    assert_close(ours.result(), oracle(steps(y_true, y_pred, MASK)))


FLOAT = {"dtype": "float32"}
SPARSE = {"sparse_y_pred": False, **FLOAT}
# Arguments of the Keras metrics that require some.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "BinaryIoU": FLOAT,
    "IoU": {"num_classes": 4, "target_class_ids": [0, 2], **SPARSE},
    "MeanIoU": {"num_classes": 4, **SPARSE},
    "OneHotIoU": {"num_classes": 4, "target_class_ids": [0, 2], **FLOAT},
    "OneHotMeanIoU": {"num_classes": 4, **FLOAT},
    "PrecisionAtRecall": {"recall": 0.5},
    "R2Score": {"num_regressors": 2},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "TopKCategoricalAccuracy": {"k": 2},
}
# Metrics of values, not of targets, and a relative error.
OTHERS = {"Mean", "MeanMetricWrapper", "MeanRelativeError", "Metric", "Sum"}
EVERY = sorted(
    {
        thing.__name__: thing
        for thing in vars(K).values()
        if isinstance(thing, type)
        and issubclass(thing, K.Metric)
        and thing.__name__ not in OTHERS
    }.items()
)
# Those that `MaskedMetric` treats differently, and some that it does not.
SPECIAL = {"BinaryIoU", "MeanIoU", "PearsonCorrelation", "R2Score"}
EVERY_HERE = [
    one
    for place, one in enumerate(EVERY)
    if BACKEND == "torch" or place % 4 == 0 or one[0] in SPECIAL
]


def samples_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of the kind that a metric needs."""
    if name == "BinaryIoU":
        return TRUE, CHANCE
    if name.startswith("Sparse") or name in ("IoU", "MeanIoU"):
        return CLASSES, CHANCES
    distances = ("Correlation", "R2Score", "Mean", "Divergence", "LogCosh")
    if any(word in name for word in distances):
        return CHANCES[::-1].copy(), CHANCES
    return ONE_HOT, CHANCES


@pytest.mark.parametrize(("name", "kind"), EVERY_HERE)
def test_every_metric_of_keras_without_weightless_steps(
    name: str, kind: type[keras.metrics.Metric]
) -> None:
    """The same as Keras' metric of the real steps, one sample each.

    A batch without any weight changes nothing; the correlation was NaN. R2 of
    regressors counted 21 samples here. For rows without steps, NaN * 0 was NaN.
    """
    arguments = ARGUMENTS.get(name, {})
    y_true, y_pred = samples_of(name)
    theirs = kind(**arguments)
    theirs.update_state(y_true[MASK], y_pred[MASK], WEIGHTS[MASK])
    wanted = to_numpy(theirs.result())
    assert np.isfinite(wanted).all()
    weights = np.where(MASK, WEIGHTS, np.float32(0))
    spoiled_both = [spoiled(x, MASK, np.nan) for x in (y_true, y_pred)]
    ours = metrics.MaskedMetric(kind(**arguments))
    ours.update_state(*spoiled_both, weights)
    ours.update_state(*spoiled_both, weights * 0)
    assert_close(ours.result(), wanted)
    flat = [x.reshape(21, *x.shape[2:]) for x in (*spoiled_both, weights)]
    ours.reset_state()
    ours.update_state(*flat)
    assert_close(ours.result(), wanted)


def test_weights_of_other_dtypes() -> None:
    """An integer metric warns about floats; booleans are a mask too."""
    for weights in (MASK, MASK.astype("int32"), MASK.astype("float32")):
        ours = metrics.MaskedMetric("RootMeanSquaredError")
        ours.update_state(VALUES, SCORES, weights)
        wanted = root_mean_square(steps(VALUES, SCORES, MASK))
        assert_close(ours.result(), wanted)
    ours = metrics.MaskedMetric(K.BinaryIoU())
    assert "int" in ours.dtype
    ours.update_state(TRUE, CHANCE, mask=MASK)
    assert_close(ours.result(), binary_iou(steps(TRUE, CHANCE, MASK)))


def test_a_weight_for_each_number() -> None:
    """For predictions `(batch, features)`; a NaN with weight 0 made it NaN."""
    ours = metrics.MaskedMetric("RootMeanSquaredError")
    hidden = [np.where(MASK, x[..., 0], np.nan) for x in (VALUES, SCORES)]
    ours.update_state(*hidden, MASK.astype("float32"))
    wanted = root_mean_square(steps(VALUES[..., :1], SCORES[..., :1], MASK))
    assert_close(ours.result(), wanted)


def ious(triples: list, classes: int) -> float:
    """The mean over the classes, of targets, predictions and weights."""
    each = []
    for c in range(classes):
        both = sum(w for t, p, w in triples if t == p == c)
        either = sum(w for t, p, w in triples if c in (t, p))
        each.append(both / either)
    return sum(each) / classes


LABELS_TRUE, LABELS_PRED = RNG.integers(0, 3, size=(2, 3, 7, 2))
SCORES_OF_LABELS = np.eye(3, dtype="float32")[LABELS_PRED] * 0.5 + 0.1
SEVERAL = {
    "MeanIoU": (lambda: K.MeanIoU(3), LABELS_PRED),
    "scores": (lambda: K.MeanIoU(3, sparse_y_pred=False), SCORES_OF_LABELS),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_an_iou_of_several_labels_for_each_step(kind: str) -> None:
    """It raised: the number of weights was that of steps, not of labels."""
    make, y_pred = SEVERAL[kind]
    ours, of_classes = [
        metrics.MaskedMetric(make(), class_weight=given)
        for given in (None, {0: 3, 2: 2})
    ]
    weights = RNG.integers(0, 4, size=(3, 7))
    each = RNG.integers(0, 4, size=(3, 7, 2))
    labels = [place for place in np.ndindex(3, 7, 2) if MASK[place[:2]]]
    for given in (None, weights, weights[:, 0], each):
        wanted = []
        for class_weight in ({}, {0: 3, 2: 2}):
            triples = []
            for b, t, i in labels:
                true, pred = LABELS_TRUE[b, t, i], LABELS_PRED[b, t, i]
                w = 1 if given is None else given[(b, t, i)[: given.ndim]]
                triples.append((true, pred, w * class_weight.get(true, 1)))
            wanted.append(ious(triples, 3))
        for metric, right in zip((ours, of_classes), wanted):
            metric.reset_state()
            metric.update_state(LABELS_TRUE, y_pred, given, mask=MASK)
            assert_close(metric.result(), right)


def test_a_binary_iou_of_several_numbers() -> None:
    """With a mask, without one, and with weights of rows."""
    true, chance = RNG.integers(0, 2, (3, 7, 4)), CHANCES * 2
    found = np.where(chance >= 0.5, 1, 0)
    for mask in (MASK, None):
        ours = metrics.MaskedMetric(K.BinaryIoU())
        ours.update_state(true.astype("float32"), chance, mask=mask)
        real = MASK if mask is not None else np.ones_like(MASK)
        places = [p for p in np.ndindex(3, 7, 4) if real[p[:2]]]
        wanted = ious([(true[p], found[p], 1) for p in places], 2)
        assert_close(ours.result(), wanted)
    ours.reset_state()
    ours.update_state(true[:, 0], chance[:, 0], np.array([2, 0, 1]))
    triples = [
        (true[b, 0, f], found[b, 0, f], w)
        for b, w in enumerate([2, 0, 1])
        for f in range(4)
    ]
    assert_close(ours.result(), ious(triples, 2))


def test_an_iou_of_integers_refuses_fractions() -> None:
    """They were truncated: for weights 0.5, 1.5, 1 and 1, IoU was 0.5."""
    y_true, y_pred = np.array([[0, 1, 1, 0]]), np.array([[0, 1, 0, 0]])
    weights = np.array([[0.5, 1.5, 1.0, 1.0]])
    mask = np.ones((1, 4), bool)
    ours = metrics.MaskedMetric(K.MeanIoU(2))
    says = r"whole numbers.*weights=0.5, 1.5.*`MeanIoU\(..., dtype='float32'\)`"
    for given in (mask, None):
        with pytest.raises(ValueError, match=says):
            ours.update_state(y_true, y_pred, weights, mask=given)
    with pytest.raises(ValueError, match=says):
        metrics.MaskedMetric(K.MeanIoU(2), class_weight={0: 0.5, 1: 1.5})
    floats = metrics.MaskedMetric(K.MeanIoU(2, dtype="float32"))
    floats.update_state(y_true, y_pred, weights, mask=mask)
    # Class 0 has 1.5 of 2.5, class 1 has 1.5 of 2.5.
    assert_close(floats.result(), 0.6)
    # Padding has no weight, whatever its values.
    mask[0, 0] = False
    ours.update_state(y_true, y_pred, [[np.nan, 2.0, 1.0, 1.0]], mask=mask)
    assert_close(ours.result(), (1 / 2 + 2 / 3) / 2)


def test_weights_of_more_axes_than_the_mask() -> None:
    """They were rejected: "Predictions need an axis of features"."""
    y_true, y_pred = RNG.normal(size=(2, 3, 7, 2, 4)).astype("float32")
    weights = RNG.uniform(0.5, 2, (3, 7, 2)).astype("float32")
    total = count = 0.0
    for place in np.ndindex(3, 7, 2):
        if MASK[place[:2]]:
            squares = sum((y_true[place] - y_pred[place]) ** 2) / 4
            total += float(weights[place]) * float(squares)
            count += float(weights[place])
    for mask in (MASK, MASK[..., None].repeat(2, axis=2)):
        ours = metrics.MaskedMetric("RootMeanSquaredError")
        ours.update_state(y_true, y_pred, weights, mask=mask)
        assert_close(ours.result(), math.sqrt(total / count))
        loss = losses.MaskedLoss("mse", reduction="sum")
        assert_close(loss(y_true, y_pred, weights, mask=mask), total)
    with pytest.raises(ValueError, match="features of a step share a weight"):
        loss(VALUES, SCORES, np.ones((3, 7, 4)), mask=MASK)
    with pytest.raises(ValueError, match="features of a step share a weight"):
        ours.update_state(VALUES, SCORES, np.ones((3, 7, 4)), mask=MASK)


def test_without_a_mask_it_is_the_inner_metric() -> None:
    for y_true, y_pred, weights in (
        (TRUE, CHANCE, WEIGHTS),
        (TRUE[:, 0], CHANCE[:, 0], WEIGHTS[:, 0]),
        (TRUE[:, 0], CHANCE[:, 0], None),
    ):
        ours, theirs = metrics.MaskedMetric("AUC"), keras.metrics.AUC()
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred, weights)
        assert_close(ours.result(), to_numpy(theirs.result()))


def test_the_caller_keeps_what_it_passed() -> None:
    given = [ops.convert_to_tensor(x) for x in (TRUE, CHANCE, WEIGHTS)]
    before = [to_numpy(x).copy() for x in given]
    metrics.MaskedMetric("AUC").update_state(*given, mask=MASK)
    for x, was in zip(given, before):
        np.testing.assert_array_equal(to_numpy(x), was)


IDS = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [2, 1, 0, 0, 0]])
REAL = IDS != 0
LABELS = np.where(REAL, RNG.integers(0, 2, IDS.shape), -1)[..., None]
GOALS = np.where(REAL[..., None], sample(5, 2)[:, :5], np.nan)


def tagger(weighted: bool = False) -> keras.Model:
    """Two outputs, each with metrics; training does not change the weights."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    outputs = {
        "one": keras.layers.Dense(1, "sigmoid", name="one")(x),
        "two": keras.layers.Dense(2, name="two")(x),
    }
    model = keras.Model(ids, outputs)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    wanted = {
        "one": [
            metrics.MaskedMetric("precision"),
            metrics.MaskedMetric(K.F1Score(threshold=0.5), name="f1"),
        ],
        "two": [
            metrics.MaskedMetric("RootMeanSquaredError", name="rmse"),
            metrics.LossPerStep("mse"),
        ],
    }
    model.compile(
        keras.optimizers.SGD(0.0),
        {"one": losses.MaskedLoss("mse"), "two": losses.MaskedLoss("mse")},
        **{"weighted_metrics" if weighted else "metrics": wanted},
        jit_compile=BACKEND != "torch",
    )
    return model


def wanted_of(model: keras.Model) -> dict[str, float]:
    predicted = {n: to_numpy(p) for n, p in model(IDS).items()}
    one = steps(LABELS, predicted["one"], REAL)
    two = root_mean_square(steps(GOALS, predicted["two"], REAL))
    return {
        "one_precision": precision(one),
        "one_f1": [2 / (1 / precision(one) + 1 / recall(one))],
        "two_rmse": two,
        "two_loss_per_step": two**2,
    }


def test_compile_evaluate_save_load(tmp_path: Path) -> None:
    model = tagger()
    goals = {"one": LABELS, "two": GOALS}
    path = tmp_path / "model.keras"
    model.save(path)
    for size, which in (
        (1, model),
        (3, model),
        (3, keras.saving.load_model(path)),
    ):
        seen = which.evaluate(IDS, goals, size, verbose=0, return_dict=True)
        for name, wanted in wanted_of(model).items():
            assert_close(seen[name], wanted)


def test_fit() -> None:
    """JAX's trainer loses the mask, so the weights pass it there too.

    The loss per step counted padding there, which no test noticed.
    """
    model = tagger(weighted=True)
    goals = {"one": LABELS, "two": GOALS}
    weights = {n: REAL.astype("float32") for n in goals}
    history = model.fit(
        IDS,
        goals,
        verbose=0,
        sample_weight=weights,
        validation_data=(IDS, goals, weights),
    ).history
    for name, wanted in wanted_of(model).items():
        assert_close(history[f"val_{name}"][0], wanted)
        assert_close(history[name][0], wanted)
    assert_close(history["two_loss"][0], history["two_loss_per_step"][0])


def test_fit_and_evaluate_with_class_weights(tmp_path: Path) -> None:
    """The loss, the loss per step and the accuracy of a saved model, too.

    `fit(class_weight=)` weights rows, by the index of their largest label.
    """
    model = keras.Sequential(
        [
            keras.layers.Embedding(5, 3, mask_zero=True),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.build((None, 5))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    loss = losses.MaskedLoss(
        "sparse_categorical_crossentropy", class_weight=CLASS_WEIGHT
    )
    model.compile(
        keras.optimizers.SGD(0.0),
        loss,
        weighted_metrics=[
            metrics.LossPerStep(loss),
            metrics.MaskedMetric(
                "sparse_categorical_accuracy", "hits", CLASS_WEIGHT
            ),
        ],
        jit_compile=BACKEND != "torch",
    )
    labels = np.where(REAL, [[0, 1, 2, 0, 0], [1] * 5, [2, 1, 0, 0, 0]], -1)
    real = steps(labels, to_numpy(model(IDS)), REAL, by_class(labels))
    total = sum(-w * math.log(p[int(t)]) for t, p, w in real) / len(real)
    wanted = {"loss": total, "loss_per_step": total, "hits": accuracy(real)}
    weights = REAL.astype("float32")
    log = model.fit(IDS, labels, 3, sample_weight=weights, verbose=0).history
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    seen = again.evaluate(IDS, labels, 3, verbose=0, return_dict=True)
    for name, value in wanted.items():
        assert_close(log[name][0], value)
        assert_close(seen[name], value)


def test_stateless() -> None:
    ours = metrics.MaskedMetric(keras.metrics.Recall())
    state = ours.stateless_reset_state()
    state = ours.stateless_update_state(state, TRUE, CHANCE, mask=MASK)
    wanted = recall(steps(TRUE, CHANCE, MASK))
    assert_close(ours.stateless_result(state), wanted)
    assert float(ours.result()) == 0


def test_names_and_directions() -> None:
    for _ in range(2):  # Keras appends numbers to metric names
        assert metrics.MaskedMetric("precision").name == "precision"
    ours = metrics.MaskedMetric(keras.metrics.AUC(name="mine"))
    assert ours.name == "mine"
    assert metrics.MaskedMetric("AUC", name="yours").name == "yours"
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[ours, metrics.LossPerStep("mse")])
    model.evaluate(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
    for name, best in (("mine", 1), ("loss_per_step", 0)):
        callback = keras.callbacks.EarlyStopping(f"val_{name}")
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate((0.1, 0.9)):
            callback.on_epoch_end(epoch, {f"val_{name}": value})
        assert callback.best_epoch == best


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "reduction", ["mean", "mean_with_sample_weight", "sum"]
)
def test_loss_per_step(weighted: bool, reduction: str) -> None:
    loss = keras.losses.MeanSquaredError(reduction=reduction)
    ours = metrics.LossPerStep(loss)
    goals, weights = VALUES, WEIGHTS if weighted else None
    real = steps(goals, SCORES, MASK, weights)
    total = sum(w * sum((t - p) ** 2) / len(t) for t, p, w in real)
    by_weight = reduction == "mean_with_sample_weight"
    wanted = total / sum(w if by_weight else 1 for _, _, w in real)
    for batches in ([[0, 1, 2]], [[0], [1, 2]]):
        ours.reset_state()
        assert float(ours.result()) == 0
        for rows in batches:
            ours.update_state(
                spoiled(goals, MASK, np.nan)[rows],
                layers.AttachMask()(SCORES[rows], mask=MASK[rows]),
                None if weights is None else weights[rows],
            )
        assert_close(ours.result(), wanted)


def test_loss_per_step_without_weightless_steps() -> None:
    """It was 2.0: it divided by all four steps. By rows 1.61 became 0.97."""
    ours = metrics.LossPerStep("mse")
    squares = np.full((1, 4, 1), 2.0)
    ours.update_state(0 * squares, squares, [[1, 1, 0, 0]])
    assert float(ours.result()) == 4
    for by_weight in (False, True):
        how = "mean_with_sample_weight" if by_weight else "mean"
        ours = metrics.LossPerStep(keras.losses.MeanSquaredError(how))
        real = steps(VALUES, SCORES, MASK, WEIGHTS)
        total = sum(w * sum((t - p) ** 2) / len(t) for t, p, w in real)
        wanted = total / sum(w if by_weight else 1 for _, _, w in real)
        given = [spoiled(x, MASK, np.nan) for x in (VALUES, SCORES)]
        weights = np.where(MASK, WEIGHTS, np.float32(0))
        ours.update_state(*given, weights)
        ours.update_state(*given, np.zeros(3))
        assert_close(ours.result(), wanted)


def test_loss_per_step_of_ignored_classes() -> None:
    theirs = keras.losses.SparseCategoricalCrossentropy(ignore_class=2)
    ours = metrics.LossPerStep(theirs)
    ours.update_state(CLASSES, CHANCES, WEIGHTS, mask=MASK)
    real = steps(CLASSES, CHANCES, MASK & (CLASSES != 2), WEIGHTS)
    total = sum(-w * math.log(p[int(t)]) for t, p, w in real)
    assert_close(ours.result(), total / len(real))


def test_loss_per_step_adds_up_in_float32() -> None:
    """The sum was infinite, and a count of ones stopped at 2048."""
    ours = metrics.LossPerStep("mse", dtype="float16")
    eights = np.full((1, 3000, 1), 8.0)
    for _ in range(2):
        ours.update_state(0 * eights, eights)
    assert keras.backend.standardize_dtype(ours.result().dtype) == "float16"
    assert float(ours.result()) == 64


CLASS_WEIGHT = {0: 1.0, 1: 3.0, 3: 0.0}  # 2 is missing


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


@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights(weighted: bool) -> None:
    weights = WEIGHTS if weighted else None
    for name, y_true, classes in (
        ("F1Score", ONE_HOT, CLASSES),
        ("SparseCategoricalAccuracy", CLASSES, CLASSES),
        ("Precision", TRUE, TRUE[..., 0]),
    ):
        make, _, y_pred, oracle = METRICS[name]
        ours = metrics.MaskedMetric(make(), class_weight=CLASS_WEIGHT)
        ours.update_state(
            spoiled(y_true, MASK, np.nan),
            spoiled(y_pred, MASK, np.nan),
            weights,
            mask=MASK,
        )
        real = steps(y_true, y_pred, MASK, by_class(classes, weights))
        assert_close(ours.result(), oracle(real))
    # A class of weight 0 does not count.
    ours = metrics.LossPerStep(
        "sparse_categorical_crossentropy", class_weight=CLASS_WEIGHT
    )
    ours.update_state(CLASSES, CHANCES, weights, mask=MASK)
    real = steps(CLASSES, CHANCES, MASK, by_class(CLASSES, weights))
    total = sum(-w * math.log(p[int(t)]) for t, p, w in real)
    assert_close(ours.result(), total / sum(w != 0 for _, _, w in real))


def test_class_weights_of_more_axes_and_of_rows() -> None:
    """`(batch, steps, words, 1)` with a mask of steps; `(batch, classes)`."""
    true, chance = (np.stack([x, x[::-1]], 2) for x in (TRUE, CHANCE))
    ours = metrics.MaskedMetric("precision", class_weight=CLASS_WEIGHT)
    ours.update_state(true, chance, mask=MASK)
    real = [
        sample
        for word in range(2)
        for sample in steps(
            true[:, :, word],
            chance[:, :, word],
            MASK,
            by_class(true[:, :, word, 0]),
        )
    ]
    assert_close(ours.result(), precision(real))
    ours = metrics.MaskedMetric(
        "sparse_categorical_accuracy", class_weight=CLASS_WEIGHT
    )
    ours.update_state(CLASSES[:, 0], CHANCES[:, 0])
    first = np.arange(7) == np.zeros((3, 1))
    real = steps(CLASSES, CHANCES, first, by_class(CLASSES))
    assert_close(ours.result(), accuracy(real))


@pytest.mark.parametrize(
    "metric",
    [
        metrics.MaskedMetric("f1_score", class_weight={0: 2.0, 3: 0.5}),
        metrics.LossPerStep("mse", class_weight={1: 3.0}),
        metrics.MaskedMetric(keras.metrics.AUC(num_thresholds=7, name="mine")),
        metrics.MaskedMetric("mse"),
        metrics.MaskedMetric(keras.metrics.F1Score(threshold=0.5), name="f"),
        metrics.LossPerStep(keras.losses.LogCosh(), name="mine"),
    ],
    ids=lambda metric: metric.name,
)
def test_config(metric: keras.metrics.Metric) -> None:
    written = json.dumps(keras.metrics.serialize(metric))  # keys are strings
    again = keras.metrics.deserialize(json.loads(written))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    for each in (metric, again):
        each.update_state(ONE_HOT, CHANCES, WEIGHTS, mask=MASK)
    np.testing.assert_array_equal(
        to_numpy(again.result()), to_numpy(metric.result())
    )


@pytest.mark.parametrize(
    "metric",
    [None, "no such", "accuracy", 3, keras.losses.MeanSquaredError()],
)
def test_what_is_no_metric_is_refused(metric: Any) -> None:
    with pytest.raises(ValueError) as error:
        metrics.MaskedMetric(metric)
    assert str(error.value) == (
        "In MaskedMetric: `metric` must be a Keras metric or a function. "
        f"Received: metric={metric!r}. Name a specific accuracy, for example "
        "'SparseCategoricalAccuracy'; for a loss use `LossPerStep`."
    )


class Unweighted(keras.metrics.Metric):
    def update_state(self, y_true: Any, y_pred: Any) -> None:
        pass


@pytest.mark.parametrize("metric", [Unweighted(), keras.metrics.Mean()])
def test_metrics_that_cannot_leave_steps_out_are_refused(
    metric: keras.metrics.Metric,
) -> None:
    with pytest.raises(ValueError) as error:
        metrics.MaskedMetric(metric)
    assert str(error.value).startswith(
        "In MaskedMetric: `metric.update_state` must take `y_true`, `y_pred` "
        "and `sample_weight`: padding steps get weight 0. Received: "
        f"metric={type(metric).__name__}, update_state=("
    )


def test_what_does_not_fit_is_refused() -> None:
    ours = metrics.MaskedMetric("AUC", name="mine")
    caller = r"^In metric 'mine' \(of type MaskedMetric\): "
    with pytest.raises(ValueError, match=caller + "`sample_weight` must be"):
        ours.update_state(TRUE, CHANCE, np.ones(7), mask=MASK)
    with pytest.raises(
        ValueError, match=caller + "`y_true` must have the batch"
    ):
        ours.update_state(TRUE[:, :6], CHANCE, mask=MASK)
    with pytest.raises(ValueError, match=caller + "`mask` must have shape"):
        ours.update_state(TRUE, CHANCE, mask=MASK[:, :6])


@pytest.mark.parametrize("shape", [(0, 3, 1), (2, 0, 1)])
def test_a_batch_of_nothing_changes_nothing(shape: tuple[int, ...]) -> None:
    # It raised: no backend has the argmax of an empty tensor.
    ours = metrics.MaskedMetric("Precision")
    ours.update_state(np.ones((1, 1, 1)), np.ones((1, 1, 1)))
    ours.update_state(np.zeros(shape), np.zeros(shape))
    assert float(ours.result()) == 1.0
