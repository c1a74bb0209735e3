"""A loss over parts of a batch that other replicas hold.

Trainings on several devices are in `tests/batching/test_devices.py`.
"""

import json
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import _replicas
from keras_masking._replicas import Replicas
from keras_masking.losses import MaskedLoss
from keras_masking.losses import reduced
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import sample
from tests.test_losses import CLASSES
from tests.test_losses import MASK
from tests.test_losses import SCORES
from tests.test_losses import TARGETS
from tests.test_losses import WEIGHTS
from tests.test_losses import each_step
from tests.test_losses import squared

# What the other replica has: a sum of losses, and the divisor of a mean.
OTHER = {"sum_over_batch_size": (5.0, 4.0), "sum": (5.0, 4.0)}
OTHER["mean_with_sample_weight"] = 5.0, 2.5


def sums(reduction: str, mask: np.ndarray) -> tuple[float, float]:
    steps = each_step(squared, TARGETS, SCORES, mask, WEIGHTS)
    by_weight = reduction == "mean_with_sample_weight"
    return (
        sum(w * v for v, w in steps),
        sum(w if by_weight else 1.0 for _, w in steps),
    )


@pytest.mark.parametrize("averages", [False, True])
@pytest.mark.parametrize("normalizer", [None, 7])
@pytest.mark.parametrize("reduction", OTHER)
def test_the_divisor_is_that_of_all_replicas(
    reduction: str,
    normalizer: int | None,
    averages: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Averaged or added, the gradients are those of the whole batch."""

    def add(x: Any) -> Any:
        return ops.stop_gradient(x) + np.array(OTHER[reduction], "float32")

    monkeypatch.setattr(
        reduced, "find_replicas", lambda *_: Replicas(2, averages, add)
    )
    ours = MaskedLoss("mse", reduction, normalizer=normalizer)
    for mask in (MASK, MASKS["nothing"]):
        total, count = sums(reduction, mask)
        count += OTHER[reduction][1]
        if normalizer is not None:
            count = normalizer
        elif reduction == "sum":
            count = 1
        wanted = (total + OTHER[reduction][0]) / count
        seen = ours(TARGETS, SCORES, WEIGHTS, mask=mask)
        assert_close(seen, wanted if averages else wanted / 2)
        (seen,) = gradient(
            lambda p, mask=mask: ours(TARGETS, p, WEIGHTS, mask=mask), SCORES
        )
        each = (SCORES - TARGETS) * WEIGHTS[..., None] / 2 / count
        each = np.where(mask[..., None], each, 0)
        assert_close(seen, each * 2 if averages else each)


def test_alone() -> None:
    """One device has no replicas, whatever is asked for."""
    for synchronized in (True, False, "auto"):
        assert _replicas.find_replicas("loss", synchronized) is None


@pytest.mark.parametrize("reduction", OTHER)
def test_a_constant_normalizer(reduction: str) -> None:
    """The loss of a batch is the sum of the losses of its rows."""
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    how = {"normalizer": 50, "class_weight": {1: 3.0}}
    ours = MaskedLoss(theirs, reduction, **how)
    weights = np.where(CLASSES == 1, 3.0, 1.0) * WEIGHTS
    steps = MaskedLoss(theirs, "none")(CLASSES, SCORES, weights, mask=MASK)
    wanted = float(ops.sum(steps)) / 50
    assert_close(ours(CLASSES, SCORES, WEIGHTS, mask=MASK), wanted)
    rows = [
        float(ours(*(a[i : i + 1] for a in (CLASSES, SCORES, WEIGHTS, MASK))))
        for i in range(3)
    ]
    assert_close(np.float32(sum(rows)), wanted)
    assert float(ours(CLASSES, SCORES, mask=MASKS["nothing"])) == 0


def test_half_precision_divides_in_float32() -> None:
    """The sum is 80,000, beyond float16."""
    theirs = keras.losses.MeanSquaredError(dtype="float16")
    ours = MaskedLoss(theirs, normalizer=16)
    steps = np.full((1, 5000, 1), 4.0, "float16")
    assert float(ours(np.zeros_like(steps), steps)) == 5000


def test_config() -> None:
    ours = MaskedLoss("mse", normalizer=np.int64(12), synchronized=False)
    written = json.dumps(keras.losses.serialize(ours))
    again = keras.losses.deserialize(json.loads(written))
    assert (again.normalizer, again.synchronized) == (12.0, False)
    x = sample()
    assert float(again(TARGETS, x)) == float(ours(TARGETS, x))
    outside = MaskedLoss(ours)
    assert (outside.normalizer, outside.synchronized) == (12.0, False)
    assert MaskedLoss(ours, normalizer=3).normalizer == 3.0
    # A loss that was saved before it had these arguments.
    old = ours.get_config()
    del old["normalizer"], old["synchronized"]
    assert MaskedLoss.from_config(old).synchronized == "auto"


@pytest.mark.once
@pytest.mark.parametrize("normalizer", [0, -1, np.inf, np.nan, True, "batch"])
def test_normalizers_that_are_none(normalizer: Any) -> None:
    with pytest.raises(ValueError, match=r"`normalizer` must be a positive"):
        MaskedLoss("mse", normalizer=normalizer)


@pytest.mark.once
def test_other_errors() -> None:
    for reduction in (None, "none"):
        with pytest.raises(ValueError, match="there is no sum to divide"):
            MaskedLoss("mse", reduction, normalizer=3)
    for value in ("yes", None, 1):
        with pytest.raises(ValueError, match="'auto', True or False"):
            MaskedLoss("mse", synchronized=value)
