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
COLUMNS = "cuts columns of the padded array, as its Keras namesake does"
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
]
