"""Conversion of models that use masks as plain tensors, or blocks of others."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as theirs
from keras import ops

import keras_masking
from keras_masking import layers
from keras_masking.conversion import judging
from tests.helpers import assert_close

pytestmark = pytest.mark.filterwarnings("ignore:.*destroy the mask")

RNG = np.random.default_rng(0)
REAL = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
STEPS = RNG.normal(size=(2, 5, 4)).astype("float32")
IDS = np.array([[3, 7, 9, 0, 0], [1, 2, 3, 4, 5]])


def longer(x: np.ndarray, value: float = 0) -> np.ndarray:
    """Six more padding steps."""
    rest = [(0, 0)] * (x.ndim - 2)
    return np.pad(x, [(0, 0), (0, 6), *rest], constant_values=value)


def weighted(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def drift(model: keras.Model, x: np.ndarray, real: Any = None) -> float:
    given = [x] if real is None else [x, real]
    more = [longer(x, 3)] if real is None else [longer(x, 3), longer(real)]
    one, other = (model.predict(g, verbose=0) for g in (given, more))
    return float(np.abs(one - other).max())


def explicit(dtype: str, name: str = "padding_mask") -> keras.Model:
    """The mask is an input, and only attention and the pool get it."""
    x = keras.Input((None, 4), name="x")
    mask = keras.Input((None,), dtype=dtype, name=name)
    y = theirs.Conv1D(4, 3, padding="same", name="conv")(x)
    y = theirs.MultiHeadAttention(2, 4)(y, y, attention_mask=mask[:, None])
    pool = theirs.GlobalAveragePooling1D()
    y = pool(y, mask=mask if dtype == "bool" else ops.cast(mask, "bool"))
    return weighted(keras.Model([x, mask], y))


@pytest.mark.parametrize("dtype", ["bool", "int32"])
def test_a_mask_input_becomes_a_keras_mask(dtype: str, tmp_path: Path) -> None:
    """1 layer was replaced, 0 left, and the drift stayed 0.39."""
    model, real = explicit(dtype), REAL.astype(dtype)
    made, report = keras_masking.convert(model)
    assert report.attached == [("padding_mask", "x")]
    assert str(report).startswith("attached  padding_mask: masks x\n")
    assert len(report.replaced) == 3 and not report.left
    assert drift(model, STEPS, real) > 0.1
    assert drift(made, STEPS, real) < 1e-5
    full = [STEPS, np.ones_like(real)]
    old = model.predict(full, verbose=0)
    assert_close(made.predict(full, verbose=0), old)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    given = [STEPS, real]
    want = made.predict(given, verbose=0)
    assert_close(loaded.predict(given, verbose=0), want)
    again = keras_masking.convert(made)[1]
    assert not again.attached and not again.replaced and not again.left
    loaded.compile("sgd", "mse")
    loaded.fit(given, np.zeros((2, 4)), verbose=0)


def test_a_mask_input_that_is_named_or_refused() -> None:
    model = explicit("bool")
    found = str(keras_masking.convert(model)[1])
    named = {"padding_mask": "x"}
    assert str(keras_masking.convert(model, mask_inputs=named)[1]) == found
    _, report = keras_masking.convert(model, mask_inputs={})
    assert not report.attached
    (row,) = report.left  # nothing was
    assert row[0] == "padding_mask" and "does not attach it" in row[2]
    for wrong, says in [
        ({"pading_mask": "x"}, "Did you mean 'padding_mask'?"),
        ({"padding_mask": "cnv"}, "Did you mean 'conv'?"),
        ({"padding_mask": "padding_mask"}, "needs a tensor"),
    ]:
        with pytest.raises(ValueError, match="In `convert`") as info:
            keras_masking.convert(model, mask_inputs=wrong)
        assert says in str(info.value)
    plain = keras.Sequential([keras.Input((3,)), theirs.Dense(2)])
    with pytest.raises(ValueError, match="needs a Functional model"):
        keras_masking.convert(plain, mask_inputs=named)


def numbers(name: str) -> keras.Model:
    """A mask of integers that is multiplied with the sequence."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="int32", name=name)
    x = theirs.Embedding(30, 4, name="tokens")(ids)
    x = x * ops.cast(mask, "float32")[..., None]
    y = theirs.GlobalAveragePooling1D()(x)
    return weighted(keras.Model([ids, mask], y))


def test_a_mask_that_is_multiplied() -> None:
    """By its name it is a mask; integers of another name may be one."""
    model = numbers("padding_mask")
    made, report = keras_masking.convert(model)
    assert report.attached == [("padding_mask", "tokens")]
    assert drift(model, IDS, REAL) > 0.1 and drift(made, IDS, REAL) < 1e-5
    model = numbers("extra")
    ((name, _, why),) = keras_masking.convert(model)[1].left
    assert name == "extra" and "mask_inputs={'extra': NAME}" in why
    made, report = keras_masking.convert(model, mask_inputs={"extra": "tokens"})
    assert drift(made, IDS, REAL) < 1e-5 and not report.left


def test_a_mask_that_is_computed_or_inverted() -> None:
    x = keras.Input((None, 4), name="x")
    padding = keras.Input((None,), dtype="bool", name="key_padding_mask")
    conv = theirs.Conv1D(4, 3, padding="same")
    y = theirs.LSTM(3)(conv(x), mask=ops.logical_not(padding))
    model = weighted(keras.Model([x, padding], y))
    made, report = keras_masking.convert(model)
    assert report.attached == [("key_padding_mask", "x")]
    want = model.predict([STEPS[:1, :3], np.zeros((1, 3), bool)], verbose=0)
    got = made.predict([STEPS[:1], REAL[:1] == 0], verbose=0)
    assert_close(got, want)

    class Torch(theirs.Layer):
        def call(self, x: Any, key_padding_mask: Any = None) -> Any:
            return x

    model = keras.Model([x, padding], Torch()(conv(x), padding))
    assert not keras_masking.convert(model)[1].attached


def test_a_mask_input_of_a_model_in_a_model() -> None:
    def inputs() -> dict[str, Any]:
        return {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("ids", "padding_mask")
        }

    given = inputs()
    x = theirs.Embedding(30, 4)(given["ids"])
    visible = ops.cast(given["padding_mask"], "bool")[:, None]
    x = theirs.MultiHeadAttention(2, 4)(x, x, attention_mask=visible)
    backbone = keras.Model(given, x, name="backbone")
    outer = inputs()
    y = theirs.Conv1D(4, 3, padding="same")(backbone(outer))
    y = theirs.GlobalAveragePooling1D()(y)
    model = weighted(keras.Model(list(outer.values()), y))
    made, report = keras_masking.convert(model)
    assert report.attached and len(report.replaced) == 3 and not report.left
    assert drift(model, IDS, REAL) > 1e-3 and drift(made, IDS, REAL) < 1e-5


@keras.saving.register_keras_serializable("test_conversion_masks")
class Block(theirs.Layer):
    """Keeps the steps, and mixes them by convolutions."""

    def __init__(self, passes: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.passes = self.supports_masking = passes
        self.first = theirs.Conv1D(4, 3, padding="same")
        self.second = theirs.Conv1D(4, 3, padding="same")

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.second.build(shape)

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "passes": self.passes}


@keras.saving.register_keras_serializable("test_conversion_masks")
class Twice(theirs.Layer):
    """Loses the mask, and lets no padding in."""

    def call(self, x: Any) -> Any:
        return 2 * x


def tokens(layer: Any) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = layer(theirs.Embedding(30, 4, mask_zero=True)(ids))
    y = theirs.GlobalAveragePooling1D(name="pool")(x)
    return weighted(keras.Model(ids, y))


@pytest.mark.parametrize("passes", [False, True])
def test_a_block_that_reads_padding_is_called_that(passes: bool) -> None:
    """`KeepMask` was advised, or, if the block passes masks on, "0 left"."""
    model = tokens(Block(passes, name="block"))
    ((name, kind, why),) = keras_masking.convert(model)[1].left
    assert (name, kind) == ("block", "Block")
    assert "its real outputs move by" in why and "wrap it" not in why
    for attribute in ("first", "second"):
        assert f"`self.{attribute} = layers.MaskedConv1D(...)`" in why
    assert ("self.supports_masking = True" in why) != passes
    made, report = keras_masking.convert(model, IDS)
    assert [row[0] for row in report.left] == ["block"]
    assert report.drift is not None and report.drift.after is not None
    assert report.drift.after > 0.01
    assert made.predict(IDS, verbose=0).shape == (2, 4)


def test_keep_mask_is_advised_only_after_a_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tokens(Twice())
    ((_, _, why),) = keras_masking.convert(model)[1].left
    assert "lets no padding in: wrap it in `KeepMask`" in why

    def refuses(*args: Any) -> None:
        raise ValueError("text inputs cannot be made up.")

    monkeypatch.setattr(judging, "inspect_masks", refuses)
    ((_, _, why),) = keras_masking.convert(model)[1].left
    assert "was not measured: text inputs" in why and "wrap it" not in why


def test_the_drift_before_and_after() -> None:
    model = explicit("bool")
    _, report = keras_masking.convert(model, [STEPS, REAL == 1])
    assert report.drift is not None
    assert report.drift.before > 0.01 and report.drift.after < 1e-5
    assert "more padding steps on the right" in str(report).splitlines()[-2]
    _, report = keras_masking.convert(model, [STEPS, REAL == 1], mask_inputs={})
    assert report.left  # with drift there is never "0 left"
    plain = keras.Sequential([keras.Input((None, 4)), theirs.Conv1D(2, 3)])
    _, report = keras_masking.convert(plain, STEPS)
    assert "drift     not measured: no mask" in str(report)


@keras.saving.register_keras_serializable("test_conversion_masks")
class Centred(theirs.Layer):
    """Right without a mask; with one it subtracts the mean of all steps."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        return x if mask is None else x - ops.mean(x, axis=1, keepdims=True)


def test_a_model_that_would_be_worse_is_refused() -> None:
    x = keras.Input((None, 4), name="x")
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    y = layers.MaskedGlobalAveragePooling1D()(Centred()(x) ** 2, mask=mask)
    model = keras.Model([x, mask], y)
    given = [STEPS, REAL == 1]
    with pytest.raises(ValueError, match="In `convert`") as info:
        keras_masking.convert(model, given)
    assert "padding_mask masks x" in str(info.value)
    made, _ = keras_masking.convert(model, given, mask_inputs={})
    assert_close(
        made.predict(given, verbose=0), model.predict(given, verbose=0)
    )


def test_the_lines_to_change_in_a_subclassed_model() -> None:
    """The message was "use `keras_masking.layers` in its code"."""

    class Tagger(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = theirs.Embedding(9, 4, mask_zero=True)
            self.block = Block()
            self.norms = [theirs.GroupNormalization(2), theirs.Dense(2)]
            self.lstm = theirs.LSTM(3, return_sequences=True)

    with pytest.raises(ValueError, match="It is subclassed") as info:
        keras_masking.convert(Tagger())
    lines = [line.strip() for line in str(info.value).splitlines()]
    assert lines[1:6] == [
        "from keras_masking import layers",
        "self.block.first = layers.MaskedConv1D(...)  # was Conv1D",
        "self.block.second = layers.MaskedConv1D(...)  # was Conv1D",
        "self.norms[0] = layers.MaskedGroupNormalization(...)"
        "  # was GroupNormalization",
        "self.lstm = layers.KeepMask(keras.layers.LSTM(...))  # was LSTM",
    ]
