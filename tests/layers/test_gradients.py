"""Gradients: the oracle's at real steps, exactly 0 at padding steps."""

from typing import Any

import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests.cases import CASES
from tests.cases import ONE_OF_EACH
from tests.cases import WEIGHTED
from tests.cases import Case
from tests.cases import X
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import finite_differences
from tests.helpers import gradient
from tests.helpers import gradients_of
from tests.helpers import poisoned
from tests.helpers import tangents_of
from tests.helpers import to_numpy

KINDS = {
    "mixed": np.stack([MASKS[k][1] for k in ("left", "right", "holes")]),
    "empty": MASKS["empty"],
}


def upstream(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def loss(case: Case, y: Any, real: np.ndarray | None, w: np.ndarray) -> Any:
    """Weights for the real outputs; padding outputs get no gradient."""
    y = case.outputs(y)
    if real is not None:
        y = ops.where(real[..., None], y, 0.0)
    return ops.sum(ops.multiply(y, w))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal_finite_differences_of_the_oracle(case: Case, kind: str) -> None:
    layer, mask = case.make(), KINDS[kind]
    expected, real = case.expected(X, mask)
    w = upstream(expected.shape)
    wanted = finite_differences(
        lambda x: float((case.expected(x, mask)[0] * w).sum()),
        X,
        np.broadcast_to(mask[..., None], X.shape),
    )
    (grad,) = gradient(lambda x: loss(case, layer(x, mask=mask), real, w), X)
    if case.kink is not None:
        wanted, grad = (np.where(case.kink == X, 0, g) for g in (wanted, grad))
    assert_close(grad, wanted)
    assert np.all(grad[~mask] == 0)


@pytest.mark.parametrize("compile", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_no_padding_value_reaches_them(case: Case, compile: bool) -> None:
    if not case.selects:
        pytest.skip("the derivative of an activation at NaN is NaN, by nature")
    layer, mask = case.make(), MASKS["empty"] & MASKS["holes"]
    expected, real = case.expected(X, mask)
    w = upstream(expected.shape)

    gradients = gradients_of(
        lambda x: loss(case, layer(x, mask=mask), real, w), compile
    )
    (clean,) = gradients(poisoned(X, mask, 0.0))
    assert np.isfinite(clean).all()
    for poison in (np.nan, np.inf, -np.inf, 3e38):
        (grad,) = gradients(poisoned(X, mask, poison))
        np.testing.assert_array_equal(grad[~mask], 0)
        assert_close(grad, clean)


@pytest.mark.long
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_forward_mode_equals_finite_differences_of_the_oracle(
    case: Case,
) -> None:
    layer, mask = case.make(), KINDS["mixed"]
    w = upstream(case.expected(X, mask)[0].shape)
    v = np.where(X == 0, 0, upstream(X.shape))  # relu has no derivative at 0
    (wanted,) = finite_differences(
        lambda t: float((case.expected(X + t * v, mask)[0] * w).sum()),
        np.zeros(1),
        np.ones(1, bool),
    )

    def outputs(x: Any) -> Any:
        return case.outputs(layer(x, mask=mask))

    tangents = tangents_of(outputs)
    for padding in (8.0, *[np.nan] * case.selects):
        real = case.expected(X, mask)[1]
        slope = to_numpy(tangents(poisoned(X, mask, padding), v))
        if real is not None:
            slope = np.where(real[..., None], slope, 0)
        assert_close((slope * w).sum(), wanted, scale=np.abs(slope * w).sum())


@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_weights_meet_no_padding(case: Case) -> None:
    layer, mask = case.make(), MASKS["holes"]
    weights = layer.get_weights()
    expected, real = case.expected(X, mask)
    w = upstream(expected.shape)

    def weight_gradients(x: np.ndarray) -> list:
        def function(*weights: Any) -> Any:
            y, _ = layer.stateless_call(list(weights), [], x, mask=mask)
            return ops.sum(ops.multiply(y, w))

        return gradient(function, *weights)

    clean = weight_gradients(poisoned(X, mask, 0.0))
    for poison in (np.nan, np.inf, 3e38, 8.0):
        for grad, wanted in zip(
            weight_gradients(poisoned(X, mask, poison)), clean
        ):
            assert_close(grad, wanted)
    if case.biased:
        # The bias is added once for each real output step.
        assert_close(clean[-1], (w * real[..., None]).sum(axis=(0, 1)))


def test_an_empty_row_without_epsilon_leaves_the_weights_their_gradient() -> (
    None
):
    # Keras 3.16 refuses an epsilon of 0; this one is 0 in float32.
    layer = layers.MaskedGroupNormalization(1, epsilon=1e-50)
    layer.build(X.shape)
    ones = np.ones(4, "float32")

    def loss(gamma: Any, beta: Any) -> Any:
        y, _ = layer.stateless_call([gamma, beta], [], X, mask=MASKS["empty"])
        return ops.sum(y)

    for grad in gradient(loss, ones, 0 * ones):
        assert np.isfinite(grad).all()


def test_positions_beyond_what_int32_can_sum() -> None:
    pool = layers.MaskedGlobalAveragePooling1D(weighting="position")
    assert_close(pool(np.ones((1, 80000, 1), "float32")), [[1.0]])
