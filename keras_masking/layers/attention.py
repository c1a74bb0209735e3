"""Attention with one head and without projections."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import Merger
from keras_masking.layers.masked_attention_mixin import MaskedAttentionMixin


class MaskedAttentionOfList(MaskedAttentionMixin, Merger):
    """Attention called as `layer([query, value, key])`."""

    def read_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        if isinstance(mask, (list, tuple)) and len(mask) == 2 < len(inputs):
            mask = [*mask, None]  # in Keras the key's mask may be omitted
        masks = super().read_masks(inputs, mask)
        if any(m is not None for m in masks):
            self.check_ranks(inputs)
        return masks

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor | None:
        return masks[0]

    def call(
        self,
        inputs: list[Tensor],
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        return self.answer(
            inputs,
            self.read_masks(inputs, mask),
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )

    def attend(
        self, inputs: list[Tensor], attention_mask: Tensor | None, **how: Any
    ) -> Any:
        # Keras also accepts a value mask for each query.
        mask = None if attention_mask is None else [None, attention_mask]
        return super(Merger, self).call(inputs, mask=mask, **how)

    def answer_shape(self, shapes: list[Shape]) -> Shape:
        return (*shapes[0][:-1], shapes[1][-1])

    def compute_output_spec(
        self, inputs: list[Tensor], mask: Any = None, **how: Any
    ) -> Any:
        masks = self.read_masks(inputs, mask)
        return self.answer_spec(inputs, masks, **how)


@export
class MaskedAttention(MaskedAttentionOfList, keras.layers.Attention):
    """Dot-product (Luong) attention over real steps.

    Formula: Luong et al., "Effective Approaches to Attention-based Neural
    Machine Translation" (2015), section 3.1.

    Args:
        use_scale: Whether to multiply the scores by a learned scalar. Defaults
            to False.
        score_mode: How to score query and key: `"dot"`, their dot product, or
            `"concat"`, the tanh of their sum, summed over features. Defaults to
            `"dot"`.
        dropout: Fraction of the scores to drop in training. Defaults to 0.
        seed: Seed of the dropout.
        causal_alignment: `"start"` or `"end"`: how queries and keys are
            aligned, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        packed: Whether rows are packed, as in `MaskedMultiHeadAttention`.
            Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: `[query, value]` or `[query, value, key]`: tensors of shape
            `(batch, target, features)`, and `(batch, source, features)` for
            value and key.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. A source step is real where both its value
            and its key are.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        use_causal_mask: Whether a query sees no later keys, given
            `causal_alignment`. Defaults to False.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. The output and scores of a query that may see no key are 0
            too.
        Padding values: affect neither real outputs nor gradients, even if NaN.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.Attention`: the same weights, and without a
            mask the same outputs.
        Differs: in Keras a NaN at padding spreads; a query that may see no key
            returns a mean of padding, or NaN in float16 on PyTorch; and the
            mask of `key` is ignored.

    Returns:
        Tensor of shape `(batch, target, features of value)`. With
        `return_attention_scores`, also the scores, `(batch, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list, or an input with a mask does not
            have rank 3.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]]])
    >>> mask = np.array([[True, True, False]])
    >>> layer = keras_masking.layers.MaskedAttention()
    >>> y = layer([0 * x[:, :1], x], mask=[None, mask])
    >>> round(float(y[0, 0, 0]), 2)
    1.5
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        *,
        causal_alignment: str = "start",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            use_scale,
            score_mode,
            dropout,
            seed,
            causal_alignment=causal_alignment,
            packed=packed,
            **kwargs,
        )


@export
class MaskedAdditiveAttention(
    MaskedAttentionOfList, keras.layers.AdditiveAttention
):
    """Additive (Bahdanau) attention over real steps.

    Formula: Bahdanau et al., "Neural Machine Translation by Jointly Learning
    to Align and Translate" (2015), appendix A.1.2.

    Args:
        use_scale: Whether to scale the features by learned weights. Defaults to
            True.
        dropout: Fraction of the scores to drop in training. Defaults to 0.
        causal_alignment: `"start"` or `"end"`: how queries and keys are
            aligned, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        packed: Whether rows are packed, as in `MaskedMultiHeadAttention`.
            Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: `[query, value]` or `[query, value, key]`: tensors of shape
            `(batch, target, features)`, and `(batch, source, features)` for
            value and key.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. A source step is real where both its value
            and its key are.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        use_causal_mask: Whether a query sees no later keys, given
            `causal_alignment`. Defaults to False.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. The output and scores of a query that may see no key are 0
            too.
        Padding values: affect neither real outputs nor gradients, even if NaN.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.AdditiveAttention`: the same weights, and
            without a mask the same outputs.
        Differs: in Keras a NaN at padding spreads; a query that may see no key
            returns a mean of padding, or NaN in float16 on PyTorch; and the
            mask of `key` is ignored.

    Returns:
        Tensor of shape `(batch, target, features of value)`. With
        `return_attention_scores`, also the scores, `(batch, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list, or an input with a mask does not
            have rank 3.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]]])
    >>> mask = np.array([[True, True, False]])
    >>> layer = keras_masking.layers.MaskedAdditiveAttention(use_scale=False)
    >>> y = layer([0 * x[:, :1], x], mask=[None, mask])
    >>> round(float(y[0, 0, 0]), 2)
    1.55
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        *,
        causal_alignment: str = "start",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            use_scale,
            dropout,
            causal_alignment=causal_alignment,
            packed=packed,
            **kwargs,
        )
