"""Layers of the packages for the kit, and the failures that are true.

Each was read in the package's code, or tried by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from keras_masking.contract import Case

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
FLAT = X[:, 0, :3]


@dataclass(frozen=True)
class Layer:
    """A layer, how to call it, and the checks that it fails.

    Attributes:
        make: Makes the layer.
        fails: The checks that it truly fails, on at least one backend.
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


def with_config(module: str, name: str, config: str, **values: Any) -> Any:
    """Makes a layer that takes a config of its module."""

    def make() -> Any:
        home = import_module(module)
        return getattr(home, name)(getattr(home, config)(**values))

    return make


HUB, RS, BAYES = "keras_hub.layers", "keras_rs.layers", "bayesflow.networks"
HYENA = {"d_model": 4, "d_inner": 8, "max_seq_len": 64, "filter_order": 4}

LAYERS: dict[str, dict[str, Layer]] = {
    "keras-hub": {
        "TransformerEncoder": Layer(of(HUB, "TransformerEncoder", 8, 2)),
        "TransformerEncoder, normalize_first": Layer(
            of(HUB, "TransformerEncoder", 8, 2, normalize_first=True)
        ),
        "TransformerEncoder by padding_mask": Layer(
            of(HUB, "TransformerEncoder", 8, 2),
            options=(("mask_argument", "padding_mask"),),
        ),
    },
    "keras-rs": {
        "FeatureCross": Layer(of(RS, "FeatureCross")),
        "DotInteraction": Layer(
            of(RS, "DotInteraction"),
            options=(("inputs", [FLAT, FLAT]), ("sequences", [])),
        ),
    },
    "keras-tcn": {
        "TCN": Layer(
            of("tcn", "TCN", 4, 3, dilations=[1, 2], return_sequences=True)
        ),
    },
    "mingru-keras": {"MinGRU": Layer(of("mingru_keras.core", "MinGRU", 4))},
    "keras-bio": {
        "ProtT5LayerNorm": Layer(
            of("keras_bio.protein.prot_t5.layers", "ProtT5LayerNorm", 4)
        ),
        "HyenaOperator": Layer(
            with_config(
                "keras_bio.dna.hyena",
                "HyenaOperator",
                "HyenaDNAConfig",
                **HYENA,
            )
        ),
    },
    "k3-node": {
        "SetAttentionBlock": Layer(
            of("k3_node.layers.aggr.utils", "SetAttentionBlock", 4, 2)
        ),
    },
    "tslearn": {
        "GlobalMinPooling1D": Layer(
            of("tslearn.shapelets.shapelets", "GlobalMinPooling1D")
        ),
        "PatchingLayer": Layer(
            of("tslearn.shapelets.shapelets", "PatchingLayer", 3)
        ),
    },
    "kgcnn": {
        "cast by a mask": Layer(
            of(
                "kgcnn.layers.casting",
                "CastBatchedAttributesToDisjoint",
                uses_mask=True,
            ),
            options=(
                ("inputs", [X, np.ones((3, 6), bool)]),
                ("mask_argument", 1),
            ),
        ),
    },
    "bayesflow": {
        "FiLM": Layer(
            of("bayesflow.networks.helpers.embeddings", "FiLM", 4),
            options=(("inputs", [X, FLAT]), ("sequences", [0])),
        ),
        "SetAttention": Layer(
            of(
                "bayesflow.networks.summary.transformers.attention",
                "SetAttention",
                embed_dim=4,
                num_heads=2,
            ),
            options=(("mask_argument", "attention_mask"),),
        ),
        "InvariantLayer": Layer(
            of(
                "bayesflow.networks.summary.deep_set",
                "InvariantLayer",
                4,
                mlp_widths=(4,),
            )
        ),
    },
}
