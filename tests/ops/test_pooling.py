"""Sums, means and maxima of windows, one window at a time."""

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

X = sample()
POOLS = {
    "window_sum": (ops.window_sum, math.fsum),
    "window_mean": (ops.window_mean, statistics.fmean),
    "window_max": (ops.window_max, lambda values: sorted(values)[-1]),
}
WINDOWS = [
    (2, 1, "valid"),
    (3, 2, "valid"),
    (4, 1, "same"),
    (3, 2, "same"),
    (2, 3, "same"),
    (9, 2, "same"),
]


def by_loops(
    function: Any,
    x: np.ndarray,
    mask: np.ndarray,
    window: tuple,
    empty: float = 0.0,
) -> np.ndarray:
    """Also partly real windows, over their real steps."""
    nothing = [empty] * x.shape[2]
    return np.array(
        [
            [
                oracle.by_feature(steps, function) if steps else nothing
                for _, steps in oracle.windows(*row, *window)
            ]
            for row in zip(x.tolist(), mask.tolist())
        ]
    )


def dtype_of(x: Any) -> str:
    return keras.backend.standardize_dtype(x.dtype)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("name", POOLS)
def test_any_mask_and_padding(name: str, window: tuple) -> None:
    function, plain = POOLS[name]
    for mask in MASKS.values():
        wanted = by_loops(plain, X, mask, window, -2.5)
        for value in POISON.values():
            x = poisoned(X, mask, value)
            assert_close(function(x, mask, *window, empty_value=-2.5), wanted)


@pytest.mark.parametrize("window", [(2, 1, "valid"), (4, 3, "same")], ids=str)
@pytest.mark.parametrize("name", POOLS)
def test_no_mask_means_all_real(name: str, window: tuple) -> None:
    function, plain = POOLS[name]
    everything = np.ones((3, 7), bool)
    wanted = by_loops(plain, X, everything, window)
    assert_close(function(X, None, *window, empty_value=9.0), wanted)
    assert_close(function(X, everything, *window, empty_value=9.0), wanted)


@pytest.mark.parametrize("name", POOLS)
def test_defaults(name: str) -> None:
    function, plain = POOLS[name]
    mask = MASKS["holes"]
    wanted = by_loops(plain, X, mask, (2, 1, "valid"), 0.0)
    assert_close(function(poisoned(X, mask, np.nan), mask), wanted)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_windows_are_those_of_keras(padding: str) -> None:
    x = sample(steps=6)
    for size, strides in ((3, 1), (4, 2), (3, 3)):
        wanted = keras.ops.max_pool(x, size, strides, padding)
        y = ops.window_max(x, None, size, strides, padding)
        np.testing.assert_array_equal(to_numpy(y), to_numpy(wanted))


@pytest.mark.parametrize("name", POOLS)
def test_strided_windows_do_not_see_the_padding(name: str) -> None:
    """Keras' windows move if a batch is padded to another length."""
    function = POOLS[name][0]
    alone = to_numpy(function(X, None, 4, 2, "same"))
    for more in (1, 2):
        x = np.pad(X, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
        mask = np.arange(7 + more)[None] < np.full((3, 1), 7)
        y = to_numpy(function(x, mask, 4, 2, "same"))
        assert_close(y[:, :4], alone)


@pytest.mark.parametrize("name", POOLS)
def test_infinite_real_values_stay_in_their_windows(name: str) -> None:
    function, plain = POOLS[name]
    mask = MASKS["empty"]
    x = poisoned(X, mask, np.nan)
    x[0, 1], x[2, 2], x[2, 5] = np.inf, -np.inf, -np.inf
    # No window of only -inf: TensorFlow's maximum is the lowest float there.
    for window in ((2, 1, "valid"), (3, 2, "same")):
        wanted = by_loops(plain, x, mask, window)
        assert np.isinf(wanted).any() and np.isfinite(wanted).any()
        assert_close(function(x, mask, *window), wanted)


@pytest.mark.parametrize("dtype", ["uint8", "bool"])
@pytest.mark.parametrize("name", POOLS)
def test_integers_become_floats(name: str, dtype: str) -> None:
    function, plain = POOLS[name]
    x = (np.arange(63).reshape(3, 7, 3) * 37 % 128).astype(dtype)
    mask = MASKS["empty"]
    y = function(x, mask, 3, 1, "same")
    assert dtype_of(y) == keras.config.floatx()
    wanted = by_loops(plain, x.astype("float64"), mask, (3, 1, "same"))
    assert_close(y, wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", POOLS)
def test_half_precision_of_many_steps(name: str, dtype: str) -> None:
    """Counts and sums that the dtype cannot represent."""
    function, plain = POOLS[name]
    steps = 4096
    scale = 10 if name == "window_sum" else 300
    x = np.random.default_rng(3).normal(scale, 1, size=(1, steps, 1))
    half = keras.ops.cast(x.astype("float32"), dtype)
    mask = np.arange(steps)[None] % 3 > 0
    for masked in (mask, None):
        y = function(half, masked, 4000, 50)
        assert dtype_of(y) == dtype
        # The oracle gets the values as rounded to that dtype.
        x = to_numpy(keras.ops.cast(half, "float32")).astype("float64")
        real = np.ones_like(mask) if masked is None else mask
        wanted = by_loops(plain, x, real, (4000, 50))
        assert wanted.max() < 65504
        assert_close(keras.ops.cast(y, "float32"), wanted, dtype)


@pytest.mark.skipif(BACKEND == "jax", reason="it has no 64-bit integers")
@pytest.mark.parametrize("name", POOLS)
def test_double_precision(name: str) -> None:
    function, plain = POOLS[name]
    x = np.random.default_rng(4).normal(size=(3, 7, 4))
    for mask in (MASKS["holes"], np.ones((3, 7), bool)):
        y = function(poisoned(x, mask, np.nan), mask, 3, 1, "same")
        assert dtype_of(y) == "float64"
        wanted = by_loops(plain, x, mask, (3, 1, "same"))
        assert_close(y, wanted, "float64")
    y = function(x, None, 3, 1, "same")
    assert dtype_of(y) == "float64"
    assert_close(y, wanted, "float64")


# Rows with holes, without a real step, and with padding on the left.
MIXED = np.stack([MASKS["holes"][0], MASKS["empty"][1], MASKS["left"][1]])


def check_gradients(names: list, window: tuple, compile: bool) -> None:
    """The gradients of all outputs, each with a different weight."""
    rng, w = np.random.default_rng(5), {}
    for name in names:
        shape = by_loops(POOLS[name][1], X, MIXED, window).shape
        w[name] = rng.normal(size=shape).astype("float32")

    factors = {n: keras.ops.convert_to_tensor(w[n]) for n in names}
    mask = keras.ops.convert_to_tensor(MIXED)

    def total(x: Any) -> Any:
        ys = {n: POOLS[n][0](x, mask, *window) for n in names}
        ys = [keras.ops.sum(ys[n] * factors[n]) for n in names]
        return sum(ys)

    def plain(x: np.ndarray) -> float:
        ys = {n: by_loops(POOLS[n][1], x, MIXED, window) for n in names}
        return float(sum(np.sum(ys[n] * w[n]) for n in names))

    real = np.broadcast_to(MIXED[..., None], X.shape)
    wanted = finite_differences(plain, X, real)
    assert np.abs(wanted).max() > 0.1
    for value in [np.nan] if compile else POISON.values():
        x = poisoned(X, MIXED, value)
        (grad,) = gradient(total, x, compile=compile)
        np.testing.assert_array_equal(grad[~MIXED], 0)
        assert_close(grad, wanted)


@pytest.mark.parametrize("window", [(2, 1, "valid"), (4, 3, "same")], ids=str)
@pytest.mark.parametrize("name", POOLS)
def test_gradients(name: str, window: tuple) -> None:
    check_gradients([name], window, compile=False)


def test_compiled_gradients() -> None:
    check_gradients(list(POOLS), (4, 3, "same"), compile=True)


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (3, 5, 0)])
@pytest.mark.parametrize("name", POOLS)
def test_of_nothing(name: str, shape: tuple) -> None:
    function, x = POOLS[name][0], np.zeros(shape, "float32")
    rows, steps, features = shape
    for mask in (None, np.ones(shape[:2], bool)):
        y = to_numpy(function(x, mask, 3, 2, "same", empty_value=9.0))
        wanted = np.zeros((rows, math.ceil(steps / 2), features))
        np.testing.assert_array_equal(y, wanted)
        if steps:
            y = to_numpy(function(x, mask, 3, empty_value=9.0))
            np.testing.assert_array_equal(y, np.zeros((rows, 3, features)))


MODEL = (3, 2, "same")


class AllOfThem(keras.layers.Layer):
    """As in a custom layer that calls these functions."""

    def call(self, inputs: Any, real: Any) -> Any:
        return all_of_them(inputs, real)


def all_of_them(x: Any, mask: Any) -> dict:
    return {n: function(x, mask, *MODEL) for n, (function, _) in LIST}


LIST = list(POOLS.items())


def check_all(outputs: dict, x: np.ndarray, mask: np.ndarray) -> None:
    for name, (_, plain) in LIST:
        assert_close(outputs[name], by_loops(plain, x, mask, MODEL))


def test_in_a_model_of_any_number_of_steps() -> None:
    x, real = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    model = keras.Model([x, real], AllOfThem()(x, real))
    for steps in (7, 4):
        mask = MASKS["holes"][:, :steps]
        given = poisoned(X[:, :steps], mask, np.nan)
        check_all(model.predict([given, mask], verbose=0), X[:, :steps], mask)


def test_compiled() -> None:
    mask = MASKS["holes"]
    given = keras.ops.convert_to_tensor(poisoned(X, mask, np.nan))
    outputs = compiled(all_of_them)(given, keras.ops.convert_to_tensor(mask))
    check_all(outputs, X, mask)


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="only TensorFlow has graphs of unknown sizes",
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_of_unknown_sizes(jit_compile: bool) -> None:
    import tensorflow as tf

    spec = [tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, None), bool)]
    graph = tf.function(
        all_of_them, jit_compile=jit_compile, input_signature=spec
    )
    for rows, steps in ((3, 7), (2, 4)):
        mask = MASKS["holes"][:rows, :steps]
        given = poisoned(X[:rows, :steps], mask, np.nan)
        check_all(graph(given, mask), X[:rows, :steps], mask)


PADDING = (
    "`padding` must be 'valid' or 'same'. Received: padding='{}'. Pass "
    "'valid' for whole windows only, 'same' for one window per stride."
)
SIZES = (
    "window sizes must be positive integers. Received: window_size={}, "
    "strides={}. The default of `strides` and `dilation_rate` is 1."
)
LONG = (
    "with padding='valid' a window must not be longer than the sequence. "
    "Received: window={}, steps=7. Pad the batch at least to the length of a "
    "window (with a mask), or pass padding='same'."
)
RANK = (
    "`x` must have shape (batch, steps, features). Received: x.shape={}. "
    "Reshape it with `keras.ops.reshape`."
)
SHAPE = (
    "`mask` must have shape (batch, steps), the first axes of `inputs`. "
    "Received: mask.shape={}, inputs.shape=(3, 7, 4). {}"
)
REFUSED = {
    "causal": ((X, None, 2, 1, "causal"), PADDING.format("causal")),
    "upper case": ((X, None, 2, 1, "SAME"), PADDING.format("SAME")),
    "no size": ((X, None, 0), SIZES.format(0, 1)),
    "half a size": ((X, None, 1.5), SIZES.format(1.5, 1)),
    "true": ((X, None, True), SIZES.format(True, 1)),
    "no strides": ((X, None, 2, 0), SIZES.format(2, 0)),
    "backwards": ((X, None, 2, -1), SIZES.format(2, -1)),
    "too long": ((X, None, 8), LONG.format(8)),
    "too long for real": ((X, MASKS["empty"], 9, 2), LONG.format(9)),
    "no features": ((X[..., 0], None), RANK.format("(3, 7)")),
    "images": ((X[..., None], None), RANK.format("(3, 7, 4, 1)")),
    "lengths": (
        (X, np.array([1, 2, 3])),
        SHAPE.format(
            "(3,)",
            "If these are lengths, one per row, convert them with "
            "`keras_masking.ops.lengths_to_mask(lengths, maxlen)`.",
        ),
    ),
    "a mask of features": (
        (X, X > 0),
        SHAPE.format(
            "(3, 7, 4)",
            "A mask has no feature axis: reduce it with "
            "`keras.ops.any(mask, axis=-1)`.",
        ),
    ),
    "complex": (
        (X, np.ones((3, 7), "complex64")),
        "`mask` must be boolean, True where a step is real. Received: "
        "mask.dtype=complex64. Make it boolean, for example with "
        "`mask = keras.ops.not_equal(ids, 0)`.",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", POOLS)
def test_what_is_refused(name: str, kind: str) -> None:
    arguments, message = REFUSED[kind]
    with pytest.raises(ValueError, match=f"^In `{name}`: ") as info:
        POOLS[name][0](*arguments)
    assert str(info.value) == f"In `{name}`: {message}"
