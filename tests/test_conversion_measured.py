"""What `convert` measures: layers that it does not know, and the drift."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as theirs

import keras_masking
from keras_masking import layers
from tests.helpers import assert_close
from tests.helpers import to_numpy

pytestmark = pytest.mark.filterwarnings("ignore:.*destroy the mask")

IDS = np.array([[3, 7, 9, 0, 0], [1, 2, 3, 4, 5]])


@keras.saving.register_keras_serializable("tests")
class Block(theirs.Layer):
    """Keeps the steps, but mixes them, as temporal networks do."""

    kind: Any = theirs.Conv1D
    masking = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = self.masking
        self.first = self.kind(4, 3, padding="same", activation="relu")
        self.last = [self.kind(4, 3, padding="same")]

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.last[0].build(shape)

    def call(self, x: Any) -> Any:
        return self.last[0](self.first(x))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@keras.saving.register_keras_serializable("tests")
class Passing(Block):
    masking = True


@keras.saving.register_keras_serializable("tests")
class Ours(Passing):
    """`Block` after the change that the report asks for."""

    kind = layers.MaskedConv1D


@keras.saving.register_keras_serializable("tests")
class Twice(theirs.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


class Subclassed(keras.Model):
    def __init__(self, ours: bool = False) -> None:
        super().__init__(name="own")
        self.tokens = theirs.Embedding(30, 4, mask_zero=True)
        self.block = (Ours if ours else Block)()
        kind = (
            layers.MaskedGlobalAveragePooling1D
            if ours
            else theirs.GlobalAveragePooling1D
        )
        self.pool = kind()

    def call(self, ids: Any) -> Any:
        return self.pool(self.block(self.tokens(ids)))


def weighted(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def around(layer: Any, steps: int | None = None) -> keras.Model:
    ids = keras.Input((steps,), dtype="int32", name="ids")
    x = layer(theirs.Embedding(30, 4, mask_zero=True, name="tokens")(ids))
    return weighted(
        keras.Model(ids, theirs.GlobalAveragePooling1D(name="pool")(x))
    )


def left(report: Any) -> dict[str, str]:
    return {name: why for name, _, why in report.left}


@pytest.mark.parametrize("kind", [Block, Passing])
def test_a_block_that_mixes_steps_is_no_case_for_keep_mask(kind: Any) -> None:
    # Before: "put `KeepMask` around it", which leaves the drift: 0.497, 0.469.
    _, report = keras_masking.convert(around(kind(name="block")))
    why = left(report)["block"]
    assert "wrap it" not in why
    assert "its real outputs move" in why
    assert "`self.first = layers.MaskedConv1D(...)`" in why
    assert "`self.last[0] = layers.MaskedConv1D(...)`" in why
    assert ("self.supports_masking" in why) == (kind is Block)
    # What it says is right.
    _, report = keras_masking.convert(around(Ours(name="block")), IDS)
    assert not report.left and report.drift.after < 1e-4


def test_keep_mask_is_advised_where_no_padding_gets_in() -> None:
    model = around(Twice(name="twice"))
    _, report = keras_masking.convert(model, IDS)
    assert "lets no padding in: wrap it in `KeepMask`" in left(report)["twice"]
    assert report.drift.before > 0.01
    _, report = keras_masking.convert(
        around(layers.KeepMask(Twice(name="twice"))), IDS
    )
    assert not report.left and report.drift.after < 1e-4


def test_what_cannot_be_measured_is_said() -> None:
    class Refuses(Twice):
        def call(self, x: Any) -> Any:
            if not isinstance(x, keras.KerasTensor):
                raise TypeError("no values")
            return 2 * x

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    ids = keras.Input((None,), dtype="int32")
    x = theirs.Embedding(30, 4, mask_zero=True)(ids)
    model = keras.Model(ids, Refuses(name="refuses")(x))
    _, report = keras_masking.convert(model, IDS)
    assert "was not measured: " in left(report)["refuses"]
    assert str(report.drift).startswith("not measured: it raised TypeError")


def test_the_drift_before_and_after() -> None:
    model = around(theirs.Conv1D(4, 3, padding="same", name="conv"))
    _, report = keras_masking.convert(model, IDS)
    line = str(report).splitlines()[-2]
    assert line.startswith("drift     ")
    assert line.endswith(" after: 12 more padding steps on the right")
    longer = np.pad(IDS, ((0, 0), (0, 12)))
    moved = to_numpy(model(longer)) - to_numpy(model(IDS))
    assert_close(np.abs(moved).max(), report.drift.before)
    assert report.drift.before > 0.01 and report.drift.after < 1e-4
    assert keras_masking.convert(model)[1].drift is None


def test_the_drift_of_padding_that_more_of_it_does_not_change() -> None:
    # The block reads two steps of padding, which the row has.
    model = around(Passing(name="block"))
    _, report = keras_masking.convert(model, IDS[:1])
    assert report.drift.change == "row 0 without its padding"
    moved = to_numpy(model(IDS[:1])) - to_numpy(model(IDS[:1, :3]))
    assert_close(np.abs(moved).max(), report.drift.before)
    assert report.drift.before > 0.01 and report.left


def test_the_drift_of_rows_without_padding() -> None:
    # Zeros are no padding here, so NaN is.
    x = keras.Input((None, 4))
    y = theirs.Conv1D(4, 3, padding="same")(layers.NaNMask()(x))
    model = weighted(keras.Model(x, theirs.GlobalAveragePooling1D()(y)))
    rows = np.random.default_rng(1).normal(size=(2, 3, 4))
    _, report = keras_masking.convert(model, rows)
    assert report.drift.before > 0.01 and report.drift.after < 1e-4


def test_the_drift_where_a_mask_of_numbers_says_what_is_padding() -> None:
    """The model makes no mask: an input holds it, as in keras-hub."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    x = theirs.Embedding(10, 4)(ids)
    x = x * keras.ops.cast(mask, "float32")[..., None]
    model = keras.Model([ids, mask], theirs.GlobalAveragePooling1D()(x))
    given = [IDS, (IDS > 0).astype("int32")]
    _, report = keras_masking.convert(model, given, mask_inputs={})
    assert report.drift.before > 0.01 and report.drift.after > 0.01
    assert report.left
    plain = keras.Model(ids, theirs.Embedding(10, 4)(ids))
    _, report = keras_masking.convert(plain, IDS)
    assert "not known how the inputs are padded" in report.drift.why_not
    _, report = keras_masking.convert(plain, IDS, padding=0)
    assert report.drift.before == report.drift.after == 0.0
    with pytest.raises(ValueError, match="Did you mean 'token_ids'"):
        keras_masking.convert(plain, IDS, padding={"token_id": 0})
    with pytest.raises(ValueError, match="Received: padding=0"):
        keras_masking.convert(plain, padding=0)


def test_the_drift_of_a_fixed_number_of_steps() -> None:
    conv = theirs.Conv1D(4, 3, padding="same", name="conv")
    # Other ids at padding steps would be real steps.
    _, report = keras_masking.convert(around(conv, 5), IDS)
    assert str(report.drift) == (
        "not measured: with other values at padding steps the mask is another"
    )
    ids = keras.Input((5,), dtype="int32", name="ids")
    mask = keras.Input((5,), dtype="bool", name="mask")
    x = conv(theirs.Embedding(30, 4)(ids))
    x = theirs.GlobalAveragePooling1D()(x, mask=mask)
    model = weighted(keras.Model([ids, mask], x))
    _, report = keras_masking.convert(model, [IDS, IDS != 0])
    assert report.drift.before > 0.01 and report.drift.after < 1e-4
    assert report.drift.change == "other values at padding steps"


def test_the_drift_of_a_model_that_fails() -> None:
    model = around(theirs.Conv1D(4, 3, name="conv"))
    _, report = keras_masking.convert(model, [IDS, IDS])
    assert str(report.drift).startswith("not measured: it raised ValueError")


def test_nothing_left_and_a_drift_cannot_be() -> None:
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="float32", name="weights")
    x = theirs.Embedding(30, 4, name="tokens")(ids)
    x = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    x = theirs.GlobalAveragePooling1D(name="pool")(
        x, mask=keras.ops.greater(mask, 0)
    )
    model = weighted(keras.Model([ids, mask], x))
    given = [IDS, (IDS != 0).astype("float32")]
    # Before: "1 replaced, 0 left", drift 0.393 before and after.
    _, report = keras_masking.convert(model, given, mask_inputs={})
    assert report.drift.after > 0.01
    assert "conv" in left(report)
    _, report = keras_masking.convert(model, given)
    assert report.drift.after < 1e-4 and not report.left


@keras.saving.register_keras_serializable("tests")
class Inverted(theirs.Layer):
    """Uses its mask wrongly: adds the number of padding steps."""

    def __init__(self, real: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.real = real

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return x
        one = mask if self.real else keras.ops.logical_not(mask)
        count = keras.ops.sum(keras.ops.cast(one, x.dtype), 1, keepdims=True)
        return x + count[..., None]

    def get_config(self) -> Any:
        return {**super().get_config(), "real": self.real}


@pytest.mark.parametrize(
    ("real", "rule"),
    [
        (False, "must not move more with padding"),
        (True, "without padding the converted model must predict"),
    ],
)
def test_what_would_be_worse_is_refused(real: bool, rule: str) -> None:
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    x = theirs.Embedding(30, 4, name="tokens")(ids)
    x = Inverted(real, name="inverted")(x)
    x = theirs.GlobalAveragePooling1D(name="pool")(x, mask=mask)
    model = weighted(keras.Model([ids, mask], x))
    with pytest.raises(ValueError) as info:
        keras_masking.convert(model, [IDS, IDS != 0])
    text = str(info.value)
    assert text.startswith("In `convert`: ") and rule in text
    assert "Received: drift=" in text and "padding_mask masks tokens" in text
    assert "pool -> MaskedGlobalAveragePooling1D, left=" in text
    _, report = keras_masking.convert(model, [IDS, IDS != 0], mask_inputs={})
    assert not report.attached


def test_a_subclassed_model_is_answered_with_its_code() -> None:
    with pytest.raises(ValueError) as info:
        keras_masking.convert(Subclassed())
    lines = [line.strip() for line in str(info.value).splitlines()]
    assert lines[1:5] == [
        "from keras_masking import layers",
        "self.block.first = layers.MaskedConv1D(...)  # was Conv1D",
        "self.block.last[0] = layers.MaskedConv1D(...)  # was Conv1D",
        "self.pool = layers.MaskedGlobalAveragePooling1D(...)  "
        "# was GlobalAveragePooling1D",
    ]
    # The weights fit, and padding does not move the model so changed.
    old, new = Subclassed(), Subclassed(ours=True)
    short = IDS[:1, :3]
    old(short), new(short)
    new.set_weights(weighted(old).get_weights())
    right = to_numpy(old(short))
    assert np.abs(to_numpy(old(IDS[:1])) - right).max() > 0.01
    assert_close(to_numpy(new(IDS[:1])), right)


def test_an_unbuilt_sequential_model_is_not_called_subclassed() -> None:
    with pytest.raises(ValueError) as info:
        keras_masking.convert(keras.Sequential([theirs.Conv1D(2, 3)]))
    assert "It is subclassed" not in str(info.value)
    assert "give a Sequential model a `keras.Input`" in str(info.value)
