"""The rows of the table: a model around each layer, and other modes."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_masking import cases
from keras_masking import layers

# Further arguments of layers, of which the first case in the kit is a row.
MORE = (
    "MaskedConv1D(5, 3, padding='same', strides=2)",
    "MaskedConv1D(5, 3, padding='causal')",
    "MaskedConv1DTranspose(5, 3, strides=2)",
    "MaskedMaxPooling1D(3, strides=2, padding='same')",
    "MaskedGlobalAveragePooling1D(weighting='position')",
    "MaskedGlobalAveragePooling1D(max_segments=3)",
    "TemporalSoftmax(packed=True)",
    "MaskedMultiHeadAttention(2, 3, packed=True)",
    "TemporalReverse(packed=True)",
    "layers.KeepMask(keras.layers.SimpleRNN(3, return_sequences=True, "
    "return_state=True))",
)


def _model(case: Any) -> keras.Model:
    """The layer of a case, with a mask for each sequence as an input."""
    given = cases.X if case.inputs is None else case.inputs
    makes = case.role == "generates" or case.name.startswith("CustomEmbedding")
    inputs, leaves = [], []
    for i, x in enumerate(map(np.asarray, keras.tree.flatten(given))):
        shape = (None, *x.shape[2:])[: x.ndim - 1]
        name = "lengths" if makes and x.ndim == 1 else f"x{i}"
        tensor = keras.Input(shape, dtype=x.dtype.name, name=name)
        inputs.append(tensor)
        if x.ndim > 1 and not makes:
            mask = keras.Input((None,), dtype="bool", name=f"mask{i}")
            inputs.append(mask)
            tensor = layers.AttachMask()(tensor, mask=mask)
        leaves.append(tensor)
    packed = keras.tree.pack_sequence_as(given, leaves)
    several = isinstance(given, tuple)
    layer = case.make()
    outputs = layer(*(packed if several else [packed]), **case.call_kwargs)
    return keras.Model(inputs, keras.tree.flatten(outputs))


def _of_ids(change: Callable[[Any], None] | None = None) -> keras.Model:
    """Ids, their mean, and a dense layer."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.CustomEmbedding(9, 4, mask_zero=True)(ids)
    x = layers.MaskedGlobalAveragePooling1D()(x)
    model = keras.Model(ids, keras.layers.Dense(4)(x))
    if change is not None:
        change(model)
    return model


def _lora(model: Any) -> None:
    for layer in model.layers:
        if hasattr(layer, "enable_lora"):
            layer.enable_lora(2)


def _with_policy(name: str) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        return _of_ids()
    finally:
        keras.config.set_dtype_policy(before)


def _in_scope() -> keras.Model:
    with keras.RematScope(mode="full"):
        return _of_ids()


MODES: dict[str, Callable[[], keras.Model]] = {
    "ids, mean, dense": _of_ids,
    "the same, int8": lambda: _of_ids(lambda m: m.quantize("int8")),
    "the same, int4": lambda: _of_ids(lambda m: m.quantize("int4")),
    "the same, LoRA": lambda: _of_ids(_lora),
    "the same, mixed_bfloat16": lambda: _with_policy("mixed_bfloat16"),
    "the same, RematScope": _in_scope,
}


def rows() -> Iterator[tuple[str, Callable[[], keras.Model]]]:
    """The name of each row, and what makes its model."""
    every = [*cases.MASK_CASES, *cases.PACKED_CASES]
    for name in layers.__all__:
        for case in every:
            called = case.name.removeprefix("layers.")
            if called.startswith(f"{name}("):
                yield name, lambda case=case: _model(case)
                break
    for case in every:
        if case.name in MORE:
            yield case.name, lambda case=case: _model(case)
    yield from MODES.items()
