"""Reductions on any axes, empty values, dtypes, and hostile numbers."""

import math
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_masking import ops
from tests import oracle
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradients_of
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
REDUCTIONS = {
    "masked_sum": (ops.masked_sum, math.fsum),
    "masked_mean": (
        ops.masked_mean,
        lambda values: math.fsum(v / len(values) for v in values),
    ),
    "masked_max": (ops.masked_max, lambda values: sorted(values)[-1]),
    "masked_min": (ops.masked_min, lambda values: sorted(values)[0]),
    "masked_logsumexp": (ops.masked_logsumexp, oracle.log_sum_exp),
}


def reduce_by_loops(
    function: Any, x: np.ndarray, mask: np.ndarray, axes: tuple, empty: float
) -> np.ndarray:
    """Groups real values by the kept indices, and reduces each group."""
    kept = [a for a in range(x.ndim) if a not in axes]
    groups: dict[tuple, list] = {
        index: [] for index in np.ndindex(*(x.shape[a] for a in kept))
    }
    for index in np.ndindex(*x.shape):
        if mask[index[: mask.ndim]]:
            groups[tuple(index[a] for a in kept)].append(float(x[index]))
    result = [function(g) if g else empty for g in groups.values()]
    return np.reshape(result, [x.shape[a] for a in kept])


def softmax_by_loops(x: np.ndarray, mask: np.ndarray) -> list:
    return [
        [[0.0] * x.shape[2] if s is None else s for s in oracle.softmax(*row)]
        for row in zip(x.tolist(), mask.tolist())
    ]


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (3, 5, 0)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_of_nothing(name: str, masked: bool, shape: tuple) -> None:
    mask = np.ones(shape[:2], bool) if masked else None
    y = getattr(ops, name)(np.zeros(shape, "float32"), mask, empty_value=9.0)
    wanted = np.full((shape[0], shape[2]), 9.0)
    np.testing.assert_array_equal(to_numpy(y), wanted)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_an_axis_of_numpy(name: str) -> None:
    mask = MASKS["holes"]
    for axis in (1, (0, 1)):
        wanted = getattr(ops, name)(X, mask, axis=axis)
        theirs = np.int64(axis) if axis == 1 else [np.int64(a) for a in axis]
        y = getattr(ops, name)(X, mask, axis=theirs)
        np.testing.assert_array_equal(to_numpy(y), to_numpy(wanted))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, (1, 2), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_any_axis(name: str, axis: Any, keepdims: bool) -> None:
    function, by_loops = REDUCTIONS[name]
    axes = tuple(a % 3 for a in (axis if isinstance(axis, tuple) else [axis]))
    for mask in (MASKS["empty"], MASKS["holes"], MASKS["nothing"]):
        wanted = reduce_by_loops(by_loops, X, mask, axes, -2.5)
        if keepdims:
            wanted = np.expand_dims(wanted, axes)
        x = np.where(mask[..., None], X, np.float32(np.nan))
        y = function(x, mask, axis, keepdims, empty_value=-2.5)
        assert_close(y, wanted)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_masks_of_every_rank(name: str) -> None:
    function, by_loops = REDUCTIONS[name]
    rng = np.random.default_rng(1)
    for shape in ((3,), (3, 7), (3, 7, 4)):
        mask = rng.random(shape) < 0.6
        wanted = reduce_by_loops(by_loops, X, mask, (1,), 0.0)
        assert_close(function(X, mask), wanted)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_no_mask_means_all_real(name: str) -> None:
    function, by_loops = REDUCTIONS[name]
    everything = np.ones((3, 7), bool)
    wanted = reduce_by_loops(by_loops, X, everything, (1,), 0.0)
    assert_close(function(X), wanted)
    assert_close(function(X, everything), wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool"])
@pytest.mark.parametrize("name", ["masked_max", "masked_min"])
def test_integers_have_a_largest_and_a_smallest(name: str, dtype: str) -> None:
    function, by_loops = REDUCTIONS[name]
    x = (np.arange(42).reshape(2, 7, 3) % 5).astype(dtype)
    mask = np.array([[1, 0, 1, 0, 0, 1, 1], [0] * 7])
    y = function(x, mask)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    wanted = reduce_by_loops(by_loops, x, mask, (1,), 0)
    np.testing.assert_array_equal(to_numpy(y).astype("int32"), wanted)


def test_means_of_integers_are_floats() -> None:
    x, mask = np.array([[1, 2, 9]]), np.array([[1, 1, 0]])
    assert to_numpy(ops.masked_mean(x, mask)).tolist() == [1.5]
    assert to_numpy(ops.masked_sum(x, mask)).tolist() == [3]
    assert "int" in keras.backend.standardize_dtype(
        ops.masked_sum(x, mask).dtype
    )


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_no_steps_at_all(name: str, steps: int) -> None:
    x, mask = np.ones((2, steps, 3), "float32"), np.zeros((2, steps), bool)
    y = REDUCTIONS[name][0](x, mask, empty_value=4.0)
    np.testing.assert_array_equal(to_numpy(y), np.full((2, 3), 4.0))


@pytest.mark.parametrize("kind", ["right", "left", "holes", "empty", "nothing"])
def test_softmax(kind: str) -> None:
    mask = MASKS[kind]
    for shift in (0.0, 1000.0, -1000.0, 1e30):
        x = np.where(mask[..., None], X + np.float32(shift), np.nan)
        weights = ops.masked_softmax(x.astype("float32"), mask)
        wanted = softmax_by_loops(x.astype("float32"), mask)
        assert_close(weights, wanted)
        assert np.all(to_numpy(weights)[~mask] == 0)


def test_softmax_over_one_step_counted_from_the_end() -> None:
    x, mask = np.full((2, 1), 9.0, "float32"), np.array([[True], [False]])
    weights = to_numpy(ops.masked_softmax(x, mask, axis=-1))
    np.testing.assert_array_equal(weights, [[1.0], [0.0]])


def test_softmax_over_several_axes() -> None:
    mask = MASKS["empty"]
    weights = to_numpy(ops.masked_softmax(X, mask, axis=(1, 2)))
    flat = [[[value] for step in row for value in step] for row in X.tolist()]
    real = np.repeat(mask, 4, axis=1)
    for row in range(3):
        wanted = oracle.softmax(flat[row], real[row].tolist())
        wanted = [0.0 if w is None else w[0] for w in wanted]
        assert_close(weights[row].ravel(), wanted)


# Properties. Few shapes: JAX compiles for each.
SHAPES = [(2, 3, 2), (3, 1, 1), (1, 5, 3)]
FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
HOSTILE = st.sampled_from(
    [math.nan, math.inf, -math.inf, 3e38, -3e38, 1e-42, 1e30, -0.0]
)


@st.composite
def batches(draw: Any, values: Any = FINITE) -> tuple:
    """Real values, any mask, and hostile padding."""
    shape = draw(st.sampled_from(SHAPES))
    size = math.prod(shape)
    entries = st.lists(values, min_size=size, max_size=size)
    x = np.array(draw(entries), "float32").reshape(shape)
    bits = draw(st.integers(0, 2 ** (shape[0] * shape[1]) - 1))
    mask = np.array(
        [bool(bits >> i & 1) for i in range(shape[0] * shape[1])]
    ).reshape(shape[:2])
    padding = draw(HOSTILE)
    poisoned = np.where(mask[..., None], x, np.float32(padding))
    return x, poisoned.astype("float32"), mask


EXAMPLES = 60 if BACKEND == "torch" else 20
quick = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)


@pytest.mark.parametrize("name", REDUCTIONS)
@quick
@given(batch=batches())
def test_any_finite_values_with_any_padding(name: str, batch: tuple) -> None:
    x, poisoned, mask = batch
    function, by_loops = REDUCTIONS[name]
    wanted = reduce_by_loops(by_loops, x, mask, (1,), 0.0)
    # The scale of rounding: that of the real values, not of their sum. A
    # logarithm of a sum adds the logarithm of their number.
    scale = float(np.abs(np.where(mask[..., None], x, 0)).sum())
    scale += math.log(7) if name == "masked_logsumexp" else 0
    assert_close(function(poisoned, mask), wanted, scale=scale)


@pytest.mark.parametrize("name", ["masked_sum", "masked_mean"])
@quick
@given(batch=batches(st.one_of(FINITE, st.sampled_from([math.inf, -math.inf]))))
def test_infinite_real_values_stay(name: str, batch: tuple) -> None:
    x, poisoned, mask = batch
    real = np.where(mask[..., None], x, 0)
    with np.errstate(invalid="ignore"):
        wanted = real.astype("float64").sum(axis=1)
    y = to_numpy(REDUCTIONS[name][0](poisoned, mask))
    infinite = ~np.isfinite(wanted)
    np.testing.assert_array_equal(y[infinite], wanted[infinite])
    assert np.isfinite(y[~infinite]).all()


HALVES = st.floats(-100, 100, width=16)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [*REDUCTIONS, "masked_softmax"])
@quick
@given(batch=batches(HALVES))
def test_half_precision_of_anything(
    name: str, dtype: str, batch: tuple
) -> None:
    _, poisoned, mask = batch
    if dtype == "float16":
        with np.errstate(over="ignore"):  # padding of 3e38 overflows to inf
            poisoned = poisoned.astype(dtype)
    given = keras.ops.cast(poisoned, dtype)
    # The oracle gets the values as rounded to that dtype.
    x = to_numpy(keras.ops.cast(given, "float32"))
    y = getattr(ops, name)(given, mask)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    if name == "masked_softmax":
        wanted = softmax_by_loops(x, mask)
        scale = 1.0
    else:
        wanted = reduce_by_loops(REDUCTIONS[name][1], x, mask, (1,), 0.0)
        scale = float(np.abs(np.where(mask[..., None], x, 0)).sum())
        scale += math.log(7) if name == "masked_logsumexp" else 0
    assert_close(keras.ops.cast(y, "float32"), wanted, dtype, scale)


@quick
@given(batch=batches())
def test_softmax_of_anything(batch: tuple) -> None:
    x, poisoned, mask = batch
    weights = ops.masked_softmax(poisoned, mask)
    assert_close(weights, softmax_by_loops(x, mask), scale=1.0)


NAMES = [*REDUCTIONS, "masked_softmax", "first_step", "last_step"]


@pytest.mark.parametrize("names", [*NAMES, NAMES], ids=[*NAMES, "compiled"])
def test_gradients_are_zero_and_finite_at_any_padding(names: Any) -> None:
    """Each on its own, and all of them compiled together."""
    compile = names is NAMES
    mask = MASKS["empty"] & MASKS["holes"]
    w = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    real, weights = map(keras.ops.convert_to_tensor, (mask, w))

    def total(x: Any) -> Any:
        result = 0.0
        for place, name in enumerate(NAMES if compile else [names]):
            y = getattr(ops, name)(x, real)
            factor = (1 + place) * weights[: 7 if "soft" in name else 1]
            result = result + keras.ops.sum(keras.ops.multiply(y, factor))
        return result

    gradients = gradients_of(total, compile)

    def at(padding: float) -> np.ndarray:
        return gradients(np.where(mask[..., None], X, np.float32(padding)))[0]

    clean = at(0.0)
    assert np.abs(clean[mask]).sum() > 0
    for padding in (math.nan, math.inf, -math.inf, 3e38, 1e-42, -8.0):
        grad = at(padding)
        np.testing.assert_array_equal(grad[~mask], 0)
        assert_close(grad, clean)


def all_of_them(x: Any, mask: Any) -> list:
    return [getattr(ops, name)(x, mask) for name in NAMES]


def test_compiled_equals_eager() -> None:
    x, mask = (
        keras.ops.convert_to_tensor(X),
        keras.ops.convert_to_tensor(MASKS["holes"]),
    )
    found = compiled(all_of_them)(x, mask)
    for y, wanted in zip(found, all_of_them(x, mask), strict=True):
        assert_close(y, to_numpy(wanted))


def test_symbolic() -> None:
    """The functions work in graphs, also with an unknown number of steps."""
    for steps in (7, None):
        x, mask = keras.Input((steps, 4)), keras.Input((steps,), dtype="bool")
        model = keras.Model([x, mask], all_of_them(x, mask))
        found = model.predict([X, MASKS["empty"]], verbose=0)
        wanted = all_of_them(X, MASKS["empty"])
        for y, z in zip(found, wanted, strict=True):
            assert_close(y, to_numpy(z))
