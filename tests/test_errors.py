"""Bad input gets a message with caller, rule, received values and fix."""

import pickle
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import errors
from keras_masking import layers
from keras_masking import ops
from keras_masking.layers.base import Merger
from tests.helpers import BACKEND

X = np.zeros((2, 5, 3), "float32")
RULE = "`mask` must have shape (batch, steps), the first axes of `inputs`."
ANOTHER = (
    "The mask belongs to another tensor: a layer that changes the steps must "
    "change the mask too, in `compute_mask`."
)
SHAPES = {
    "one row": (
        (1, 5),
        "Masks do not broadcast: repeat it for every row with "
        "`keras.ops.repeat(mask, batch, axis=0)`.",
    ),
    "features": (
        (2, 5, 3),
        "A mask has no feature axis: reduce it with "
        "`keras.ops.any(mask, axis=-1)`.",
    ),
    "lengths": (
        (2,),
        "If these are lengths, one per row, convert them with "
        "`keras_masking.ops.lengths_to_mask(lengths, maxlen)`.",
    ),
    "swapped": (
        (5, 2),
        "Its axes are swapped: `keras.ops.transpose(mask)`.",
    ),
    "steps": ((2, 4), ANOTHER),
    "batch": ((3, 5), ANOTHER),
}
DTYPES = {
    "<U1": np.full((2, 5), "a"),
    "complex64": np.ones((2, 5), "complex64"),
    "object": np.full((2, 5), None),
}


CONFIGS: dict[str, dict[str, Any]] = {
    "CustomEmbedding": {"input_dim": 4, "output_dim": 3},
    "KeepMask": {"layer": keras.layers.Dense(2)},
    "LinearChainCRF": {"tags": 3},
    "MaskedAveragePooling1D": {"pool_size": 2},
    "MaskedBidirectional": {"layer": keras.layers.GRU(2)},
    "MaskedConv1D": {"filters": 4, "kernel_size": 3},
    "MaskedConv1DTranspose": {"filters": 4, "kernel_size": 3},
    "MaskedDepthwiseConv1D": {"kernel_size": 3},
    "MaskedGRU": {"units": 2},
    "MaskedGroupNormalization": {"groups": 1},
    "MaskedGroupQueryAttention": {
        "head_dim": 2,
        "num_query_heads": 2,
        "num_key_value_heads": 1,
    },
    "MaskedLSTM": {"units": 2},
    "MaskedMultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "MaskedPositionEmbedding": {"sequence_length": 9},
    "MaskedSeparableConv1D": {"filters": 4, "kernel_size": 3},
    "MaskedSimpleRNN": {"units": 2},
    "MaskedTimeDistributed": {"layer": keras.layers.Dense(2)},
}


def make(layer: type, **config: Any) -> keras.layers.Layer:
    return layer(name="mine", **CONFIGS.get(layer.__name__, {}), **config)


def raises(call: Callable[[], Any], message: str) -> pytest.ExceptionInfo:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as info:
        call()
    return info


ATTEND = (layers.MaskedMultiHeadAttention, layers.MaskedGroupQueryAttention)
LAYERS = [
    layer
    for layer in (getattr(layers, name) for name in layers.__all__)
    if layer not in ATTEND  # their masks have other names
]
MERGERS = [layer for layer in LAYERS if issubclass(layer, Merger)]
LISTS = [*MERGERS, layers.RepeatVectorLike]  # inputs: a list of sequences
OF_FEATURES = [layer for layer in LAYERS if layer is not layers.CustomEmbedding]


def inputs_of(layer: type) -> Any:
    x = np.zeros((2, 5), "int32") if layer is layers.CustomEmbedding else X
    if layer in LISTS:
        return [x, x]
    return [x, np.array([1, 2])] if layer is layers.LengthMask else x


def mask_of_first(layer: type, mask: Any) -> Any:
    return [mask, None] if layer in MERGERS else mask


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("layer", LAYERS)
def test_mask_of_the_wrong_shape(layer: type, kind: str) -> None:
    shape, fix = SHAPES[kind]
    inputs = inputs_of(layer)
    mask = mask_of_first(layer, np.ones(shape, bool))
    x = inputs[0] if isinstance(inputs, list) else inputs
    message = (
        f"In layer 'mine' (of type {layer.__name__}): {RULE} Received: "
        f"mask.shape={shape}, inputs.shape={x.shape}. {fix}"
    )
    info = raises(lambda: make(layer)(inputs, mask=mask), message)
    assert info.type is errors.MaskShapeError
    raises(lambda: make(layer).compute_mask(inputs, mask), message)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS)
def test_mask_of_the_wrong_dtype(layer: type, dtype: str) -> None:
    mask = mask_of_first(layer, DTYPES[dtype])
    message = (
        f"In layer 'mine' (of type {layer.__name__}): `mask` must be boolean, "
        f"True where a step is real. Received: mask.dtype={dtype}. Make it "
        "boolean, for example with `mask = keras.ops.not_equal(ids, 0)`."
    )
    inputs = inputs_of(layer)
    info = raises(lambda: make(layer)(inputs, mask=mask), message)
    assert info.type is errors.MaskDtypeError
    raises(lambda: make(layer).compute_mask(inputs, mask), message)


@pytest.mark.parametrize("layer", OF_FEATURES)
def test_symbolic_masks_are_checked(layer: type) -> None:
    x = keras.Input((5, 3))
    inputs = [x, keras.Input((), dtype="int32")]
    inputs = inputs if layer is layers.LengthMask else x
    if layer in LISTS:
        inputs = [x, x]
    caller = f"In layer 'mine' (of type {layer.__name__}): "
    wrong = keras.Input((4,), dtype="bool")
    raises(
        lambda: make(layer)(inputs, mask=mask_of_first(layer, wrong)),
        f"{caller}{RULE} Received: mask.shape=(None, 4), "
        f"inputs.shape=(None, 5, 3). {ANOTHER}",
    )
    words = keras.Input((5,), dtype="string")
    with pytest.raises(errors.MaskDtypeError, match="dtype=string"):
        make(layer)(inputs, mask=mask_of_first(layer, words))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("which", ["query", "value", "key"])
@pytest.mark.parametrize("layer", ATTEND)
def test_masks_of_attention(layer: type, which: str, kind: str) -> None:
    shape, fix = SHAPES[kind]
    how = {f"{which}_mask": np.ones(shape, bool)}
    info = raises(
        lambda: make(layer)(X, X, X, **how),
        f"In layer 'mine' (of type {layer.__name__}): {RULE} Received: "
        f"mask.shape={shape}, inputs.shape={X.shape}. {fix}",
    )
    assert info.type is errors.MaskShapeError


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 5, 5)])
@pytest.mark.parametrize("layer", ATTEND)
def test_attention_masks(layer: type, shape: tuple[int, ...]) -> None:
    info = raises(
        lambda: make(layer)(X, X, attention_mask=np.ones(shape, bool)),
        f"In layer 'mine' (of type {layer.__name__}): `attention_mask` must "
        "have shape (batch, target, source), or a shape that broadcasts to "
        f"it. Received: attention_mask.shape={shape}, query.shape={X.shape}, "
        f"value.shape={X.shape}. Its axes are the rows, the steps of `query` "
        "and the steps of `value`. A mask for each head cannot be combined "
        "with other masks.",
    )
    assert info.type is errors.MaskShapeError
    with pytest.raises(errors.MaskDtypeError, match=r"attention_mask\.dtype"):
        make(layer)(X, X, attention_mask=np.full((5, 5), "a"))
    for fits in ((5, 5), (1, 5, 5), (2, 1, 5), (2, 5, 1), (2, 1, 5, 5)):
        make(layer)(X, X, attention_mask=np.ones(fits, bool))
    how = {"attention_mask": np.ones((2, 2, 5, 5), bool)}
    with pytest.raises(
        errors.MaskShapeError, match="cannot be combined with other"
    ):
        make(layer)(X, X, value_mask=np.ones((2, 5), bool), **how)


def test_attention_over_more_axes_takes_no_masks() -> None:
    layer = make(layers.MaskedMultiHeadAttention)
    x = np.zeros((2, 5, 4, 3), "float32")
    assert layer(x, x).shape == x.shape
    raises(
        lambda: layer(x, x, query_mask=np.ones((2, 5), bool)),
        "In layer 'mine' (of type MaskedMultiHeadAttention): inputs with "
        "masks must be (batch, steps, features). Received: shapes=[(2, 5, 4, "
        "3), (2, 5, 4, 3)]. Reshape them with `keras.ops.reshape`.",
    )


def test_a_carried_mask_is_checked() -> None:
    class Stale(keras.layers.Layer):
        """Halves the steps and forgets the mask."""

        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs[:, ::2]

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return mask

    x = Stale()(layers.AttachMask()(X, mask=np.ones((2, 5), bool)))
    for layer in OF_FEATURES:
        if layer is layers.LengthMask:
            continue
        with pytest.raises(errors.MaskShapeError, match=r"mask.shape=\(2, 5\)"):
            make(layer)([x, x] if layer in LISTS else x)


@pytest.mark.parametrize(
    "name",
    [
        "apply_mask",
        "first_step",
        "last_step",
        "masked_logsumexp",
        "masked_max",
        "masked_mean",
        "masked_min",
        "masked_moments",
        "masked_position_mean",
        "masked_softmax",
        "masked_sqrtn",
        "masked_std",
        "masked_sum",
        "masked_variance",
        "reverse_steps",
        "window_max",
        "window_mean",
        "window_sum",
    ],
)
def test_ops_say_their_name(name: str) -> None:
    function, (shape, fix) = getattr(ops, name), SHAPES["one row"]
    raises(
        lambda: function(X, np.ones(shape)),
        f"In `{name}`: {RULE} Received: mask.shape={shape}, "
        f"inputs.shape=(2, 5, 3). {fix}",
    )


def embed(*args: Any, **kwargs: Any) -> keras.layers.Layer:
    return layers.CustomEmbedding(*args, **kwargs, name="mine")


EMBEDDING = "In layer 'mine' (of type CustomEmbedding): "
SPLIT = (
    "In layer 'mine' (of type TemporalSplit): `indices_or_sections` must be a "
    "positive number of pieces or a list of increasing steps. Received: "
    "indices_or_sections={}. Pass 2 for two halves, or [3] to split before "
    "step 3."
)
LENGTHS = (
    "In layer 'mine' (of type LengthMask): `inputs` must be a list of a tensor "
    "(batch, steps, ...) and its lengths (batch,). Received: shapes={}. Call "
    "it as `LengthMask()([x, lengths])`, one length for each row of x."
)
MESSAGES = {
    "input_dim": (
        lambda: embed(0, 3),
        f"{EMBEDDING}`input_dim` must be an integer of at least 1. Received: "
        "input_dim=0. Pass a Python int.",
    ),
    "output_dim": (
        lambda: embed(3, 2.0),
        f"{EMBEDDING}`output_dim` must be an integer of at least 1. Received: "
        "output_dim=2.0. Pass a Python int.",
    ),
    "mask_value": (
        lambda: embed(3, 2, mask_value=[0, 1.5]),
        f"{EMBEDDING}`mask_value` must be an integer from -2147483648 to "
        "2147483647. Received: mask_value=1.5. Pass a Python int.",
    ),
    "ids": (
        lambda: embed(3, 2, mask_value=-1)(np.array([[0, 7, -4, -1]])),
        f"{EMBEDDING}ids must be whole numbers from 0 to 2, or padding ids. "
        "Received: ids=-4 to 7, input_dim=3, padding_ids=[-1]. Increase "
        "`input_dim`, or set padding ids with `mask_value`.",
    ),
    "words": (
        lambda: embed(3, 2)(np.array([["a"]])),
        f"{EMBEDDING}`inputs` must be real numbers. Received: dtype=<U1. Turn "
        "strings into ids first, for example with "
        "`keras.layers.StringLookup`.",
    ),
    "activation": (
        lambda: layers.MyActivation("rellu", name="mine"),
        "In layer 'mine' (of type MyActivation): `activation` must be a Keras "
        "activation or a function. Received: activation='rellu'. Pass a name "
        "in `keras.activations`, for example 'relu'.",
    ),
    "empty_value": (
        lambda: layers.LastStep(empty_value="none", name="mine"),
        "In layer 'mine' (of type LastStep): `empty_value` must be a number. "
        "Received: empty_value='none'. Pass a Python float, for example 0.0.",
    ),
    "no pieces": (
        lambda: layers.TemporalSplit(0, name="mine"),
        SPLIT.format(0),
    ),
    "bool pieces": (
        lambda: layers.TemporalSplit(True, name="mine"),
        SPLIT.format(True),
    ),
    "falling": (
        lambda: layers.TemporalSplit([3, 1], name="mine"),
        SPLIT.format([3, 1]),
    ),
    "halves": (
        lambda: layers.TemporalSplit([1.5], name="mine"),
        SPLIT.format([1.5]),
    ),
    "no lengths": (
        lambda: layers.LengthMask(name="mine")(X),
        LENGTHS.format([(2, 5, 3)]),
    ),
    "too many lengths": (
        lambda: layers.LengthMask(name="mine")([X, np.array([1, 2, 3])]),
        LENGTHS.format([(2, 5, 3), (3,)]),
    ),
    "weighting": (
        lambda: layers.MaskedGlobalAveragePooling1D(
            weighting="last", name="mine"
        ),
        "In layer 'mine' (of type MaskedGlobalAveragePooling1D): `weighting` "
        "must be None, 'position' or 'sqrtn'. Received: weighting='last'. "
        "Leave it at None for the mean.",
    ),
    "groups": (
        lambda: layers.MaskedGroupNormalization(2, name="mine")(X),
        "In layer 'mine' (of type MaskedGroupNormalization): `groups` must "
        "divide the number of features. Received: groups=2, features=3. Pass "
        "a divisor, or -1 for one group per feature.",
    ),
    "axis of the steps": (
        lambda: layers.MaskedGroupNormalization(1, axis=1, name="mine")(X),
        "In layer 'mine' (of type MaskedGroupNormalization): `axis` must be "
        "the last axis, the features. Received: axis=1, inputs.shape=(2, 5, "
        "3). Leave it at -1.",
    ),
    "missing": (
        lambda: layers.NaNMask(missing="some", name="mine"),
        "In layer 'mine' (of type NaNMask): `missing` must be 'all' or 'any'. "
        "Received: missing='some'. Pass 'any' if one missing feature makes a "
        "step unusable.",
    ),
    "fill_value": (
        lambda: layers.NaNMask("zero", name="mine"),
        "In layer 'mine' (of type NaNMask): `fill_value` must be a finite "
        "number. Received: fill_value='zero'. Pass a Python float, for "
        "example 0.0.",
    ),
    "NaN for NaN": (
        lambda: layers.NaNMask(float("nan"), name="mine"),
        "In layer 'mine' (of type NaNMask): `fill_value` must be a finite "
        "number. Received: fill_value=nan. Pass a Python float, for example "
        "0.0.",
    ),
    "a number in words": (
        lambda: layers.LastStep(empty_value="3", name="mine"),
        "In layer 'mine' (of type LastStep): `empty_value` must be a number. "
        "Received: empty_value='3'. Pass a Python float, for example 0.0.",
    ),
    "max_wavelength": (
        lambda: layers.MaskedSinePositionEncoding(0, name="mine"),
        "In layer 'mine' (of type MaskedSinePositionEncoding): "
        "`max_wavelength` must be positive. Received: max_wavelength=0. The "
        "default is 10000.",
    ),
    "num_heads": (
        lambda: layers.AttentionPooling1D(0, name="mine"),
        "In layer 'mine' (of type AttentionPooling1D): `num_heads` must be an "
        "integer of at least 1. Received: num_heads=0. Pass a Python int.",
    ),
    "too many steps": (
        lambda: layers.MaskedPositionEmbedding(4, name="mine")(X),
        "In layer 'mine' (of type MaskedPositionEmbedding): a row must not "
        "have more real steps than `sequence_length`. Received: "
        "sequence_length=4, longest=5. Increase `sequence_length`, or "
        "truncate the rows.",
    ),
    "no list": (
        lambda: layers.TemporalConcatenate(name="mine")(X),
        "In layer 'mine' (of type TemporalConcatenate): `inputs` must be a "
        "list of tensors. Received: inputs=ndarray. Call it as "
        "`layer([x, y])`.",
    ),
    "features differ": (
        lambda: layers.TemporalConcatenate(name="mine")([X, X[..., :2]]),
        "In layer 'mine' (of type TemporalConcatenate): tensors must be "
        "(batch, steps, ...) and may differ only in their number of steps. "
        "Received: shapes=[(2, 5, 3), (2, 5, 2)]. First make their features "
        "equally wide, for example with `keras.layers.Dense`.",
    ),
    "one mask for two": (
        lambda: layers.TemporalConcatenate(name="mine")(
            [X, X], mask=np.ones((2, 5))
        ),
        "In layer 'mine' (of type TemporalConcatenate): `mask` must be a list "
        "with a mask for each input. Received: mask=ndarray, inputs=2. Pass "
        "None for an input without a mask.",
    ),
    "no layer": (
        lambda: layers.KeepMask(7, name="mine"),
        "In `KeepMask`: `layer` must be a Keras layer. Received: layer=7. "
        "Pass an instance, for example `keras.layers.LSTM(8)`.",
    ),
    "no mask": (
        lambda: layers.RequireMask(name="mine")(X),
        "In layer 'mine' (of type RequireMask): the inputs must carry a mask. "
        "Received: mask=None, inputs.shape=(2, 5, 3). No layer before it "
        "makes a mask, or something loses it, for example an operation such "
        "as `x * 2`. Use `KeepMask` or `AttachMask`.",
    ),
    "no segments": (
        lambda: layers.MaskedTimeDistributed(
            keras.layers.Dense(2), name="mine"
        )(X[0]),
        "In layer 'mine' (of type MaskedTimeDistributed): `inputs` must have "
        "shape (batch, segments, ...). Received: inputs.shape=(5, 3). "
        "Without segments call the layer inside directly.",
    ),
    "channels_first": (
        lambda: layers.MaskedConv1D(
            4, 3, data_format="channels_first", name="mine"
        ),
        "In layer 'mine' (of type MaskedConv1D): axes must be (batch, steps, "
        "features). Received: data_format='channels_first'. Pass "
        "data_format='channels_last', and reorder the axes with "
        "`keras.layers.Permute((2, 1))` if needed.",
    ),
    "lengths rank": (
        lambda: ops.lengths_to_mask([[1, 2]]),
        "In `lengths_to_mask`: `lengths` must have shape (batch,). Received: "
        "lengths.shape=(1, 2). Drop the extra axes with "
        "`keras.ops.reshape(lengths, (-1,))`.",
    ),
    "lengths padding": (
        lambda: ops.lengths_to_mask([1, 2], padding="left"),
        "In `lengths_to_mask`: `padding` must be 'post' or 'pre'. Received: "
        "padding='left'. Pass 'post' if the padding follows the real steps.",
    ),
    "window size": (
        lambda: ops.window_mask(np.ones((2, 5)), 3, strides=0),
        "In `window_mask`: window sizes must be positive integers. Received: "
        "kernel_size=3, strides=0, dilation_rate=1. The default of `strides` "
        "and `dilation_rate` is 1.",
    ),
    "window padding": (
        lambda: ops.window_mask(np.ones((2, 5)), 3, padding="full"),
        "In `window_mask`: `padding` must be 'valid', 'same' or 'causal'. "
        "Received: padding='full'. Pass 'valid' for whole windows only, "
        "'same' for one window per stride.",
    ),
    "axis": (
        lambda: ops.last_step(X, np.ones((2, 5)), axis=2),
        "In `last_step`: `axis` must be an axis of the mask. Received: "
        "axis=2, mask.shape=(2, 5). Pass the axis of the steps.",
    ),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages(kind: str) -> None:
    raises(*MESSAGES[kind])


@pytest.mark.parametrize(
    "config",
    [
        {"filters": 0},
        {"kernel_size": 0},
        {"kernel_size": -3},
        {"strides": 0},
        {"dilation_rate": 0},
        {"strides": 2, "dilation_rate": 2},
        {"padding": "full"},
        {"groups": 3},
    ],
    ids=str,
)
def test_convolutions_refuse_what_keras_refuses(config: dict) -> None:
    config = {"filters": 4, "kernel_size": 3, **config}
    with pytest.raises(ValueError, match="Received") as theirs:
        keras.layers.Conv1D(**config)
    raises(lambda: layers.MaskedConv1D(**config), str(theirs.value))


@pytest.mark.parametrize("layer", LAYERS)
def test_unknown_arguments(layer: type) -> None:
    with pytest.raises((ValueError, TypeError), match="colour"):
        make(layer, colour="blue")
    with pytest.raises(TypeError, match="colour"):
        make(layer)(inputs_of(layer), colour="blue")


def not_dense() -> list:
    if BACKEND == "torch":  # which has no symbolic sparse tensors
        import torch

        return [torch.zeros(2, 5, 3).to_sparse()]
    kinds = [keras.Input((5, 3), sparse=True)]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        ragged = tf.ragged.constant([[[1.0], [2.0]], [[3.0]]])
        return [*kinds, ragged, tf.sparse.from_dense(X)]
    from jax.experimental import sparse

    return [*kinds, sparse.BCOO.fromdense(X)]


@pytest.mark.parametrize("layer", LAYERS)
def test_ragged_and_sparse(layer: type) -> None:
    for x in not_dense():
        inputs = [x, x] if layer in MERGERS else x
        raises(
            lambda inputs=inputs: make(layer)(inputs),
            f"In layer 'mine' (of type {layer.__name__}): `inputs` must be a "
            f"dense tensor. Received: inputs={type(x).__name__}. Pad it to "
            "equal lengths and mark its real steps with a mask.",
        )


def test_errors_survive_what_keras_and_pickle_do_to_them() -> None:
    """With traceback filtering Keras recreates the error from its text."""
    assert issubclass(errors.MaskError, ValueError)
    for error in (errors.MaskShapeError, errors.MaskDtypeError):
        assert issubclass(error, errors.MaskError)
        assert str(pickle.loads(pickle.dumps(error("text")))) == "text"
    keras.config.enable_traceback_filtering()
    try:
        model = keras.Sequential([layers.MyActivation(name="mine")])
        with pytest.raises(errors.MaskShapeError, match="In layer 'mine'"):
            model(X, mask=np.ones((2, 4)))
    finally:
        keras.config.disable_traceback_filtering()


def ragged() -> Any:
    import tensorflow as tf

    return tf.ragged.constant([[True] * 5, [True]])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
def test_a_ragged_mask() -> None:
    layer = make(layers.TemporalSoftmax)
    with pytest.raises(
        errors.MaskDtypeError, match=r"mask\.dtype=RaggedTensor"
    ):
        layer(X, mask=ragged())


@pytest.mark.parametrize("mask", [[], [[1], [1, 2]]])
def test_a_mask_of_lists_that_is_none(mask: list) -> None:
    with pytest.raises(errors.MaskShapeError, match="must have shape"):
        make(layers.TemporalSoftmax)(X, mask=mask)
    with pytest.raises(errors.MaskShapeError, match="must have shape"):
        ops.check_mask(mask, X)


@pytest.mark.parametrize("pieces", [["a"], [None], [np.nan], 0, True, [3, 1]])
def test_pieces_that_are_none(pieces: Any) -> None:
    for call in (
        lambda: layers.TemporalSplit(pieces),
        lambda: ops.split_steps(X, pieces),
    ):
        with pytest.raises(ValueError, match="positive number of pieces"):
            call()


@pytest.mark.parametrize(
    "call, rule",
    [
        (lambda: ops.masked_mean(X, axis=None), "`axis` must be an integer"),
        (lambda: ops.masked_softmax(X, axis="1"), "`axis` must be an integer"),
        (lambda: ops.first_step(X, axis=(0, 1)), "`axis` must be one integer"),
        (lambda: ops.window_mask(X[..., 0], (3,)), "must be positive integers"),
        (lambda: ops.window_mask(X[..., 0], 2.5), "must be positive integers"),
        (
            lambda: ops.masked_sum(X.astype("complex64")),
            "`x` must be boolean or real numbers",
        ),
        (
            lambda: layers.LengthMask()([X, np.array(2)]),
            "its lengths (batch,)",
        ),
        (
            lambda: layers.CustomEmbedding(4, 2, mask_value=2**31),
            "`mask_value` must be an integer from -2147483648 to 2147483647",
        ),
    ],
)
def test_arguments_that_are_none(call: Callable[[], Any], rule: str) -> None:
    with pytest.raises(ValueError, match=re.escape(rule)):
        call()


OTHER_STEPS = (
    "In layer 'mine' (of type KeepMask): the layer inside must keep the axes "
    "(batch, steps, ...). Received: layer={}, inputs.shape={}, "
    "outputs.shape={}. Layers that convolve, pool, crop or split must change "
    "the mask too: use those of `keras_masking.layers`, for example "
    "`MaskedConv1D`, without `KeepMask`."
)


@pytest.mark.parametrize(
    "inner, rest",
    [
        (keras.layers.Conv1D(2, 3, name="it"), (3, 2)),
        (keras.layers.MaxPooling1D(2, name="it"), (2, 3)),
        (keras.layers.GlobalAveragePooling1D(name="it"), (3,)),
        (keras.layers.Flatten(name="it"), (15,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_do_not_keep_the_steps(
    inner: keras.layers.Layer, rest: tuple
) -> None:
    label = f"{type(inner).__name__} 'it'"
    for x in (X, keras.Input((5, 3))):
        shapes = tuple(x.shape), (x.shape[0], *rest)
        raises(
            lambda x=x: layers.KeepMask(inner, name="mine")(x),
            OTHER_STEPS.format(label, *shapes),
        )


@pytest.mark.parametrize("both", [False, True])
def test_unrolled_backwards(both: bool) -> None:
    how = {"return_sequences": True, "unroll": True}
    inner = keras.layers.LSTM(2, go_backwards=not both, name="it", **how)
    if both:
        inner = keras.layers.Bidirectional(inner, name="it")
    layer = layers.KeepMask(inner, name="mine")
    assert layer(X).shape[:2] == X.shape[:2]
    x = keras.Input((5, 3))
    mask = keras.Input((5,), dtype="bool")
    for call in (
        lambda: layer(X, mask=np.ones((2, 5), bool)),
        lambda: layer(x, mask=mask),
    ):
        raises(
            call,
            "In layer 'mine' (of type KeepMask): Keras cannot compute a "
            "masked sequence that is unrolled backwards. "
            f"Received: layer={type(inner).__name__} 'it', unroll=True, "
            "go_backwards=True. Pass `unroll=False`, which computes the same.",
        )


LONG = (
    "In layer 'mine' (of type {}): with padding='valid' a window must not be "
    "longer than the sequence. Received: window={}, steps=5. Pad the batch at "
    "least to the length of a window (with a mask), or pass padding='same'."
)


@pytest.mark.parametrize(
    "layer, window",
    [
        (layers.MaskedConv1D(2, 6, name="mine"), 6),
        (layers.MaskedConv1D(2, 3, dilation_rate=3, name="mine"), 7),
        (layers.MaskedDepthwiseConv1D(6, name="mine"), 6),
        (layers.MaskedSeparableConv1D(2, 6, name="mine"), 6),
        (layers.MaskedAveragePooling1D(6, name="mine"), 6),
        (layers.MaskedMaxPooling1D(6, 1, name="mine"), 6),
    ],
)
def test_windows_longer_than_the_sequence(
    layer: keras.layers.Layer, window: int
) -> None:
    message = LONG.format(type(layer).__name__, window)
    raises(lambda: layer(X), message)
    raises(lambda: layer(keras.Input((5, 3))), message)
    layer(np.zeros((2, 8, 3)))
    raises(lambda: layer(X), message)


@pytest.mark.parametrize(
    "name, config",
    [
        ("Conv1DTranspose", {"filters": 4, "kernel_size": 0}),
        ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 0}),
        ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "padding": "no"}),
        ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 0}),
        ("SeparableConv1D", {"filters": 0, "kernel_size": 3}),
        ("MaxPooling1D", {"pool_size": 0}),
        ("Cropping1D", {"cropping": (1, 2, 3)}),
        ("Cropping1D", {"cropping": -1}),
        ("ZeroPadding1D", {"padding": -1}),
    ],
    ids=str,
)
def test_others_refuse_what_keras_refuses(name: str, config: dict) -> None:
    with pytest.raises(ValueError, match="Received") as theirs:
        getattr(keras.layers, name)(**config)
    raises(
        lambda: getattr(layers, f"Masked{name}")(**config), str(theirs.value)
    )


@pytest.mark.parametrize("name", ["Average", "Max"])
@pytest.mark.parametrize("config", [{"strides": 0}, {"padding": "causal"}])
def test_windows_that_keras_refuses_when_it_is_too_late(
    name: str, config: dict
) -> None:
    getattr(keras.layers, f"{name}Pooling1D")(2, **config)
    layer = getattr(layers, f"Masked{name}Pooling1D")
    with pytest.raises(ValueError, match=r"Received: .*(strides=0|causal)"):
        layer(2, **config)


@pytest.mark.parametrize(
    "name, config",
    [
        (
            "Conv1DTranspose",
            {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 2},
        ),
        ("GroupNormalization", {"groups": 0}),
        ("GroupNormalization", {"groups": -2}),
        ("UpSampling1D", {"size": 0}),
        ("UpSampling1D", {"size": 2.7}),
    ],
    ids=str,
)
def test_what_an_older_keras_takes(name: str, config: dict) -> None:
    with pytest.raises((ValueError, TypeError), match=r"Received|got"):
        getattr(layers, f"Masked{name}")(**config)


def test_axes_do_not_depend_on_the_configuration() -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        layer = layers.MaskedConv1D(2, 3)
        assert layer(X).shape == (2, 3, 2)
        assert layers.MaskedMaxPooling1D(2)(X).shape == (2, 2, 3)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_cropping_everything() -> None:
    layer = layers.MaskedCropping1D((3, 2))
    with pytest.raises(ValueError, match="smaller than the input length"):
        layer(X)


@pytest.mark.parametrize(
    "layer",
    [
        layers.CompactSteps(),
        layers.TemporalReverse(),
        layers.NaNMask(),
        layers.StatisticsPooling1D(),
        layers.AttentionPooling1D(),
        layers.MaskedGroupNormalization(1),
        layers.MaskedSinePositionEncoding(),
        layers.MaskedMaxPooling1D(),
    ],
)
def test_inputs_without_steps_are_refused(layer: keras.layers.Layer) -> None:
    with pytest.raises(ValueError, match="ndim"):
        layer(np.zeros(5))
