"""Wrappers pass on the output masks of the layer inside.

A mean over the steps of each segment follows, which depends on the mask. Tested
in a call, in a Functional model, and in a loaded one.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests import recurrent
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import to_numpy

# Full, right padding, holes, an empty segment; an empty row.
STEPS = np.array(
    [
        [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]],
        [[0, 0, 0, 0]] * 4,
    ],
    bool,
)
SEGMENTS = STEPS.any(axis=-1)
X = np.random.default_rng(0).normal(3, 1, size=(2, 4, 4, 1)).astype("float32")
X = np.where(STEPS[..., None], X, np.float32(np.nan))
register = keras.saving.register_keras_serializable("masks_inside")
PLACES = list(np.ndindex(STEPS.shape[:2]))


def dense() -> keras.layers.Layer:
    return keras.layers.Dense(1, kernel_initializer="ones")


def conv() -> keras.layers.Layer:
    """A sum of two steps, real where both are."""
    return layers.MaskedConv1D(1, 2, kernel_initializer="ones")


@register
class Block(keras.layers.Layer):
    """Leaves it to Keras to pass the mask on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = conv()

    def build(self, input_shape: Any) -> None:
        self.conv.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.conv(inputs)


@register
class Several(Block):
    """A dictionary: a sequence, a vector, a shorter sequence."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool = layers.MaskedGlobalSumPooling1D()
        self.relu = keras.layers.ReLU()

    def call(self, inputs: Any) -> Any:
        return {
            "as": self.relu(inputs),
            "of": self.pool(inputs),
            "pairs": self.conv(inputs),
        }


def graph() -> keras.Model:
    x = keras.Input((None, 1))
    return keras.Model(x, conv()(dense()(x)))


def steps_of(place: Any) -> list[float]:
    return X[place][STEPS[place]].ravel().tolist()


def pairs_of(place: Any) -> list[float]:
    x, mask = X[place].ravel().tolist(), STEPS[place]
    return [x[t] + x[t + 1] for t in range(3) if mask[t] and mask[t + 1]]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


INSIDE = {  # and the earlier mean, over 4 or 3 steps instead of the real ones
    "sequential": (lambda: keras.Sequential([dense()]), steps_of),
    "convolution": (lambda: keras.Sequential([conv()]), pairs_of),
    "graph": (graph, pairs_of),
    "own": (Block, pairs_of),
    "wrapped": (lambda: layers.KeepMask(keras.Sequential([dense()])), steps_of),
}


def models_of(make: Any, path: Path) -> list[Any]:
    """Calls directly, by `predict`, and after saving and loading."""
    x, mask = keras.Input((4, 4, 1)), keras.Input((4, 4), dtype="bool")
    model = keras.Model([x, mask], make(x, mask))
    model.save(path / "model.keras")
    loaded = keras.saving.load_model(path / "model.keras")
    return [
        lambda: make(X, STEPS),
        lambda: model.predict([X, STEPS], verbose=0),
        lambda: loaded([ops.convert_to_tensor(v) for v in (X, STEPS)]),
    ]


def mean_of_steps() -> Any:
    return layers.MaskedTimeDistributed(layers.MaskedGlobalAveragePooling1D())


@pytest.mark.parametrize("name", INSIDE)
def test_a_layer_that_does_not_declare_its_mask(
    name: str, tmp_path: Path
) -> None:
    """The mean of [1, 3, pad] was 1.33, and is 2."""
    make, values = INSIDE[name]
    wrapper, behind = layers.MaskedTimeDistributed(make()), mean_of_steps()
    wanted = [mean(values(place)) for place in PLACES]
    for run in models_of(lambda x, m: behind(wrapper(x, mask=m)), tmp_path):
        assert_close(to_numpy(run()).ravel(), wanted)


def test_a_wrapper_in_a_wrapper() -> None:
    x, mask = np.stack([X, X]), np.stack([STEPS, STEPS])
    inner = layers.MaskedTimeDistributed(keras.Sequential([conv()]))
    behind = layers.MaskedTimeDistributed(mean_of_steps())
    given = keras.Input((2, 4, 4, 1)), keras.Input((2, 4, 4), dtype="bool")
    y = layers.MaskedTimeDistributed(inner)(given[0], mask=given[1])
    y = keras.Model(given, behind(y)).predict([x, mask], verbose=0)
    wanted = [mean(pairs_of(place)) for place in PLACES]
    assert_close(np.ravel(y), wanted + wanted)


def test_an_embedding_inside(tmp_path: Path) -> None:
    """There was no mask at all."""
    embed = keras.layers.Embedding(4, 2, mask_zero=True)
    wrapper = layers.MaskedTimeDistributed(
        keras.Sequential([embed, keras.layers.ReLU()])
    )
    ids = np.array([[[3, 1, 0], [0, 2, 2]]])
    given = keras.Input((2, 3), dtype="int32")
    behind = mean_of_steps()
    model = keras.Model(given, behind(wrapper(given)))
    np.testing.assert_array_equal(mask_of(wrapper(ids)), ids != 0)
    table = np.maximum(embed.get_weights()[0], 0)
    wanted = [[(table[3] + table[1]) / 2, table[2]]]
    model.save(tmp_path / "model.keras")
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert_close(made.predict(ids, verbose=0), wanted)


def split() -> keras.layers.Layer:
    return layers.TemporalSplit(2)


def several(place: Any) -> list[list[float]]:
    x = steps_of(place)
    return [[max(v, 0.0) for v in x], [sum(x)], pairs_of(place)]


def halves(place: Any) -> list[list[float]]:
    x, mask = X[place].ravel(), STEPS[place]
    return [x[s][mask[s]].tolist() for s in (slice(2), slice(2, 4))]


def filled(place: Any) -> list[list[float]]:
    return [steps_of(place), [0.0] * len(steps_of(place))]


SEVERAL = {
    "split": (split, halves),
    "split-inside": (lambda: keras.Sequential([dense(), split()]), halves),
    "indicator": (lambda: layers.NaNMask(return_indicator=True), filled),
    "dictionary": (Several, several),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_outputs(name: str, tmp_path: Path) -> None:
    """The mean of the half [1, pad] was 0.5, and is 1."""
    make, values = SEVERAL[name]
    wrapper, behind = layers.MaskedTimeDistributed(make()), mean_of_steps()

    def means(x: Any, mask: Any) -> list[Any]:
        outputs = keras.tree.flatten(wrapper(x, mask=mask))
        return [behind(y) if len(y.shape) > 3 else y for y in outputs]

    for run in models_of(means, tmp_path):
        for i, y in enumerate(run()):
            wanted = [mean(values(place)[i]) for place in PLACES]
            assert_close(to_numpy(y).ravel(), wanted)
    outputs = keras.tree.flatten(wrapper(X, mask=STEPS))
    for y in outputs:
        assert np.all(to_numpy(y)[~mask_of(y)] == 0)
    if name != "dictionary":  # Keras does not compute its shapes
        shapes = wrapper.compute_output_shape(X.shape)
        assert [tuple(s) for s in shapes] == [y.shape for y in outputs]


def test_both_directions() -> None:
    """The second had no mask, and had the bias at padding steps."""
    both = keras.layers.Bidirectional(
        keras.layers.SimpleRNN(2, return_sequences=True, return_state=True),
        merge_mode=None,
    )
    wrapper = layers.MaskedTimeDistributed(both)
    there, back, *states = wrapper(X, mask=STEPS)
    rows, mask = X.reshape(8, 4, 1), STEPS.reshape(8, 4)
    weights = both.get_weights()
    wanted = [
        recurrent.sequences("SimpleRNN", rows, mask, weights[:3]),
        recurrent.sequences(
            "SimpleRNN", rows, mask, weights[3:], backwards=True
        )[:, ::-1],
    ]
    for y, want in zip((there, back), wanted):
        assert_close(y, want.reshape(2, 4, 4, 2))
        np.testing.assert_array_equal(mask_of(y), STEPS)
    for state in states:
        np.testing.assert_array_equal(mask_of(state), SEGMENTS)
        assert np.all(to_numpy(state)[~SEGMENTS] == 0)
    shapes = wrapper.compute_output_shape(X.shape)
    assert shapes[:2] == ((2, 4, 4, 2),) * 2  # was (2, 4, (8, 4, 2), ...)


@pytest.mark.parametrize("make", [INSIDE["own"][0], SEVERAL["split-inside"][0]])
def test_a_mask_of_segments_stays_one(make: Any) -> None:
    wrapper = layers.MaskedTimeDistributed(make())
    x = np.nan_to_num(X)
    given = keras.Input((4, 4, 1)), keras.Input((4,), dtype="bool")
    symbols = wrapper(given[0], mask=given[1])
    outputs = wrapper(x, mask=SEGMENTS)
    for y in keras.tree.flatten([outputs, symbols]):
        assert len(y._keras_mask.shape) == 2
    for y in keras.tree.flatten(outputs):
        np.testing.assert_array_equal(mask_of(y), SEGMENTS)
        assert np.all(to_numpy(y)[~SEGMENTS] == 0)


@register
class Missing(keras.layers.Layer):
    """Makes a mask, and leaves it to Keras to pass it on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill = layers.NaNMask()

    def call(self, inputs: Any) -> Any:
        return self.fill(inputs)


def test_a_mask_made_inside_and_one_of_segments() -> None:
    """Only the mask of segments was returned."""
    y = layers.MaskedTimeDistributed(Missing())(X, mask=SEGMENTS)
    np.testing.assert_array_equal(mask_of(y), STEPS)


@pytest.mark.parametrize("make", [Missing, layers.NaNMask])
def test_a_mask_made_inside_keep_mask(make: Any, tmp_path: Path) -> None:
    """The mean of [1, nan, pad] was 0.5, and is 1."""
    wrapper = layers.KeepMask(make())
    mean_of = layers.MaskedGlobalAveragePooling1D()
    x = np.array([[[1.0], [np.nan], [7.0]]], "float32")
    mask = np.array([[True, True, False]])
    np.testing.assert_array_equal(
        mask_of(wrapper(x, mask=mask)), [[True, False, False]]
    )
    given = keras.Input((3, 1)), keras.Input((3,), dtype="bool")
    model = keras.Model(given, mean_of(wrapper(given[0], mask=given[1])))
    model.save(tmp_path / "model.keras")
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert_close(made.predict([x, mask], verbose=0), [[1.0]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Embedding(4, 2),
        lambda: keras.layers.Embedding(4, 2, mask_zero=True),
        lambda: layers.CustomEmbedding(4, 2),
    ],
    ids=["Embedding", "mask_zero", "CustomEmbedding"],
)
def test_ids_with_a_mask_of_their_shape(make: Any) -> None:
    """It raised: "a mask has no feature axis"."""
    ids = np.array([[[3, 1, 2], [2, 2, 2]]])
    mask = np.array([[[True, True, False], [False, False, False]]])
    embed = make()
    y = layers.MaskedTimeDistributed(embed)(ids, mask=mask)
    np.testing.assert_array_equal(mask_of(y), mask)
    table = to_numpy(embed.embeddings)
    wanted = np.zeros((1, 2, 3, 2), "float32")
    wanted[0, 0, 0], wanted[0, 0, 1] = table[3], table[1]
    assert_close(y, wanted)
    given = (
        keras.Input((2, 3), dtype="int32"),
        keras.Input((2, 3), dtype="bool"),
    )
    behind = mean_of_steps()
    y = layers.MaskedTimeDistributed(embed)(given[0], mask=given[1])
    y = keras.Model(given, behind(y)).predict([ids, mask], verbose=0)
    assert_close(y, [[(table[3] + table[1]) / 2, [0, 0]]])


def test_a_value_that_masks_and_a_mask() -> None:
    """The zeros at padding steps counted as real."""
    masking = layers.MaskedTimeDistributed(keras.layers.Masking(-9.0))
    y = masking(np.where(STEPS[..., None], X, 5), mask=STEPS)
    np.testing.assert_array_equal(mask_of(y), STEPS)


def test_of_nothing() -> None:
    wrapper = layers.MaskedTimeDistributed(keras.Sequential([conv()]))
    y = wrapper(X[:0], mask=STEPS[:0])
    assert mask_of(y).shape == (0, 4, 3)
    y = wrapper(np.zeros((2, 0, 4, 1)), mask=np.ones((2, 0, 4), bool))
    assert mask_of(y).shape == (2, 0, 3)


class OfNumbers(keras.layers.Layer):
    """Needs concrete values, so a symbolic call fails."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = keras.layers.ReLU()

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, keras.KerasTensor):
            assert float(ops.convert_to_numpy(inputs)[0, 0, 0]) == X[0, 0, 0, 0]
        return self.relu(inputs)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def test_a_layer_that_runs_on_numbers_alone() -> None:
    wrapper, behind = (
        layers.MaskedTimeDistributed(OfNumbers()),
        mean_of_steps(),
    )
    given = keras.Input((4, 4, 1)), keras.Input((4, 4), dtype="bool")
    y = behind(wrapper(given[0], mask=given[1]))
    got = keras.Model(given, y)([ops.convert_to_tensor(v) for v in (X, STEPS)])
    wanted = [mean([max(v, 0.0) for v in steps_of(p)]) for p in PLACES]
    assert_close(to_numpy(got).ravel(), wanted)
