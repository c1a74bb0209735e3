"""Our layers as cases of the contract: what `keras-masking check` checks."""

from typing import Any

import numpy as np

from keras_masking import layers
from keras_masking.contract import Case

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
IDS = np.array(
    [[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 0, 0], [5, 0, 0, 0, 0, 0]], "int32"
)
LENGTHS = np.array([6, 4, 1], "int32")
COLUMNS = "cuts columns of the padded array, as its Keras namesake does"


def _case(name: str, expression: str, **options: Any) -> Case:
    """A case of a line of Python that makes the layer."""
    return Case(
        lambda: eval(expression, {"layers": layers}),
        name=name,
        script=f"from keras_masking import layers\nlambda: {expression}",
        **options,
    )


MASK_CASES = [
    _case("AttachMask", "layers.AttachMask()", role="passes"),
    _case("GetMask", "layers.GetMask()", role="drops"),
    _case(
        "LengthMask",
        "layers.LengthMask()",
        role="generates",
        inputs=[X, LENGTHS],
        columns=True,
        reason="lengths count the first columns, so its padding is right",
    ),
    _case(
        "CustomEmbedding",
        "layers.CustomEmbedding(7, 4, mask_zero=True)",
        role="generates",
        inputs=IDS,
    ),
    _case(
        "CustomEmbedding-unmasked",
        "layers.CustomEmbedding(7, 4)",
        role="passes",
        inputs=IDS,
    ),
    _case("MyActivation", "layers.MyActivation()", role="passes"),
    _case("TemporalSoftmax", "layers.TemporalSoftmax()", role="passes"),
    _case(
        "TemporalSplit",
        "layers.TemporalSplit(2)",
        role="transforms",
        columns=True,
        reason=COLUMNS,
    ),
    _case(
        "TemporalSplit-indices",
        "layers.TemporalSplit([2])",
        role="transforms",
        columns=True,
        reason=COLUMNS,
    ),
    *(
        _case(name + suffix, f"layers.{name}({arguments})", role=role)
        for name in (
            "MaskedGlobalAveragePooling1D",
            "MaskedGlobalMaxPooling1D",
            "MaskedGlobalMinPooling1D",
            "MaskedGlobalSumPooling1D",
            "FirstStep",
            "LastStep",
        )
        for suffix, arguments, role in (
            ("", "", "reduces"),
            ("-keepdims", "keepdims=True", "transforms"),
        )
    ),
    *(
        _case(
            f"MaskedConv1D-{name}",
            f"layers.MaskedConv1D(5, 3, {arguments})",
            role="transforms",
        )
        for name, arguments in (
            ("valid", ""),
            ("same", 'padding="same"'),
            ("causal", 'padding="causal"'),
            ("valid-strides", "strides=2"),
            ("same-strides", 'padding="same", strides=2'),
            ("same-dilation", 'padding="same", dilation_rate=2'),
        )
    ),
]
