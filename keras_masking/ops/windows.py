"""Which windows of a convolution or pooling are real."""

from itertools import chain
from typing import Any

from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.reading import read_mask


def window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
) -> Tensor:
    """The output mask of a convolution or windowed pooling.

    With `padding="valid"` an output step is real if all steps of its window
    are. With `"same"` and `"causal"` it is real if its anchor is; the anchors
    are every `strides`-th step. So a row has the same real outputs alone and
    padded (google/sequence-layers has the same rule).

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation_rate: Distance between neighbouring steps of a window.

    Returns:
        Boolean tensor of shape `(batch, output steps)`. With `"valid"` there
        are `(steps - span) / strides` output steps, rounded up, where `span =
        (kernel_size - 1) * dilation_rate`; else `steps / strides`, rounded up.

    Raises:
        ValueError: If a size is not positive, or `padding` is unknown.

    Example:

    >>> mask = np.array([[1, 1, 1, 1, 0, 0]])
    >>> valid = keras_masking.ops.window_mask(mask, 3)
    >>> keras.ops.convert_to_numpy(valid).astype(int)
    array([[1, 1, 0, 0]])
    >>> same = keras_masking.ops.window_mask(mask, 3, 2, padding="same")
    >>> keras.ops.convert_to_numpy(same).astype(int)
    array([[1, 1, 0]])
    """
    check_window(
        "`window_mask`",
        padding,
        ("valid", "same", "causal"),
        kernel_size=kernel_size,
        strides=strides,
        dilation_rate=dilation_rate,
    )
    how = kernel_size, strides, padding, dilation_rate
    return unchecked_window_mask(read_mask("window_mask", mask), *how)


def unchecked_window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int,
    padding: str,
    dilation_rate: int,
) -> Tensor:
    if padding != "valid":
        return mask if strides == 1 else mask[:, ::strides]
    span = (kernel_size - 1) * dilation_rate
    real = None
    for tap in range(kernel_size):
        start = tap * dilation_rate
        stop = start - span or None
        column = mask[:, start:stop:strides]
        real = column if real is None else ops.logical_and(real, column)
    return real


def pooled_window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int,
    padding: str,
    dilation_rate: int,
) -> Tensor:
    """`unchecked_window_mask`, with the steps of a convolution.

    For lengths that are symbols: slices have others of the same value, which
    JAX does not broadcast.
    """
    size = kernel_size if padding == "valid" else 1
    real = new_axis(ops.cast(mask, "float32"), 2)
    ones = ops.ones((size, 1, 1))
    count = ops.conv(
        real, ones, strides, "valid", "channels_last", dilation_rate
    )
    return ops.squeeze(count, 2) > size - 0.5


def transposed_window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int = 1,
    padding: str = "valid",
    output_padding: int | None = None,
    dilation_rate: int = 1,
) -> Tensor:
    """The output mask of a transposed convolution.

    A contiguous run of real steps has as many real outputs as it has alone,
    from the start of its first step's window: `strides` for each step but the
    last, which has as many as a single step. With `"same"` that is `strides`
    too, so the mask is repeated; with `"valid"` it is `max(span + 1, strides)`,
    where `span = (kernel_size - 1) * dilation_rate`.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.
        kernel_size: Output steps that each input step adds to.
        strides: Output steps from one input step to the next.
        padding: `"valid"` or `"same"`.
        output_padding: As in `keras.layers.Conv1DTranspose`: the last step has
            `span + 1 + output_padding` outputs with `"valid"`, and `(span + 1)
            % 2 + output_padding` with `"same"`.
        dilation_rate: Distance between neighbouring outputs that a step adds
            to.

    Returns:
        Boolean tensor of shape `(batch, output steps)`.

    Raises:
        ValueError: If a size is not positive, or `padding` is unknown.

    Example:

    >>> mask = np.array([[1, 1, 0]])
    >>> same = keras_masking.ops.transposed_window_mask(mask, 3, 2, "same")
    >>> keras.ops.convert_to_numpy(same).astype(int)
    array([[1, 1, 1, 1, 0, 0]])
    >>> valid = keras_masking.ops.transposed_window_mask(mask, 3, 2)
    >>> keras.ops.convert_to_numpy(valid).astype(int)
    array([[1, 1, 1, 1, 1, 0, 0]])
    """
    check_window(
        "`transposed_window_mask`",
        padding,
        ("valid", "same"),
        kernel_size=kernel_size,
        strides=strides,
        dilation_rate=dilation_rate,
    )
    if output_padding is not None and (
        not is_whole(output_padding) or not 0 <= output_padding < strides
    ):
        raise ValueError(
            describe(
                "`transposed_window_mask`",
                "`output_padding` must be an integer from 0 to `strides` - 1.",
                "Leave it at None, the default of the Keras layer.",
                output_padding=repr(output_padding),
                strides=strides,
            )
        )
    how = kernel_size, strides, padding, output_padding, dilation_rate
    mask = read_mask("transposed_window_mask", mask)
    return unchecked_transposed_window_mask(mask, *how)


def unchecked_transposed_window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int,
    padding: str,
    output_padding: int | None,
    dilation_rate: int,
) -> Tensor:
    of_last = outputs_of_one_step(
        kernel_size, strides, padding, output_padding, dilation_rate
    )
    repeated = ops.repeat(mask, strides, axis=1)
    if of_last < strides:
        # Some outputs of a step exist only next to a real neighbour.
        following = ops.pad(mask, ((0, 0), (0, 1)))[:, 1:]
        inside = ops.logical_and(mask, following)
        columns = unchecked_position_ids(unchecked_full_mask(repeated))
        place = columns % strides
        inside = ops.repeat(inside, strides, axis=1)
        real = ops.where(place < of_last, repeated, inside)
        return real[:, : of_last - strides]
    more = of_last - strides
    real = None
    for shift in chain(range(0, more, strides), [more]):
        run = ops.pad(repeated, ((0, 0), (shift, more - shift)))
        real = run if real is None else ops.logical_or(real, run)
    return real


def outputs_of_one_step(
    kernel_size: int,
    strides: int,
    padding: str,
    output_padding: int | None,
    dilation_rate: int,
) -> int:
    """How many output steps a transposed convolution makes from one step."""
    wide = (kernel_size - 1) * dilation_rate + 1
    if output_padding is None:
        return strides if padding == "same" else max(wide, strides)
    return (wide % 2 if padding == "same" else wide) + output_padding


def check_window(
    caller: str, padding: str, paddings: tuple[str, ...], **sizes: int
) -> None:
    """Rejects sizes that are not positive, and unknown kinds of padding."""
    if not all(is_whole(size) and size > 0 for size in sizes.values()):
        raise ValueError(
            describe(
                caller,
                "window sizes must be positive integers.",
                "The default of `strides` and `dilation_rate` is 1.",
                **sizes,
            )
        )
    if padding not in paddings:
        *others, last = [repr(name) for name in paddings]
        raise ValueError(
            describe(
                caller,
                f"`padding` must be {', '.join(others)} or {last}.",
                "Pass 'valid' for whole windows only, 'same' for one window "
                "per stride.",
                padding=repr(padding),
            )
        )


def check_long_enough(
    caller: str, steps: Any, window: int, padding: str
) -> None:
    """Rejects a padded sequence that is shorter than a window."""
    if padding == "valid" and is_whole(steps) and steps < window:
        raise ValueError(
            describe(
                caller,
                "with padding='valid' a window must not be longer than the "
                "sequence.",
                "Pad the batch at least to the length of a window (with a "
                "mask), or pass padding='same'.",
                window=window,
                steps=steps,
            )
        )
