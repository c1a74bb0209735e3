"""First and last steps, and sequences split into pieces."""

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import ops
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import at_once
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name, which", [("first_step", 0), ("last_step", -1)])
def test_first_and_last(
    name: str, which: int, keepdims: bool, kind: str
) -> None:
    mask = MASKS[kind]
    x = np.where(mask[..., None], X, np.float32(np.nan))
    wanted = []
    for row, real in zip(X.tolist(), mask.tolist()):
        steps = [step for step, r in zip(row, real) if r]
        wanted.append(steps[which] if steps else [9.0] * 4)
    y = getattr(ops, name)(x, mask, keepdims=keepdims, empty_value=9.0)
    if keepdims:
        wanted = [[step] for step in wanted]
    np.testing.assert_array_equal(to_numpy(y), np.array(wanted, "float32"))


@pytest.mark.parametrize("name, which", [("first_step", 0), ("last_step", -1)])
def test_other_axes_and_ranks(name: str, which: int) -> None:
    function = getattr(ops, name)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    for rank in (1, 2, 3, 4):
        mask = rng.random(x.shape[:rank]) < 0.6
        for axis in range(rank):
            run = at_once(partial(function, axis=axis))
            y = to_numpy(run(x, mask))
            moved = np.moveaxis(x, axis, -1)
            real = mask.reshape(mask.shape + (1,) * (4 - rank))
            real = np.moveaxis(np.broadcast_to(real, x.shape), axis, -1)
            for index in np.ndindex(*moved.shape[:-1]):
                values = moved[index][real[index]]
                assert y[index] == (values[which] if len(values) else 0)
    np.testing.assert_array_equal(to_numpy(function(x)), x[:, which])
    np.testing.assert_array_equal(
        to_numpy(function(x, axis=2, keepdims=True)), x[:, :, [which]]
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (3, 5, 0)])
@pytest.mark.parametrize("name", ["first_step", "last_step"])
def test_of_nothing(name: str, shape: tuple, masked: bool) -> None:
    mask = np.ones(shape[:2], bool) if masked else None
    function = getattr(ops, name)
    y = function(np.zeros(shape, "float32"), mask, empty_value=9.0)
    wanted = np.full((shape[0], shape[2]), 9.0)
    np.testing.assert_array_equal(to_numpy(y), wanted)


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="only TensorFlow has graphs of unknown sizes",
)
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_a_wrong_mask_in_a_graph_stays_in_its_row(steps: int) -> None:
    import tensorflow as tf

    spec = [tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, None), bool)]
    x = np.repeat(np.arange(3.0, dtype="float32"), 28).reshape(3, 7, 4)
    for function in (ops.first_step, ops.last_step):
        graph = tf.function(function, input_signature=spec)
        y = to_numpy(graph(x, np.ones((3, steps), bool)))
        np.testing.assert_array_equal(y[:, 0], [0, 1, 2])


@pytest.mark.parametrize("sections", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_sections_are_those_of_numpy(sections: int, steps: int) -> None:
    x = np.arange(2 * steps * 3).reshape(2, steps, 3)
    wanted = np.array_split(x, sections, axis=1)
    for got, piece in zip(ops.split_steps(x, sections), wanted, strict=True):
        np.testing.assert_array_equal(to_numpy(got), piece)
    # In a model, with known and unknown steps.
    for known in (steps, None):
        inputs = keras.Input((known, 3), dtype="int32")
        outputs = ops.split_steps(inputs, sections)
        shapes = [None if known is None else p.shape[1] for p in wanted]
        assert [y.shape[1] for y in outputs] == shapes
        model = keras.Model(inputs, outputs)
        got = keras.tree.flatten(model(x))
        for one, piece in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(to_numpy(one), piece)


@pytest.mark.parametrize("cuts", [[3], [1, 4], [-2], [2, -2], [9]])
def test_indices_are_those_of_numpy(cuts: list[int]) -> None:
    x = np.arange(2 * 7).reshape(2, 7)
    wanted = np.array_split(x, cuts, axis=1)
    for got, piece in zip(ops.split_steps(x, cuts), wanted, strict=True):
        np.testing.assert_array_equal(to_numpy(got), piece)


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="only TensorFlow has graphs of unknown sizes",
)
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("pieces", [2, 3, [2, -1]])
def test_split_in_a_graph_of_unknown_steps(
    pieces: Any, jit_compile: bool
) -> None:
    import tensorflow as tf

    @tf.function(
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec((None, None), tf.int32)],
    )
    def function(x: Any) -> Any:
        return ops.split_steps(x, pieces)

    for steps in (4, 7):
        x = np.arange(2 * steps, dtype="int32").reshape(2, steps)
        wanted = np.array_split(x, pieces, axis=1)
        for got, piece in zip(function(x), wanted, strict=True):
            np.testing.assert_array_equal(to_numpy(got), piece)
