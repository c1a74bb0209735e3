"""The gap that a model needs between sequences: enough, and no more."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.batching import packing_gap
from tests.helpers import TOLERANCE
from tests.helpers import quietly
from tests.helpers import to_numpy

LENGTHS = [5, 7, 6, 8]
X = np.random.default_rng(0).normal(size=(4, 8, 2)).astype("float32")


def conv(kernel: int, *strides: int, padding: str = "same", **how: Any) -> Any:
    return layers.MaskedConv1D(2, kernel, *strides, padding=padding, **how)


def back(kernel: int, *strides: int, padding: str = "valid") -> Any:
    return layers.MaskedConv1DTranspose(2, kernel, *strides, padding=padding)


# Layers; the gap and alignment that they need, by hand; and whether a gap one
# smaller shows in the results.
CASES = {
    "same 3": ([conv(3)], 1, 1),
    "same 4": ([conv(4)], 2, 1),
    "same 7": ([conv(7)], 3, 1),
    "dilated": ([conv(3, dilation_rate=3)], 3, 1),
    "causal": ([conv(4, padding="causal")], 3, 1),
    "strides": ([conv(3, 2)], 2, 2),
    "valid": ([conv(3, padding="valid")], 1, 1),
    "valid strides": ([conv(3, 2, padding="valid")], 1, 2),
    "valid dilated": ([conv(2, padding="valid", dilation_rate=2)], 2, 1),
    "maximum": ([layers.MaskedMaxPooling1D(2)], 1, 2),
    "average": ([layers.MaskedAveragePooling1D(5, 1, "same")], 2, 1),
    "back": ([back(4)], 4, 1),
    "back strides": ([back(5, 2)], 2, 1),
    "back same": ([back(9, 2, padding="same")], 2, 1),
    "causal stack": (
        [conv(2, padding="causal", dilation_rate=d) for d in (1, 2, 4)],
        4,
        1,
    ),
    "strided stack": ([conv(3, 2), conv(3, 2), conv(3)], 4, 4),
    "there and back": ([conv(3, 2), conv(5), back(3, 2)], 4, 2),
    "up": ([layers.MaskedUpSampling1D(2), conv(7)], 2, 1),
    "valid, then same": ([conv(4, padding="valid"), conv(7)], 1, 1),
}


def _model(stack: list[Any]) -> Any:
    x, mask = keras.Input((None, 2)), keras.Input((None,), dtype="bool")
    y = layers.AttachMask()(x, mask=mask)
    for layer in stack:
        y = layer(y)
    return keras.Model([x, mask], [y, layers.GetMask()(y)])


def _results(model: Any, starts: list[int]) -> list[np.ndarray]:
    """The outputs of each run of a row with sequences at those columns."""
    row, mask = np.full((1, 64, 2), 9.0, "float32"), np.zeros((1, 64), bool)
    for x, start, length in zip(X, starts, LENGTHS):
        row[0, start : start + length] = x[:length]
        mask[0, start : start + length] = True
    y, real = (to_numpy(z)[0] for z in model([row, mask]))
    edges = np.flatnonzero(np.diff(real.astype(int), prepend=0, append=0))
    return [y[a:b] for a, b in zip(edges[::2], edges[1::2])]


def _starts(gap: int, align: int) -> list[int]:
    starts, column = [], 0
    for length in LENGTHS:
        starts.append(column)
        column = -(-(column + length + gap) // align) * align
    return starts


def _alike(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    if [len(y) for y in found] != [len(y) for y in wanted]:
        return False
    scale = max(np.abs(y).max() for y in wanted)
    return all(
        np.allclose(a, b, rtol=0, atol=TOLERANCE["float32"] * scale)
        for a, b in zip(found, wanted)
    )


@pytest.mark.parametrize("name", CASES)
def test_the_gap_is_enough_and_no_more(name: str) -> None:
    stack, gap, align = CASES[name]
    model = _model(stack)
    assert packing_gap(model)[:2] == (gap, align)
    far = _results(model, [0, 16, 32, 48])
    assert len(far) == 4
    assert _alike(_results(model, _starts(gap, align)), far)
    # Closer by one step, or at a start between two outputs.
    closer = [_starts(gap - 1, 1)] if gap > 1 else []
    if align > 1:
        closer = [[0, 17, 32, 48]]
    assert not any(_alike(_results(model, starts), far) for starts in closer)


def test_shorter_sequences_vanish() -> None:
    stack = [conv(4, padding="valid"), conv(3, 2, padding="valid")]
    stack += [layers.MaskedMaxPooling1D(2)]
    model = _model(stack)
    shortest = packing_gap(model).shortest
    assert shortest == 8
    for length in (shortest - 1, shortest):
        mask = np.arange(20)[None] < length
        _, real = model([np.ones((1, 20, 2), "float32"), mask])
        assert to_numpy(real).sum() == (length == shortest)


def test_a_graph_with_a_model_inside() -> None:
    inner = keras.Sequential([keras.Input((None, 2)), conv(3, 2), conv(5)])
    x = keras.Input((None, 2))
    y = layers.MaskedAdd()([inner(x), conv(3, 2)(x)])
    y = layers.LastStep(max_segments=3)(y)
    y = keras.layers.Dense(2)(y)
    y = keras.layers.Add()([y, y])
    assert packing_gap(keras.Model(x, y)) == (4, 2, 1)


@pytest.mark.parametrize(
    "layer",
    [
        conv(1),
        layers.TemporalReverse(packed=True),
        layers.LastStep(max_segments=2),
        keras.layers.Softmax(axis=1),
        keras.layers.Reshape((6,)),
        keras.layers.LayerNormalization(axis=1),
        keras.layers.Concatenate(axis=1),
    ],
)
def test_after_a_pooling_the_steps_are_sequences(layer: Any) -> None:
    """No layer may mix them: they are of one row by chance."""
    x = keras.Input((4, 2))
    pooled = layers.LastStep(max_segments=3, name="last")(x)
    merges = isinstance(layer, keras.layers.Concatenate)
    y = quietly(layer, [pooled, pooled] if merges else pooled)
    with pytest.raises(ValueError, match=f"Not: '{layer.name}': it may mix"):
        packing_gap(keras.Model(x, keras.layers.Dense(2)(y)))


def test_layers_that_cannot_be_packed_are_named() -> None:
    model = quietly(
        keras.Sequential,
        [
            keras.Input((None, 2)),
            layers.NaNMask(name="missing"),
            keras.layers.LSTM(2, return_sequences=True, name="memory"),
            layers.KeepMask(keras.layers.GRU(2, return_sequences=True)),
            layers.TemporalSoftmax(name="share"),
            layers.LastStep(name="last"),
        ],
    )
    with pytest.raises(ValueError, match="every layer must take") as error:
        packing_gap(model)
    for said in (
        "'missing': a missing value would part a sequence",
        "'memory': nothing is known of its need",
        "'keep_mask",
        "'share': `packed` is not set",
        "'last': `max_segments` is not set",
    ):
        assert said in str(error.value)
    with pytest.raises(ValueError, match="Functional or Sequential"):
        packing_gap(keras.Model())
