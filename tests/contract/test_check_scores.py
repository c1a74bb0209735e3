"""`check_loss` and `check_metric`: whom they judge, and what they say."""

import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking.contract import LossCase
from keras_masking.contract import MetricCase
from keras_masking.contract import Report
from keras_masking.contract import TargetError
from keras_masking.contract import check_loss
from keras_masking.contract import check_metric
from keras_masking.contract import parametrize_with_checks
from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.loss_harness import LossHarness
from keras_masking.losses import MaskedLoss
from keras_masking.metrics import LossPerStep
from keras_masking.metrics import MaskedMetric

pytestmark = pytest.mark.kit

ON_TORCH = keras.backend.backend() == "torch"
LOSSES = ["mse", "SparseCategoricalCrossentropy"]
METRICS = ["Precision"]
REDUCTIONS: list[str | None] = [None]
OTHERS: list[Any] = [lambda: LossPerStep("mse")]
if ON_TORCH:  # where nothing is compiled
    LOSSES += ["CategoricalCrossentropy", "BinaryCrossentropy", "KLDivergence"]
    METRICS += ["SparseCategoricalAccuracy", "F1Score", "AUC", "R2Score"]
    REDUCTIONS += ["sum", "mean_with_sample_weight"]
    OTHERS += [lambda: MaskedMetric(keras.metrics.MeanIoU(2))]


@pytest.mark.parametrize("name", LOSSES)
def test_our_loss(name: str) -> None:
    report = check_loss(lambda: MaskedLoss(name))
    assert [result.status for result in report] == ["pass"] * 12, str(report)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_our_reductions(reduction: str | None) -> None:
    report = check_loss(MaskedLoss("mse", reduction=reduction))
    assert report.ok, str(report)
    assert report.ran == 12 - (reduction is None)


@pytest.mark.parametrize("name", METRICS)
def test_our_metric(name: str) -> None:
    report = check_metric(lambda: MaskedMetric(name))
    assert [result.status for result in report] == ["pass"] * 11, str(report)


def test_our_other_metrics() -> None:
    for make in OTHERS:
        report = check_metric(make)
        assert report.ok, str(report)
        assert report.ran == 11


FAILING = {
    "loss-nan-targets",  # NaN * 0
    "loss-sample-weight",  # weights (batch,) with a mask (batch, steps)
}


def test_a_loss_of_keras() -> None:
    report = check_loss(keras.losses.MeanSquaredError)
    assert {r.check for r in report.failures} == FAILING
    (failure,) = (r for r in report if r.check == "loss-nan-targets")
    text = str(failure)
    assert "targets there become nan: it goes from " in text
    assert "Keras multiplies the losses by the mask, and NaN * 0 is NaN" in text
    right = "keras_masking.losses.MaskedLoss(MeanSquaredError())"
    assert right in text
    assert report.summary().startswith("MeanSquaredError [loss, floats] on ")
    assert Report.from_dict(report.to_dict()) == report


def test_the_proposed_line_mends_it() -> None:
    report = check_loss(
        lambda: MaskedLoss(keras.losses.MeanSquaredError()), only=FAILING
    )
    assert report.ok, str(report)


@pytest.mark.skipif(not ON_TORCH, reason="a script is the same everywhere")
def test_a_script_shows_the_failure_again() -> None:
    found = check_loss(keras.losses.Dice, only=["loss-more-padding"])
    more = check_metric(keras.metrics.Precision, only=["metric-pad-value"])
    (loss,), (metric,) = found.failures, more.failures
    run = subprocess.run(
        [sys.executable, "-c", f"{loss.script}\n{metric.script}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert f"  2 seen   {loss.seen}\n" in run.stdout
    assert f"  2 seen   {metric.seen}\n" in run.stdout


def test_a_loss_that_cannot_be_wrapped() -> None:
    """`MaskedLoss(Dice())` raises, so it is not proposed."""
    (failure,) = check_loss(keras.losses.Dice, only=["loss-pad-value"]).failures
    assert "`MaskedLoss` cannot wrap it" in failure.cause
    assert "MaskedLoss" not in failure.right
    report = check_loss(keras.losses.Dice, only=["loss-sample-weight"])
    assert [r.status for r in report] == ["pass", "n/a"]
    assert "not a sum or mean over the steps" in report.results[1].reason


def absolute(y_true: object, y_pred: object) -> object:
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def test_integer_predictions_have_no_gradient() -> None:
    def wrong(y_true: Any, y_pred: Any) -> Any:
        return ops.cast(ops.not_equal(y_true, y_pred), "float32")

    only = ["loss-fit", "loss-pad-value"]
    y_true = np.array([[0, 1, 2, 1], [2, 2, 0, 1]], "int32")
    y_pred = np.array([[0, 2, 2, 1], [2, 1, 0, 0]], "int32")
    report = check_loss(wrong, only=only, y_true=y_true, y_pred=y_pred)
    ends = {r.check: r.status for r in report}
    assert ends["loss-pad-value"] == "pass", str(report)
    assert ends["loss-fit"] == "n/a"
    assert report.examples == "given"


def test_examples_are_named() -> None:
    name = keras.losses.SparseCategoricalCrossentropy
    report = check_loss(name, only=["loss-runs"])
    assert report.examples == "classes and probabilities"
    report = check_metric(keras.metrics.Precision, only=["metric-runs"])
    assert report.examples == "0 and 1, and probabilities"


def test_a_function_of_targets_and_predictions() -> None:
    only = ["loss-more-padding", "loss-save-load", "loss-reductions"]
    report = check_loss(absolute, only=only)
    ends = {r.check: r.status for r in report}
    assert ends.pop("loss-runs") == ends.pop("loss-more-padding") == "pass"
    assert ends == {"loss-save-load": "n/a", "loss-reductions": "n/a"}
    report = check_metric(absolute, only=["metric-pad-value"])
    assert report.layer == "absolute"
    assert report.ok, str(report)


def test_a_part_that_fails_blocks_the_rest() -> None:
    report = check_loss(keras.losses.CTC)
    ends = [r.status for r in report]
    assert ends == ["fail"] + ["blocked"] * 11
    assert report.results[1].reason == "loss-runs did not pass"


def test_targets_that_are_given() -> None:
    y_true = np.array([[0, 1, 2, 1], [2, 2, 0, 1]], "int32")
    y_pred = np.eye(3, dtype="float32")[[[0, 2, 2, 1], [1, 2, 0, 0]]] + 0.1
    report = check_loss(
        MaskedLoss("sparse_categorical_crossentropy"),
        y_true=y_true,
        y_pred=y_pred,
        only=["loss-nan-targets", "loss-sample-weight"],
    )
    assert report.ok, str(report)


def test_predictions_that_change_nothing_are_no_pass() -> None:
    same = np.ones((2, 4, 3), "float32")
    report = check_loss(MaskedLoss("mse"), y_true=same, y_pred=same)
    assert report.results[0].status == "fail"
    assert "does not depend on the predictions" in report.results[0].seen


def test_losses_of_steps_by_hand() -> None:
    """The oracle of the weights and reductions, in plain loops."""
    harness = LossHarness(LossCase(keras.losses.MeanSquaredError))
    batch = harness.batch
    total = 0.0
    for row in range(batch.rows):
        for step in range(batch.steps):
            if not batch.real[row, step]:
                assert harness.step_losses[row, step] == 0
                continue
            pairs = zip(batch.y_true[row, step], batch.y_pred[row, step])
            errors = [(a - b) ** 2 for a, b in pairs]
            expected = sum(errors) / len(errors)
            total += expected
            found = harness.step_losses[row, step]
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    mean = total / batch.real.sum()
    np.testing.assert_allclose(float(harness.base), mean, rtol=1e-5)
    assert harness.is_per_step
    assert not harness.adds
    gradient = harness.gradient(batch)
    at = batch.y_pred[0, 0] - batch.y_true[0, 0]
    expected = 2 * at / batch.y_pred.shape[-1] / batch.real.sum()
    np.testing.assert_allclose(gradient[0, 0], expected, atol=1e-6)
    assert not gradient[~batch.real].any()


def test_repeated_steps() -> None:
    y = np.arange(6, dtype="float32").reshape(2, 3, 1)
    mask = np.array([[True, True, False], [True, False, False]])
    batch = score_batches.ScoreBatch(y, y, mask)
    times = np.array([[2, 0, 2], [1, 2, 2]])
    found = score_batches.repeated(batch, times)
    real = sorted(float(x) for x in found.y_pred[found.real][:, 0])
    expected = [
        float(y[row, step, 0])
        for row in range(2)
        for step in range(3)
        if mask[row, step]
        for _ in range(times[row, step])
    ]
    assert real == sorted(expected)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (keras.layers.ReLU, "which is not a `keras.losses.Loss`"),
        (3, "A target must be a loss class"),
        (lambda: 3, "is not a loss: it returned int"),
        (lambda: [][0], "cannot be created: IndexError"),
    ],
)
def test_no_loss(target: object, text: str) -> None:
    with pytest.raises(TargetError, match=text):
        check_loss(target)


def test_a_mean_of_values_is_no_metric_of_predictions() -> None:
    with pytest.raises(TargetError, match="must take y_true and y_pred"):
        check_metric(keras.metrics.Mean)


def test_ids_of_another_kind() -> None:
    with pytest.raises(TargetError, match="Did you mean 'loss-pad-value'"):
        check_loss(keras.losses.Huber, only=["pad-value"])
    with pytest.raises(TargetError, match="needs both `y_true` and `y_pred`"):
        LossCase(keras.losses.Huber, y_true=np.ones((2, 3)))


def test_a_class_of_losses_is_no_layer() -> None:
    with pytest.raises(TargetError, match="pass a `LossCase`"):
        parametrize_with_checks([keras.losses.Huber])


@parametrize_with_checks(
    [
        LossCase(
            keras.losses.MeanAbsoluteError,
            expected_failures=dict.fromkeys(FAILING, "known in Keras"),
        ),
        MetricCase(lambda: MaskedMetric("Recall")),
    ]
)
def test_one_test_for_each_check(check: object) -> None:
    check()
