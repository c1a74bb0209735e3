"""Vectors for the positions of real steps."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import new_axis
from keras_masking._backends import to_numpy_or_none
from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.checks import check_integer
from keras_masking.layers.checks import check_number
from keras_masking.layers.packed import TakesPacked
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.runs import positions_in_runs


class Positions(TakesPacked):
    """Base class of layers that make a vector for each position."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def vectors(self, index: Tensor, features: int) -> Tensor:
        """Floats `(batch, steps, features)` for integers `(batch, steps)`."""
        raise NotImplementedError

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        number = unchecked_position_ids
        if self.packed and mask is not None:
            number = positions_in_runs
        index = number(unchecked_full_mask(inputs) if mask is None else mask)
        y = ops.cast(self.vectors(index, inputs.shape[2]), self.compute_dtype)
        return fill_padding(y, mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class MaskedPositionEmbedding(Positions):
    """A learned vector for the position of each real step.

    Positions count real steps, so padding on the left or in between changes
    nothing. The layer returns only the vectors. Add them with a layer,
    `keras.layers.Add()([x, positions(x)])`: the operator `+` loses the mask,
    and so does `Add` if one input has none, for example a plain position
    embedding.

    Args:
        sequence_length: Number of positions, the largest number of real steps.
        initializer: Initializer of the table. Defaults to `"glorot_uniform"`.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, is numbered from 0. Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`, of which only the
            shape and the mask are used.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Real steps are numbered from 0, those of
            each sequence of a packed row anew.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: are not read. The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras_hub.layers.PositionEmbedding`: the same arguments
            and weight, and without a mask the same outputs.
        Differs: KerasHub's layer counts padding steps, and has the call
            arguments `start_index` and `positions`.

    Returns:
        Tensor of the shape of `inputs`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a row has more real steps than `sequence_length`. A
            compiled function cannot raise: there further steps get NaN.

    Example:

    >>> layer = keras_masking.layers.MaskedPositionEmbedding(
    ...     3, initializer=lambda shape, dtype: keras.ops.arange(3.0)[:, None]
    ... )
    >>> y = layer(np.zeros((1, 4, 1)), mask=np.array([[0, 1, 1, 1]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [0.0, 0.0, 1.0, 2.0]
    """

    def __init__(
        self,
        sequence_length: int,
        initializer: Any = "glorot_uniform",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(packed=packed, **kwargs)
        self.sequence_length = check_integer(
            self.caller, "sequence_length", sequence_length, 1
        )
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Shape) -> None:
        self.position_embeddings = self.add_weight(
            shape=(self.sequence_length, input_shape[-1]),
            initializer=self.initializer,
            name="embeddings",
        )

    def vectors(self, index: Tensor, features: int) -> Tensor:
        last = self.sequence_length - 1
        safe = ops.minimum(index, last)
        vectors = ops.take(self.position_embeddings, safe, axis=0)
        steps = index.shape[1]
        if is_whole(steps) and steps <= self.sequence_length:
            return vectors  # no row can be too long
        self._refuse(index)
        return ops.where(new_axis(index > last, 2), float("nan"), vectors)

    def _refuse(self, index: Tensor) -> None:
        found = to_numpy_or_none(index)
        if found is None or not found.size:
            return
        if found.max() >= self.sequence_length:
            raise ValueError(
                describe(
                    self.caller,
                    "a row must not have more real steps than "
                    "`sequence_length`.",
                    "Increase `sequence_length`, or truncate the rows.",
                    sequence_length=self.sequence_length,
                    longest=int(found.max()) + 1,
                )
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "initializer": keras.initializers.serialize(self.initializer),
        }


@export
class MaskedSinePositionEncoding(Positions):
    """Sines and cosines of the position of each real step.

    `sin(k / w ** (i / features))` at even features i, and the cosine of the
    same angle at the next odd feature, where k numbers the real steps from 0
    and w is `max_wavelength` (Vaswani et al. 2017). Padding on the left or in
    between changes nothing. Add it with a layer: the operator `+` loses the
    mask.

    Args:
        max_wavelength: Sets the largest wavelength. Defaults to 10000.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, is numbered from 0. Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`, of which only the
            shape and the mask are used.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Real steps are numbered from 0, those of
            each sequence of a packed row anew.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: are not read. The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras_hub.layers.SinePositionEncoding`: the same
            arguments, and without a mask the same outputs.
        Differs: KerasHub's layer counts padding steps, has the call arguments
            `start_index` and `positions`, and computes angles in half precision
            under a half precision policy.

    Returns:
        Tensor of the shape of `inputs`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `max_wavelength` is not positive.

    Example:

    >>> layer = keras_masking.layers.MaskedSinePositionEncoding()
    >>> y = layer(np.zeros((1, 2, 2)), mask=np.array([[False, True]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[[0.0, 0.0], [0.0, 1.0]]]
    """

    def __init__(
        self,
        max_wavelength: float = 10000,
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(packed=packed, **kwargs)
        self.max_wavelength = check_number(
            self.caller, "max_wavelength", max_wavelength, finite=True
        )
        if self.max_wavelength <= 0:
            raise ValueError(
                describe(
                    self.caller,
                    "`max_wavelength` must be positive.",
                    "The default is 10000.",
                    max_wavelength=max_wavelength,
                )
            )

    def vectors(self, index: Tensor, features: int) -> Tensor:
        feature = np.arange(features)
        exponent = (feature - feature % 2) / features
        speed = self.max_wavelength**-exponent
        wide = self.compute_dtype == "float64"
        dtype = "float64" if wide else "float32"
        angle = new_axis(ops.cast(index, dtype), 2) * ops.cast(speed, dtype)
        return ops.where(feature % 2, ops.cos(angle), ops.sin(angle))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_wavelength": self.max_wavelength}
