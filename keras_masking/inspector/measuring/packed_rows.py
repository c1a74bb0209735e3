"""Rows of several sequences: other values in every second one."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.measuring.changed_inputs import flat
from keras_masking.inspector.measuring.changed_inputs import other_padding
from keras_masking.inspector.measuring.changes import MADE_OF_VALUES
from keras_masking.inspector.measuring.changes import OTHERS
from keras_masking.inspector.measuring.changes import Change
from keras_masking.inspector.measuring.changes import same_masks
from keras_masking.inspector.measuring.regions import sequence_numbers
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import is_mask
from keras_masking.inspector.watching.runs import Run


def with_other_sequences(
    model: Any, inputs: Inputs, base: Run, training: bool
) -> Change:
    """The first, third, fifth, ... sequence of a row beside other ones."""
    change = Change(OTHERS)
    masks = [flat(m) for m in inputs.padding if m is not None]
    numbers = [sequence_numbers(mask) for mask in masks]
    if not any((one > 1).any() for one in numbers):
        change.why_not = "no row holds two sequences, parted by padding"
        return change
    change.runs = numbers[0].max(axis=1)
    leaves = tuple(
        x if mask is None or is_mask(x, mask) else _with_others(x, mask)
        for x, mask in zip(inputs.leaves, inputs.padding)
    )
    change.try_out(model, replace(inputs, leaves=leaves), training)
    tried = None if change.why_not else change.run
    if tried is not None and not same_masks(base, tried):
        change.why_not = MADE_OF_VALUES
    return change


def _with_others(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Other values in every second sequence; padding stays.

    Ids, also those that Keras passes as floats, stay ids of real steps.
    """
    steps = flat(mask)
    second = steps & (sequence_numbers(steps) % 2 == 0)
    places = array_compare.spread(second, mask.ndim) & mask
    if x.dtype.kind == "f" and np.any(x[mask] % 1):
        changed = other_padding(x, ~places)
    else:
        real = np.unique(x[mask])
        changed = np.random.default_rng(0).choice(real, x.shape)
    return np.where(array_compare.spread(places, x.ndim), changed, x)
