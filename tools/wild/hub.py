"""Models of keras-hub: two layers, small widths, random weights."""

from collections.abc import Callable
from typing import Any

import keras
import keras_hub

from keras_masking import layers
from tools.wild.examples import Example
from tools.wild.rows import LENGTHS
from tools.wild.rows import Row
from tools.wild.rows import ids
from tools.wild.rows import masked
from tools.wild.rows import real

BASE = {"vocabulary_size": 30, "num_layers": 2, "intermediate_dim": 16}
ENCODER = {**BASE, "num_heads": 2, "hidden_dim": 8}
DECODER = {
    **BASE,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
    "hidden_dim": 8,
}
SHORT = {"max_sequence_length": 32}
BROKEN_CONFIG = "must be recreated from its config"


def inputs_of(model: Any) -> dict[str, Any]:
    """Padded inputs for a backbone."""
    token_ids = ids()
    known = {
        "token_ids": token_ids,
        "padding_mask": real().astype("int32"),
        "segment_ids": 0 * token_ids,
    }
    return {key: known[key] for key in model.input}


def backbone(name: str, **config: Any) -> Callable[..., Example]:
    """A backbone as it is, or with more layers after it."""

    def make(end: Callable[[Any, Any], Any] | None = None) -> Example:
        model = getattr(keras_hub.models, name)(**config)
        inputs = inputs_of(model)
        if end is not None:
            model = keras.Model(model.input, end(model.input, model.output))
        padding = dict.fromkeys(inputs, 0)
        return Example(model, inputs, padding, LENGTHS, steps=end is None)

    return make


bert = backbone("BertBackbone", **ENCODER, **SHORT)


def with_pooling() -> Example:
    pool = keras.layers.GlobalAveragePooling1D(name="pool")
    return bert(lambda _, out: pool(out["sequence_output"]))


def with_mask_and_pooling() -> Example:
    def end(given: Any, out: Any) -> Any:
        mask = given["padding_mask"]
        x = layers.AttachMask()(out["sequence_output"], mask=mask)
        return keras.layers.GlobalAveragePooling1D()(x)

    return bert(end)


def blocks(kind: str) -> Callable[[], Example]:
    """Embedding with positions, and two encoders or decoders."""

    def make() -> Example:
        x = keras.Input((None,), dtype="int32")
        y = keras_hub.layers.TokenAndPositionEmbedding(
            30, 32, 8, mask_zero=True
        )(x)
        for _ in range(2):
            y = getattr(keras_hub.layers, kind)(16, 2)(y)
        return Example(keras.Model(x, y), ids(), 0, LENGTHS)

    return make


def encoder_and_pooling() -> Example:
    def block(x: Any) -> Any:
        y = keras_hub.layers.TransformerEncoder(16, 2)(x)
        return keras.layers.GlobalAveragePooling1D()(y)

    return masked(block)


ROWS = [
    Row("Bert", bert),
    Row("Bert, pooling", with_pooling, guilty=("pool",)),
    Row("Bert, AttachMask, pooling", with_mask_and_pooling),
    Row("DistilBert", backbone("DistilBertBackbone", **ENCODER, **SHORT)),
    Row("GPT2", backbone("GPT2Backbone", **ENCODER, **SHORT)),
    Row("Gemma", backbone("GemmaBackbone", **DECODER, head_dim=4)),
    Row(
        "Gemma3",
        backbone("Gemma3Backbone", **DECODER, head_dim=4, image_size=16),
    ),
    Row(
        "DebertaV3",
        backbone("DebertaV3Backbone", **ENCODER, **SHORT, bucket_size=8),
    ),
    Row("Llama", backbone("LlamaBackbone", **DECODER), refuses=BROKEN_CONFIG),
    Row(
        "Qwen3",
        backbone("Qwen3Backbone", **DECODER, head_dim=4),
        refuses=BROKEN_CONFIG,
    ),
    Row(
        "ESM",
        backbone("ESMBackbone", **ENCODER, **SHORT),
        guilty=("transformer_layer_0",),
    ),
    Row(
        "FNet",
        backbone("FNetBackbone", **BASE, hidden_dim=8, **SHORT),
        guilty=("f_net_layer_0",),
    ),
    Row("positions, 2 TransformerEncoder", blocks("TransformerEncoder")),
    Row("positions, 2 TransformerDecoder", blocks("TransformerDecoder")),
    Row("TransformerEncoder, pooling", encoder_and_pooling),
]
