"""Base classes of layers that reduce a sequence to one vector."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from keras_masking._packing import PackingNeed
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import carrying
from keras_masking.layers.checks import check_boolean
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.checks import check_integer
from keras_masking.layers.checks import check_number
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.known import check_segments
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.runs import count_runs
from keras_masking.ops.segments import Segments
from keras_masking.ops.segments import real_segments


class PoolsSegments(MaskAware):
    """A layer that pools rows, or each of `max_segments` runs of a row."""

    max_segments: int | None

    def read_segments(self, value: int | None) -> int | None:
        """The argument `max_segments`, checked."""
        if value is None:
            return None
        return check_integer(self.caller, "max_segments", value, 1)

    def runs(self, inputs: Tensor, mask: Tensor | None) -> Segments:
        """The runs of a checked mask; known ones must not be too many."""
        mask = unchecked_full_mask(inputs) if mask is None else mask
        runs = Segments(mask, self.max_segments)
        check_segments(self.caller, runs.rows, runs.slots - 1)
        return runs

    @property
    def packing_need(self) -> PackingNeed | str:  # type: ignore[override]
        """What it needs between two sequences, or why it cannot take them."""
        if self.max_segments is None:
            return "`max_segments` is not set"
        return PackingNeed(pools=True)

    def make_mask(self, inputs: Any, mask: Any) -> Any:
        # Slots are filled from the first one, so there is always a mask.
        if mask is None and self.max_segments is not None:
            return unchecked_full_mask(inputs)
        return mask

    def output_mask(self, mask: Tensor) -> Tensor | None:
        if self.max_segments is None:
            return None
        return real_segments(count_runs(mask), self.max_segments)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_segments": self.max_segments}


class GlobalPooling(PoolsSegments):
    """A global pooling layer without its reductions.

    `segment_reduction` gives what `reduction` gives, for each run of a mask.
    """

    reduction: Callable[..., Tensor]
    segment_reduction: Callable[[Tensor, Segments], Tensor]

    def __init__(
        self,
        keepdims: bool = False,
        empty_value: float = 0.0,
        max_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keepdims = check_boolean(self.caller, "keepdims", keepdims)
        self.empty_value = check_number(self.caller, "empty_value", empty_value)
        self.max_segments = self.read_segments(max_segments)
        if self.keepdims and self.max_segments is not None:
            raise ValueError(
                describe(
                    self.caller,
                    "`keepdims` and `max_segments` exclude each other: there "
                    "is one axis, of steps or of segments.",
                    "Leave `keepdims` at False.",
                    keepdims=True,
                    max_segments=self.max_segments,
                )
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if self.max_segments is not None:
            runs = self.runs(inputs, mask)
            y = self.segment_reduction(inputs, runs)
            dtype = self.compute_output_spec(inputs).dtype
            y = runs.pooled(y, self.empty_value, dtype)
            return carrying(y, real_segments(runs.rows, self.max_segments))
        return self.reduction(
            inputs,
            mask,
            keepdims=self.keepdims,
            empty_value=self.empty_value,
        )

    def output_mask(self, mask: Tensor) -> Tensor | None:
        if self.max_segments is not None:
            return super().output_mask(mask)
        return (
            has_real_step(mask, axis=1, keepdims=True)
            if self.keepdims
            else None
        )

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: Tensor | None = None
    ) -> keras.KerasTensor:
        # The dtype depends on the reduction: a mean of integers is a float.
        x = keras.KerasTensor(inputs.shape, dtype=dtype_name(inputs))
        dtype = self.reduction(x, None).dtype
        shape = self.compute_output_shape(x.shape)
        return keras.KerasTensor(shape, dtype=dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, *features = input_shape
        if self.max_segments is not None:
            return (batch, self.max_segments, *features)
        return (batch, *([1] if self.keepdims else []), *features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "keepdims": self.keepdims,
            "empty_value": self.empty_value,
        }


class OwnPooling(GlobalPooling):
    """A pooling layer that Keras does not have."""

    def __init__(
        self,
        keepdims: bool = False,
        empty_value: float = 0.0,
        max_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        given = kwargs.pop("data_format", None)
        super().__init__(keepdims, empty_value, max_segments, **kwargs)
        if given is not None:
            check_data_format(self.caller, given)
            warnings.warn(
                f"In {self.caller}: `data_format` is deprecated; leave it out.",
                DeprecationWarning,
                stacklevel=3,
            )
