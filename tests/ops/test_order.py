"""Real steps reversed, moved to the front, packed; against lists of them."""

from itertools import chain
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
from tests.helpers import gradient
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()


def filled(rows: list, like: np.ndarray) -> np.ndarray:
    """Rows of steps as an array, with zeros for padding."""
    nothing = np.zeros(like.shape[2:], like.dtype)
    return np.array(
        [
            [nothing if step is oracle.PADDING else step for step in row]
            for row in rows
        ],
        like.dtype,
    )


def reversed_by_loops(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return filled([oracle.reverse(*row) for row in zip(x, mask)], x)


def packed_by_loops(tensors: list, masks: list) -> np.ndarray:
    """One tensor packed is compacted."""
    rows = zip(zip(*tensors), zip(*masks))
    return filled([oracle.pack(*row) for row in rows], tensors[0])


def front(*masks: np.ndarray) -> list:
    """As many True as there are real steps, then False."""
    rows = zip(*[mask.tolist() for mask in masks])
    return [sorted(chain(*row), reverse=True) for row in rows]


def equal(actual: Any, expected: Any) -> None:
    np.testing.assert_array_equal(to_numpy(actual), expected)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("padding", POISON)
def test_any_mask_and_padding(padding: str, kind: str) -> None:
    mask = MASKS[kind]
    x = poisoned(X, mask, POISON[padding])
    equal(ops.reverse_steps(x, mask), reversed_by_loops(X, mask))
    y, real = ops.compact_steps(x, mask)
    equal(y, packed_by_loops([X], [mask]))
    equal(real, front(mask))
    other, shorter = MASKS["holes"], X[:, :3] + 1
    given = [x, shorter, poisoned(X, other, np.nan)]
    masks = [mask, None, other]
    y, real = ops.pack_steps(given, masks)
    masks[1] = np.ones((3, 3), bool)
    equal(y, packed_by_loops([X, shorter, X], masks))
    equal(real, front(*masks))


def test_many_masks() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(1, 200 * 33 + 1, dtype="int32").reshape(200, 33)
    mask = rng.random((200, 33)) < rng.random((200, 1))
    equal(ops.reverse_steps(x, mask), reversed_by_loops(x, mask))
    y, real = ops.compact_steps(x, mask)
    equal(y, packed_by_loops([x], [mask]))
    equal(real, front(mask))


@pytest.mark.parametrize("shape", [(), (2, 3)], ids=str)
def test_any_rank(shape: tuple) -> None:
    x = np.random.default_rng(1).normal(size=(3, 7, *shape)).astype("float32")
    mask = MASKS["holes"]
    equal(ops.reverse_steps(x, mask), reversed_by_loops(x, mask))
    equal(ops.compact_steps(x, mask)[0], packed_by_loops([x], [mask]))
    y, real = ops.pack_steps([x, x], [None, mask])
    everything = np.ones((3, 7), bool)
    equal(y, packed_by_loops([x, x], [everything, mask]))
    equal(real, front(everything, mask))


def test_no_mask_means_all_real() -> None:
    everything = np.ones((3, 7), bool)
    for mask in (None, everything):
        equal(ops.reverse_steps(X, mask), X[:, ::-1])
        y, real = ops.compact_steps(X, mask)
        equal(y, X)
        equal(real, everything)
    both = np.concatenate([X, X[:, :2]], axis=1)
    for masks in (None, [None, None], [everything, None]):
        y, real = ops.pack_steps([X, X[:, :2]], masks)
        equal(y, both)
        equal(real, np.ones((3, 9), bool))
    y, real = ops.pack_steps((X,), [MASKS["left"]])
    equal(y, packed_by_loops([X], [MASKS["left"]]))
    equal(real, front(MASKS["left"]))


def test_reversed_twice() -> None:
    for mask in MASKS.values():
        twice = ops.reverse_steps(ops.reverse_steps(X, mask), mask)
        equal(twice, np.where(mask[..., None], X, 0))


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "bool", "float16", "bfloat16", "int64"],
)
def test_dtypes_are_kept(dtype: str) -> None:
    if dtype == "int64" and BACKEND == "jax":
        pytest.skip("it has no 64-bit integers")
    ids = np.arange(21).reshape(3, 7) * 5 % 128
    if dtype == "int64":  # more than float64 represents
        ids = ids + 2**60 + 1
    x, mask = keras.ops.cast(ids, dtype), MASKS["empty"]
    exact = ids.astype("bool") if dtype == "bool" else ids
    for y, wanted in (
        (ops.reverse_steps(x, mask), reversed_by_loops(exact, mask)),
        (ops.reverse_steps(x), exact[:, ::-1]),
        (ops.compact_steps(x, mask)[0], packed_by_loops([exact], [mask])),
        (ops.compact_steps(x)[0], exact),
        (
            ops.pack_steps([x, x], [mask, mask])[0],
            packed_by_loops([exact, exact], [mask, mask]),
        ),
    ):
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        y = keras.ops.cast(y, "float32") if "float" in dtype else y
        equal(y, wanted)


def test_masks_of_numbers() -> None:
    for mask in ([[0, 1, 1]], np.array([[0.0, 1.0, 1.0]]), [[False, 1, 1]]):
        ids = np.array([[7, 8, 9]])
        equal(ops.reverse_steps(ids, mask), [[0, 9, 8]])
        y, real = ops.compact_steps(ids, mask)
        equal(y, [[8, 9, 0]])
        equal(real, [[True, True, False]])
        y, real = ops.pack_steps([ids, ids], [mask, mask])
        equal(y, [[8, 9, 8, 9, 0, 0]])
        equal(real, [[True] * 4 + [False] * 2])


MIXED = np.stack([MASKS["holes"][0], MASKS["empty"][1], MASKS["left"][1]])


def places(mask: np.ndarray, shift: int = 0) -> np.ndarray:
    """A different number for each step, from 1."""
    return np.arange(1, mask.size + 1).reshape(mask.shape) + shift


def pulled_back(
    wanted: np.ndarray, weights: np.ndarray, like: np.ndarray, shift: int = 0
) -> np.ndarray:
    """The weight at each step's new position; 0 if it was dropped."""
    found = np.zeros_like(like)
    for row, column in np.argwhere(wanted > shift):
        number = wanted[row, column] - 1 - shift
        if number < like.shape[0] * like.shape[1]:
            found[divmod(number, like.shape[1])] = weights[row, column]
    return found


@pytest.mark.parametrize("compile", [False, True], ids=["eager", "compiled"])
def test_gradients(compile: bool) -> None:
    """Each step's gradient is the weight at its new position."""
    rng = np.random.default_rng(5)
    w, long = (rng.normal(size=(3, n, 4)).astype("float32") for n in (7, 14))
    ids, later = places(MIXED), places(MIXED, MIXED.size)
    packed = packed_by_loops([ids, later], [MIXED, MASKS["right"]])

    constants = MIXED, MASKS["right"], w, 2 * w, long
    mixed, right, *weights = map(keras.ops.convert_to_tensor, constants)

    def total(x: Any, other: Any) -> Any:
        y = ops.reverse_steps(x, mixed)
        z, _ = ops.compact_steps(x, mixed)
        p, _ = ops.pack_steps([x, other], [mixed, right])
        parts = zip((y, z, p), weights)
        return sum(keras.ops.sum(keras.ops.multiply(*pair)) for pair in parts)

    wanted = pulled_back(reversed_by_loops(ids, MIXED), w, X)
    wanted += pulled_back(packed_by_loops([ids], [MIXED]), 2 * w, X)
    wanted += pulled_back(packed, long, X)
    other = pulled_back(packed, long, X, shift=MIXED.size)
    assert (wanted[MIXED] != 0).all() and (other[MASKS["right"]] != 0).all()
    for value in [np.nan] if compile else POISON.values():
        x, y = poisoned(X, MIXED, value), poisoned(X, MASKS["right"], value)
        grad, grad_other = gradient(total, x, y, compile=compile)
        np.testing.assert_array_equal(grad[~MIXED], 0)
        np.testing.assert_array_equal(grad_other[~MASKS["right"]], 0)
        assert_close(grad, wanted)
        assert_close(grad_other, other)


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 0)])
def test_of_nothing(shape: tuple) -> None:
    x = np.zeros(shape, "float32")
    everything = np.ones(shape[:2], bool)
    for mask in (None, everything):
        equal(ops.reverse_steps(x, mask), x)
        y, real = ops.compact_steps(x, mask)
        equal(y, x)
        equal(real, everything)
        y, real = ops.pack_steps([x, x], [mask, mask])
        equal(y, np.concatenate([x, x], axis=1))
        equal(real, np.concatenate([everything, everything], axis=1))


def test_packing_with_a_sequence_of_no_steps() -> None:
    nothing = np.zeros((3, 0, 4), "float32")
    wanted = packed_by_loops([X], [MASKS["left"]])
    for mask in (None, np.ones((3, 0), bool)):
        y, real = ops.pack_steps([nothing, X], [mask, MASKS["left"]])
        equal(y, wanted)
        equal(real, front(MASKS["left"]))


def all_of_them(x: Any, mask: Any, ids: Any) -> dict:
    compact, real = ops.compact_steps(x, mask)
    packed, _ = ops.pack_steps([ids, ids], [mask, None])
    return {
        "reversed": ops.reverse_steps(x, mask),
        "compact": compact,
        "real": keras.ops.cast(real, "int32"),
        "packed": packed,
        "ids": ops.reverse_steps(ids, mask),
    }


class AllOfThem(keras.layers.Layer):
    """As in a custom layer that calls these functions."""

    def call(self, inputs: Any, mask: Any, ids: Any) -> Any:
        return all_of_them(inputs, mask, ids)


def check_all(
    outputs: dict, x: np.ndarray, mask: np.ndarray, ids: np.ndarray
) -> None:
    everything = np.ones_like(mask)
    equal(outputs["reversed"], reversed_by_loops(x, mask))
    equal(outputs["compact"], packed_by_loops([x], [mask]))
    equal(outputs["real"], front(mask))
    equal(outputs["packed"], packed_by_loops([ids, ids], [mask, everything]))
    equal(outputs["ids"], reversed_by_loops(ids, mask))


def batch(rows: int, steps: int) -> tuple:
    mask = MASKS["holes"][:rows, :steps]
    x, ids = X[:rows, :steps], places(mask).astype("int32")
    return x, mask, ids, (poisoned(x, mask, np.nan), mask, ids)


def test_in_a_model_of_any_number_of_steps() -> None:
    x, real = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model([x, real, ids], AllOfThem()(x, real, ids))
    for steps in (7, 4):
        *plain, given = batch(3, steps)
        check_all(model.predict(list(given), verbose=0), *plain)


def test_compiled() -> None:
    *plain, given = batch(3, 7)
    tensors = [keras.ops.convert_to_tensor(array) for array in given]
    check_all(compiled(all_of_them)(*tensors), *plain)


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="only TensorFlow has graphs of unknown sizes",
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_of_unknown_sizes(jit_compile: bool) -> None:
    import tensorflow as tf

    spec = [
        tf.TensorSpec((None, None, 4)),
        tf.TensorSpec((None, None), bool),
        tf.TensorSpec((None, None), "int32"),
    ]
    graph = tf.function(
        all_of_them, jit_compile=jit_compile, input_signature=spec
    )
    for rows, steps in ((3, 7), (2, 4)):
        *plain, given = batch(rows, steps)
        check_all(graph(*given), *plain)
    for rows, steps in ((0, 5), (2, 0)):
        outputs = graph(*batch(rows, steps)[-1])
        assert outputs["reversed"].shape == (rows, steps, 4)
        assert outputs["packed"].shape == (rows, 2 * steps)


SHAPE = (
    "`mask` must have shape (batch, steps), the first axes of `inputs`. "
    "Received: mask.shape={}, inputs.shape=(3, 7, 4). {}"
)
REFUSED = {
    "steps": (
        np.ones((3, 6)),
        SHAPE.format(
            "(3, 6)",
            "The mask belongs to another tensor: a layer that changes the "
            "steps must change the mask too, in `compute_mask`.",
        ),
    ),
    "lengths": (
        np.array([1, 2, 3]),
        SHAPE.format(
            "(3,)",
            "If these are lengths, one per row, convert them with "
            "`keras_masking.ops.lengths_to_mask(lengths, maxlen)`.",
        ),
    ),
    "features": (
        X > 0,
        SHAPE.format(
            "(3, 7, 4)",
            "A mask has no feature axis: reduce it with "
            "`keras.ops.any(mask, axis=-1)`.",
        ),
    ),
    "complex": (
        np.ones((3, 7), "complex64"),
        "`mask` must be boolean, True where a step is real. Received: "
        "mask.dtype=complex64. Make it boolean, for example with "
        "`mask = keras.ops.not_equal(ids, 0)`.",
    ),
}
CALLS = {
    "reverse_steps": ops.reverse_steps,
    "compact_steps": ops.compact_steps,
    "pack_steps": lambda x, mask: ops.pack_steps([x, x], [None, mask]),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", CALLS)
def test_masks_that_are_refused(name: str, kind: str) -> None:
    mask, message = REFUSED[kind]
    with pytest.raises(ValueError, match=f"^In `{name}`: ") as info:
        CALLS[name](X, mask)
    assert str(info.value) == f"In `{name}`: {message}"


@pytest.mark.parametrize("tensors", [0, 1, 2])
@pytest.mark.parametrize("masks", [None, 0, 1, 3])
def test_packs_that_are_refused(tensors: int, masks: int | None) -> None:
    given = None if masks is None else [None] * masks
    if tensors and masks in (None, tensors):
        y, _ = ops.pack_steps([X] * tensors, given)
        equal(y, np.concatenate([X] * tensors, axis=1))
        return
    with pytest.raises(ValueError, match="In `pack_steps`: ") as info:
        ops.pack_steps([X] * tensors, given)
    assert str(info.value) == (
        "In `pack_steps`: there must be a list of tensors, and a mask for each "
        f"tensor. Received: tensors={tensors}, masks={masks or 0}. Pass "
        "None for a tensor without a mask."
    )


@pytest.mark.skipif(BACKEND != "torch", reason="`torch.export` is PyTorch's")
@pytest.mark.filterwarnings("ignore")
def test_reversed_in_an_exported_program() -> None:
    """It accepted only 3 rows of 7 steps, and `torch.export` raised."""
    import torch

    class Reverse(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, mask: Any) -> Any:
            return ops.reverse_steps(x, mask)

    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("steps")}
    given = torch.tensor(X), torch.tensor(MASKS["holes"])
    program = torch.export.export(
        Reverse(), given, dynamic_shapes={"x": sizes, "mask": sizes}
    )
    x, mask = X[:2, :5], MASKS["left"][:2, :5]
    y = program.module()(torch.tensor(x), torch.tensor(mask))
    equal(y, reversed_by_loops(x, mask))
