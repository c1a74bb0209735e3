"""Normalization with statistics of real steps only."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import StepMixer
from keras_masking.layers.checks import check_integer
from keras_masking.layers.packed import TakesPacked
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.reading import expanded
from keras_masking.ops.reductions import count_real
from keras_masking.ops.reductions import unchecked_mean
from keras_masking.ops.segments import Segments


@export
class MaskedGroupNormalization(
    TakesPacked, StepMixer, keras.layers.GroupNormalization
):
    """Normalizes groups of features by their mean and variance over real steps.

    The statistics of each row and group of features are taken over the row's
    real steps and the group's features (Wu and He 2018). `groups=-1` normalizes
    each feature separately (instance normalization), `groups=1` all features
    together (layer normalization over steps and features).

    Args:
        groups: Number of groups, a divisor of the number of features; -1 for
            one group per feature. Defaults to 32.
        axis: The feature axis, which must be the last. Defaults to -1.
        epsilon: Added to the variance. Defaults to 1e-3.
        center: Whether to add a learned offset. Defaults to `True`.
        scale: Whether to multiply by a learned factor. Defaults to `True`.
        *args: The remaining arguments of `keras.layers.GroupNormalization`, in
            its order.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, has its own statistics. Defaults to False.
        **kwargs: The other arguments of `keras.layers.GroupNormalization`:
            initializers, regularizers and constraints of `beta` and `gamma`;
            and base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, ..., features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Statistics are taken over real steps, with
            `packed` over those of each run.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.GroupNormalization`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: Keras passes the mask on but silently ignores it, so padding
            counts in the statistics of its row. `axis` must be the last.

    Returns:
        Tensor of the shape of `inputs`, of the compute dtype. Statistics are
        computed in float32 at least.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `groups` does not divide the number of features, or
            `axis` is not the last one.

    Example:

    >>> norm = keras_masking.layers.MaskedGroupNormalization(1, epsilon=1e-9)
    >>> x = np.array([[[1.0], [3.0], [99.0]]])
    >>> y = norm(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *args: Any,
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            groups,
            axis,
            epsilon,
            center,
            scale,
            *args,
            packed=packed,
            **kwargs,
        )
        if groups != -1:
            check_integer(self.caller, "groups", groups, 1)
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def build(self, input_shape: Shape) -> None:
        features = input_shape[-1]
        if self.axis not in (-1, len(input_shape) - 1):
            raise ValueError(
                describe(
                    self.caller,
                    "`axis` must be the last axis, the features.",
                    "Leave it at -1.",
                    axis=self.axis,
                    **{"inputs.shape": tuple(input_shape)},
                )
            )
        if features is not None and features % abs(self.groups):
            raise ValueError(
                describe(
                    self.caller,
                    "`groups` must divide the number of features.",
                    "Pass a divisor, or -1 for one group per feature.",
                    groups=self.groups,
                    features=features,
                )
            )
        super().build(input_shape)

    def mix(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        x = upcast_half(fill_padding(inputs, mask))
        mean_of = self._means(mask)
        mean = mean_of(x)
        # Subtract first: `x * scale - mean * scale` loses precision.
        apart = fill_padding(x - mean, mask)
        variance = mean_of(ops.square(apart))
        if mask is not None:  # an empty row is 0 / 0 if `epsilon` is tiny
            variance = self._safe(variance, mask)
        scale = ops.rsqrt(variance + self.epsilon)
        if self.scale:
            scale = scale * ops.cast(self.gamma, scale.dtype)
        y = apart * scale
        if self.center:
            y = y + ops.cast(self.beta, y.dtype)
        return ops.cast(y, self.compute_dtype)

    def _means(self, mask: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Means of rows or runs, of tensors that are 0 at padding."""
        if not self.packed or mask is None:
            return lambda x: self._of_groups(_mean_of_row(x, mask))
        runs = Segments(mask)
        return lambda x: self._of_groups(runs.spread(runs.mean(_inner_mean(x))))

    def _safe(self, variance: Tensor, mask: Tensor) -> Tensor:
        """`variance`, or 1 where there is no real step."""
        if self.packed:
            return fill_padding(variance, mask, 1)
        some = expanded(has_real_step(mask, keepdims=True), len(variance.shape))
        return ops.where(some, variance, scalar(1, variance))

    def _of_groups(self, x: Tensor) -> Tensor:
        """The mean over each group of features, repeated for its features."""
        shape = ops.shape(x)
        split = (*shape[:-1], self.groups, shape[-1] // self.groups)
        grouped = ops.reshape(x, split)
        # On PyTorch Keras computes the mean of float64 in float32.
        mean = ops.sum(grouped, axis=-1, keepdims=True) / split[-1]
        return ops.reshape(ops.broadcast_to(mean, split), shape)


def _mean_of_row(x: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over all axes between rows and features, which are kept."""
    axes = tuple(range(1, len(x.shape) - 1))
    if mask is None:
        return unchecked_mean(x, None, axes, keepdims=True)
    total = ops.sum(x, axis=axes, keepdims=True)
    return total / count_real(mask, x, axes, True, dtype_name(total))


def _inner_mean(x: Tensor) -> Tensor:
    """The mean over all axes between steps and features, which are kept."""
    for axis in range(2, len(x.shape) - 1):
        # On PyTorch Keras computes the mean of float64 in float32.
        x = ops.sum(x, axis=axis, keepdims=True) / ops.shape(x)[axis]
    return x
