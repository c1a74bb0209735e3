"""Models of keras-bio: two layers, small widths, random weights."""

from typing import Any

import keras
from keras_bio.dna.dnabert import DNABERTConfig
from keras_bio.dna.dnabert import DNABERTModel
from keras_bio.dna.hyena import HyenaDNAConfig
from keras_bio.dna.hyena import HyenaDNAModel
from keras_bio.protein.esm2 import ESM2Config
from keras_bio.protein.esm2 import ESM2Model

from tools.wild.examples import Example
from tools.wild.rows import LENGTHS
from tools.wild.rows import Row
from tools.wild.rows import ids
from tools.wild.rows import real

SUBCLASSED = "must be a Functional or Sequential model"
SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


class Steps(keras.Model):
    """The sequence that a model returns, without its pooled output."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)["last_hidden_state"]


def example(
    model: Any, pad: int, masked: bool = True, vocabulary: int = 24
) -> Example:
    """A model with the ids, and perhaps their mask."""
    inputs = {"input_ids": ids(pad, 5, vocabulary)}
    padding = {"input_ids": pad}
    if masked:
        inputs["attention_mask"] = real().astype("int32")
        padding["attention_mask"] = 0
    return Example(Steps(model), inputs, padding, LENGTHS)


def esm2(masked: bool) -> Example:
    return example(ESM2Model(ESM2Config(**SMALL)), 1, masked)


def hyena() -> Example:
    config = HyenaDNAConfig(
        d_model=8, d_inner=16, max_seq_len=64, filter_order=8
    )
    return example(HyenaDNAModel(config), 4, vocabulary=12)


def dnabert() -> Example:
    config = DNABERTConfig(**SMALL, vocab_size=30, max_position_embeddings=32)
    return example(DNABERTModel(config), 0)


ROWS = [
    Row("ESM2", lambda: esm2(True), refuses=SUBCLASSED),
    Row(
        "ESM2 without attention_mask",
        lambda: esm2(False),
        guilty=("layer_0",),
        refuses=SUBCLASSED,
    ),
    Row("HyenaDNA", hyena, refuses=SUBCLASSED),
    Row("DNABERT", dnabert, refuses=SUBCLASSED),
]
