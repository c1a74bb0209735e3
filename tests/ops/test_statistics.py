"""Moments, deviations and weighted means against loops over real steps."""

import math
import statistics
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import ops
from tests import oracle
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
from tests.ops.test_reductions import reduce_by_loops

X = sample()


def sqrtn(values: Any) -> float:
    return math.fsum(values) / math.sqrt(len(values))


# The result of each for the real values of one feature.
OF_ANY_AXIS = {
    "masked_variance": (ops.masked_variance, statistics.pvariance),
    "masked_std": (ops.masked_std, statistics.pstdev),
    "masked_sqrtn": (ops.masked_sqrtn, sqrtn),
}
ALL = {
    **OF_ANY_AXIS,
    "masked_position_mean": (ops.masked_position_mean, oracle.by_position),
}


def map_rows(
    by_loops: Any, x: np.ndarray, mask: np.ndarray, empty: float = 0.0
) -> np.ndarray:
    row_oracle = oracle.pooled(by_loops)
    rows = zip(x.tolist(), mask.tolist())
    return np.array([row_oracle(*row, empty_value=empty) for row in rows])


def dtype_of(x: Any) -> str:
    return keras.backend.standardize_dtype(x.dtype)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("name", ALL)
def test_any_mask_and_padding(name: str, kind: str) -> None:
    function, by_loops = ALL[name]
    mask = MASKS[kind]
    wanted = map_rows(by_loops, X, mask, -2.5)
    for value in POISON.values():
        y = function(poisoned(X, mask, value), mask, empty_value=-2.5)
        assert_close(y, wanted)
    kept = function(X, mask, keepdims=True)
    assert_close(kept, map_rows(by_loops, X, mask)[:, None])


@pytest.mark.parametrize("name", ALL)
def test_no_mask_means_all_real(name: str) -> None:
    function, by_loops = ALL[name]
    everything = np.ones((3, 7), bool)
    wanted = map_rows(by_loops, X, everything)
    assert_close(function(X, empty_value=9.0), wanted)
    assert_close(function(X, everything, empty_value=9.0), wanted)


@pytest.mark.parametrize("shape", [(3, 7, 4), (3, 0, 4)])
@pytest.mark.parametrize("axis", [1, (0, 1)])
def test_moments_are_mean_and_variance(axis: Any, shape: tuple) -> None:
    x = np.resize(X, shape)
    for mask in (None, *(m[:, : shape[1]] for m in MASKS.values())):
        if mask is not None:
            x = poisoned(x, mask, np.nan)
        for config in ({}, {"keepdims": True, "empty_value": 5.0}):
            mean, variance = ops.masked_moments(x, mask, axis, **config)
            wanted = ops.masked_mean(x, mask, axis, **config)
            np.testing.assert_array_equal(to_numpy(mean), to_numpy(wanted))
            wanted = ops.masked_variance(x, mask, axis, **config)
            np.testing.assert_array_equal(to_numpy(variance), to_numpy(wanted))
        x = np.resize(X, shape)
    for dtype in ("int8", "float16"):
        for moment in ops.masked_moments(X.astype(dtype), MASKS["holes"]):
            wanted = keras.config.floatx() if dtype == "int8" else dtype
            assert dtype_of(moment) == wanted


@pytest.mark.parametrize("axis", [-2, 2, (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("name", OF_ANY_AXIS)
def test_any_axis(name: str, axis: Any) -> None:
    function, by_loops = OF_ANY_AXIS[name]
    axes = tuple(a % 3 for a in (axis if isinstance(axis, tuple) else [axis]))
    for mask in (MASKS["empty"], MASKS["holes"], MASKS["nothing"]):
        x = poisoned(X, mask, np.nan)
        wanted = reduce_by_loops(by_loops, X, mask, axes, -2.5)
        assert_close(function(x, mask, axis, empty_value=-2.5), wanted)
        kept = function(x, mask, axis, keepdims=True, empty_value=-2.5)
        assert_close(kept, np.expand_dims(wanted, axes))


@pytest.mark.parametrize("name", OF_ANY_AXIS)
def test_masks_of_every_rank(name: str) -> None:
    function, by_loops = OF_ANY_AXIS[name]
    rng = np.random.default_rng(1)
    for shape in ((3,), (3, 7), (3, 7, 4)):
        mask = rng.random(shape) < 0.6
        wanted = reduce_by_loops(by_loops, X, mask, (1,), 0.0)
        assert_close(function(X, mask), wanted)


@pytest.mark.parametrize("name", ALL)
def test_inputs_of_other_ranks(name: str) -> None:
    function, by_loops = ALL[name]
    x = np.random.default_rng(2).normal(size=(3, 7, 2, 2)).astype("float32")
    for mask in (MASKS["holes"], MASKS["empty"]):
        # Features may have any number of axes, or none.
        flat = map_rows(by_loops, x.reshape(3, 7, 4), mask)
        assert_close(function(x, mask), flat.reshape(3, 2, 2))
        assert_close(function(x[..., 0, 0], mask), flat[:, 0])


@pytest.mark.parametrize("dtype", ["uint8", "bool"])
@pytest.mark.parametrize("name", ALL)
def test_integers_become_floats(name: str, dtype: str) -> None:
    function, by_loops = ALL[name]
    x = (np.arange(63).reshape(3, 7, 3) * 37 % 128).astype(dtype)
    y = function(x, MASKS["empty"])
    assert dtype_of(y) == keras.config.floatx()
    wanted = map_rows(by_loops, x.astype("float64"), MASKS["empty"])
    assert_close(y, wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ALL)
def test_half_precision_of_many_steps(name: str, dtype: str) -> None:
    """Sums, squares and weights that the dtype cannot represent."""
    function, by_loops = ALL[name]
    steps = 4096
    x = np.random.default_rng(3).normal(300, 8, size=(1, steps, 1))
    half = keras.ops.cast(x.astype("float32"), dtype)
    mask = np.arange(steps)[None] % 3 > 0
    y = function(half, mask)
    assert dtype_of(y) == dtype
    # The oracle gets the values as rounded to that dtype.
    x = to_numpy(keras.ops.cast(half, "float32")).astype("float64")
    wanted = map_rows(by_loops, x, mask)
    assert np.isfinite(wanted).all()
    assert_close(keras.ops.cast(y, "float32"), wanted, dtype)


def test_a_deviation_whose_variance_overflows() -> None:
    x = np.array([[[60000.0], [-60000.0], [np.nan]]], "float16")
    y = ops.masked_std(x, np.array([[1, 1, 0]]))
    assert dtype_of(y) == "float16"
    assert to_numpy(y).tolist() == [[60000.0]]


def test_deviations_far_from_zero() -> None:
    """The mean of squares minus the squared mean would lose all digits."""
    x = X + np.float32(1e4)
    mask = MASKS["holes"]
    wanted = map_rows(statistics.pvariance, x, mask)
    x = poisoned(x, mask, np.inf)
    assert_close(ops.masked_variance(x, mask), wanted)
    assert_close(ops.masked_std(x, mask), np.sqrt(wanted))


@pytest.mark.skipif(BACKEND == "jax", reason="it has no 64-bit integers")
@pytest.mark.parametrize("name", ALL)
def test_double_precision(name: str) -> None:
    function, by_loops = ALL[name]
    x = np.random.default_rng(4).normal(size=(3, 7, 4))
    for mask in (MASKS["holes"], np.ones((3, 7), bool)):
        y = function(poisoned(x, mask, np.nan), mask)
        assert dtype_of(y) == "float64"
        assert_close(y, map_rows(by_loops, x, mask), "float64")
    assert_close(function(x), map_rows(by_loops, x, mask), "float64")


def both_moments(x: Any, mask: Any) -> Any:
    mean, variance = ops.masked_moments(x, mask)
    return mean - 2 * variance


DIFFERENTIABLE = {
    **ALL,
    "masked_moments": (
        both_moments,
        lambda v: statistics.fmean(v) - 2 * statistics.pvariance(v),
    ),
}
W = np.random.default_rng(5).normal(size=(3, 4)).astype("float32")
# Rows with holes, without a real step, and with padding on the left.
MIXED = np.stack([MASKS["holes"][0], MASKS["empty"][1], MASKS["left"][1]])


def weighted(function: Any, mask: Any) -> Any:
    """The sum of the outputs, each with a different weight."""
    w = keras.ops.convert_to_tensor(W)
    if mask is not None:
        mask = keras.ops.convert_to_tensor(mask)
    return lambda x: keras.ops.sum(function(x, mask) * w)


def check_gradients(names: list, compile: bool) -> None:
    pairs = [DIFFERENTIABLE[name] for name in names]
    sums = [weighted(function, MIXED) for function, _ in pairs]

    def total(x: Any) -> Any:
        ys = [function(x) for function in sums]
        return sum(y * (k + 1) for k, y in enumerate(ys))

    def plain(x: np.ndarray) -> float:
        ys = [map_rows(by_loops, x, MIXED) for _, by_loops in pairs]
        return float(sum(np.sum(y * W) * (k + 1) for k, y in enumerate(ys)))

    real = np.broadcast_to(MIXED[..., None], X.shape)
    wanted = finite_differences(plain, X, real)
    assert np.abs(wanted).max() > 0.1
    for value in [np.nan] if compile else POISON.values():
        x = poisoned(X, MIXED, value)
        (grad,) = gradient(total, x, compile=compile)
        np.testing.assert_array_equal(grad[~MIXED], 0)
        assert_close(grad, wanted)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name: str) -> None:
    check_gradients([name], compile=False)


def test_compiled_gradients() -> None:
    check_gradients(list(DIFFERENTIABLE), compile=True)


@pytest.mark.parametrize("compile", [False, True], ids=["eager", "compiled"])
def test_gradient_of_no_deviation(compile: bool) -> None:
    """The root of 0 has no derivative; here it is 0."""
    x = np.full((3, 7, 4), np.nan, "float32")
    rows = ["0010000", "0000000", "1110101"]
    mask = np.array([[c == "1" for c in row] for row in rows])
    x[0, 2] = [0.1, -3.0, 0.0, 1e30]
    x[2, mask[2]] = [0.1, 2.0, 0.0, -1e3]
    (grad,) = gradient(weighted(ops.masked_std, mask), x, compile=compile)
    np.testing.assert_array_equal(grad[:2], 0)
    # The mean of equal steps may differ from them by rounding.
    assert_close(grad[2], np.zeros((7, 4)), scale=1.0)
    if not compile:
        x = np.full((3, 7, 4), 2.0, "float32")
        (grad,) = gradient(weighted(ops.masked_std, None), x)
        assert_close(grad, np.zeros((3, 7, 4)), scale=1.0)


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4)])
@pytest.mark.parametrize("name", ALL)
def test_of_nothing(name: str, shape: tuple) -> None:
    x, wanted = np.zeros(shape, "float32"), np.full((shape[0], shape[2]), 9.0)
    for mask in (None, np.ones(shape[:2], bool)):
        y = ALL[name][0](x, mask, empty_value=9.0)
        np.testing.assert_array_equal(to_numpy(y), wanted)


class AllOfThem(keras.layers.Layer):
    """As in a custom layer that calls these functions."""

    def call(self, inputs: Any, real: Any) -> Any:
        return {name: function(inputs, real) for name, (function, _) in LIST}


LIST = list(ALL.items())


def check_all(outputs: dict, x: np.ndarray, mask: np.ndarray) -> None:
    for name, (_, by_loops) in LIST:
        assert_close(outputs[name], map_rows(by_loops, x, mask))


def test_in_a_model_of_any_number_of_steps() -> None:
    x, real = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    model = keras.Model([x, real], AllOfThem()(x, real))
    for steps in (7, 4):
        mask = MASKS["empty"][:, :steps]
        given = poisoned(X, MASKS["empty"], np.nan)[:, :steps]
        outputs = model.predict([given, mask], verbose=0)
        check_all(outputs, X[:, :steps], mask)


def test_compiled() -> None:
    @compiled
    def function(x: Any, mask: Any) -> dict:
        return {name: function(x, mask) for name, (function, _) in LIST}

    mask = MASKS["empty"]
    given = keras.ops.convert_to_tensor(poisoned(X, mask, np.nan))
    outputs = function(given, keras.ops.convert_to_tensor(mask))
    check_all(outputs, X, mask)


def test_compiled_over_the_rows_too() -> None:
    """On JAX that raised "scan got values with different leading axis"."""
    mask = MASKS["empty"]
    mean, variance = compiled(
        lambda x, m: ops.masked_moments(x, m, axis=(0, 1))
    )(keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(mask))
    columns = [*zip(*X[mask].tolist())]
    assert_close(mean, [statistics.fmean(c) for c in columns])
    assert_close(variance, [statistics.pvariance(c) for c in columns])


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="only TensorFlow has graphs of unknown sizes",
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_of_unknown_sizes(jit_compile: bool) -> None:
    import tensorflow as tf

    spec = [tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, None), bool)]

    @tf.function(jit_compile=jit_compile, input_signature=spec)
    def function(x: Any, mask: Any) -> dict:
        return {name: function(x, mask) for name, (function, _) in LIST}

    for rows, steps in ((3, 7), (2, 4)):
        mask = MASKS["holes"][:rows, :steps]
        given = poisoned(X[:rows, :steps], mask, np.nan)
        check_all(function(given, mask), X[:rows, :steps], mask)
    if not jit_compile:
        for shape in ((0, 5), (2, 0)):
            y = function(np.zeros((*shape, 4), "float32"), np.ones(shape, bool))
            for name, _ in LIST:
                wanted = np.zeros((shape[0], 4))
                np.testing.assert_array_equal(to_numpy(y[name]), wanted)


NAMES = [
    "masked_moments",
    "masked_variance",
    "masked_std",
    "masked_sqrtn",
    "masked_position_mean",
]


@pytest.mark.parametrize("name", NAMES)
def test_masks_that_are_refused(name: str) -> None:
    function = getattr(ops, name)
    for mask, rule in (
        (np.ones((3, 6), bool), r"`mask` must have shape .* Received: "),
        (np.ones((7, 3), bool), "Its axes are swapped"),
        (np.ones((3, 7), "complex64"), "`mask` must be boolean"),
        ([[1, 0], [1]], "Make its rows equally long"),
    ):
        with pytest.raises(ValueError, match=rf"^In `{name}`: .*{rule}"):
            function(X, mask)
    with pytest.raises(ValueError, match=rf"^In `{name}`: `x` must be .*compl"):
        function(X.astype("complex64"), MASKS["right"])


@pytest.mark.parametrize("axis", [None, "steps", 1.0])
@pytest.mark.parametrize("name", NAMES[:-1])
def test_axes_that_are_refused(name: str, axis: Any) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^In `{name}`: `axis` must be an integer or a tuple of "
        rf"integers. Received: axis={axis!r}. Pass",
    ):
        getattr(ops, name)(X, MASKS["right"], axis)
