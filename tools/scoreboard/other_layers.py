"""Layers of the packages around Keras.

A target of the command line too: `tools/scoreboard/other_layers.py:CASES`.
"""

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

FAMILIES: dict[str, list[Row]] = {
    "keras-hub": [
        Row(
            "TransformerEncoder(8, 2)",
            ("deletes", "zero-times-nan"),
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
