"""Pooling of the real steps of a sequence to one vector."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.sequence_pooling import GlobalPooling
from keras_masking.layers.sequence_pooling import OwnPooling
from keras_masking.ops.reductions import unchecked_max
from keras_masking.ops.reductions import unchecked_mean
from keras_masking.ops.reductions import unchecked_min
from keras_masking.ops.reductions import unchecked_sum
from keras_masking.ops.segments import segment_max
from keras_masking.ops.segments import segment_mean
from keras_masking.ops.segments import segment_min
from keras_masking.ops.segments import segment_position_mean
from keras_masking.ops.segments import segment_sqrtn
from keras_masking.ops.segments import segment_sum
from keras_masking.ops.statistics import unchecked_position_mean
from keras_masking.ops.statistics import unchecked_sqrtn

# How to average rows, and the runs of a row.
WEIGHTINGS: dict[str | None, tuple[Callable[..., Tensor], ...]] = {
    None: (unchecked_mean, segment_mean),
    "position": (unchecked_position_mean, segment_position_mean),
    "sqrtn": (unchecked_sqrtn, segment_sqrtn),
}


@export
class MaskedGlobalAveragePooling1D(
    GlobalPooling, keras.layers.GlobalAveragePooling1D
):
    """Averages the real steps of a sequence.

    Args:
        data_format: `"channels_last"`, the default and the only order
            supported.
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        weighting: None for the mean; `"position"` for a mean in which the k-th
            real step has weight k; `"sqrtn"` for the sum divided by the square
            root of the number of real steps. (sentence-transformers' pooling
            modes `weightedmean` and `mean_sqrt_len_tokens`.) Defaults to
            `None`.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: none: there is no step axis. With `keepdims`, `(batch, 1)`: False
            for an empty row. With `max_segments`, `(batch, max_segments)`: True
            where a row has a sequence.
        Empty row: `empty_value`, 0 by default; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.GlobalAveragePooling1D`: the same arguments
            and outputs.
        Differs: an empty row gives 0, not NaN; sums accumulate in float32 under
            a half precision policy; Keras has no `weighting`.

    Returns:
        Tensor of shape `(batch, features)`, or `(batch, 1, features)` with
        `keepdims`, or `(batch, max_segments, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), `data_format` is `"channels_first"`, or `weighting` is
            unknown.

    Example:

    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> pool = keras_masking.layers.MaskedGlobalAveragePooling1D()
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        empty_value: float = 0.0,
        weighting: str | None = None,
        max_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            keepdims,
            empty_value,
            max_segments,
            data_format=data_format,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)
        if weighting not in WEIGHTINGS:
            raise ValueError(
                describe(
                    self.caller,
                    "`weighting` must be None, 'position' or 'sqrtn'.",
                    "Leave it at None for the mean.",
                    weighting=repr(weighting),
                )
            )
        self.weighting = weighting

    @property
    def reduction(self) -> Callable[..., Tensor]:  # type: ignore[override]
        return WEIGHTINGS[self.weighting][0]

    @property
    def segment_reduction(self) -> Callable[..., Tensor]:  # type: ignore[override]
        return WEIGHTINGS[self.weighting][1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weighting": self.weighting}


@export
class MaskedGlobalMaxPooling1D(GlobalPooling, keras.layers.GlobalMaxPooling1D):
    """Takes the maximum over the real steps of a sequence.

    Args:
        data_format: `"channels_last"`, the default and the only order
            supported.
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: none: there is no step axis. With `keepdims`, `(batch, 1)`: False
            for an empty row. With `max_segments`, `(batch, max_segments)`: True
            where a row has a sequence.
        Empty row: `empty_value`, 0 by default; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.GlobalMaxPooling1D`: the same arguments, and
            without a mask the same outputs.
        Differs: Keras ignores the mask, so zeros at padding exceed negative
            values.

    Returns:
        Tensor of shape `(batch, features)`, or `(batch, 1, features)` with
        `keepdims`, or `(batch, max_segments, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), `data_format` is `"channels_first"`.

    Example:

    >>> x = np.array([[[-1.0], [-3.0], [0.0]]])
    >>> pool = keras_masking.layers.MaskedGlobalMaxPooling1D()
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[-1.0]]
    """

    reduction = staticmethod(unchecked_max)
    segment_reduction = staticmethod(segment_max)

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        empty_value: float = 0.0,
        max_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            keepdims,
            empty_value,
            max_segments,
            data_format=data_format,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)


@export
class MaskedGlobalMinPooling1D(OwnPooling):
    """Takes the minimum over the real steps of a sequence.

    Args:
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
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
        `keepdims`, or `(batch, max_segments, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or `keepdims` is not a boolean.

    Example:

    >>> x = np.array([[[1.0], [3.0], [0.0]]])
    >>> pool = keras_masking.layers.MaskedGlobalMinPooling1D()
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[1.0]]
    """

    reduction = staticmethod(unchecked_min)
    segment_reduction = staticmethod(segment_min)


@export
class MaskedGlobalSumPooling1D(OwnPooling):
    """Sums the real steps of a sequence.

    Under a half precision policy it sums in float32 and casts once, at the end:
    a sum above 65504, the limit of float16, becomes infinite.

    Args:
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
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
        `keepdims`, or `(batch, max_segments, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or `keepdims` is not a boolean.

    Example:

    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> pool = keras_masking.layers.MaskedGlobalSumPooling1D()
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[4.0]]
    """

    reduction = staticmethod(unchecked_sum)
    segment_reduction = staticmethod(segment_sum)
