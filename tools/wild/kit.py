"""Layers of the packages for the kit, and the failures that are true.

Each was read in the package's code, or tried by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import keras
import numpy as np

from keras_masking.contract import Case

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
IDS = np.array([[3, 1, 4, 1], [2, 6, 0, 0], [5, 0, 0, 0]], "int32")


@dataclass(frozen=True)
class Layer:
    """A layer, how to call it, and the checks that it fails.

    Attributes:
        make: Makes the layer.
        fails: The checks that it truly fails on PyTorch.
        options: Of its `Case`.
    """

    make: Callable[[], Any]
    fails: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def case(self, name: str) -> Case:
        return Case(self.make, name=name, **dict(self.options))


def of(module: str, name: str, *args: Any, **config: Any) -> Any:
    """Makes a layer of a module, which is imported only then."""
    return lambda: getattr(import_module(module), name)(*args, **config)


def bayes(module: str, name: str, *args: Any, **config: Any) -> Any:
    """Makes a layer of bayesflow, which turns off the gradients of PyTorch."""

    def make() -> Any:
        layer = of(f"bayesflow.networks.{module}", name, *args, **config)()
        import_module("torch").set_grad_enabled(True)
        return layer

    return make


def with_config(module: str, name: str, config: str, **values: Any) -> Any:
    """Makes a layer that takes a config of its module."""

    def make() -> Any:
        home = import_module(module)
        return getattr(home, name)(getattr(home, config)(**values))

    return make


class CastAndPool(keras.layers.Layer):
    """Flattens a padded batch to one graph, and sums each row's nodes."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        casting = import_module("kgcnn.layers.casting")
        pooling = import_module("kgcnn.layers.pooling")
        self.cast = casting.CastBatchedAttributesToDisjoint(uses_mask=True)
        self.pool = pooling.PoolingNodes()

    def call(self, inputs: Any) -> Any:
        x, graph, _, count = self.cast(inputs)
        return self.pool([count, x, graph])

    def get_config(self) -> dict[str, Any]:
        """Without one, Keras loses the name of a layer with sublayers."""
        return super().get_config()


DROPS = ("mask-kept", "no-destroy-warning")
DELETES = ("input-not-mutated",)
NAN = ("nan-padding",)
# It pools all steps; a layer in it drops the mask, and Keras says so.
COUNTS = ("no-destroy-warning", "pad-value", "empty-row", "large-values")
# Causal, so right for padding on the right alone.
LEFT = (
    "mask-position",
    "pad-length",
    "alone-equals-batched",
    "grad-zero-at-padding",
)
HUB, RS = "keras_hub.layers", "keras_rs.layers"
HYENA = {"d_model": 4, "d_inner": 8, "max_seq_len": 64, "filter_order": 4}

LAYERS: dict[str, dict[str, Layer]] = {
    "keras-hub": {
        "TransformerEncoder": Layer(
            of(HUB, "TransformerEncoder", 8, 2), DELETES + NAN
        ),
        "TransformerEncoder, normalize_first": Layer(
            of(HUB, "TransformerEncoder", 8, 2, normalize_first=True), NAN
        ),
        "TransformerEncoder by padding_mask": Layer(
            of(HUB, "TransformerEncoder", 8, 2),
            NAN,
            (("mask_argument", "padding_mask"),),
        ),
    },
    "keras-rs": {
        "FeatureCross": Layer(of(RS, "FeatureCross")),
        "EmbedReduce": Layer(
            of(RS, "EmbedReduce", 7, 4, mask_zero=True),
            # It keeps the mask of the steps that it sums.
            ("mask-shape", "mask-combined", "pad-value", "empty-row", "trains"),
            (("inputs", IDS),),
        ),
    },
    "keras-tcn": {
        "TCN": Layer(
            of("tcn", "TCN", 4, 3, dilations=[1, 2], return_sequences=True),
            DROPS + LEFT,
        ),
    },
    "mingru-keras": {
        "MinGRU": Layer(of("mingru_keras.core", "MinGRU", 4), DROPS + LEFT)
    },
    "keras-bio": {
        "ProtT5LayerNorm": Layer(
            of("keras_bio.protein.prot_t5.layers", "ProtT5LayerNorm", 4), DROPS
        ),
        "HyenaOperator": Layer(
            with_config(
                "keras_bio.dna.hyena",
                "HyenaOperator",
                "HyenaDNAConfig",
                **HYENA,
            ),
            # A convolution by FFT rounds, spreads NaN, and takes no half.
            (*DROPS, *LEFT, *NAN, "pad-value", "mixed-precision"),
        ),
    },
    "k3-node": {
        "SetAttentionBlock": Layer(
            of("k3_node.layers.aggr.utils", "SetAttentionBlock", 4, 2),
            (*DELETES, *NAN, "explicit-equals-attached"),
        ),
    },
    "tslearn": {
        "GlobalMinPooling1D": Layer(
            of("tslearn.shapelets.shapelets", "GlobalMinPooling1D"),
            ("runs-with-mask",),  # it takes masks (batch, steps, 1)
        ),
        "GlobalArgminPooling1D": Layer(
            of("tslearn.shapelets.shapelets", "GlobalArgminPooling1D"),
            ("runs-with-mask",),
        ),
        "PatchingLayer": Layer(
            of("tslearn.shapelets.shapelets", "PatchingLayer", 3),
            (*DROPS, "dynamic-time"),
        ),
    },
    "kgcnn": {
        # The cast alone has no batch axis to compare rows by.
        "cast by a mask, PoolingNodes": Layer(
            CastAndPool,
            options=(
                ("inputs", [X, np.ones((3, 6), bool)]),
                ("mask_argument", 1),
            ),
        ),
    },
    "bayesflow": {
        "FiLM": Layer(
            bayes("helpers.embeddings", "FiLM", 4),
            DROPS,
            (("inputs", [X, X[:, :1, :3]]), ("sequences", [0])),
        ),
        "SetAttention": Layer(
            bayes(
                "summary.transformers.attention",
                "SetAttention",
                embed_dim=4,
                num_heads=2,
            ),
            NAN,
            (
                ("mask_argument", "attention_mask"),
                ("call_kwargs", {"attention_mask": np.ones((3, 6, 6), bool)}),
            ),
        ),
        "InvariantLayer": Layer(
            bayes(
                "summary.deep_set.invariant_layer",
                "InvariantLayer",
                4,
                mlp_widths=(4,),
            ),
            COUNTS,
        ),
        "DeepSet": Layer(
            bayes(
                "summary.deep_set",
                "DeepSet",
                4,
                embed_dim=4,
                mlp_widths=(4,),
            ),
            (*COUNTS, "dynamic-time"),
        ),
    },
}
