"""Layers of the packages around Keras.

A target of the command line too: `tools/scoreboard/other_layers.py:CASES`.
"""

import numpy as np

from tools.scoreboard.rows import IDS
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import X
from tools.scoreboard.rows import Y
from tools.scoreboard.rows import Z
from tools.scoreboard.rows import cases
from tools.scoreboard.rows import each

HUB = "keras_hub.layers"
RS = "keras_rs.layers"
TCN = "tcn"
SELF_ATTENTION = "keras_self_attention"
BAYES = "bayesflow.networks"
SHAPELETS = "tslearn.shapelets.shapelets"

FAMILIES: dict[str, list[Row]] = {
    "keras-hub": [
        Row(
            "TransformerEncoder(8, 2)",
            ("deletes", "zero-times-nan"),
            module=HUB,
        ),
        Row(
            "TransformerEncoder(8, 2)",
            ("zero-times-nan",),
            "by `padding_mask`",
            mask_argument="padding_mask",
            module=HUB,
        ),
        Row(
            "TransformerDecoder(8, 2)",
            ("false-warning", "zero-times-nan"),
            module=HUB,
        ),
        Row(
            "TransformerDecoder(8, 2)",
            ("false-warning", "zero-times-nan"),
            "with an encoder's sequence",
            "passes",
            (X, Z),
            module=HUB,
        ),
        Row(
            "CachedMultiHeadAttention(2, 3)",
            ("attention-mask-only",),
            role="passes",
            inputs=(X, Y),
            module=HUB,
        ),
        Row("FNetEncoder(8)", ("warns", "windows"), module=HUB),
        *each(
            [
                "PositionEmbedding(400)",
                "SinePositionEncoding()",
                "RotaryEmbedding()",
            ],
            "warns",
            "columns",
            module=HUB,
        ),
        Row("RMSNormalization(4)", ("warns", "config-lost"), module=HUB),
        Row(
            "TokenAndPositionEmbedding(7, 400, 4, mask_zero=True)",
            ("false-warning", "replaces", "columns", "other-mask"),
            inputs=IDS,
            module=HUB,
        ),
        Row(
            "ReversibleEmbedding(7, 4, mask_zero=True)",
            ("replaces", "not-symbolic"),
            inputs=IDS,
            module=HUB,
        ),
    ],
    "keras-rs": [
        Row("FeatureCross()", module=RS),
        Row("EmbedReduce(7, 4)", ("warns", "windows"), inputs=IDS, module=RS),
        *each(
            [
                "EmbedReduce(7, 4, mask_zero=True)",
                "EmbedReduce(7, 4, combiner='sum', mask_zero=True)",
            ],
            "stale-mask",
            "replaces",
            "padding-summed",
            inputs=IDS,
            module=RS,
        ),
    ],
    "keras-tcn": each(
        [
            "TCN(4, 3, dilations=[1, 2])",
            "TCN(4, 3, dilations=[1, 2], return_sequences=True)",
            "TCN(4, 3, dilations=[1, 2], return_sequences=True,"
            " padding='same')",
        ],
        "warns",
        "windows",
        module=TCN,
    ),
    "mingru-keras": [
        Row(
            "MinGRU(4)",
            ("warns", "windows", "static-steps-in-graphs"),
            module="mingru_keras.core",
        )
    ],
    "keras-bio": [
        Row(
            "ProtT5LayerNorm(4)",
            ("warns",),
            module="keras_bio.protein.prot_t5.layers",
        ),
        Row(
            "HyenaOperator(layers.HyenaDNAConfig(d_model=4, d_inner=8,"
            " max_seq_len=64, filter_order=4))",
            ("warns", "windows", "fourier", "static-steps-in-graphs"),
            module="keras_bio.dna.hyena",
        ),
    ],
    "k3-node": [
        Row(
            "SetAttentionBlock(4, 2)",
            ("deletes", "zero-times-nan", "explicit-differs"),
            module="k3_node.layers.aggr.utils",
        )
    ],
    "tslearn": [
        Row("PatchingLayer(3)", ("warns", "static-steps"), module=SHAPELETS),
        *each(
            ["GlobalMinPooling1D()", "GlobalArgminPooling1D()"],
            "mask-of-features",
            module=SHAPELETS,
        ),
    ],
    "bayesflow": [
        Row(
            "FiLM(4)",
            ("warns",),
            inputs=[X, X[:, :1, :3]],
            sequences=[0],
            module=f"{BAYES}.helpers.embeddings",
        ),
        Row(
            "SetAttention(embed_dim=4, num_heads=2)",
            ("zero-times-nan",),
            call_kwargs={"attention_mask": np.ones((3, 6, 6), bool)},
            mask_argument="attention_mask",
            module=f"{BAYES}.summary.transformers.attention",
        ),
        Row(
            "InvariantLayer(4, mlp_widths=(4,))",
            ("warns", "windows"),
            module=f"{BAYES}.summary.deep_set.invariant_layer",
        ),
        Row(
            "DeepSet(4, embed_dim=4, mlp_widths=(4,))",
            ("warns", "windows", "static-steps"),
            module=f"{BAYES}.summary.deep_set",
        ),
    ],
    "keras-self-attention": [
        *each(
            [
                "SeqSelfAttention()",
                "SeqSelfAttention(attention_type='multiplicative')",
            ],
            "tensorflow-only",
            "padding-summed",
            module=SELF_ATTENTION,
        ),
        Row(
            "SeqWeightedAttention()",
            ("tensorflow-only", "minus-10000", "float32-inside"),
            module=SELF_ATTENTION,
        ),
        Row(
            "ScaledDotProductAttention()",
            ("tensorflow-only", "minus-10000", "float32-inside"),
            module=SELF_ATTENTION,
        ),
    ],
}

CASES = cases(FAMILIES)
