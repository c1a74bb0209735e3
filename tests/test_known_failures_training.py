"""What Keras gets wrong with masks in losses and metrics, and our number.

And what it gets right, where our number is the same. If Keras' numbers change
on a newer Keras: check, then update the docs.
"""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.losses import MaskedLoss
from keras_masking.metrics import LossPerStep
from keras_masking.metrics import MaskedMetric
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import quietly
from tests.helpers import to_numpy

# Other backends trace or compile each model: there they run with the kit.
pytestmark = [pytest.mark.long] if BACKEND != "torch" else []
VERSION = tuple(int(n) for n in keras.version().split(".")[:2])
# Two sequences, of four steps and of one; the target is 0, or 1 in the metrics.
MASK = np.array([[1, 1, 1, 1], [1, 0, 0, 0]], bool)
ZEROS = np.zeros((2, 4, 1), "float32")
ERRORS = np.array([[1, 1, 1, 1], [9, 5, 5, 5]], "float32")[..., None]
MEAN = (4 * 1 + 9) / 5


def carrying(x: Any, mask: np.ndarray = MASK) -> Any:
    """`x` with its mask, like a model's output."""
    return layers.AttachMask()(x, mask=mask)


def test_finite_padding_is_fine() -> None:
    theirs = keras.losses.MeanAbsoluteError()
    for loss in (theirs, MaskedLoss(theirs)):
        assert_close(loss(ZEROS, carrying(ERRORS)), MEAN)
        assert float(loss(ZEROS, carrying(ERRORS, MASK & False))) == 0


def test_nan_at_padding_reaches_the_loss_and_the_gradient() -> None:
    y_true = np.where(MASK[..., None], ZEROS, np.nan)
    theirs = keras.losses.MeanSquaredError()
    ours = MaskedLoss(theirs)
    assert np.isnan(float(theirs(y_true, carrying(ERRORS))))
    assert_close(ours(y_true, carrying(ERRORS)), (4 * 1 + 81) / 5)
    grads = [
        gradient(lambda p, f=f: f(y_true, carrying(p)), ERRORS)[0]
        for f in (theirs, ours)
    ]
    assert np.isnan(grads[0][~MASK]).all()
    assert_close(grads[1], np.where(MASK[..., None], 2 * ERRORS / 5, 0))


def test_torch_multiplies_the_weights_of_the_caller() -> None:
    theirs = keras.losses.MeanAbsoluteError()
    weights = {loss: ops.ones((2, 4)) for loss in (theirs, MaskedLoss(theirs))}
    seen = [
        [float(loss(ZEROS, carrying(ERRORS), given)) for _ in range(3)]
        for loss, given in weights.items()
    ]
    grown = [MEAN * (8 / 5) ** n for n in range(3)]
    in_place = BACKEND == "torch"
    assert_close(seen[0], grown if in_place else [MEAN] * 3)
    assert_close(seen[1], [MEAN] * 3)


def test_a_weight_for_each_sequence() -> None:
    """Keras applies them to steps if the sizes allow, or fails."""
    theirs = keras.losses.MeanAbsoluteError()
    ours = MaskedLoss(theirs)
    weights = np.array([1.0, 3.0], "float32")
    wanted = (4 * 1 + 3 * 9) / 5
    assert_close(ours(ZEROS, carrying(ERRORS), weights), wanted)
    assert_close(ours(ZEROS, carrying(ERRORS), weights[:, None]), wanted)
    with pytest.raises(Exception, match=r"(?i)size|shape|broadcast"):
        theirs(ZEROS, carrying(ERRORS), weights)
    square = (ZEROS[:, :2], carrying(ERRORS[:, :2], MASK[:, :2]), weights)
    assert_close(ours(*square), (1 + 1 + 3 * 9) / 3)
    if BACKEND == "torch":
        with pytest.raises(RuntimeError, match="output with shape"):
            theirs(*square)
    else:
        assert_close(theirs(*square), (1 + 3 * 1 + 9) / 3)


def test_a_column_of_weights_crashes_on_torch() -> None:
    how = (ZEROS, carrying(ERRORS), ops.convert_to_tensor([[1.0], [3.0]]))
    theirs = keras.losses.MeanAbsoluteError()
    if BACKEND == "torch":
        with pytest.raises(RuntimeError, match="output with shape"):
            theirs(*how)
    else:
        assert_close(theirs(*how), (4 * 1 + 3 * 9) / 5)
    assert_close(MaskedLoss(theirs)(*how), (4 * 1 + 3 * 9) / 5)


def test_a_number_for_each_step_loses_its_steps() -> None:
    """Targets `(batch, steps)` of a `Dense(1)`: Keras averages over a row."""
    theirs = keras.losses.MeanAbsoluteError()
    with pytest.raises(Exception, match=r"(?i)size|shape|broadcast"):
        theirs(ZEROS[..., 0], carrying(ERRORS))
    assert_close(MaskedLoss(theirs)(ZEROS[..., 0], carrying(ERRORS)), MEAN)


def test_a_loss_that_reduces_counts_padding_in_silence() -> None:
    def mean(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred))

    class Mean(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return mean(y_true, y_pred)

    assert_close(Mean()(ZEROS, carrying(ERRORS)), ERRORS.mean())
    with pytest.raises(ValueError, match="must give a number for each step"):
        MaskedLoss(mean)(ZEROS, carrying(ERRORS))


def test_ctc_crashes_when_it_meets_a_mask() -> None:
    """It gives a number for each sequence, but the mask has steps."""
    theirs, labels = keras.losses.CTC(), np.ones((2, 1))
    scores = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    with pytest.raises(Exception, match=r"(?i)size|shape|broadcast"):
        theirs(labels, carrying(scores))
    with pytest.raises(ValueError, match="there is `MaskedCTC`"):
        MaskedLoss(theirs)(labels, carrying(scores))


# All real steps are guessed right; one padding step is, two are not.
LABELS = np.array([[1, 0, 1, 0], [1, 1, 1, 0]])[..., None]
GUESSES = np.array([[0.9, 0.1, 0.9, 0.1], [0.9, 0.9, 0.1, 0.9]])[..., None]
# Metric: Keras' number, and that of the real steps.
METRICS = {
    "AUC": (11 / 15, 1),
    "BinaryIoU": ((4 / 6 + 2 / 4) / 2, 1),
    "F1Score": (4 / 5, 1),
    "FalseNegatives": (1, 0),
    "FalsePositives": (1, 0),
    "Precision": (4 / 5, 1),
    "Recall": (4 / 5, 1),
    "RootMeanSquaredError": (((6 * 0.1**2 + 2 * 0.9**2) / 8) ** 0.5, 0.1),
    "TruePositives": (4, 3),
    # These obey the mask.
    "BinaryAccuracy": (1, 1),
    "MeanAbsoluteError": (0.1, 0.1),
}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
@pytest.mark.parametrize("name", METRICS)
def test_metrics_that_ignore_the_mask(name: str) -> None:
    metric = getattr(keras.metrics, name)
    how = {"threshold": 0.5} if name == "F1Score" else {}
    theirs, ours = metric(**how), MaskedMetric(metric(**how))
    y_pred = ops.convert_to_tensor(GUESSES, "float32")
    if name == "F1Score":  # of two axes only: Keras cannot take steps
        theirs.update_state(LABELS.reshape(8, 1), ops.reshape(y_pred, (8, 1)))
    else:
        theirs.update_state(LABELS, carrying(y_pred))
    ours.update_state(LABELS, carrying(y_pred))
    for seen, wanted in zip((theirs, ours), METRICS[name]):
        assert float(np.squeeze(to_numpy(seen.result()))) == pytest.approx(
            wanted, abs=1e-6
        )


def test_nan_at_padding_reaches_metrics_that_obey_the_mask() -> None:
    y_true = np.where(MASK[..., None], ZEROS, np.nan)
    theirs = keras.metrics.MeanAbsoluteError()
    ours = MaskedMetric(keras.metrics.MeanAbsoluteError())
    for metric in (theirs, ours):
        metric.update_state(y_true, carrying(ERRORS))
    assert np.isnan(float(theirs.result()))
    assert_close(ours.result(), MEAN)


def test_weights_divide_by_their_sum_in_metrics_and_not_in_losses() -> None:
    """Both as in Keras; the metric uses `mean_with_sample_weight`."""
    weights = np.full((2, 4), 0.5, "float32")
    for reduction, wanted in (
        ("sum_over_batch_size", MEAN / 2),
        ("mean_with_sample_weight", MEAN),
    ):
        theirs = keras.losses.MeanAbsoluteError(reduction=reduction)
        for loss in (theirs, MaskedLoss(theirs)):
            given = ops.copy(ops.convert_to_tensor(weights))
            assert_close(loss(ZEROS, carrying(ERRORS), given), wanted)
        ours = LossPerStep(theirs)
        ours.update_state(ZEROS, carrying(ERRORS), weights)
        assert_close(ours.result(), wanted)
    for metric in (
        keras.metrics.MeanAbsoluteError(),
        MaskedMetric(keras.metrics.MeanAbsoluteError()),
    ):
        given = ops.copy(ops.convert_to_tensor(weights))
        metric.update_state(ZEROS, carrying(ERRORS), given)
        assert_close(metric.result(), MEAN)


# Padding is -1, where the output is 0, which would be an error of 5.
STEPS = np.where(MASK[..., None], ERRORS, -1)
GOALS = np.where(MASK[..., None], ZEROS, 5)


def identity(**how: Any) -> keras.Model:
    model = keras.Sequential(
        [
            keras.layers.Masking(-1.0),
            keras.layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), MaskedLoss("mae"), **how)
    return model


def test_the_loss_that_is_reported_depends_on_the_batches() -> None:
    model = identity(metrics=[LossPerStep("mae")])
    for batch_size, wanted in ((2, [MEAN, MEAN]), (1, [(1 + 9) / 2, MEAN])):
        seen = model.evaluate(STEPS, GOALS, batch_size, verbose=0)
        assert_close(seen, wanted)


def test_jax_forgets_the_mask_when_it_trains() -> None:
    """Its trainer passes metrics a new tensor; the loss saw the mask."""
    weighted = [MaskedMetric(keras.metrics.MeanAbsoluteError(name="ours"))]
    model = identity(metrics=["mae"], weighted_metrics=weighted)
    logs = model.fit(
        STEPS, GOALS, sample_weight=MASK.astype("float32"), verbose=0
    ).history
    assert_close(logs["loss"], [MEAN])
    counted = (4 * 1 + 9 + 3 * 5) / 8 if BACKEND == "jax" else MEAN
    assert_close(logs["mae"], [counted])
    assert_close(logs["ours"], [MEAN])
    seen = model.evaluate(STEPS, GOALS, verbose=0, return_dict=True)
    assert_close([seen["mae"], seen["ours"]], [MEAN, MEAN])


def test_a_mask_that_is_lost_before_the_output() -> None:
    """No loss can know; the mask must be carried or passed."""
    y_pred = carrying(ERRORS) * 1.0
    counted = float(ERRORS.mean())
    theirs = keras.losses.MeanAbsoluteError()
    for loss in (theirs, MaskedLoss(theirs)):
        assert_close(loss(ZEROS, y_pred), counted)
    assert_close(MaskedLoss(theirs)(ZEROS, y_pred, mask=MASK), MEAN)


def test_recurrent_layers_drop_the_mask_of_the_loss_from_316_on() -> None:
    rnn = keras.layers.SimpleRNN(
        1, "linear", return_sequences=True, recurrent_initializer="zeros"
    )
    rnn.build((2, 4, 1))
    rnn.set_weights([np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1)])
    y_pred = quietly(rnn, carrying(STEPS))  # repeats the last real step
    theirs = keras.losses.MeanAbsoluteError()
    drops = VERSION >= (3, 16)
    counted = (4 * 1 + 4 * 9) / 8
    assert_close(theirs(ZEROS, y_pred), counted if drops else MEAN)
    assert_close(MaskedLoss(theirs)(ZEROS, y_pred, mask=MASK), MEAN)
