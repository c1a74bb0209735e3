"""Conversion of Keras models to mask-aware layers."""

import warnings
from os import PathLike
from typing import Any

import keras

from keras_masking.conversion.carrying import carry
from keras_masking.conversion.counterparts import has_learned_statistics
from keras_masking.conversion.report import ConversionReport as ConversionReport
from keras_masking.conversion.report import Difference as Difference
from keras_masking.conversion.walk import Walk
from keras_masking.conversion.walk import sentence

TAUGHT = (
    "its statistics include padding, which no longer counts; fine-tune the "
    "model"
)


def convert(
    model: keras.Model | str | PathLike[str],
) -> tuple[keras.Model, ConversionReport]:
    """Clones a model, replacing Keras layers that let padding in.

    A layer is replaced if a mask reaches it and Keras gets it wrong. Recurrent
    layers, which in Keras 3.16 no longer pass masks on, are wrapped in
    `KeepMask`; sums and products of tensors become `MaskedAdd` and
    `MaskedMultiply`. Weights are copied, `model` does not change, and a
    compiled model is recompiled, without the state of its optimizer.

    With or without padding, the clone predicts what `model` predicts without
    padding, except where the report says `differs`: windows with strides and
    `padding="same"`, if the strides do not divide the number of steps, since
    Keras shifts them with the length; and, on PyTorch before Keras 3.16,
    averages over an even number of steps or with strides, since Keras counts
    their edge steps twice. If a mask reaches a batch normalization only in the
    clone, its statistics include padding: the report says `fine-tune`. Losses
    and metrics stay: see `MaskedLoss` and `MaskedMetric`.

    Args:
        model: A built Functional or Sequential model, or the path of a saved
            one. Nested models are converted too.

    Returns:
        The new model, and a printable `ConversionReport`: layers that were
        replaced; layers left although they lose the mask or let padding in;
        layers that differ even without padding; layers to fine-tune.

    Raises:
        ValueError: If `model` is subclassed, not built, not a model, or has a
            layer with weights that cannot be recreated from its config.

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
    if isinstance(model, (str, PathLike)):
        model = keras.saving.load_model(model)
    made, walk = _walked(model)
    for old, new in walk.made.values():
        if isinstance(old, keras.layers.Layer) and new is not old:
            carry(old, new)
    if model.compiled:
        try:
            made.compile_from_config(model.get_compile_config())
        except (TypeError, ValueError) as error:
            walk.leave(model, f"not recompiled: {sentence(error)}")
    walk.report.fine_tune += _taught_by_padding(model, walk)
    return made, walk.report


def _walked(model: Any, replaces: bool = True) -> tuple[Any, Walk]:
    """The converted model, from a walk that knows where masks go."""
    walk = Walk(set(), {}, replaces)
    with warnings.catch_warnings():
        # The report says which layers lose a mask.
        warnings.filterwarnings("ignore", ".*destroy the mask")
        made = walk.model(model)
        while walk.again:
            walk = Walk(walk.reached, walk.refused, replaces)
            made = walk.model(model)
    return made, walk


def _taught_by_padding(model: Any, walk: Walk) -> list[tuple[str, str, str]]:
    """Layers with statistics that a mask reaches only in the new model."""
    taught = [
        old
        for key, (old, _) in walk.made.items()
        if key in walk.reached and has_learned_statistics(old)
    ]
    if taught:  # only for them is the old model walked
        _, before = _walked(model, replaces=False)
        taught = [x for x in taught if id(x) not in before.reached]
    return [(x.name, type(x).__name__, TAUGHT) for x in taught]
