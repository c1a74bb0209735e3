"""Conversion of Keras models to mask-aware layers."""

import warnings
from os import PathLike
from typing import Any

import keras

from keras_masking._arguments import check_integer
from keras_masking._keras import is_functional
from keras_masking.conversion.calls import parameters
from keras_masking.conversion.carrying import carry_all
from keras_masking.conversion.counterparts import has_learned_statistics
from keras_masking.conversion.drift import measure
from keras_masking.conversion.judging import is_strange
from keras_masking.conversion.judging import judge
from keras_masking.conversion.mask_inputs import Found
from keras_masking.conversion.mask_inputs import Graph
from keras_masking.conversion.named_masks import named
from keras_masking.conversion.packing import pack_model
from keras_masking.conversion.report import ConversionReport as ConversionReport
from keras_masking.conversion.report import Difference as Difference
from keras_masking.conversion.report import MeasuredDrift as MeasuredDrift
from keras_masking.conversion.walk import Walk
from keras_masking.conversion.walk import sentence
from keras_masking.counterparts import name_in_keras
from keras_masking.errors import describe

WORSE = 1.25  # the same model moves a little differently once layers change
MOVES = "its outputs still move with the padding; see `inspect_masks`"
TAUGHT = (
    "its statistics include padding, which no longer counts; fine-tune the "
    "model"
)


def convert(
    model: keras.Model | str | PathLike[str],
    inputs: Any = None,
    *,
    mask_inputs: dict[str, str | list[str]] | None = None,
    padding: Any = None,
    packed: bool = False,
    max_segments: int | None = None,
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

    A mask that the model uses as a plain tensor, for example an input
    `padding_mask` that it passes on as `mask=` or `attention_mask=`, becomes a
    Keras mask: `AttachMask` puts it on the sequence, where more layers then
    obey it.

    Layers that are not from Keras are judged by what `inspect_masks` measures,
    on `inputs` or on inputs that are made up. One that lets padding in stays,
    and stands under `left` with the lines to change in its code.

    Args:
        model: A built Functional or Sequential model, or the path of a saved
            one. Nested models are converted too.
        inputs: A batch of rows with padding, as for `predict`. With it, the
            report has the drift: how far the outputs of both models move with
            the padding.
        mask_inputs: Which inputs of a Functional model are masks, True or 1 at
            real steps, and what they mask: `{"padding_mask": "embedding"}`,
            where the value is the name of an input or of a layer whose output
            is the sequence, or a list of names. By default, they are found by
            their use; `{}` attaches none.
        padding: What padding steps of `inputs` hold, for a model that makes no
            mask, for example `{"token_ids": 0, "padding_mask": 0}`, as for
            `inspect_masks`. What is left out is guessed.
        packed: Whether the new model takes packed rows, several sequences in
            each, as `PackedBatches` makes them. The report has the gap that it
            needs between sequences, and the layers that cannot be packed.
            Defaults to False.
        max_segments: The most sequences in a packed row, for models with a
            pooling or a recurrent layer's last output: it gives `(batch,
            max_segments, features)` then. Defaults to None.

    Returns:
        The new model, and a printable `ConversionReport`: masks that were
        attached; layers that were replaced; layers left although they lose
        the mask or let padding in, with the reason; layers that differ even
        without padding; layers to fine-tune; layers that can and cannot take
        packed rows; the drift.

    Raises:
        ValueError: If `max_segments` is no integer of at least 1, or comes
            without `packed`; if a layer after a pooling of packed rows does not
            take what it gives; if `model` is subclassed (the message has the
            lines to change in its code), not built, not a model, or has a layer
            with weights that cannot be recreated from its config; if
            `mask_inputs` names no input or layer; if `padding` does not fit
            `inputs`, or comes without them; or if, on `inputs`, the new model
            would move more with the padding than `model`, or predict something
            else for rows without padding.

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
    if padding is not None and inputs is None:
        raise ValueError(
            describe(
                "`convert`",
                "`padding` says what padding steps of `inputs` hold.",
                "Pass a batch of rows with padding as `inputs`.",
                padding=padding,
            )
        )
    if max_segments is not None:
        check_integer("`convert`", "max_segments", max_segments)
        if not packed:
            raise ValueError(
                describe(
                    "`convert`",
                    "`max_segments` is for packed rows.",
                    "Pass packed=True too, or leave it out.",
                    max_segments=max_segments,
                )
            )
    if isinstance(model, (str, PathLike)):
        model = keras.saving.load_model(model)
    made, walk = _converted(model, mask_inputs)
    carry_all(walk.made.values())
    _measure(model, made, walk, inputs, padding)
    if packed:
        made = pack_model(made, max_segments, walk.report)
    if model.compiled:
        try:
            made.compile_from_config(model.get_compile_config())
        except (TypeError, ValueError) as error:
            walk.leave(model, f"not recompiled: {sentence(error)}")
    walk.report.fine_tune += _taught_by_padding(model, walk)
    return made, walk.report


def _converted(
    model: Any, mask_inputs: dict[str, Any] | None
) -> tuple[Any, Walk]:
    """The converted model; masks that it uses as plain tensors are attached.

    Unless the caller names them, only if more layers then obey the mask.
    """
    if mask_inputs is not None:
        found = _named(model, mask_inputs)
        made, walk = _walked(
            model, masks=lambda x: found if x is model else Found()
        )
    else:
        made, walk = _walked(model, masks=lambda x: Graph(x).found())
        if walk.report.attached:
            plain, before = _walked(model)
            if not _gains(walk, before):
                return plain, before
    if not walk.carries:
        for name, why in walk.unclear:
            walk.report.left.append((name, "InputLayer", why))
    return made, walk


def _measure(
    model: Any, made: Any, walk: Walk, inputs: Any, padding: Any
) -> None:
    """Adds to the report what is measured.

    On made-up inputs if there are none, and only where a mask reaches layers
    of which the code is not known.
    """
    report = walk.report
    old = [layer for layer, _ in walk.made.values()]
    reached = [x for x in old if id(x) in walk.reached]
    if inputs is None and not walk.losing and not any(map(is_strange, reached)):
        return
    judge(made, walk, inputs, padding)
    if inputs is None:
        return
    found = measure(model, made, inputs, padding)
    before, after = found.before, found.after
    if before is None or after is None:
        report.drift = MeasuredDrift(why_not=found.why_not)
    else:
        report.drift = MeasuredDrift(
            before.largest, after.largest, found.change
        )
        if after.counts and after.largest > WORSE * before.largest:
            _refuse(
                "the converted model must not move more with padding than "
                "`model`.",
                report,
            )
        if after.counts and not report.left:
            kind = type(model).__name__
            report.left.append((model.name, kind, MOVES))
    if found.apart and found.apart.counts and not report.differs:
        _refuse(
            "without padding the converted model must predict what `model` "
            f"predicts; they differ by {found.apart.largest:.3g}.",
            report,
        )


def _refuse(rule: str, report: ConversionReport) -> None:
    changed = [f"{name} masks {x}" for name, x in report.attached]
    changed += [f"{name} -> {new}" for name, _, new in report.replaced]
    raise ValueError(
        describe(
            "`convert`",
            rule,
            "Does a layer of your own use its mask wrongly, or is a mask "
            "False at real steps? `keras_masking.inspect_masks(model, inputs)` "
            "shows each layer; `mask_inputs={}` attaches no mask.",
            drift=report.drift,
            changes=", ".join(changed) or None,
            left=", ".join(name for name, _, _ in report.left) or None,
        )
    )


def _named(model: Any, mask_inputs: dict[str, Any]) -> Found:
    if is_functional(model):
        return named(model, mask_inputs)
    if not mask_inputs:
        return Found()
    raise ValueError(
        describe(
            "`convert`",
            "`mask_inputs` needs a Functional model, with a mask among its "
            "inputs.",
            "Leave it out.",
            model=type(model).__name__,
        )
    )


def _gains(walk: Walk, before: Walk) -> bool:
    """Whether more layers are replaced, or get a mask that they ask for."""
    if walk.report.replaced != before.report.replaced:
        return True
    new = [walk.made[key][0] for key in walk.reached - before.reached]
    return any(
        not name_in_keras(x) and "mask" in parameters(x.call)
        for x in new
        if isinstance(x, keras.layers.Layer)
    )


def _walked(
    model: Any, replaces: bool = True, masks: Any = None
) -> tuple[Any, Walk]:
    """The converted model, from a walk that knows where masks go."""
    walk = Walk(set(), {}, replaces, masks)
    with warnings.catch_warnings():
        # The report says which layers lose a mask.
        warnings.filterwarnings("ignore", ".*destroy the mask")
        made = walk.model(model)
        while walk.again:
            walk = Walk(walk.reached, walk.refused, replaces, masks)
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
