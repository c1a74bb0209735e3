"""The layers of Keras that can take a sequence.

A target of the command line too: `tools/scoreboard/keras_layers.py:CASES`.
"""

import keras
import numpy as np

from tools.scoreboard.rows import IDS
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import X
from tools.scoreboard.rows import Y
from tools.scoreboard.rows import Z
from tools.scoreboard.rows import cases
from tools.scoreboard.rows import each

SEGMENTS = np.stack([X, X[:, ::-1], -X], axis=2)
# One channel: (batch, steps, width, channels).
STRIPES = SEGMENTS[..., :1]
WIDE = np.repeat(STRIPES, 2, axis=2)[:, :, :5]
STATE = [np.full((3, 5), 0.1, "float32"), np.full((3, 5), 0.2, "float32")]

# What 3.16 does to recurrent layers and wrappers.
NEXT = "next-keras"


@keras.saving.register_keras_serializable("scoreboard")
class Counter(keras.layers.Layer):
    """An RNN cell whose output is not its first state."""

    state_size = 4
    output_size = 4

    def call(self, inputs, states):
        state = states[0] + inputs
        return keras.ops.tanh(state), [state]


@keras.saving.register_keras_serializable("scoreboard")
def same_mask(inputs, mask=None):
    return mask


@keras.saving.register_keras_serializable("scoreboard")
def sum_of_real(inputs, mask=None):
    if mask is None:
        return keras.ops.sum(inputs, axis=1)
    real = keras.ops.where(mask[..., None], inputs, 0.0)
    return keras.ops.sum(real, axis=1)


def _attending(
    call: str,
    *because: str,
    pack: type = tuple,
    if_not_causal: tuple[str, ...] = (),
) -> list[Row]:
    """Values of as many steps as the queries, of fewer, and a causal mask."""
    causal = {"use_causal_mask": True}
    all_seen = because + if_not_causal
    return [
        Row(call, all_seen, "", "passes", pack([X, Y])),
        Row(call, all_seen, "shorter values", "passes", pack([X, Z])),
        Row(call, because, "causal", "passes", pack([X, Y]), causal),
    ]


FAMILIES: dict[str, list[Row]] = {
    "Core": [
        Row("Masking()", ("replaces",)),
        Row("Embedding(7, 4, mask_zero=True)", ("replaces",), inputs=IDS),
        Row("Embedding(7, 4)", ("warns",), inputs=IDS),
        Row(
            "ReversibleEmbedding(7, 4, mask_zero=True)",
            ("replaces", "not-symbolic"),
            inputs=IDS,
        ),
        Row(
            "ReversibleEmbedding(7, 4, mask_zero=True)",
            ("silent", "vectors-for-ids"),
            "reverse",
            call_kwargs={"reverse": True},
        ),
        Row("Dense(5)"),
        Row('EinsumDense("bsf,fg->bsg", (None, 5))', ("warns",)),
        Row("Identity()"),
        Row("Lambda(keras.ops.relu)", ("warns",)),
        Row(
            "Lambda(keras.ops.relu, mask=same_mask)",
            ("lambda-loaded",),
            helper=same_mask,
        ),
        Row("Lambda(sum_of_real)", ("false-warning",), helper=sum_of_real),
        Row("Rescaling(2.0, 1.0)"),
        Row("Discretization([-1.0, 0.0, 1.0])", ("warns",)),
        Row(
            "Pipeline([layers.Rescaling(2.0)])",
            ("false-warning", "not-symbolic", "explicit-lost"),
        ),
    ],
    "Activation": [
        *each(
            [
                "Activation('relu')",
                "Activation('softmax')",
                "Activation('linear')",
                "ReLU()",
                "LeakyReLU()",
                "ELU()",
                "PReLU(shared_axes=[1])",
                "PReLU()",
            ]
        ),
        *each(["Softmax()", "Softmax(axis=1)"], "softmax-shape"),
    ],
    "Normalization": [
        *each(
            [
                "BatchNormalization()",
                "BatchNormalization(renorm=True)",
                "LayerNormalization()",
            ]
        ),
        *each(
            [
                "LayerNormalization(axis=[1, 2])",
                "GroupNormalization(groups=2)",
                "GroupNormalization(groups=1)",
                "GroupNormalization(groups=-1)",
                "UnitNormalization(axis=1)",
            ],
            "statistics",
        ),
        Row("RMSNormalization()", ("warns",)),
        Row("UnitNormalization()", ("zero-vector",)),
        Row("Normalization(mean=0.5, variance=2.0)", ("kept-tensor",)),
        Row(
            "SpectralNormalization(layers.Dense(5))",
            ("false-warning", "not-symbolic", "cast-copies"),
        ),
        Row(
            "SpectralNormalization(layers.Conv1D(5, 3, padding='same'))",
            ("warns", "windows"),
        ),
    ],
    "Regularization": [
        *each(
            [
                "Dropout(0.5)",
                "SpatialDropout1D(0.5)",
                "GaussianNoise(0.5)",
                "GaussianDropout(0.5)",
                "AlphaDropout(0.5)",
            ]
        ),
        Row("ActivityRegularization(l2=0.1)", ("penalty", "numpy-penalty")),
    ],
    "Reshaping": [
        *each(
            ["Reshape((6, 4))", "Reshape((-1, 4))", "Permute((1, 2))"],
            "warns",
            "jax-no-op",
        ),
        *each(["Reshape((-1, 2, 2))", "Flatten()"], "warns"),
        Row("Permute((2, 1))", ("warns", "moves-steps")),
        *each(["Cropping1D(1)", "UpSampling1D(2)"], "warns"),
        Row("ZeroPadding1D(1)", ("warns", "windows")),
    ],
    "Convolution": [
        *each(
            [
                "Conv1D(5, 3)",
                "Conv1D(5, 3, strides=2)",
                "Conv1D(5, 1)",
            ],
            "warns",
        ),
        *each(
            [
                "Conv1D(5, 3, padding='same')",
                "Conv1D(5, 3, padding='causal')",
                "Conv1D(5, 3, padding='same', strides=2)",
                "Conv1D(5, 3, padding='same', dilation_rate=2)",
                "Conv1D(4, 3, padding='same', groups=2)",
                "DepthwiseConv1D(3, padding='same')",
                "SeparableConv1D(5, 3, padding='same')",
                "Conv1DTranspose(5, 3)",
            ],
            "warns",
            "windows",
        ),
        *each(
            ["DepthwiseConv1D(3)", "SeparableConv1D(5, 3)"],
            "warns",
            "short-depthwise",
        ),
        Row(
            "Conv1DTranspose(5, 3, strides=2, padding='same')",
            ("warns", "transpose-on-torch"),
        ),
    ],
    "Pooling": [
        *each(["MaxPooling1D(2)", "AveragePooling1D(2)"], "warns"),
        *each(
            [
                "MaxPooling1D(3, 1, padding='same')",
                "AveragePooling1D(3, 1, padding='same')",
                "GlobalMaxPooling1D()",
                "GlobalMaxPooling1D(keepdims=True)",
                "AdaptiveAveragePooling1D(2)",
                "AdaptiveMaxPooling1D(2)",
            ],
            "warns",
            "windows",
        ),
        *each(
            [
                "GlobalAveragePooling1D()",
                "GlobalAveragePooling1D(keepdims=True)",
            ],
            "empty-mean",
            "half-sum",
            "times-mask",
        ),
    ],
    "Merging": [
        *each(
            ["Add()", "Subtract()", "Average()", "Concatenate()"],
            "or-mask",
            "unmasked-input",
            inputs=[X, Y],
        ),
        *each(
            ["Multiply()", "Maximum()", "Minimum()"],
            "unmasked-input",
            inputs=[X, Y],
        ),
        Row("Concatenate(axis=1)", inputs=[X, Z]),
        Row("Dot(axes=1)", ("dot",), inputs=[X, Y]),
        Row("Dot(axes=2)", ("dot",), inputs=[X, Z]),
    ],
    "Attention": [
        *_attending("Attention()", "zero-times-nan", pack=list),
        *_attending(
            "Attention(score_mode='concat', use_scale=True)",
            "zero-times-nan",
            pack=list,
        ),
        *_attending("AdditiveAttention()", "zero-times-nan", pack=list),
        *_attending(
            "MultiHeadAttention(2, 3)",
            "deletes",
            "query-mask",
            "zero-times-nan",
            "no-key-openvino",
        ),
        *_attending(
            "MultiHeadAttention(2, 3, dropout=0.3)",
            "deletes",
            "query-mask",
            "zero-times-nan",
            if_not_causal=("half-scores",),
        ),
        *_attending(
            "GroupQueryAttention(3, 2, 1)",
            "false-warning",
            "zero-times-nan",
            "no-key-openvino",
        ),
        *_attending(
            "GroupQueryAttention(3, 2, 1, dropout=0.3)",
            "false-warning",
            "zero-times-nan",
        ),
    ],
    "Recurrent": [
        *each(
            [
                f"{kind}(5{arguments})"
                for kind in ("SimpleRNN", "GRU", "LSTM")
                for arguments in ("", ", go_backwards=True")
            ],
            NEXT,
        ),
        *each(
            [
                f"{kind}(5, return_sequences=True{arguments})"
                for kind in ("SimpleRNN", "GRU", "LSTM")
                for arguments in ("", ", unroll=True")
            ],
            NEXT,
        ),
        *each(
            [
                f"{kind}(5, return_sequences=True, go_backwards=True)"
                for kind in ("SimpleRNN", "GRU", "LSTM")
            ],
            "not-reversed",
            NEXT,
        ),
        *each(["LSTM(5, return_state=True)", "LSTM(5, stateful=True)"], NEXT),
        Row(
            "LSTM(5, return_sequences=True, go_backwards=True, unroll=True)",
            ("unrolled", "not-reversed", NEXT),
        ),
        Row("GRU(5, return_sequences=True, reset_after=False)", (NEXT,)),
        Row(
            "LSTM(5)",
            ("initial-state", NEXT),
            "initial state",
            call_kwargs={"initial_state": STATE},
        ),
        Row(
            "LSTM(5, return_sequences=True)",
            ("initial-state", NEXT),
            "initial state",
            call_kwargs={"initial_state": STATE},
        ),
        *each(
            [
                "RNN(layers.LSTMCell(5))",
                "RNN([layers.LSTMCell(5), layers.LSTMCell(4)])",
                "RNN([layers.GRUCell(5), layers.GRUCell(5)])",
                "RNN([layers.GRUCell(5), layers.GRUCell(3)])",
            ],
            NEXT,
        ),
        *each(
            [
                "RNN(layers.LSTMCell(5), return_sequences=True)",
                "RNN(layers.LSTMCell(5), return_sequences=True,"
                " zero_output_for_mask=True)",
                "RNN([layers.LSTMCell(5), layers.LSTMCell(4)],"
                " return_sequences=True)",
            ],
            NEXT,
        ),
        Row("RNN(Counter())", ("first-state", NEXT), helper=Counter),
        Row("Bidirectional(layers.LSTM(5))", (NEXT,)),
        *each(
            [
                "Bidirectional(layers.LSTM(5, return_sequences=True))",
                "Bidirectional(layers.GRU(5, return_sequences=True),"
                " merge_mode='sum')",
                "Bidirectional(layers.LSTM(5, return_sequences=True),"
                " merge_mode=None)",
            ],
            NEXT,
        ),
        Row(
            "Bidirectional(layers.LSTM(5, return_sequences=True,"
            " return_state=True))",
            ("half-state", NEXT),
        ),
        Row(
            "Bidirectional(layers.LSTM(5, return_sequences=True, unroll=True))",
            ("unrolled", NEXT),
        ),
    ],
    "Segments": [
        Row("TimeDistributed(layers.Dense(5))", (NEXT,)),
        Row(
            "TimeDistributed(layers.BatchNormalization())",
            ("steps-of-padding", NEXT),
        ),
        *each(
            [
                "TimeDistributed(layers.LSTM(5))",
                "TimeDistributed(layers.GlobalAveragePooling1D())",
            ],
            "outer-mask",
            what="segments",
            inputs=SEGMENTS,
        ),
        *each(
            [
                "TimeDistributed(layers.Conv1D(5, 2))",
                "TimeDistributed(layers.Dense(5))",
            ],
            NEXT,
            what="segments",
            inputs=SEGMENTS,
        ),
        *each(
            ["Dense(5)", "LayerNormalization()"],
            what="segments",
            inputs=SEGMENTS,
        ),
        Row(
            "BatchNormalization()",
            ("batch-norm-rank",),
            what="segments",
            inputs=SEGMENTS,
        ),
        Row(
            "ConvLSTM1D(2, 3, padding='same')",
            ("conv-lstm-jax", NEXT),
            inputs=WIDE,
        ),
        Row(
            "ConvLSTM1D(2, 3, padding='same', return_sequences=True)",
            ("conv-lstm-jax", NEXT),
            inputs=WIDE,
        ),
        Row(
            "ConvLSTM1D(2, 3, padding='same', return_sequences=True)",
            ("conv-lstm-jax", NEXT),
            "width = batch",
            inputs=STRIPES,
        ),
    ],
}

CASES = cases(FAMILIES)

# What CI checks anew, sound and broken.
TEN = [
    case
    for case in CASES
    if case.name
    in {
        "Masking()",
        "Dense(5)",
        "Softmax()",
        "BatchNormalization()",
        "GroupNormalization(groups=2)",
        "Conv1D(5, 3, padding='same')",
        "GlobalAveragePooling1D()",
        "Add()",
        "MultiHeadAttention(2, 3)",
        "LSTM(5), initial state",
    }
]
