"""A model of Keras' layers, made anew with ours where Keras lets padding in."""

import warnings

import keras

from keras_masking.conversion.carrying import carry
from keras_masking.conversion.report import ConversionReport as ConversionReport
from keras_masking.conversion.walk import Walk
from keras_masking.conversion.walk import sentence


def convert(model: keras.Model) -> tuple[keras.Model, ConversionReport]:
    """Clones a model, with layers of ours where Keras' let padding in.

    A layer is replaced where a mask reaches it; where none does, and where
    Keras is right, it stays. Recurrent layers, which Keras 3.16 stops from
    passing masks on, get `KeepMask` around them; sums and products of tensors
    become `MaskedAdd` and `MaskedMultiply`. Weights are carried over, `model`
    stays as it is, and a compiled one is compiled anew, without the state of
    its optimizer.

    Without padding the clone predicts what `model` does, with padding the same
    again. The one exception is a convolution or maximum with `padding="same"`
    whose strides don't divide the number of steps, see `MaskedConv1D`. Losses
    and metrics stay: see `MaskedLoss` and `MaskedMetric`.

    Args:
        model: Functional or Sequential model that is built. Models in it are
            converted too.

    Returns:
        The new model, and a `ConversionReport` to print: what was replaced,
        and what was left although it loses the mask or lets padding in.

    Raises:
        ValueError: If `model` is subclassed, or not built, or has a layer with
            weights that cannot be made anew from its config.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((None,)),
    ...     keras.layers.Embedding(9, 4, mask_zero=True),
    ...     keras.layers.GroupNormalization(2, name="norm"),
    ...     keras.layers.GlobalAveragePooling1D(name="pool"),
    ... ])
    >>> ours, report = keras_masking.convert(model)
    >>> print(report)
    replaced  norm: GroupNormalization -> MaskedGroupNormalization
    replaced  pool: GlobalAveragePooling1D -> MaskedGlobalAveragePooling1D
    2 replaced, 0 left
    """
    walk = Walk(set(), {})
    with warnings.catch_warnings():
        # The report says what loses a mask.
        warnings.filterwarnings("ignore", ".*destroy the mask")
        made = walk.model(model)
        while walk.again:
            walk = Walk(walk.reached, walk.refused)
            made = walk.model(model)
    for old, new in walk.made.values():
        if isinstance(old, keras.layers.Layer) and new is not old:
            carry(old, new)
    if model.compiled:
        try:
            made.compile_from_config(model.get_compile_config())
        except (TypeError, ValueError) as error:
            walk.leave(model, f"not compiled anew: {sentence(error)}")
    return made, walk.report
