"""Shared test helpers: sample masks, tolerances, gradients, compiling."""

import sys
import warnings
from collections.abc import Callable
from collections.abc import Iterable
from itertools import cycle
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import cli
from keras_masking._keras import get_mask

BACKEND = keras.backend.backend()

# Largest error allowed, relative to the largest magnitude: about 100 roundings
# of the dtype.
TOLERANCE = {
    "float64": 1e-13,
    "float32": 1e-5,
    "float16": 5e-3,
    "bfloat16": 4e-2,
}
# The smallest normal number, rounded up: backends flush smaller ones to 0.
TINY = {
    "float64": 2.3e-308,
    "float32": 1.2e-38,
    "float16": 6.2e-5,
    "bfloat16": 1.2e-38,
}

# Seven steps. The left paddings are even, so that strides of 2 fit them.
MASKS = {
    "right": ["1111111", "1111100", "1000000"],
    "left": ["1111111", "0011111", "0000001"],
    "holes": ["1011101", "0011010", "1111000"],
    "empty": ["1110000", "0000000", "1111111"],
    "nothing": ["0000000", "0000000", "0000000"],
}
MASKS = {
    name: np.array([[c == "1" for c in row] for row in rows])
    for name, rows in MASKS.items()
}
POISON = {
    "nan": np.nan,
    "inf": np.inf,
    "-inf": -np.inf,
    "huge": 3e38,
    "eight": 8.0,
}


def spread(cases: Iterable, ways: Iterable) -> list[tuple[Any, Any]]:
    """Pairs of a case and a way to test it, to parametrize a test.

    All pairs on PyTorch. Elsewhere, where each traces or compiles, each case
    in one way, and each way for some cases.
    """
    if BACKEND == "torch":
        return list(product(cases, ways))
    return list(zip(cases, cycle(ways)))


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


def mask_of(x: Any) -> np.ndarray | None:
    mask = get_mask(x)
    return None if mask is None else to_numpy(mask)


def sample(steps: int = 7, features: int = 4, seed: int = 0) -> np.ndarray:
    """`(3, steps, features)`; a row of zeros at step 1, one all negative."""
    x = np.random.default_rng(seed).normal(size=(3, steps, features))
    x[0, 1] = 0.0
    x[2] = -np.abs(x[2]) - 0.1
    return x.astype("float32")


def quietly(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls a function without Keras' warning about a lost mask."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*destroy the mask")
        return call(*args, **kwargs)


def poisoned(x: np.ndarray, mask: np.ndarray, value: float) -> np.ndarray:
    """`x` with `value` at padding steps."""
    return np.where(mask[..., None], x, np.float32(value)).astype(x.dtype)


def real_rows(x: np.ndarray, mask: np.ndarray) -> list:
    """The real steps of each row, as lists."""
    return [row[real].tolist() for row, real in zip(x, mask)]


def assert_close(
    actual: Any,
    expected: Any,
    dtype: str = "float32",
    scale: float | None = None,
) -> None:
    """Compares, with NaN equal to NaN and the tolerance of `dtype`.

    The error is measured against `scale`, by default the largest expected
    value. Below the smallest normal number of the dtype anything counts as 0:
    backends flush there.
    """
    actual = to_numpy(actual).astype("float64")
    expected = np.asarray(expected, "float64")
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    finite = np.abs(expected[np.isfinite(expected)])
    if scale is None:
        scale = float(finite.max()) if finite.size else 0.0
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=TOLERANCE[dtype] * scale + TINY[dtype]
    )


def gradient(
    function: Callable[..., Any], *inputs: np.ndarray, compile: bool = False
) -> list:
    """Gradients of `function(*inputs)`, a scalar, as NumPy arrays.

    Zeros for inputs that the scalar does not depend on.
    """
    return gradients_of(function, compile)(*inputs)


def gradients_of(
    function: Callable[..., Any], compile: bool = False
) -> Callable[..., list]:
    """A function for the `gradient` of `function`, compiled once."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def gradients(*tensors: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                value = function(*tensors)
            zero = tf.UnconnectedGradients.ZERO
            grads = tape.gradient(value, tensors, unconnected_gradients=zero)
            return [tf.convert_to_tensor(g) for g in grads]

        run = compiled(gradients) if compile else gradients

        def call(*inputs: np.ndarray) -> list:
            return run(*[tf.convert_to_tensor(x) for x in inputs])

    elif BACKEND == "torch":
        import torch

        run = compiled(function) if compile else function

        def call(*inputs: np.ndarray) -> list:
            tensors = [
                keras.ops.convert_to_tensor(x).detach().requires_grad_()
                for x in inputs
            ]
            value = run(*tensors)
            if not value.requires_grad:
                return [np.zeros_like(x) for x in inputs]
            return torch.autograd.grad(
                value, tensors, allow_unused=True, materialize_grads=True
            )

    elif BACKEND != "jax":
        pytest.skip(f"the backend {BACKEND} has no gradients")
    else:
        import jax

        def gradients(*inputs: Any) -> Any:
            return jax.grad(function, tuple(range(len(inputs))))(*inputs)

        call = compiled(gradients) if compile else gradients

    return lambda *inputs: [to_numpy(grad) for grad in call(*inputs)]


def tangents_of(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function for the forward-mode derivative of `function` along `v`.

    It takes `x` and `v`, and is compiled once on JAX.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def call(x: np.ndarray, v: np.ndarray) -> Any:
            given = tf.convert_to_tensor(x)
            with tf.autodiff.ForwardAccumulator(
                given, tf.convert_to_tensor(v)
            ) as forward:
                y = function(given)
            return forward.jvp(y, tf.UnconnectedGradients.ZERO)

    elif BACKEND == "torch":
        import torch

        def call(x: np.ndarray, v: np.ndarray) -> Any:
            given = torch.tensor(x), torch.tensor(v)
            return torch.func.jvp(function, given[:1], given[1:])[1]

    else:
        import jax

        call = jax.jit(lambda x, v: jax.jvp(function, (x,), (v,))[1])
    return call


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as the backend compiles it."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if BACKEND == "torch":
        import torch

        # Captures the graph like torch.compile, without generating C++.
        return torch.compile(function, backend="aot_eager")
    if BACKEND != "jax":
        pytest.skip(f"the backend {BACKEND} compiles nothing")
    import jax

    return jax.jit(function)


def at_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled on JAX, which else compiles each operation."""
    return compiled(function) if BACKEND == "jax" else function


def with_padding(kind: str, x: np.ndarray, value: float) -> np.ndarray:
    """Rows of steps with more padding, at one side, in holes or as a row."""
    more = np.full_like(x[:, :2], value)
    if kind == "right":
        return np.concatenate([x, more, more], axis=1)
    if kind == "left":
        return np.concatenate([more, x], axis=1)
    if kind == "holes":
        return np.insert(x, [1, 3, 3], value, axis=1)
    assert kind == "empty"
    return np.concatenate([x, np.full_like(x[:1], value)])


PADDED = "right", "left", "holes", "empty"


def padded_here(other: bool = False) -> tuple[str, ...]:
    """`PADDED`; on JAX, which compiles a training step for each, half of it."""
    return PADDED[1 - other :: 2] if BACKEND == "jax" else PADDED


def finite_differences(
    function: Callable[[np.ndarray], float], x: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """Central differences of `function`, a float64 oracle, at given places."""
    x = x.astype("float64")
    result = np.zeros_like(x)
    step = 1e-5
    for index in zip(*np.nonzero(where)):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        result[index] = (function(up) - function(down)) / (2 * step)
    return result


def typed(monkeypatch: Any, capfd: Any, *first: str) -> Any:
    """A command line to run: exit code, stdout, stderr."""

    def type_(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["keras-masking", *first, *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return left.value.code, said.out, said.err

    return type_


def refused(typed: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """An invalid command line to run: its message, one line."""

    def type_(*words: str) -> str:
        code, out, err = typed(*words)
        (line,) = [s for s in err.splitlines() if not s.startswith("Usage")]
        assert (code, out) == (2, "")
        assert line.startswith("Error: ")
        return line

    return type_
