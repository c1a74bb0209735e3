"""Inputs of a signature: padded, in range, in the model's structure."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.inspector.watching.synthetic_inputs import make_up
from tests.helpers import mask_of

Embedding = keras.layers.Embedding
Input = keras.Input


def ids_model() -> Any:
    return keras.Sequential(
        [Input((None,), dtype="int32", name="ids"), Embedding(9, 4)]
    )


def built_by_a_call() -> Any:
    """Keras takes the ids for floats, and the batch for what it saw."""
    model = keras.Sequential([Embedding(9, 4, mask_zero=True)])
    model(np.ones((2, 5), "int32"))
    return model


def floats_model() -> Any:
    return keras.Sequential(
        [
            Input((None, 3)),
            keras.layers.Masking(-1.0),
            layers.MaskedGlobalMaxPooling1D(),
        ]
    )


def nested_dict() -> Any:
    ids = Input((None,), dtype="int32", name="ids")
    more = Input((None, 3), name="more")
    mask = Input((None,), dtype="bool", name="mask")
    x = keras.layers.Concatenate()([Embedding(50, 4)(ids), more])
    x = layers.MaskedGlobalAveragePooling1D()(x, mask=mask)
    return keras.Model({"ids": ids, "rest": [more, mask]}, x)


def lengths(shape: tuple[int, ...]) -> Callable[[], Any]:
    def make() -> Any:
        x = Input((None, 3), name="x")
        count = Input(shape, dtype="int32", name="count")
        flat = keras.ops.reshape(count, (-1,))
        return keras.Model([x, count], layers.LengthMask()([x, flat]))

    return make


def tabular() -> Any:
    """A category and some features: no sequence, so no padding."""
    category = Input((1,), dtype="int32", name="category")
    features = Input((4,), name="features")
    x = keras.layers.Flatten()(Embedding(6, 2)(category))
    return keras.Model(
        [category, features], keras.layers.Concatenate()([x, features])
    )


def nested_models() -> Any:
    ids = Input((None,), dtype="int32")
    inner = keras.Model(ids, keras.Sequential([Embedding(30, 4)])(ids))
    outer = Input((8,), dtype="int32", name="outer")
    return keras.Model(outer, inner(outer))


def shared() -> Any:
    """Two tables for the same ids: the smaller one rules."""
    ids = Input((None,), dtype="int32", name="ids")
    both = [Embedding(40, 4)(ids), Embedding(5, 4)(ids)]
    return keras.Model(ids, keras.layers.Add()(both))


def static_batch() -> Any:
    x = Input(batch_shape=(4, 6, 2))
    return keras.Model(x, keras.layers.LSTM(3, stateful=True)(x))


def encoder_decoder() -> Any:
    source = Input((10,), dtype="int32", name="source")
    target = Input((6,), dtype="int32", name="target")
    a, b = Embedding(20, 4)(source), Embedding(8, 4)(target)
    x = keras.layers.Attention()([b, a])
    return keras.Model([source, target], x)


def own_layer() -> Any:
    table = layers.CustomEmbedding(9, 4, mask_value=8)
    return keras.Sequential([Input((None,), dtype="int32"), table])


def half() -> Any:
    return keras.Sequential(
        [Input((None, 3), dtype="bfloat16"), keras.layers.Dense(2)]
    )


MODELS = [
    ids_model,
    built_by_a_call,
    floats_model,
    nested_dict,
    lengths(()),
    lengths((1,)),
    tabular,
    nested_models,
    shared,
    static_batch,
    encoder_decoder,
    own_layer,
    half,
]


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
@pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__qualname__)
def test_models_run(make: Callable[[], Any]) -> None:
    model = make()
    inputs, note = make_up(model)
    outputs = keras.tree.flatten(model(inputs))
    assert all(
        np.isfinite(keras.ops.convert_to_numpy(y)).all() for y in outputs
    )
    for x in model.inputs:
        assert x.name in note
    again, _ = make_up(model)
    for a, b in zip(keras.tree.flatten(inputs), keras.tree.flatten(again)):
        np.testing.assert_array_equal(a, b)


def assert_padded(array: np.ndarray, lengths: list[int], pad: float) -> None:
    """The padding is what follows the lengths, and nothing else."""
    steps = np.arange(array.shape[1]) < np.array(lengths)[:, None]
    assert (array[~steps] == pad).all()
    assert (array[steps] != pad).all()


def test_ids() -> None:
    inputs, note = make_up(ids_model(), rows=40, steps=30)
    assert inputs.shape == (40, 30)
    assert set(np.unique(inputs)) == set(range(9))
    counts = (inputs != 0).sum(axis=1)
    assert counts.max() == 30
    assert counts.min() == 10
    assert_padded(inputs, counts.tolist(), 0)
    assert "ids (40, 30): ids from 1 to 8" in note


def test_another_seed() -> None:
    one, other = (make_up(ids_model(), seed=s)[0] for s in (0, 1))
    assert ((one == 0) == (other == 0)).all()
    assert (one != other).any()


def test_ids_as_floats() -> None:
    inputs, _ = make_up(built_by_a_call())
    assert inputs.shape == (2, 5)
    assert inputs.dtype == "float32"
    assert set(np.unique(inputs)) <= set(range(9))
    assert_padded(inputs, [5, 1], 0)


def test_floats_are_padded_as_the_layer_says() -> None:
    model = floats_model()
    inputs, _ = make_up(model)
    assert inputs.shape == (3, 7, 3)
    assert_padded(inputs, [7, 4, 2], -1.0)
    mask = mask_of(model.layers[0](inputs))
    np.testing.assert_array_equal(mask.sum(axis=1), [7, 4, 2])


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
def test_structure_and_lengths() -> None:
    inputs, _ = make_up(nested_dict())
    assert list(inputs) == ["ids", "rest"]
    more, mask = inputs["rest"]
    assert_padded(inputs["ids"], [7, 4, 2], 0)
    assert inputs["ids"].max() < 50
    assert_padded(more, [7, 4, 2], 0)
    assert more.shape == (3, 7, 3)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, inputs["ids"] != 0)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_lengths(shape: tuple[int, ...]) -> None:
    (x, count), note = make_up(lengths(shape)())
    assert count.shape == (3, *shape)
    assert_padded(x, count.ravel().tolist(), 0)
    assert count.ravel().tolist() == [7, 4, 2]
    assert "count" in note and "lengths 7, 4, 2" in note


def test_no_sequence() -> None:
    (category, features), _ = make_up(tabular(), rows=50)
    assert category.shape == (50, 1)
    assert set(category.ravel()) == set(range(1, 6))
    assert (features != 0).all()


@pytest.mark.parametrize(("make", "below"), [(nested_models, 30), (shared, 5)])
def test_the_range_of_ids(make: Callable[[], Any], below: int) -> None:
    inputs, _ = make_up(make(), rows=200)
    assert inputs.max() == below - 1


def test_each_input_of_a_nested_model_has_its_own_range() -> None:
    ids = [Input((None,), dtype="int32") for _ in range(2)]
    x = [Embedding(n, 4)(i) for n, i in zip((30, 4), ids)]
    inner = keras.Model(ids, keras.layers.Add()(x))
    tokens, segments = (Input((None,), dtype="int32") for _ in range(2))
    outer = keras.Model([segments, tokens], inner([tokens, segments]))
    a, b = make_up(outer, rows=200)[0]
    assert (a.max(), b.max()) == (3, 29)


def test_a_category_alone() -> None:
    category = Input((1,), dtype="int32")
    model = keras.Model(category, keras.layers.Identity()(category))
    np.testing.assert_array_equal(make_up(model)[0], [[1]] * 3)


def test_static_sizes_are_kept() -> None:
    assert make_up(static_batch())[0].shape == (4, 6, 2)
    source, target = make_up(encoder_decoder())[0]
    assert_padded(source, [10, 6, 3], 0)
    assert_padded(target, [6, 4, 2], 0)
    assert source.max() > 8 > target.max()


def test_a_padding_id_of_its_own() -> None:
    model = own_layer()
    inputs, _ = make_up(model)
    assert_padded(inputs, [7, 4, 2], 8)
    assert inputs.min() >= 1
    np.testing.assert_array_equal(
        mask_of(model.layers[0](inputs)).sum(axis=1), [7, 4, 2]
    )


def test_one_row_has_padding() -> None:
    inputs, _ = make_up(ids_model(), rows=1)
    assert_padded(inputs, [2], 0)


def test_a_model_that_does_not_know_its_inputs() -> None:
    class Subclassed(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    model = Subclassed()
    model(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"Subclassed.*Pass inputs"):
        make_up(model)
    with pytest.raises(ValueError, match=r"Sequential.*Pass inputs"):
        make_up(keras.Sequential([Embedding(9, 4)]))


def test_text_is_refused() -> None:
    text = Input((), dtype="string", name="text")
    model = keras.Model(text, keras.layers.Identity()(text))
    with pytest.raises(
        ValueError, match=r"text inputs cannot be made up.*Pass inputs"
    ):
        make_up(model)
