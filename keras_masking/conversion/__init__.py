"""A model of Keras' layers, made anew with ours where Keras lets padding in."""

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
    "it learned its statistics with padding, which now does not count; "
    "fine-tune the model"
)


def convert(
    model: keras.Model | str | PathLike[str],
) -> tuple[keras.Model, ConversionReport]:
    """Clones a model, with layers of ours where Keras' let padding in.

    A layer is replaced where a mask reaches it; where none does, and where
    Keras is right, it stays. Recurrent layers, which Keras 3.16 stops from
    passing masks on, get `KeepMask` around them; sums and products of tensors
    become `MaskedAdd` and `MaskedMultiply`. Weights are carried over, `model`
    stays as it is, and a compiled one is compiled anew, without the state of
    its optimizer.

    Without padding the clone predicts what `model` does, with padding the same
    again, except where the report says `differs`. Windows with strides and
    `padding="same"` do where the strides don't divide the number of steps,
    since Keras shifts them with the length; and on PyTorch before Keras 3.16
    averages over an even number of steps, or with strides, whose edge steps
    Keras counts twice. A batch normalization that a mask reaches for the first
    time has learned its statistics with padding: the report says `fine-tune`.
    Losses and metrics stay: see `MaskedLoss` and `MaskedMetric`.

    Args:
        model: Functional or Sequential model that is built, or the path of a
            saved one. Models in it are converted too.

    Returns:
        The new model, and a `ConversionReport` to print: what was replaced;
        what was left although it loses the mask or lets padding in; what
        differs without padding too; what to fine-tune.

    Raises:
        ValueError: If `model` is subclassed, or not built, or no model, or has
            a layer with weights that cannot be made anew from its config.

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
            walk.leave(model, f"not compiled anew: {sentence(error)}")
    walk.report.fine_tune += _taught_by_padding(model, walk)
    return made, walk.report


def _walked(model: Any, replaces: bool = True) -> tuple[Any, Walk]:
    """What a walk makes of a model that knows where masks go."""
    walk = Walk(set(), {}, replaces)
    with warnings.catch_warnings():
        # The report says what loses a mask.
        warnings.filterwarnings("ignore", ".*destroy the mask")
        made = walk.model(model)
        while walk.again:
            walk = Walk(walk.reached, walk.refused, replaces)
            made = walk.model(model)
    return made, walk


def _taught_by_padding(model: Any, walk: Walk) -> list[tuple[str, str, str]]:
    """Layers with statistics that a mask reaches now and did not before."""
    taught = [
        old
        for key, (old, _) in walk.made.items()
        if key in walk.reached and has_learned_statistics(old)
    ]
    if taught:  # the old model is walked through for them alone
        _, before = _walked(model, replaces=False)
        taught = [x for x in taught if id(x) not in before.reached]
    return [(x.name, type(x).__name__, TAUGHT) for x in taught]
