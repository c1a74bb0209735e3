"""Fast paths against loops over real steps, and against the plain formulas.

Every test chooses a path, and checks that it was taken.
"""

import gc
import math
import statistics
import warnings
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import _backends
from keras_masking import ops
from keras_masking.ops import fast_paths
from keras_masking.ops import fetching
from keras_masking.ops import one_pass
from keras_masking.ops import softmax
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import gradients_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import tangents_of
from tests.helpers import to_numpy
from tests.ops.test_reductions import reduce_by_loops
from tests.ops.test_reductions import softmax_by_loops

# Other backends compile for minutes: there the contract kit runs these.
pytestmark = [pytest.mark.long] if BACKEND != "torch" else []
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
not_on_torch = pytest.mark.skipif(
    BACKEND == "torch", reason="its compiler gets the plain formulas"
)
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="of JAX")

FULL = np.concatenate([MASKS[kind] for kind in ("right", "left", "holes")])
MIXED = np.concatenate([FULL, MASKS["empty"], MASKS["nothing"]])
BATCHES = {"full": FULL, "mixed": MIXED, "nothing": MASKS["nothing"]}
PADDING = {"zero": 0.0, **POISON}
X = np.concatenate([sample(seed=seed) for seed in range(5)])
SHAPES = {3: (-1, 7, 4), 4: (-1, 7, 2, 2)}


def sqrtn(values: Any) -> float:
    return math.fsum(values) / math.sqrt(len(values))


def moments(x: Any, mask: Any, axis: Any = 1) -> Any:
    return keras.ops.stack(ops.masked_moments(x, mask, axis))


def shares(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    flat = softmax_by_loops(x.reshape(SHAPES[3]), mask)
    return np.reshape(flat, x.shape)


def reduced(name: str, *by_loops: Any, axis: Any = 1) -> tuple:
    axes = axis if isinstance(axis, tuple) else (axis,)
    function = moments if name == "moments" else getattr(ops, f"masked_{name}")

    def loops(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        ys = [reduce_by_loops(f, x, mask, axes, 0.0) for f in by_loops]
        return np.stack(ys) if name == "moments" else ys[0]

    return lambda x, mask: function(x, mask, axis), loops


REDUCED: dict[str, list] = {
    "sum": [math.fsum],
    "mean": [statistics.fmean],
    "sqrtn": [sqrtn],
    "variance": [statistics.pvariance],
    "std": [statistics.pstdev],
    "moments": [statistics.fmean, statistics.pvariance],
    "max": [max],
    "min": [min],
}
# A function of `x` and a mask, its loops, and the rank of `x`.
CASES: dict[str, tuple] = {
    **{
        f"{n}-{r}": (*reduced(n, *REDUCED[n]), r)
        for n in REDUCED
        for r in SHAPES
    },
    **{
        f"{n}-groups": (*reduced(n, *REDUCED[n], axis=(1, 3)), 4)
        for n in list(REDUCED)[:6]
    },
    "softmax-3": (ops.masked_softmax, shares, 3),
    "softmax-4": (ops.masked_softmax, shares, 4),
}
NAMES = list(CASES)
# Without a threshold other backends always use the fast path by default.
WAYS = ["fast", "plain", *["default"] * (BACKEND == "torch")]


def given(name: str, mask: np.ndarray, padding: float = 0.0) -> np.ndarray:
    """Numbers for a case, with padding."""
    x = poisoned(X[: len(mask)], mask, padding)
    return x.reshape(SHAPES[CASES[name][2]])


def at_padding(y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return y.reshape(len(mask), 7, -1)[~mask]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list:
    """The paths that were taken, and the explicit derivatives that ran."""
    ways: list = []

    def watched(
        fast: Callable, plain: Callable, *args: Any, **kwargs: Any
    ) -> Any:
        def goes(way: str, function: Callable) -> Callable:
            def run(x: Any, mask: Any) -> Any:
                y = function(x, mask)
                ways.append(way)
                return y

            return run

        return fast_paths.fast_or_plain(
            goes("fast", fast),
            goes("plain", plain),
            *args,
            **kwargs,
        )

    def with_gradient(*args: Any) -> Any:
        ways.append("gradient")
        return written_out(*args)

    written_out = fast_paths.with_gradient
    for module in (one_pass, softmax):
        monkeypatch.setattr(module, "fast_or_plain", watched)
    for module in (fast_paths, softmax):
        monkeypatch.setattr(module, "with_gradient", with_gradient)
    return ways


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, taken: list) -> Callable:
    """Chooses one path, and checks at the end that it was taken."""

    def go(way: str) -> AbstractContextManager:
        taken.clear()
        if way == "fast":
            monkeypatch.setattr(
                fast_paths, "gains_by_fast_paths", lambda x: True
            )
        return ops.plain_formulas() if way == "plain" else nullcontext()

    return go


def check_taken(
    taken: list, way: str, names: list, dtype: str = "float32"
) -> None:
    for name in names:
        if way == "plain":
            assert "fast" not in taken and "gradient" not in taken
        elif way == "fast" and not has_none(name, dtype):
            assert "fast" in taken, name


def has_none(name: str, dtype: str = "float32") -> bool:
    """Where there is no fast path: it would be slower, or lose a NaN."""
    kind = name.split("-")[0]
    plain = kind in ("sum", "mean", "sqrtn", "max", "min") or "groups" in name
    return BACKEND == "jax" and dtype != "float32" and plain


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_values(
    name: str, way: str, dtype: str, go: Callable, taken: list
) -> None:
    function, by_loops, _ = CASES[name]
    for mask in BATCHES.values():
        x = keras.ops.cast(given(name, mask), dtype)
        # The loops get the values as rounded to that dtype.
        wanted = by_loops(to_numpy(keras.ops.cast(x, "float32")), mask)
        for value in PADDING.values():
            with np.errstate(over="ignore"):
                x = keras.ops.cast(given(name, mask, value), dtype)
            with go(way):
                y = function(x, mask)
            check_taken(taken, way, [name], dtype)
            assert keras.backend.standardize_dtype(y.dtype) == dtype
            assert_close(keras.ops.cast(y, "float32"), wanted, dtype)


@not_on_torch
@pytest.mark.parametrize("name", [n for n in NAMES if not has_none(n)])
def test_gradients_are_written_out(
    name: str, go: Callable, taken: list
) -> None:
    """Otherwise the tests below would pass on the plain formulas."""
    with go("fast"):
        CASES[name][0](given(name, FULL, 8.0), FULL)
    assert "gradient" in taken


@not_on_torch
@pytest.mark.parametrize("way", WAYS)
def test_compiled_values(way: str, go: Callable, taken: list) -> None:
    @compiled
    def run(x: Any, mask: Any) -> dict:
        return {
            name: function(keras.ops.reshape(x, SHAPES[rank]), mask)
            for name, (function, _, rank) in CASES.items()
        }

    for mask in (MIXED, np.resize(FULL, MIXED.shape)):
        wanted = {
            name: by_loops(given(name, mask), mask)
            for name, (_, by_loops, _) in CASES.items()
        }
        for value in PADDING.values():
            x = keras.ops.convert_to_tensor(poisoned(X, mask, value))
            with go(way):
                ys = run(x, keras.ops.convert_to_tensor(mask))
            for name in NAMES:
                assert_close(ys[name], wanted[name])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_real_values_that_are_not_finite(
    name: str, value: float, go: Callable, taken: list
) -> None:
    function = CASES[name][0]
    for mask in (FULL, MIXED):
        for padding in (0.0, np.nan, 8.0):
            x = given(name, mask, padding)
            for row in (0, 4, 7):
                x[row, 6 if row == 4 else 0].flat[1] = value
            with go("plain"):
                wanted = to_numpy(function(x, mask))
            with go("fast"):
                y = function(x, mask)
            check_taken(taken, "fast", [name])
            assert_close(y, wanted)


@on_torch
@pytest.mark.parametrize("name", ["sum", "max", "softmax"])
def test_small_rows_go_the_plain_way(
    name: str, thresholds: tuple, taken: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop over them would take longer."""
    assert thresholds[0] == 2**15
    name = f"{name}-3"
    function, by_loops, _ = CASES[name]
    x = given(name, MIXED, np.nan)
    for least, way in ((x[0].size, "fast"), (x[0].size + 1, "plain")):
        monkeypatch.setattr(_backends, "LARGE_ROW", least)
        taken.clear()
        wanted = by_loops(given(name, MIXED), MIXED)
        assert_close(function(x, MIXED), wanted)
        assert taken == [way]


@on_jax
@pytest.mark.parametrize("size", [0, 1])
def test_small_maxima_go_the_plain_way(
    size: int, thresholds: tuple, taken: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default threshold: from 1 MiB JAX goes row by row."""
    assert thresholds[1] == 2**18
    x = given("max-3", FULL, np.nan)
    monkeypatch.setattr(one_pass, "LARGE", x.size + size)
    assert_close(
        ops.masked_max(x, FULL), CASES["max-3"][1](given("max-3", FULL), FULL)
    )
    assert ("fast" in taken) == (size == 0)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")
@pytest.mark.parametrize("features", [63, 64])
def test_wide_steps_are_fetched(
    features: int, taken: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default: from 64 numbers on, of any number of rows and steps."""
    import tensorflow as tf

    monkeypatch.setattr(fetching, "WIDE", 64)
    spec = [
        tf.TensorSpec((None, None, features)),
        tf.TensorSpec((None, None), bool),
    ]
    run = tf.function(ops.masked_max, input_signature=spec)
    x = np.random.default_rng(2).normal(size=(len(MIXED), 7, features))
    x = poisoned(x.astype("float32"), MIXED, np.nan)
    wanted = CASES["max-3"][1](x, MIXED)
    assert_close(run(x, MIXED), wanted)
    assert ("fast" in taken) == (features == 64)


def total_of(function: Callable, mask: np.ndarray, upstream: Any) -> Callable:
    """A scalar whose gradient by `function(x, mask)` is `upstream`."""

    def total(x: Any) -> Any:
        return keras.ops.sum(keras.ops.multiply(function(x, mask), upstream))

    return total


def upstream_of(name: str, mask: np.ndarray) -> np.ndarray:
    shape = CASES[name][0](given(name, mask), mask).shape
    return np.random.default_rng(5).normal(size=tuple(shape)).astype("float32")


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str, go: Callable, taken: list) -> None:
    for mask in BATCHES.values():
        total = total_of(CASES[name][0], mask, upstream_of(name, mask))
        with go("plain"):
            (wanted,) = gradient(total, given(name, mask))
        for way in ("fast", "default"):
            for value in PADDING.values():
                with go(way):
                    (grad,) = gradient(total, given(name, mask, value))
                check_taken(taken, way, [name])
                np.testing.assert_array_equal(at_padding(grad, mask), 0)
                assert_close(grad, wanted)


@not_on_torch
@pytest.mark.parametrize("way", ["fast", "plain"])
def test_compiled_gradients(way: str, go: Callable, taken: list) -> None:
    upstream = {name: upstream_of(name, MIXED) for name in NAMES}

    def total(x: Any) -> Any:
        return sum(
            total_of(function, MIXED, upstream[name])(
                keras.ops.reshape(x, SHAPES[rank])
            )
            for name, (function, _, rank) in CASES.items()
        )

    with ops.plain_formulas():
        (wanted,) = gradient(total, poisoned(X, MIXED, 0.0))
    gradients = gradients_of(total, compile=True)
    for value in PADDING.values():
        with go(way):
            (grad,) = gradients(poisoned(X, MIXED, value))
        np.testing.assert_array_equal(grad[~MIXED], 0)
        assert_close(grad, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_from_above_that_are_not_finite(
    name: str, bad: float, go: Callable, taken: list
) -> None:
    """They stay in their feature; padding still gets 0."""
    for mask in (FULL, MIXED):
        upstream = upstream_of(name, mask)
        upstream.reshape(-1)[[0, upstream.size // 2]] = bad
        total = total_of(CASES[name][0], mask, upstream)
        for value in (0.0, np.nan):
            x = given(name, mask, value)
            with go("plain"):
                (wanted,) = gradient(total, x)
            with go("fast"):
                (grad,) = gradient(total, x)
            check_taken(taken, "fast", [name])
            np.testing.assert_array_equal(at_padding(grad, mask), 0)
            finite = np.isfinite(wanted)
            assert not finite.all()
            assert_close(grad[finite], wanted[finite])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rank", SHAPES)
def test_gradients_from_above_at_padding(
    rank: int, bad: float, go: Callable, taken: list
) -> None:
    name = f"softmax-{rank}"
    for mask in (FULL, MIXED):
        upstream = upstream_of(name, mask).reshape(-1, 7, 4)
        shape = SHAPES[rank]
        clean, dirty = (
            poisoned(upstream, mask, v).reshape(shape) for v in (0.0, bad)
        )
        for value in PADDING.values():
            x = given(name, mask, value)
            with go("plain"):
                (wanted,) = gradient(
                    total_of(ops.masked_softmax, mask, clean), x
                )
            with go("fast"):
                (grad,) = gradient(total_of(ops.masked_softmax, mask, dirty), x)
            check_taken(taken, "fast", [name])
            np.testing.assert_array_equal(at_padding(grad, mask), 0)
            assert_close(grad, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_beside_real_values_that_are_not_finite(
    name: str, bad: float, go: Callable, taken: list
) -> None:
    """Padding gets 0 even if all real values of a row are NaN."""
    for mask in (FULL, MIXED):
        total = total_of(CASES[name][0], mask, upstream_of(name, mask))
        x = given(name, mask, 8.0)
        x[1][mask[1]] = bad
        x[4][mask[4]] = bad
        with go("fast"):
            (grad,) = gradient(total, x)
        check_taken(taken, "fast", [name])
        np.testing.assert_array_equal(at_padding(grad, mask), 0)


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share(name: str, go: Callable, taken: list) -> None:
    mask = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 0, 0]], bool)
    x = np.zeros((2, 5, 2), "float32")
    x[0, :, 0] = [2, 1, 2, 2, 2] if name == "max" else [0, 1, 0, 0, 0]
    wanted = np.zeros((2, 5, 2))
    wanted[0, :, 0] = [1 / 3, 0, 0, 1 / 3, 1 / 3]
    wanted[0, :, 1] = [1 / 4, 1 / 4, 0, 1 / 4, 1 / 4]
    wanted[1] = [[0, 0], [0.5, 0.5], [0.5, 0.5], [0, 0], [0, 0]]
    total = total_of(getattr(ops, f"masked_{name}"), mask, 1.0)
    for way in ("fast", "plain"):
        with go(way):
            (grad,) = gradient(total, x)
        check_taken(taken, way, [f"{name}-3"])
        assert_close(grad, wanted)


def second_gradient(total: Callable, v: np.ndarray, x: np.ndarray) -> Any:
    """The gradient of `sum(v * gradient of total)`: a Hessian times `v`."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        given = tf.convert_to_tensor(x)
        with tf.GradientTape() as outer:
            outer.watch(given)
            with tf.GradientTape() as tape:
                tape.watch(given)
                y = total(given)
            y = tf.reduce_sum(tape.gradient(y, given) * v)
        return to_numpy(outer.gradient(y, given))
    if BACKEND == "torch":
        import torch

        given = keras.ops.convert_to_tensor(x).requires_grad_()
        (grad,) = torch.autograd.grad(total(given), given, create_graph=True)
        (grad,) = torch.autograd.grad((grad * torch.tensor(v)).sum(), given)
        return to_numpy(grad)
    import jax

    return to_numpy(
        jax.grad(lambda x: (jax.grad(total)(x) * v).sum())(
            keras.ops.convert_to_tensor(x)
        )
    )


@pytest.mark.parametrize("name", NAMES)
def test_second_order(name: str, go: Callable, taken: list) -> None:
    function = CASES[name][0]

    def squares(x: Any, mask: Any) -> Any:
        return keras.ops.square(function(x, mask))

    for mask in (FULL, MIXED):
        total = total_of(squares, mask, upstream_of(name, mask))
        v = np.random.default_rng(6).normal(size=given(name, mask).shape)
        v = v.astype("float32")
        with go("plain"):
            wanted = second_gradient(total, v, given(name, mask))
        assert np.abs(wanted).max() > 0.01
        for value in PADDING.values():
            with go("fast"):
                grad = second_gradient(total, v, given(name, mask, value))
            check_taken(taken, "fast", [name])
            np.testing.assert_array_equal(at_padding(grad, mask), 0)
            assert_close(grad, wanted)


# In a TensorFlow graph a NaN at padding made all of it NaN.
@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's graphs")
@pytest.mark.parametrize("name", ["softmax-3", "std-3"])
def test_second_order_in_a_graph(name: str, go: Callable) -> None:
    import tensorflow as tf

    function = CASES[name][0]

    def total(x: Any) -> Any:
        return keras.ops.sum(keras.ops.square(function(x, FULL)) * upstream)

    upstream = upstream_of(name, FULL)
    spec = tf.TensorSpec(V.shape)

    @partial(tf.function, input_signature=[spec])
    def second(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = total(x)
            y = tf.reduce_sum(tape.gradient(y, x) * V)
        return outer.gradient(y, x)

    with go("plain"):
        wanted = second_gradient(total, V, given(name, FULL))
    for value in PADDING.values():
        with go("fast"):
            grad = to_numpy(second(given(name, FULL, value)))
        np.testing.assert_array_equal(at_padding(grad, FULL), 0)
        assert_close(grad, wanted)


@pytest.mark.parametrize("name", ["max-3", "min-3", "max-4"])
def test_real_infinities_beside_padding(
    name: str, go: Callable, taken: list
) -> None:
    """The lowest value ties with padding, which gets no gradient."""
    function = CASES[name][0]
    worst = np.inf if "min" in name else -np.inf
    x = poisoned(np.full_like(X, worst), MIXED, 8.0)
    x = x.reshape(SHAPES[CASES[name][2]])
    total = total_of(function, MIXED, upstream_of(name, MIXED))
    with go("fast"):
        (grad,) = gradient(total, x)
    check_taken(taken, "fast", [name])
    np.testing.assert_array_equal(at_padding(grad, MIXED), 0)


def test_in_a_saved_model(tmp_path: Path) -> None:
    x, real = keras.Input((7, 4)), keras.Input((7,), dtype="bool")
    outputs = {
        name: function(keras.ops.reshape(x, SHAPES[rank]), real)
        for name, (function, _, rank) in CASES.items()
        if "moments" not in name
    }
    model = keras.Model([x, real], outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for value in (np.nan, 8.0):
        given_ = [poisoned(X, MIXED, value), MIXED]
        for made in (model, loaded):
            ys = made.predict_on_batch(given_)
            for name in outputs:
                wanted = CASES[name][1](given(name, MIXED), MIXED)
                assert_close(ys[name], wanted)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")
@pytest.mark.parametrize("rank", SHAPES)
def test_in_a_graph_of_unknown_steps(rank: int) -> None:
    import tensorflow as tf

    names = [name for name in NAMES if CASES[name][2] == rank]
    shape = (None, None, *SHAPES[rank][2:])
    spec = [tf.TensorSpec(shape), tf.TensorSpec((None, None), bool)]

    def run(x: Any, mask: Any) -> dict:
        return {name: CASES[name][0](x, mask) for name in names}

    run = tf.function(run, input_signature=spec)
    for mask in (FULL, MIXED):
        ys = run(given(names[0], mask, np.nan), mask)
        for name in names:
            wanted = CASES[name][1](given(name, mask), mask)
            assert_close(ys[name], wanted)


@on_torch
@pytest.mark.parametrize("name", NAMES)
def test_transforms_of_torch(name: str, go: Callable, taken: list) -> None:
    import torch

    function = CASES[name][0]
    upstream = upstream_of(name, MIXED)
    total = total_of(function, MIXED, upstream)
    with go("plain"):
        (wanted,) = gradient(total, given(name, MIXED))
    for value in (0.0, 8.0, np.nan):
        x = torch.tensor(given(name, MIXED, value))
        go("fast")
        assert_close(torch.func.grad(total)(x), wanted)
        # One scalar, with another tangent vector.
        v = torch.tensor(given(name, MIXED))
        y, slope = torch.func.jvp(lambda x: function(x, MIXED), (x,), (v,))
        assert_close(y, to_numpy(function(x, MIXED)))
        wanted_slope = float(np.sum(wanted * to_numpy(v)))
        slope = float(np.sum(to_numpy(slope) * upstream))
        scale = float(np.abs(wanted * to_numpy(v)).sum())
        assert_close(np.array(slope), np.array(wanted_slope), scale=scale)
        both = torch.stack([torch.tensor(given(name, MIXED)), x])
        for y in torch.func.vmap(lambda x: function(x, MIXED))(both):
            assert_close(y, to_numpy(function(x, MIXED)))
        for grad in torch.func.vmap(torch.func.grad(total))(both):
            assert_close(grad, wanted)


@on_torch
def test_traced_by_torch(taken: list) -> None:
    import torch

    def run(x: Any) -> tuple:
        return tuple(
            function(x.reshape(SHAPES[rank]), MIXED)
            for function, _, rank in CASES.values()
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about constants, and its deprecation
        x = torch.tensor(poisoned(X, MIXED, 0.0))
        traced = torch.jit.trace(run, x, check_trace=False)
    assert "fast" not in taken  # its branch would be fixed in the trace
    ys = traced(torch.tensor(poisoned(X, MIXED, np.nan)))
    for y, (name, (_, by_loops, _)) in zip(ys, CASES.items()):
        assert_close(y, by_loops(given(name, MIXED), MIXED))


@on_torch
def test_compiled_by_torch(taken: list) -> None:
    run = compiled(ops.masked_mean)
    for value in (0.0, np.nan):
        x = keras.ops.convert_to_tensor(given("mean-3", MIXED, value))
        y = run(x, keras.ops.convert_to_tensor(MIXED))
        assert_close(y, CASES["mean-3"][1](given("mean-3", MIXED), MIXED))


# `keras.ops.stack`, used by the tests of moments, keeps its inputs.
@on_torch
@pytest.mark.skipif(
    keras.version().startswith("3.12."),
    reason="Keras 3.12 keeps what its custom gradients were given",
)
@pytest.mark.parametrize("name", [n for n in NAMES if "moments" not in n])
def test_torch_frees_what_was_given(name: str, go: Callable) -> None:
    """And at once: a reference cycle would keep a sequence until collected."""
    import torch

    function = CASES[name][0]
    with go("fast"):
        for backward in (False, True):
            x = torch.tensor(given(name, FULL, 8.0), requires_grad=True) * 1
            gc.disable()
            y = keras.ops.square(function(x, FULL)).sum()
            if backward:
                y.backward()
            gone = weakref.ref(x)
            del x, y
            held = gone() is not None
            gc.enable()
            assert not held


@on_torch
@pytest.mark.parametrize("name", NAMES)
def test_under_autocast(name: str, go: Callable, taken: list) -> None:
    """There a matrix product runs in half precision."""
    import torch

    function, by_loops, _ = CASES[name]
    x = given(name, MIXED) + np.float32(100)
    with go("default"), torch.autocast("cpu", dtype=torch.bfloat16):
        y = function(torch.tensor(x), MIXED)
    assert_close(y, by_loops(x, MIXED), scale=700.0)


@on_jax
@pytest.mark.parametrize("name", NAMES)
def test_transforms_of_jax(name: str, go: Callable, taken: list) -> None:
    import jax

    function = CASES[name][0]
    upstream = upstream_of(name, FULL)
    total = total_of(function, FULL, upstream)
    clean = given(name, FULL)
    with go("plain"):
        (wanted,) = gradient(total, clean)
        y_wanted = to_numpy(function(clean, FULL))
    both = np.stack([clean, given(name, FULL, np.nan)])
    with go("fast"):
        ys = jax.vmap(lambda x: function(x, FULL))(both)
        grads = jax.vmap(jax.grad(total))(both)
    check_taken(taken, "fast", [name])
    for y, grad in zip(ys, grads):
        assert_close(y, y_wanted)
        np.testing.assert_array_equal(at_padding(to_numpy(grad), FULL), 0)
        assert_close(grad, wanted)


@on_jax
@pytest.mark.parametrize("name", NAMES)
def test_hessian(name: str, go: Callable, taken: list) -> None:
    """Forward over reverse."""
    import jax

    function = CASES[name][0]
    mask = MASKS["holes"]

    def squares(x: Any, mask: Any) -> Any:
        return keras.ops.square(function(x, mask))

    total = total_of(squares, mask, upstream_of(name, mask))
    with go("plain"):
        wanted = to_numpy(jax.hessian(total)(given(name, mask)))
    for value in (8.0, np.nan):
        with go("fast"):
            got = jax.hessian(total)(given(name, mask, value))
        check_taken(taken, "fast", [name])
        assert_close(got, wanted)


def slope_of_loops(by_loops: Callable, x: np.ndarray, v: np.ndarray) -> Any:
    """The derivative of the loops along `v`, by a central difference."""
    x, v, step = x.astype("float64"), v.astype("float64"), 1e-6
    up, down = by_loops(x + step * v, FULL), by_loops(x - step * v, FULL)
    return (up - down) / (2 * step)


V = np.random.default_rng(8).normal(size=X[: len(FULL)].shape).astype("float32")


# On JAX `jax.jvp` raised a TypeError except with plain formulas.
@pytest.mark.parametrize("way", WAYS)
def test_forward_mode(way: str, go: Callable, taken: list) -> None:
    def run(x: Any) -> dict:
        return {
            name: function(keras.ops.reshape(x, SHAPES[rank]), FULL)
            for name, (function, _, rank) in CASES.items()
        }

    tangents = tangents_of(run)
    for value in PADDING.values():
        for v in (V, poisoned(V, FULL, value)):
            with go(way):
                slopes = tangents(poisoned(X[: len(FULL)], FULL, value), v)
            for name, (_, by_loops, rank) in CASES.items():
                x = given(name, FULL)
                wanted = slope_of_loops(by_loops, x, V.reshape(SHAPES[rank]))
                assert_close(slopes[name], wanted)


@on_jax
def test_jacobians(go: Callable, taken: list) -> None:
    """Forward, backward, and forward once for several directions."""
    import jax

    mask = MASKS["holes"]
    x = poisoned(X[:3], mask, np.nan)

    def run(x: Any) -> dict:
        return {
            name: CASES[name][0](x, mask) for name in NAMES if name[-1] == "3"
        }

    with go("fast"):
        forward, backward = jax.jit(
            lambda x: (jax.jacfwd(run)(x), jax.jacrev(run)(x))
        )(x)
        y, linear = jax.linearize(jax.jit(run), x)
        slopes = linear(V[:3])
    check_taken(taken, "fast", list(y))
    for name in y:
        wanted = to_numpy(backward[name])
        assert np.isfinite(wanted).all() and np.abs(wanted).max() > 0.01
        assert_close(forward[name], wanted)
        flat = wanted.reshape(*y[name].shape, -1) @ V[:3].reshape(-1)
        assert_close(slopes[name], flat)


@on_jax
@pytest.mark.parametrize("name", ["sum", "mean", "variance", "max"])
def test_no_tensor_of_the_size_of_the_sequence(name: str, go: Callable) -> None:
    import jax

    x = np.zeros((8, 256, 64), "float32")
    mask = np.ones((8, 256), bool)

    def extra(way: str) -> float:
        with go(way):
            run = jax.jit(lambda x, mask: CASES[f"{name}-3"][0](x, mask))
            made = run.lower(x, mask).compile()
        return made.memory_analysis().temp_size_in_bytes / x.nbytes

    assert extra("fast") < 0.2 < extra("plain")
