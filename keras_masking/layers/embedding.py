"""The embedding layer: vectors from ids, and a mask from padding ids."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._backends import to_numpy_or_none
from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import carrying
from keras_masking.layers.checks import check_boolean
from keras_masking.layers.checks import check_integer
from keras_masking.layers.pointwise import Pointwise
from keras_masking.ops.dtypes import clip_to_int32
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import numpy_to_int32
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_or_nan
from keras_masking.ops.reading import expanded


@export
class CustomEmbedding(Pointwise, keras.layers.Embedding):
    """Looks up a vector for each id, and masks padding ids.

    A correct version of the layer in the Keras guide on masking: the guide's
    version indexes the flattened table and returns single numbers instead of
    vectors.

    Args:
        input_dim: Number of rows of the table; ids are 0 to `input_dim - 1`.
        output_dim: Length of a vector.
        mask_zero: Whether 0 is a padding id. Defaults to `False`.
        mask_value: A padding id, or a list of them; they may be outside the
            table, for example -1. With `mask_zero`, 0 is another. Defaults to
            none.
        embeddings_initializer: Initializer of the table. Defaults to
            `"random_normal"`.
        embeddings_regularizer: Regularizer of the table.
        embeddings_constraint: Constraint on the table.
        **kwargs: The other arguments of `keras.layers.Embedding`: `weights`,
            `lora_rank`, `lora_alpha`, and `quantization_config` where Keras has
            it; and base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Ids of shape `(batch, steps)`, or any other shape: integers, or
            floats that are whole numbers. They are never cast to half
            precision.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps. For
            ids of higher rank: the shape of the ids, or at least two of their
            first axes. Defaults to the mask that `inputs` carries, if any. An
            id is real where the mask is True and it is not a padding id.

    Mask behavior:
        Reads: `(batch, steps)`, and the padding ids.
        Emits: `(batch, steps)`, the shape of the ids: True where the id is not
            a padding id. None without padding ids and without a mask.
        Empty row: the vectors of its padding ids.
        Padding values: an id in the table gives its row at padding steps too,
            as in Keras; any other id gives zeros there and is not looked up.

    Keras layer:
        Drops in for: `keras.layers.Embedding`: the same weights and, for ids in
            the table, the same outputs, also with LoRA and after `quantize`.
        Differs: it drops in by keyword, since `mask_zero` is third, as in the
            guide; `mask_value` allows any padding ids; an input mask is
            combined with them; an id outside the table raises, or gives NaN;
            `embeddings_initializer` defaults to `"random_normal"`.

    Returns:
        Tensor of shape `(batch, steps, output_dim)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` has neither shape `(batch, steps)` nor that of
            the ids or their first axes.
        ValueError: If a size is not positive, `mask_zero` is neither True nor
            False, or an id at a real step is outside the table. A compiled
            function cannot raise: there such an id gives a vector of NaN, never
            another row. (The check makes an eager call on a GPU wait for the
            ids. `Model.predict` on JAX truncates ids to 32 bits.)

    Example:

    >>> layer = keras_masking.layers.CustomEmbedding(10, 4, mask_value=-1)
    >>> x = layer(np.array([[2, 7, -1]]))
    >>> tuple(x.shape)
    (1, 3, 4)
    >>> mask = keras_masking.layers.GetMask()(x)
    >>> keras.ops.convert_to_numpy(mask).tolist()
    [[True, True, False]]
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        mask_zero: bool = False,
        mask_value: int | Sequence[int] | None = None,
        embeddings_initializer: Any = "random_normal",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        name = kwargs.get("name")
        caller = self.caller_of(name) if name else "`CustomEmbedding`"
        super().__init__(
            check_integer(caller, "input_dim", input_dim, 1),
            check_integer(caller, "output_dim", output_dim, 1),
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero=check_boolean(caller, "mask_zero", mask_zero),
            **kwargs,
        )
        self.supports_masking = True
        self.mask_value = mask_value
        padding_ids = [0] if self.mask_zero else []
        if mask_value is not None:
            padding_ids += [
                check_integer(
                    self.caller, "mask_value", value, -(2**31), 2**31 - 1
                )
                for value in keras.tree.flatten(mask_value)
            ]
        # A tuple, since Keras would wrap a list.
        self._padding_ids = tuple(sorted(set(padding_ids)))

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._look_up(super().call, inputs, mask)

    def quantized_call(
        self, inputs: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        return self._look_up(super().quantized_call, inputs, mask)

    def _look_up(
        self,
        rows: Callable[[Tensor], Tensor],
        inputs: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """Looks up `rows` by Keras, which gets only ids in the table."""
        ids = self._comparable(inputs)
        inside = ops.logical_and(ids >= 0, ids < self.input_dim)
        if is_float(ids):
            inside = ops.logical_and(inside, ops.equal(ids, ops.floor(ids)))
        real = ops.ones_like(inside)
        mask = self.make_mask(inputs, self.read_mask(inputs, mask))
        if mask is not None:
            real = ops.logical_and(real, expanded(mask, len(ids.shape)))
        self._refuse(ids, ops.logical_and(real, ops.logical_not(inside)))
        safe = ops.cast(ops.where(inside, ids, ops.zeros_like(ids)), "int32")
        vectors = ops.cast(rows(safe), self.compute_dtype)
        allowed = ops.logical_or(inside, ops.logical_not(real))
        outside = zero_or_nan(allowed, self.compute_dtype)
        vectors = ops.where(
            new_axis(inside, -1), vectors, new_axis(outside, -1)
        )
        return carrying(vectors, mask)

    def places(self, inputs: Tensor) -> int:
        return len(inputs.shape)  # ids have no features, whatever their dtype

    def make_mask(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        if not self._padding_ids:
            return mask
        own = self._not_padding(self._comparable(inputs))
        if mask is None:
            return own
        return ops.logical_and(own, expanded(mask, len(own.shape)))

    def __call__(
        self, inputs: Any, mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        return super().__call__(numpy_to_int32(inputs), mask, *args, **kwargs)

    def _comparable(self, inputs: Tensor) -> Tensor:
        # Padding ids and `input_dim` may not fit the dtype of the ids.
        return (
            upcast_half(inputs) if is_float(inputs) else clip_to_int32(inputs)
        )

    def _not_padding(self, ids: Tensor) -> Tensor:
        real = ops.ones_like(ids, dtype="bool")
        for padding_id in self._padding_ids:
            real = ops.logical_and(real, ops.not_equal(ids, padding_id))
        return real

    def _refuse(self, ids: Tensor, wrong: Tensor) -> None:
        found, values = to_numpy_or_none(wrong), to_numpy_or_none(ids)
        if found is None or values is None or not found.any():
            return
        values = values[found]
        raise ValueError(
            describe(
                self.caller,
                f"ids must be whole numbers from 0 to {self.input_dim - 1}, "
                "or padding ids.",
                "Increase `input_dim`, or set padding ids with `mask_value`.",
                ids=f"{values.min()} to {values.max()}",
                input_dim=self.input_dim,
                padding_ids=list(self._padding_ids),
            )
        )

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: Tensor | None = None
    ) -> keras.KerasTensor:
        return super().compute_output_spec(inputs)

    def quantize(
        self, mode: Any = None, type_check: bool = True, **kwargs: Any
    ) -> None:
        # Keras refuses to quantize subclasses, since their `call` may differ.
        # This one looks up the same rows as Keras.
        strange = type_check and type(self) is not CustomEmbedding
        super().quantize(mode, type_check=strange, **kwargs)

    def get_config(self) -> dict[str, Any]:
        value = self.mask_value
        if value is not None:
            value = keras.tree.map_structure(int, value)
        return {**super().get_config(), "mask_value": value}
