"""Our layers as cases of the contract: what `keras-masking check` checks."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking.contract import Case
from keras_masking.contract.targets import resolve

X = np.random.default_rng(0).normal(size=(3, 6, 4)).round(2).astype("float32")
IDS = np.array(
    [[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 0, 0], [5, 0, 0, 0, 0, 0]], "int32"
)
LENGTHS = np.array([6, 4, 1], "int32")
GAPS = X.copy()
GAPS[0, 1], GAPS[1, 2, 0], GAPS[2, 3:] = np.nan, np.nan, np.nan
COLUMNS = "cuts columns of the padded array, as its Keras namesake does"
CROPS = "crops columns of the padded array, as its Keras namesake does"
COUNTED = "lengths count the first columns, so its padding is on the right"


def _case(call: str, role: str, **options: Any) -> Case:
    (case,) = resolve(f"keras_masking.layers:{call}")
    return replace(case, role=role, **options)


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
    _case("TemporalSplit(2)", "transforms", columns=True, reason=COLUMNS),
    _case("TemporalSplit([2])", "transforms", columns=True, reason=COLUMNS),
    *(
        _case(f"{name}({arguments})", role)
        for name in (
            "MaskedGlobalAveragePooling1D",
            "MaskedGlobalMaxPooling1D",
            "MaskedGlobalMinPooling1D",
            "MaskedGlobalSumPooling1D",
            "FirstStep",
            "LastStep",
        )
        for arguments, role in (
            ("", "reduces"),
            ("keepdims=True", "transforms"),
        )
    ),
    *(
        _case(f"MaskedConv1D(5, 3{arguments})", "transforms")
        for arguments in (
            "",
            ", padding='same'",
            ", padding='causal'",
            ", strides=2",
            ", padding='same', strides=2",
            ", padding='same', dilation_rate=2",
        )
    ),
    *(
        _case(f"{name}({arguments})", "transforms")
        for name, arguments in (
            ("MaskedDepthwiseConv1D", "3"),
            ("MaskedDepthwiseConv1D", "3, padding='same', depth_multiplier=2"),
            ("MaskedSeparableConv1D", "5, 3"),
            ("MaskedSeparableConv1D", "5, 3, padding='same', strides=2"),
            ("MaskedConv1DTranspose", "5, 3"),
            ("MaskedConv1DTranspose", "5, 3, strides=2"),
            ("MaskedConv1DTranspose", "5, 3, strides=2, padding='same'"),
            ("MaskedAveragePooling1D", "2"),
            ("MaskedAveragePooling1D", "3, strides=1, padding='same'"),
            ("MaskedMaxPooling1D", "2"),
            ("MaskedMaxPooling1D", "3, strides=2, padding='same'"),
            ("MaskedZeroPadding1D", "(1, 2)"),
            ("MaskedUpSampling1D", "2"),
            ("CompactSteps", ""),
        )
    ),
    _case("MaskedCropping1D((1, 2))", "transforms", columns=True, reason=CROPS),
    _case("TemporalReverse()", "passes"),
    _case("TemporalConcatenate()", "merges", inputs=[X, X[:, :5]]),
    _case("MaskedAdd()", "merges", inputs=[X, X[::-1]]),
    _case("MaskedMultiply()", "merges", inputs=[X, X[::-1]]),
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
    *(
        _case(call, "passes", inputs=inputs)
        for call in (
            "MaskedAttention(use_scale=True)",
            "MaskedAttention(score_mode='concat')",
            "MaskedAdditiveAttention()",
        )
        for inputs in ([X, X[::-1]], [X, X[:, :5]])
    ),
    _case("ApplyMask()", "passes"),
    _case("DropMask()", "drops"),
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
]
