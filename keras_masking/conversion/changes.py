"""Where our layers differ from Keras' layers without padding."""

from collections import Counter
from fractions import Fraction
from functools import cache
from typing import Any

import keras

from keras_masking import layers
from keras_masking.layers.windowed import Windowed


def changed_remainders(new: Any, steps: int | None) -> tuple[int, ...]:
    """The values of `steps % strides` for which windows differ from Keras.

    Empty if `steps` is known and the windows agree for it.
    """
    if not isinstance(new, Windowed) or new.window[2] != "same":
        return ()
    size, strides, _, dilation_rate = new.window
    if steps is not None and not _changes(new, steps):
        return ()
    long = size * dilation_rate * strides  # no window touches both edges
    return tuple(r for r in range(strides) if _changes(new, long + r))


def _changes(new: Any, steps: int) -> bool:
    size, strides, _, dilation_rate = new.window
    span = (size - 1) * dilation_rate + 1
    last = (steps - 1) // strides * strides  # anchor of the last window
    theirs = max(last + span - steps, 0)  # padding that Keras adds
    ours = max(span - strides, 0)
    averages = isinstance(new, layers.MaskedAveragePooling1D)
    repeats = averages and theirs % 2 == 1 and repeats_edges()
    return any(
        _weights(new, anchor - theirs // 2, steps, repeats)
        != _weights(new, anchor - ours // 2, steps, False)
        for anchor in range(0, steps, strides)
    )


def _weights(new: Any, start: int, steps: int, repeats: bool) -> Any:
    """What a window starting at `start` reads, in a comparable form."""
    size, _, _, dilation_rate = new.window
    read = [start + place * dilation_rate for place in range(size)]
    if repeats:
        read = [min(max(step, 0), steps - 1) for step in read]
    real = [step for step in read if 0 <= step < steps]
    if isinstance(new, layers.MaskedMaxPooling1D):
        return set(real)
    if isinstance(new, layers.MaskedAveragePooling1D):
        counts = Counter(real).items()
        return {step: Fraction(n, len(real)) for step, n in counts}
    return real, read.index(real[0])  # a convolution has a weight per position


@cache
def repeats_edges() -> bool:
    """Whether this Keras counts edge steps twice in averages.

    So on PyTorch before Keras 3.16, if `"same"` adds an odd number of steps.
    """
    if keras.backend.backend() != "torch":
        return False
    # The first window covers 0, 1 and 2 of the ramp, or 0 twice.
    ramp = keras.ops.reshape(keras.ops.arange(4, dtype="float32"), (1, 4, 1))
    mean = keras.ops.average_pool(ramp, 4, 1, padding="same")
    return bool(keras.ops.convert_to_numpy(mean)[0, 0, 0] != 1.0)
