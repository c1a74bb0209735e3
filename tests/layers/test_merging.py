"""Layers that merge step by step: a step is real if all inputs are."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.errors import MaskError
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

X, Y, Z = (sample(seed=seed) for seed in (1, 2, 3))
ONE, TWO = MASKS["holes"], MASKS["left"]
MERGES = {
    "Add": (0.0, lambda values: [math.fsum(values)]),
    "Multiply": (1.0, lambda values: [math.prod(values)]),
    "Concatenate": (0.0, list),
}


def wanted(name: str, pairs: list) -> np.ndarray:
    """Step by step, with the neutral element at padding."""
    neutral, merge = MERGES[name]
    result = []
    for row in range(3):
        steps = []
        for t in range(7):
            there = [
                x[row, t].tolist()
                if mask is None or mask[row, t]
                else [neutral] * 4
                for x, mask in pairs
            ]
            if name == "Concatenate":
                steps.append([v for step in there for v in step])
            else:
                steps.append([merge(values)[0] for values in zip(*there)])
        result.append(steps)
    return np.array(result)


def ours(name: str, **kwargs: Any) -> keras.layers.Layer:
    return getattr(layers, f"Masked{name}")(**kwargs)


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("name", MERGES)
def test_equals_the_oracle(name: str, poison: str) -> None:
    layer = ours(name)
    x, y = (poisoned(a, m, POISON[poison]) for a, m in ((X, ONE), (Y, TWO)))
    for pairs, masks in (
        ([(x, ONE), (y, TWO), (Z, None)], [ONE, TWO, None]),
        ([(Z, None), (y, TWO)], [None, TWO]),
        ([(x, ONE), (y, TWO)], [ONE, TWO]),
    ):
        z = layer([a for a, _ in pairs], mask=masks)
        assert_close(z, wanted(name, pairs))
        real = [m for m in masks if m is not None]
        np.testing.assert_array_equal(mask_of(z), np.all(real, axis=0))
        carried = [
            a if m is None else layers.AttachMask()(a, mask=m)
            for a, m in zip((a for a, _ in pairs), masks)
        ]
        again = layer(carried)
        np.testing.assert_array_equal(to_numpy(again), to_numpy(z))
        np.testing.assert_array_equal(mask_of(again), mask_of(z))


@pytest.mark.parametrize("name", MERGES)
def test_drops_in(name: str) -> None:
    theirs = getattr(keras.layers, name)()
    np.testing.assert_array_equal(
        to_numpy(ours(name)([X, Y])), to_numpy(theirs([X, Y]))
    )
    assert mask_of(ours(name)([X, Y])) is None
    wide, thin = keras.Input((None, 4)), keras.Input((None, 1))
    if name != "Concatenate":
        assert ours(name)([wide, thin]).shape == (None, None, 4)
        assert_close(ours(name)([X, Y[..., :1]]), theirs([X, Y[..., :1]]))
    one = ops.convert_to_tensor(X)
    z = ours(name)([one, one], mask=[ONE, None])
    assert mask_of(one) is None
    np.testing.assert_array_equal(mask_of(z), ONE)


def test_along_the_steps_masks_follow_one_another() -> None:
    x, y = poisoned(X, ONE, np.nan), Y[:, :5]
    z = layers.MaskedConcatenate(1)([x, y], mask=[ONE, None])
    values = np.concatenate([np.where(ONE[..., None], X, 0), y], axis=1)
    np.testing.assert_array_equal(to_numpy(z), values)
    real = np.concatenate([ONE, np.ones((3, 5), bool)], axis=1)
    np.testing.assert_array_equal(mask_of(z), real)
    with pytest.raises(ValueError, match="the feature axis or the step"):
        layers.MaskedConcatenate(0)


@pytest.mark.parametrize("name", MERGES)
def test_in_a_saved_model(name: str, tmp_path: Path) -> None:
    inputs = [keras.Input((None, 4)) for _ in range(2)]
    masks = [keras.Input((None,), dtype="bool") for _ in range(2)]
    z = ours(name)(
        [layers.AttachMask()(x, mask=m) for x, m in zip(inputs, masks)]
    )
    model = keras.Model([*inputs, *masks], [z, layers.GetMask()(z)])
    model.save(tmp_path / "model.keras")
    data = [poisoned(X, ONE, np.nan), poisoned(Y, TWO, np.inf), ONE, TWO]
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        values, real = made.predict(data, verbose=0)
        assert_close(values, wanted(name, [(X, ONE), (Y, TWO)]))
        np.testing.assert_array_equal(real, ONE & TWO)


@pytest.mark.parametrize("name", MERGES)
@pytest.mark.parametrize("compile", [False, True])
def test_gradients_reach_real_steps_only(name: str, compile: bool) -> None:
    layer = ours(name)
    w = sample(features=8 if name == "Concatenate" else 4, seed=5)
    x, y = poisoned(X, ONE, np.nan), poisoned(Y, TWO, np.nan)
    both = (ONE & TWO)[..., None]

    layer([X, Y])  # torch's compiler cannot build Keras' Concatenate

    def loss(x: Any, y: Any) -> Any:
        z = layer([x, y], mask=[ONE, TWO])
        return ops.sum(ops.multiply(ops.where(both, z, 0.0), w))

    grads = gradient(loss, x, y, compile=compile)
    first, second = w[..., :4], w[..., -4:]
    if name == "Multiply":
        first, second = w * Y, w * X
    assert_close(grads[0], np.where(both, first, 0))
    assert_close(grads[1], np.where(both, second, 0))


@pytest.mark.parametrize("name", MERGES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_half_precision(name: str, dtype: str) -> None:
    layer = ours(name, dtype=dtype)
    z = layer([layers.AttachMask()(X, mask=ONE), Y])
    compute = layer.compute_dtype
    assert keras.backend.standardize_dtype(z.dtype) == compute
    np.testing.assert_array_equal(mask_of(z), ONE)
    values = wanted(name, [(X, ONE), (Y, None)])
    assert_close(ops.cast(z, "float32"), values, compute)


@pytest.mark.parametrize("name", MERGES)
def test_keras_drops_the_mask_or_takes_any(name: str) -> None:
    theirs = getattr(keras.layers, name)()
    x = layers.AttachMask()(X, mask=ONE)
    lost = mask_of(theirs([x, Z]))
    assert lost is None or lost.all()
    y = layers.AttachMask()(Y, mask=TWO)
    np.testing.assert_array_equal(mask_of(theirs([x, y])), ONE | TWO)
    np.testing.assert_array_equal(mask_of(ours(name)([x, Z])), ONE)
    np.testing.assert_array_equal(mask_of(ours(name)([x, y])), ONE & TWO)
    if name == "Multiply":
        return  # which skips what is padding in only one input
    eights = layers.AttachMask()(poisoned(Y, TWO, 8.0), mask=TWO)
    moved = np.abs(to_numpy(theirs([x, eights])) - to_numpy(theirs([x, y])))
    assert moved[ONE].max() > 1


def test_apply_and_drop() -> None:
    x = layers.AttachMask()(poisoned(X, ONE, np.nan), mask=ONE)
    y = layers.ApplyMask(-2.5)(x)
    np.testing.assert_array_equal(
        to_numpy(y), np.where(ONE[..., None], X, -2.5)
    )
    np.testing.assert_array_equal(mask_of(y), ONE)
    assert mask_of(layers.DropMask()(y)) is None
    np.testing.assert_array_equal(to_numpy(layers.DropMask()(y)), to_numpy(y))
    plain = ops.convert_to_tensor(X)
    for layer in (layers.ApplyMask(), layers.DropMask()):
        assert layer(plain) is not plain
        ids = np.arange(21).reshape(3, 7)
        assert "int" in keras.backend.standardize_dtype(layer(ids).dtype)


class Outer(keras.layers.Layer):
    """Keras runs `call` symbolically to infer shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.inner = layers.RequireMask()

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


@pytest.mark.parametrize("make", [layers.RequireMask, Outer])
def test_a_mask_is_required_when_the_model_runs(make: Any) -> None:
    layer, x = make(), layers.AttachMask()(X, mask=ONE)
    y = layer(x)
    np.testing.assert_array_equal(to_numpy(y), X)
    assert y is not x
    with pytest.raises(MaskError, match="must carry a mask"):
        layer(X)
    given, mask = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    masked = layer(layers.AttachMask()(given, mask=mask))
    model = keras.Model([given, mask], masked)
    got = model.predict([X, ONE], verbose=0)
    np.testing.assert_array_equal(got, X)
    plain = keras.Model(given, layer(given))
    with pytest.raises(MaskError, match="must carry a mask"):
        plain.predict(X, verbose=0)


def test_a_required_mask_goes_on() -> None:
    x = ops.convert_to_tensor(X)
    y = layers.RequireMask()(x, mask=ONE)
    np.testing.assert_array_equal(mask_of(y), ONE)
    assert mask_of(x) is None


def test_the_mask_is_broadcast_as_the_inputs_are() -> None:
    # It was (2, 1): a mean of 4 steps divided by 1.
    x = np.arange(8, dtype="float32").reshape(2, 4, 1)
    one = np.array([[True], [False]])
    y = layers.MaskedAdd()([x, np.ones((2, 1, 1), "float32")], mask=[None, one])
    assert mask_of(y).tolist() == [[True] * 4, [False] * 4]
    mean = layers.MaskedGlobalAveragePooling1D()(y)
    assert_close(mean, [[1 + (0 + 1 + 2 + 3) / 4], [0.0]])


def test_the_axis_of_the_batch_is_refused_by_either_name() -> None:
    x = np.ones((2, 3, 4), "float32")
    with pytest.raises(ValueError, match="`axis` must be the feature axis"):
        layers.MaskedConcatenate(-3)([x, x])
