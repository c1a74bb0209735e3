"""Our layers as cases for the contract checks: `keras-masking check`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_masking import layers
from keras_masking.contract import Case
from keras_masking.contract.backends.targets import resolve

X = np.random.default_rng(0).normal(size=(3, 6, 4)).round(2).astype("float32")
POOLINGS = (
    "MaskedGlobalAveragePooling1D",
    "MaskedGlobalMaxPooling1D",
    "MaskedGlobalMinPooling1D",
    "MaskedGlobalSumPooling1D",
    "FirstStep",
    "LastStep",
)
POTENTIALS = np.stack([X, X[::-1], X[:, ::-1], -X], axis=2)
IDS = np.array(
    [[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 0, 0], [5, 0, 0, 0, 0, 0]], "int32"
)
LENGTHS = np.array([6, 4, 1], "int32")
SEGMENTS = np.stack([X, X[:, ::-1]], axis=2)
GAPS = X.copy()
GAPS[0, 1], GAPS[1, 2, 0], GAPS[2, 3:] = np.nan, np.nan, np.nan
CAUSAL = {"use_causal_mask": True}
COLUMNS = "splits columns of the padded array, like the Keras guide's layer"
CROPS = "crops columns of the padded array, like its Keras namesake"
ASSERTS = "raises if no mask arrives, so there is nothing to check without one"
COUNTED = "lengths count from the first column, so padding is on the right"


def _case(call: str, role: str, **options: Any) -> Case:
    (case,) = resolve(f"keras_masking.layers:{call}")
    return replace(case, role=role, **options)


def _around(
    call: str, make: Callable[[], keras.layers.Layer], role: str, **options: Any
) -> Case:
    """A wrapper, whose expression is more than a call with literals."""
    script = f"import keras\nfrom keras_masking import layers\nlambda: {call}"
    return Case(make, name=call, role=role, script=script, **options)


def _rnn(kind: str, role: str = "passes", **config: Any) -> Case:
    """`KeepMask` around a Keras recurrent layer."""
    arguments = "".join(f", {k}={v!r}" for k, v in config.items())
    return _around(
        f"layers.KeepMask(keras.layers.{kind}(3{arguments}))",
        lambda: layers.KeepMask(getattr(keras.layers, kind)(3, **config)),
        role,
    )


MASK_CASES = [
    _case("AttachMask()", "passes"),
    _case("GetMask()", "drops"),
    _case(
        "LengthMask()",
        "generates",
        inputs=[X, LENGTHS],
        columns=True,
        reason=COUNTED,
    ),
    _case("CustomEmbedding(7, 4, mask_zero=True)", "generates", inputs=IDS),
    _case("CustomEmbedding(7, 4, mask_value=[0, -1])", "generates", inputs=IDS),
    _case("CustomEmbedding(7, 4)", "passes", inputs=IDS),
    _case("MyActivation()", "passes"),
    _case("TemporalSoftmax()", "passes"),
    _case("LinearChainCRF(4, initializer='ones')", "passes"),
    _case("ViterbiDecode()", "passes", inputs=POTENTIALS),
    _case("TemporalSplit(2)", "transforms", columns=True, reason=COLUMNS),
    _case("TemporalSplit([2])", "transforms", columns=True, reason=COLUMNS),
    *(
        _case(f"{name}({arguments})", role)
        for name in POOLINGS
        for arguments, role in (
            ("", "reduces"),
            ("keepdims=True", "transforms"),
        )
    ),
    *(
        _case(call, "transforms", packed_gap=gap, packed_align=align)
        for call, gap, align in (
            ("MaskedConv1D(5, 3)", 1, 1),
            ("MaskedConv1D(5, 3, padding='same')", 1, 1),
            ("MaskedConv1D(5, 3, padding='causal')", 2, 1),
            ("MaskedConv1D(5, 3, strides=2)", 1, 2),
            ("MaskedConv1D(5, 3, padding='same', strides=2)", 2, 2),
            ("MaskedConv1D(5, 3, padding='same', dilation_rate=2)", 2, 1),
            ("MaskedDepthwiseConv1D(3)", 1, 1),
            (
                "MaskedDepthwiseConv1D(3, padding='same', depth_multiplier=2)",
                1,
                1,
            ),
            ("MaskedSeparableConv1D(5, 3)", 1, 1),
            ("MaskedSeparableConv1D(5, 3, padding='same', strides=2)", 2, 2),
            ("MaskedConv1DTranspose(5, 3)", 3, 1),
            ("MaskedConv1DTranspose(5, 3, strides=2)", 2, 1),
            ("MaskedConv1DTranspose(5, 3, strides=2, padding='same')", 1, 1),
            ("MaskedAveragePooling1D(2)", 1, 2),
            ("MaskedAveragePooling1D(3, strides=1, padding='same')", 1, 1),
            ("MaskedMaxPooling1D(2)", 1, 2),
            ("MaskedMaxPooling1D(3, strides=2, padding='same')", 2, 2),
            ("MaskedUpSampling1D(2)", 1, 1),
        )
    ),
    _case("MaskedZeroPadding1D((1, 2))", "transforms"),
    _case("CompactSteps()", "transforms"),
    _case("MaskedCropping1D((1, 2))", "transforms", columns=True, reason=CROPS),
    _case("TemporalReverse()", "passes"),
    _case("TemporalConcatenate()", "merges", inputs=[X, X[:, :5]]),
    _case("MaskedAdd()", "merges", inputs=[X, X[::-1]]),
    _case("MaskedMultiply()", "merges", inputs=[X, X[::-1]]),
    _case("RepeatVectorLike()", "passes", inputs=[LENGTHS / 4, X]),
    _case("MaskedConcatenate()", "merges", inputs=[X, X[::-1]]),
    _case("MaskedConcatenate(1)", "merges", inputs=[X, X[:, :5]]),
    *(
        _case(call, "passes", inputs=inputs)
        for call in (
            "MaskedMultiHeadAttention(2, 3)",
            "MaskedMultiHeadAttention(2, 3, dropout=0.3)",
            "MaskedGroupQueryAttention(3, 2, 1)",
        )
        for inputs in ((X, X[::-1]), (X, X[:, :5]))
    ),
    _case(
        "MaskedMultiHeadAttention(2, 3)",
        "passes",
        inputs=(X, X[:, :5]),
        call_kwargs={"return_attention_scores": True},
    ),
    _case(
        "MaskedMultiHeadAttention(2, 3, causal_alignment='end')",
        "passes",
        inputs=(X[:, :4], X),
        call_kwargs={"use_causal_mask": True},
    ),
    *(
        _case(call, "passes", inputs=inputs)
        for call in (
            "MaskedAttention(use_scale=True)",
            "MaskedAttention(score_mode='concat')",
            "MaskedAdditiveAttention()",
        )
        for inputs in ([X, X[::-1]], [X, X[:, :5]])
    ),
    _case(
        "MaskedAttention(causal_alignment='end')",
        "passes",
        inputs=[X[:, :4], X],
        call_kwargs={"use_causal_mask": True},
    ),
    _case("ApplyMask()", "passes"),
    _case("DropMask()", "drops"),
    _case("RequireMask()", "passes", requires_mask=True, reason=ASSERTS),
    *(
        _case(f"MaskedGroupNormalization({groups})", "passes")
        for groups in (1, 2, -1)
    ),
    _case("StatisticsPooling1D()", "reduces"),
    _case("AttentionPooling1D(2)", "reduces"),
    _case("AttentionPooling1D(hidden_dim=3)", "reduces"),
    _case("MaskedGlobalAveragePooling1D(weighting='position')", "reduces"),
    _case("MaskedGlobalAveragePooling1D(weighting='sqrtn')", "reduces"),
    _case("MaskedPositionEmbedding(400)", "passes"),
    _case("MaskedSinePositionEncoding()", "passes"),
    _case("NaNMask()", "generates", inputs=GAPS),
    _case("NaNMask(return_indicator=True)", "generates", inputs=GAPS),
    _case("NaNMask(missing='any')", "generates", inputs=GAPS),
    _case("MaskedLSTM(3, return_sequences=True)", "passes"),
    _case("MaskedLSTM(3, return_state=True)", "reduces"),
    _case("MaskedGRU(3)", "reduces"),
    _case("MaskedGRU(3, return_sequences=True, go_backwards=True)", "passes"),
    _case("MaskedSimpleRNN(3, return_sequences=True)", "passes"),
    _around(
        "layers.MaskedBidirectional("
        "keras.layers.LSTM(3, return_sequences=True))",
        lambda: layers.MaskedBidirectional(
            keras.layers.LSTM(3, return_sequences=True)
        ),
        "passes",
    ),
    _rnn("SimpleRNN", return_sequences=True, return_state=True),
    _around(
        "layers.KeepMask(keras.layers.RMSNormalization())",
        lambda: layers.KeepMask(keras.layers.RMSNormalization()),
        "passes",
    ),
    _around(
        "layers.KeepMask(keras.layers.Add())",
        lambda: layers.KeepMask(keras.layers.Add()),
        "merges",
        inputs=[X, X[::-1]],
    ),
    _around(
        "layers.MaskedTimeDistributed(keras.layers.Dense(3))",
        lambda: layers.MaskedTimeDistributed(keras.layers.Dense(3)),
        "passes",
    ),
    _around(
        "layers.MaskedTimeDistributed(keras.layers.BatchNormalization())",
        lambda: layers.MaskedTimeDistributed(keras.layers.BatchNormalization()),
        "passes",
    ),
    _around(
        "layers.KeepMask(keras.layers.BatchNormalization())",
        lambda: layers.KeepMask(keras.layers.BatchNormalization()),
        "passes",
    ),
    _around(
        "layers.MaskedTimeDistributed(keras.layers.SimpleRNN(3))",
        lambda: layers.MaskedTimeDistributed(keras.layers.SimpleRNN(3)),
        "passes",
        inputs=SEGMENTS,
    ),
    _around(
        "layers.MaskedTimeDistributed(layers.TemporalSplit(2))",
        lambda: layers.MaskedTimeDistributed(layers.TemporalSplit(2)),
        "passes",
        inputs=SEGMENTS,
    ),
    _around(
        "layers.KeepMask(keras.Sequential([layers.DropMask(), "
        "layers.KeepMask(keras.layers.BatchNormalization())]))",
        lambda: layers.KeepMask(
            keras.Sequential(
                [
                    layers.DropMask(),
                    layers.KeepMask(keras.layers.BatchNormalization()),
                ]
            )
        ),
        "passes",
    ),
]
# Layers that take packed rows, for the checks of these.
PACKED_CASES = [
    *(
        _case(f"{name}(max_segments=3)", "transforms")
        for name in (*POOLINGS, "StatisticsPooling1D", "AttentionPooling1D")
    ),
    *(
        _case(call, "passes")
        for call in (
            "TemporalReverse(packed=True)",
            "TemporalSoftmax(packed=True)",
            "MaskedGroupNormalization(2, packed=True)",
            "MaskedPositionEmbedding(400, packed=True)",
            "MaskedSinePositionEncoding(packed=True)",
            "MaskedLSTM(3, return_sequences=True, packed=True)",
            "MaskedGRU(3, return_sequences=True, packed=True)",
            "MaskedSimpleRNN(3, return_sequences=True, packed=True)",
        )
    ),
    *(
        _case(call, "passes", inputs=inputs, call_kwargs=CAUSAL)
        for call, inputs in (
            ("MaskedMultiHeadAttention(2, 3, packed=True)", (X, X[::-1])),
            ("MaskedGroupQueryAttention(3, 2, 1, packed=True)", (X, X[::-1])),
            ("MaskedAttention(packed=True)", [X, X[::-1]]),
            ("MaskedAdditiveAttention(packed=True)", [X, X[:, :5]]),
        )
    ),
    _around(
        "layers.MaskedBidirectional("
        "keras.layers.LSTM(3, return_sequences=True), packed=True)",
        lambda: layers.MaskedBidirectional(
            keras.layers.LSTM(3, return_sequences=True), packed=True
        ),
        "passes",
    ),
]
