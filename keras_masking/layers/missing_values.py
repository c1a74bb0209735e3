"""The layer that makes a mask of missing values."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.checks import check_boolean
from keras_masking.layers.checks import check_number
from keras_masking.ops.dtypes import scalar


@export
class NaNMask(MaskAware):
    """Makes a mask of missing values, which are NaN, and fills them.

    For time series with gaps. `keras.layers.Masking(mask_value=nan)` masks
    nothing, since NaN equals nothing, itself included.

    Args:
        fill_value: What a missing value becomes. Defaults to 0.
        missing: When a step counts as missing: `"all"`, if all its features
            are; or `"any"`, if one of them is. Defaults to `"all"`.
        return_indicator: Whether to return as well which values were missing,
            feature by feature. Defaults to `False`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any. A step is real
            where the mask says so and it is not missing.

    Mask behavior:
        Reads: `(batch, steps)`, and which values are NaN.
        Emits: `(batch, steps)`: True where the step is not missing.
        Empty row: its values, filled.
        Padding values: stay in their step; NaN is filled there too.

    Returns:
        Tensor of the shape of `inputs`, of the compute dtype (integers, which
        are never missing, as they are). With
        `return_indicator` a second one, 1 where a value was missing, else 0;
        it carries the same mask.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `missing` is unknown, or `fill_value` is no finite
            number.

    Example:

    >>> x = np.array([[[1.0], [np.nan], [3.0]]])
    >>> x = keras_masking.layers.NaNMask()(x)
    >>> keras.ops.convert_to_numpy(x).ravel().tolist()
    [1.0, 0.0, 3.0]
    >>> y = keras.layers.GlobalAveragePooling1D()(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    def __init__(
        self,
        fill_value: float = 0.0,
        missing: str = "all",
        return_indicator: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fill_value = check_number(
            self.who, "fill_value", fill_value, finite=True
        )
        if missing not in ("all", "any"):
            raise ValueError(
                describe(
                    self.who,
                    "`missing` must be 'all' or 'any'.",
                    "Pass 'any' if one missing feature makes a step useless.",
                    missing=repr(missing),
                )
            )
        self.missing = missing
        self.return_indicator = check_boolean(
            self.who, "return_indicator", return_indicator
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Any:
        gone = ops.isnan(inputs)
        filled = ops.where(gone, scalar(self.fill_value, inputs), inputs)
        if not self.return_indicator:
            return filled
        return filled, ops.cast(gone, inputs.dtype)

    def make_mask(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        gone = ops.isnan(inputs)
        if axes := tuple(range(2, len(inputs.shape))):
            gone = getattr(ops, self.missing)(gone, axis=axes)
        own = ops.logical_not(gone)
        return own if mask is None else ops.logical_and(own, mask)

    def output_mask(self, mask: Tensor) -> Any:
        return [mask, mask] if self.return_indicator else mask

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape,) * 2 if self.return_indicator else input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_value": self.fill_value,
            "missing": self.missing,
            "return_indicator": self.return_indicator,
        }
