"""`inspect_masks`: watches one model, measures leaks, and reports."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import cache
from typing import Any

import keras
import numpy as np

from keras_masking._keras import losses_kept
from keras_masking._keras import with_sublayers
from keras_masking.array_compare import as_array
from keras_masking.errors import describe
from keras_masking.errors import first_words
from keras_masking.inspector.measuring.changed_inputs import other_steps
from keras_masking.inspector.measuring.changes import Change
from keras_masking.inspector.measuring.changes import changes_of
from keras_masking.inspector.measuring.changes import with_less_padding
from keras_masking.inspector.measuring.drift import Outcome
from keras_masking.inspector.measuring.drift import moved_by_length
from keras_masking.inspector.measuring.drift import outcomes_of
from keras_masking.inspector.measuring.hidden import hidden_steps
from keras_masking.inspector.measuring.known_padding import find_padding
from keras_masking.inspector.measuring.known_padding import has_no_padding
from keras_masking.inspector.measuring.packed_rows import with_other_sequences
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import find_axes
from keras_masking.inspector.measuring.regions import masks_of
from keras_masking.inspector.missing import NO_STEPS
from keras_masking.inspector.missing import has_steps
from keras_masking.inspector.missing import measured
from keras_masking.inspector.missing import missing
from keras_masking.inspector.records import call_records
from keras_masking.inspector.records import drift_records
from keras_masking.inspector.records import output_records
from keras_masking.inspector.records import padding_records
from keras_masking.inspector.report import MaskReport
from keras_masking.inspector.verdicts import Judge
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import read
from keras_masking.inspector.watching.mask_flow import Flows
from keras_masking.inspector.watching.mask_flow import FlowTracer
from keras_masking.inspector.watching.padding import guess_padding
from keras_masking.inspector.watching.padding import pass_padding
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import build
from keras_masking.inspector.watching.runs import run
from keras_masking.inspector.watching.watch import Call
from keras_masking.versions import versions


def inspect_masks(
    model: keras.layers.Layer,
    inputs: Any = None,
    *,
    strict: bool = False,
    probe: bool = True,
    training: bool = False,
    padding: Any = None,
    packed: bool = False,
) -> MaskReport:
    """Shows where the mask of a model is created, used, lost or ignored.

    The model runs eagerly on `inputs`, and every layer call is watched. Then
    layers that got a mask are called again with other values at padding steps,
    and the model with more padding: a layer leaks if its real outputs move.
    Weights, states, seeds and the masks of the inputs do not change.

    Args:
        model: Any Keras model or layer: Functional, Sequential or subclassed,
            with nested models, several inputs and outputs. A first call builds
            a model that is not built.
        inputs: What `model` takes, as for `predict`: arrays or tensors, in a
            list or a dict if it takes several. Tensors may carry masks. A few
            rows with padding in them are enough. By default they are made up
            from the model's signature, and a note says so.
        strict: Whether to raise if the report is not "clean".
        probe: Whether to measure leaks. Otherwise the model runs once, and the
            report only shows where masks went.
        training: The `training` argument of the call. In training mode the
            model is not run with more padding, since dropout would differ.
        padding: What padding steps of the inputs hold, for a model that makes
            no mask, because it takes one as an ordinary input, for example
            `{"token_ids": 0, "padding_mask": 0}`. By key or name, by position
            in a list, nested as the inputs are; a number, NaN, or None for an
            input without steps. What is left out is guessed: from a mask among
            the inputs, from lengths, or from NaN. The report says so.
        packed: Whether the rows of the inputs are packed: runs of real steps,
            parted by padding, are sequences. Then it is also measured whether
            a sequence moves with the values of the others in its row. Defaults
            to False.

    Returns:
        A `MaskReport`: print it, or see `to_html` and `to_dict`. Its `state`
        is "clean", "findings", "not measured" or "failed".

    Raises:
        MaskFindingsError: If `strict`, and there is a finding.
        NotMeasuredError: If `strict`, and nothing was found, but something
            could not be measured, or the model failed.
        ValueError: If there are no `inputs` and none can be made up, `inputs`
            are not numbers, or `padding` does not fit them.

    A model that fails also gives a report, of the calls up to the error.
    Several threads may inspect at the same time.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((None,)),
    ...     keras.layers.Embedding(9, 4, mask_zero=True),
    ...     keras.layers.GroupNormalization(2, name="norm"),
    ...     keras.layers.GlobalAveragePooling1D(name="pool"),
    ... ])
    >>> report = keras_masking.inspect_masks(model, np.array([[1, 2, 3, 0, 0]]))
    >>> [(call.name, call.verdict) for call in report.findings]
    [('norm', 'leaks')]
    """
    found = inspect(
        *(model, inputs),
        padding=padding,
        probe=probe,
        training=training,
        packed=packed,
    )
    for warning in found.base.warnings:
        if "destroy the mask" not in str(warning.message):
            warnings.warn_explicit(
                warning.message,
                warning.category,
                warning.filename,
                warning.lineno,
            )
    if strict:
        found.report.raise_for_findings()
    return found.report


@dataclass(eq=False)
class Inspection:
    """A report, and the runs that it is made from."""

    given: Inputs
    base: Run
    report: MaskReport
    masks: Masks = field(default_factory=dict)
    flows: Flows = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


def inspect(
    model: keras.layers.Layer,
    inputs: Any = None,
    *,
    padding: Any = None,
    probe: bool = True,
    training: bool = False,
    packed: bool = False,
    alone: bool = False,
) -> Inspection:
    """Inspects a model, see `inspect_masks`.

    `alone` says whether rows are run alone, without their padding, also where
    more padding could be tried.
    """
    notes: list[str] = []
    if not isinstance(model, keras.layers.Layer):
        raise ValueError(
            describe(
                "`inspect_masks`",
                "`model` must be a Keras model or layer.",
                "Pass the model itself.",
                model=type(model).__name__,
            )
        )
    if inputs is None:
        from keras_masking.inspector.watching.synthetic_inputs import make_up

        inputs, note = make_up(model)
        notes.append(note)
    given = pass_padding(read(inputs, model), padding, inputs, model)
    if not all(layer.built for layer in with_sublayers(model)):
        build(model, given)
    report = MaskReport(
        model.name, keras.backend.backend(), versions(), notes=notes
    )
    with losses_kept(model):
        base = run(model, given, training)
        given = guess_padding(find_padding(given, base, masks_of(base)))
        found = Inspection(given, base, report, masks_of(base, given))
        _inspect(model, found, probe, training, packed, alone)
    return found


def _inspect(
    model: Any,
    found: Inspection,
    probe: bool,
    training: bool,
    packed: bool,
    alone: bool,
) -> None:
    """Measures what a change of the padding does, and writes the report."""
    given, base, report = found.given, found.base, found.report
    masks = found.masks
    changes: list[Change] = []
    if probe and base.error is None:
        changes = list(changes_of(model, given, base, training))
        tried = any(c.counts and c.ran for c in changes)
        if not training and (alone or not tried):
            changes += with_less_padding(model, given, training)
        if packed:
            changes.append(with_other_sequences(model, given, base, training))
    others = (c.run for c in changes if c.ran)
    find_axes(base, next(others, None), masks)
    depends = (
        _depends_on_inputs(model, given, base, training) if probe else None
    )
    flows = found.flows = FlowTracer(base.root, depends).flows
    outcomes = found.outcomes = outcomes_of(
        model, given, base, masks, changes, training, flows
    )
    less = [change for change in changes if change.rows]
    if changes and not (training or less or any(map(measured, outcomes))):
        less = list(with_less_padding(model, given, training))
        outcomes += outcomes_of(
            model, given, base, masks, less, training, flows
        )
    lengths = [o.change for o in outcomes if o.counts and o.change.length]

    def lengthens(call: Call) -> str:
        for change in lengths:
            if moved_by_length(call, masks, change, flows):
                return change.what
        return ""

    judge = Judge(flows, masks, probe, lengthens)
    blamed = judge.model(base.root)
    report.outputs = output_records(base.root, flows, masks)
    counting = [o for o in outcomes if o.counts]
    if counting and not blamed:
        blamed = [judge.moves(counting[0])]
    elif _harmless(outcomes, report):
        # A mask that is lost where it is not needed does no harm.
        blamed = [call for call in blamed if judge.proved(call)]
    if probe and base.error is None:
        blamed = [
            *blamed,
            *judge.hides(hidden_steps(base)),
        ]
    report.calls = call_records(judge, blamed)
    report.drift = drift_records(flows, outcomes)
    if base.error is not None:
        report.error = f"{type(base.error).__name__}: {first_words(base.error)}"
        return
    report.padding = padding_records(given)
    if not has_steps(model, given):
        report.notes.append(NO_STEPS)
        return
    report.missing = missing(
        given, base, outcomes, report.outputs, probe, training
    )
    has_masks = any(call.role for call in report.calls)
    report.notes += _notes(given, has_masks)


def _harmless(outcomes: list[Outcome], report: MaskReport) -> bool:
    """Whether measurements show that the model's outputs and loss are right."""
    known = any(o.change.counts and o.moved is not None for o in outcomes)
    moving = any(o.counts for o in outcomes)
    lost = any(out.lost_by is not None for out in report.outputs)
    return known and not moving and not lost


def _depends_on_inputs(
    model: Any, given: Inputs, base: Run, training: bool
) -> Callable[[Call, int], bool]:
    """Returns a test: does an input of a call depend on real steps?"""

    @cache  # not needed for most models
    def tried() -> dict[Any, Call]:
        return run(model, other_steps(given), training).by_key

    def derived(call: Call, i: int) -> bool:
        twin = tried().get(call.key)
        if twin is None or len(twin.inputs) != len(call.inputs):
            return True
        one, other = call.inputs[i], twin.inputs[i]
        return one.shape != other.shape or not np.array_equal(
            as_array(one.tensor), as_array(other.tensor), equal_nan=True
        )

    return derived


def _notes(given: Inputs, has_masks: bool) -> list[str]:
    found = []
    if not has_masks:
        found.append(
            "No mask was made: no layer makes one from these inputs, and they "
            "carry none."
        )
    elif any(m is not None for m in given.padding) and has_no_padding(given):
        pairs = zip(given.leaves, given.padding)
        rank = next(x.ndim for x, mask in pairs if mask is not None)
        width = ", ".join(["(0, 0)", "(0, 3)", *["(0, 0)"] * (rank - 2)])
        found.append(
            "The batch has no padding, so leaks were not measured on it. Add "
            f"some: `np.pad(x, [{width}])`, or rows of other lengths."
        )
    return found
