"""Models that take their mask as an input, converted: it becomes Keras'."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as theirs

import keras_masking
from tests.helpers import assert_close

pytestmark = pytest.mark.filterwarnings("ignore:.*destroy the mask")

IDS = np.array([[3, 7, 9, 0, 0], [1, 2, 3, 4, 5]])
MASK = IDS != 0


@keras.saving.register_keras_serializable("tests")
class Encoder(theirs.Layer):
    """A block that takes its mask as `padding_mask` and passes on Keras'."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.attention = theirs.MultiHeadAttention(2, 2)

    def build(self, shape: Any) -> None:
        self.attention.build(shape, shape)

    def call(self, x: Any, padding_mask: Any) -> Any:
        mask = keras.ops.cast(padding_mask, "bool")[:, None]
        return x + self.attention(x, x, attention_mask=mask)

    def compute_output_shape(self, shape: Any, *_: Any) -> Any:
        return shape


def weighted(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def start(dtype: str = "bool") -> tuple[Any, Any, Any]:
    """Token ids, their mask as an input, and vectors."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype=dtype, name="padding_mask")
    return ids, mask, theirs.Embedding(30, 4, name="tokens")(ids)


def convolution(dtype: str = "bool") -> keras.Model:
    """Each layer takes the mask as its argument; the convolution cannot."""
    ids, mask, x = start(dtype)
    x = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    attention = theirs.MultiHeadAttention(2, 2, name="attention")
    x = attention(x, x, attention_mask=mask[:, None])
    x = theirs.GlobalAveragePooling1D(name="pool")(x, mask=mask)
    return weighted(keras.Model([ids, mask], x))


def encoders(nested: bool) -> keras.Model:
    """A backbone of blocks with the mask as an argument, and a pooling."""
    ids, mask, x = start("int32")
    x = Encoder(name="encoder")(x, padding_mask=mask)
    given = {"ids": ids, "padding_mask": mask}
    if nested:
        backbone = keras.Model(given, x, name="backbone")
        ids, mask, _ = start("int32")
        given = {"ids": ids, "padding_mask": mask}
        x = backbone(given)
    return weighted(
        keras.Model(given, theirs.GlobalAveragePooling1D(name="pool")(x))
    )


def predict(model: keras.Model, steps: int = 5, row: int = 0) -> np.ndarray:
    given: Any = [IDS[[row], :steps], MASK[[row], :steps].astype("int32")]
    if isinstance(model.input, dict):
        given = dict(zip(("ids", "padding_mask"), given))
    return model.predict(given, verbose=0)


def check(model: keras.Model, made: keras.Model, folder: Path) -> None:
    """Padding moved the old model; saved and loaded, it leaves the new one."""
    made.save(folder / "made.keras")
    made = keras.saving.load_model(folder / "made.keras")
    right = predict(model, 3)
    assert np.abs(predict(model) - right).max() > 0.01
    assert_close(predict(made), right)
    assert_close(predict(made, row=1), predict(model, row=1))


@pytest.mark.parametrize("dtype", ["bool", "float32"])
def test_layers_that_take_the_mask_and_one_that_cannot(
    dtype: str, tmp_path: Path
) -> None:
    # Before: "1 replaced, 0 left", the convolution stayed.
    model = convolution(dtype)
    made, report = keras_masking.convert(model)
    assert report.attached == [("padding_mask", "tokens")]
    assert [name for name, _, _ in report.replaced] == [
        "conv",
        "attention",
        "pool",
    ]
    assert not report.left
    check(model, made, tmp_path)


@pytest.mark.parametrize("nested", [False, True])
def test_blocks_that_take_the_mask_under_a_pooling(
    nested: bool, tmp_path: Path
) -> None:
    model = encoders(nested)
    made, report = keras_masking.convert(model)
    assert report.attached == [("padding_mask", "tokens")]
    assert [name for name, _, _ in report.replaced] == ["pool"]
    assert not report.left  # before: "encoder: it loses the mask"
    check(model, made, tmp_path)


def test_a_mask_that_every_layer_takes_is_not_attached() -> None:
    ids, mask, x = start()
    x = Encoder(name="encoder")(x, padding_mask=mask)
    _, report = keras_masking.convert(keras.Model([ids, mask], x))
    # Before: "left encoder: it loses the mask", where no mask is.
    assert str(report) == "0 replaced, 0 left"


def test_a_product_with_an_input_is_a_mask_if_named(tmp_path: Path) -> None:
    ids, mask, x = start("float32")
    x = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    x = theirs.Multiply(name="times")([x, mask[..., None]])
    x = theirs.GlobalMaxPooling1D(name="pool")(x)
    model = weighted(keras.Model([ids, mask], x))
    _, report = keras_masking.convert(model)
    ((name, _, why),) = report.left
    assert name == "padding_mask" and "it may be a mask" in why
    assert not report.replaced
    given = {"padding_mask": "tokens"}
    made, report = keras_masking.convert(model, mask_inputs=given)
    assert not report.left and report.attached == [("padding_mask", "tokens")]
    # Where it multiplied zeros at padding, the maximum saw them.
    assert_close(predict(made), predict(model, 3))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("computed", [False, True])
def test_a_selection_by_the_mask(inverted: bool, computed: bool) -> None:
    """It was "0 replaced, 0 left", and the drift stayed."""
    ids, mask, x = start()
    real = keras.ops.not_equal(ids, 0) if computed else mask
    real = real[..., None]
    if inverted:  # not taken for a mask of real steps
        zeros = keras.ops.zeros_like(x) if computed else 0.0
        x = keras.ops.where(real, zeros, x)
    else:
        x = keras.ops.where(real, x, 0.0)
    x = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    pool = theirs.GlobalAveragePooling1D(name="pool")
    inputs = [ids] if computed else [ids, mask]
    model = weighted(keras.Model(inputs, pool(x)))
    made, report = keras_masking.convert(model)
    if inverted:
        assert not report.attached and not report.replaced
        left = [name for name, _, _ in report.left]
        assert left == ([] if computed else ["padding_mask"])
        return
    assert [new for _, _, new in report.replaced] == [
        "MaskedConv1D",
        "MaskedGlobalAveragePooling1D",
    ]
    given = [IDS[:1], MASK[:1]][: len(inputs)]
    alone = model.predict([x[:, :3] for x in given], verbose=0)
    assert np.abs(model.predict(given, verbose=0) - alone).max() > 0.1
    assert_close(made.predict(given, verbose=0), alone)


def test_names_of_inputs_and_lists_mean_the_same() -> None:
    model = convolution()
    for names in ("ids", ["tokens"]):
        given = {"padding_mask": names}
        _, report = keras_masking.convert(model, mask_inputs=given)
        assert len(report.attached) == 1 and len(report.replaced) == 3


def test_none_is_attached_if_the_dict_is_empty() -> None:
    _, report = keras_masking.convert(convolution(), mask_inputs={})
    assert not report.attached
    ((name, _, why),) = report.left
    assert name == "padding_mask" and "does not attach it" in why


def test_two_masks_of_two_sequences() -> None:
    def sequence(name: str) -> tuple[Any, Any, Any]:
        ids = keras.Input((None,), dtype="int32", name=name)
        mask = keras.Input((None,), dtype="bool", name=f"{name}_mask")
        return ids, mask, theirs.Embedding(30, 4, name=f"{name}_table")(ids)

    a, a_mask, x = sequence("a")
    b, b_mask, y = sequence("b")
    x = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    y = theirs.MultiHeadAttention(2, 2, name="attention")(
        y, x, query_mask=b_mask, value_mask=a_mask
    )
    y = theirs.GlobalAveragePooling1D(name="pool")(y)
    _, report = keras_masking.convert(keras.Model([a, a_mask, b, b_mask], y))
    assert sorted(report.attached) == [
        ("a_mask", "a_table"),
        ("b_mask", "b_table"),
    ]
    assert not report.left


@keras.saving.register_keras_serializable("tests")
class Decoder(theirs.Layer):
    """Takes masks of two sequences, and one of what to predict."""

    def call(
        self,
        decoder_sequence: Any,
        encoder_sequence: Any,
        decoder_padding_mask: Any = None,
        encoder_padding_mask: Any = None,
        predict_mask: Any = None,
        key_padding_mask: Any = None,
    ) -> Any:
        return decoder_sequence + keras.ops.mean(encoder_sequence)

    def compute_output_shape(self, shape: Any, *_: Any, **__: Any) -> Any:
        return shape


@pytest.mark.parametrize(
    ("argument", "target"),
    [
        ("decoder_padding_mask", ["b_table"]),
        ("encoder_padding_mask", ["a_table"]),
        ("predict_mask", []),
        ("key_padding_mask", []),
    ],
)
def test_the_name_of_an_argument_says_what_it_masks(
    argument: str, target: list[str]
) -> None:
    vectors = []
    for name in ("a", "b"):
        ids = keras.Input((None,), dtype="int32", name=name)
        vectors.append((ids, theirs.Embedding(9, 4, name=f"{name}_table")(ids)))
    (a, x), (b, y) = vectors
    mask = keras.Input((None,), dtype="bool", name="mask")
    x, y = (theirs.Conv1D(4, 3, padding="same")(z) for z in (x, y))
    z = Decoder(name="decoder")(y, x, **{argument: mask})
    _, report = keras_masking.convert(keras.Model([a, b, mask], z))
    assert [x for _, x in report.attached] == target
    if not target:
        assert "it may be a mask" in report.left[0][2]


def test_an_attention_mask_of_queries_is_not_taken_for_one_of_keys() -> None:
    a, mask, x = start()
    b = keras.Input((None, 4), name="queries")
    x = theirs.Conv1D(4, 3, padding="same")(x)
    attention = theirs.MultiHeadAttention(2, 2, name="attention")
    y = attention(b, x, attention_mask=mask[..., None])
    _, report = keras_masking.convert(keras.Model([a, b, mask], y))
    assert not report.attached
    assert [name for name, _, _ in report.left] == ["padding_mask"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paddin_mask": "tokens"}, "Did you mean 'padding_mask'"),
        ({"padding_mask": "token"}, "Did you mean 'tokens'"),
        ({"padding_mask": "pool"}, "needs a tensor (batch, steps, ...)"),
        ({"padding_mask": "padding_mask"}, "needs a tensor"),
    ],
)
def test_wrong_names(given: Any, message: str) -> None:
    with pytest.raises(ValueError) as info:
        keras_masking.convert(convolution(), mask_inputs=given)
    text = str(info.value)
    assert text.startswith("In `convert`: ") and message in text
    assert "Received: mask_inputs=" in text


def test_names_need_a_functional_model() -> None:
    model = keras.Sequential([keras.Input((None, 4)), theirs.Dense(2)])
    with pytest.raises(ValueError, match="needs a Functional model"):
        keras_masking.convert(model, mask_inputs={"padding_mask": "tokens"})
