"""Selection of one step: the first or the last real one."""

from keras_masking._export import export
from keras_masking.layers.sequence_pooling import OwnPooling
from keras_masking.ops.segments import segment_first
from keras_masking.ops.segments import segment_last
from keras_masking.ops.steps import unchecked_first_step
from keras_masking.ops.steps import unchecked_last_step


@export
class FirstStep(OwnPooling):
    """Takes the first real step of a sequence.

    Args:
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`, of any dtype.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: none: there is no step axis. With `keepdims`, `(batch, 1)`: False
            for an empty row. With `max_segments`, `(batch, max_segments)`: True
            where a row has a sequence.
        Empty row: `empty_value`, 0 by default; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Returns:
        Tensor of shape `(batch, features)`, or `(batch, 1, features)` with
        `keepdims`, or `(batch, max_segments, features)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or `keepdims` is not a boolean.

    Example:

    >>> x = np.array([[[7.0], [8.0], [9.0]]])
    >>> first = keras_masking.layers.FirstStep()
    >>> y = first(x, mask=np.array([[False, True, True]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[8.0]]
    """

    reduction = staticmethod(unchecked_first_step)
    segment_reduction = staticmethod(segment_first)


@export
class LastStep(OwnPooling):
    """Takes the last real step of a sequence, wherever the padding is.

    Args:
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`, of any dtype.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: none: there is no step axis. With `keepdims`, `(batch, 1)`: False
            for an empty row. With `max_segments`, `(batch, max_segments)`: True
            where a row has a sequence.
        Empty row: `empty_value`, 0 by default; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Returns:
        Tensor of shape `(batch, features)`, or `(batch, 1, features)` with
        `keepdims`, or `(batch, max_segments, features)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or `keepdims` is not a boolean.

    Example:

    >>> x = np.array([[[7.0], [8.0], [9.0]]])
    >>> last = keras_masking.layers.LastStep()
    >>> y = last(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[8.0]]
    """

    reduction = staticmethod(unchecked_last_step)
    segment_reduction = staticmethod(segment_last)
