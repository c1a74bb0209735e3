"""Attention of one head, without projections."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import Merger
from keras_masking.layers.masked_attention_mixin import MaskedAttentionMixin


class MaskedAttentionOfList(MaskedAttentionMixin, Merger):
    """One that is called as `layer([query, value, key])`."""

    def read_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        if isinstance(mask, (list, tuple)) and len(mask) == 2 < len(inputs):
            mask = [*mask, None]  # Keras lets the key's mask be left out
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
        # Keras takes a mask of the values for each query as well.
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
    """Dot-product attention over real steps: Luong's.

    Formula: Luong et al., "Effective Approaches to Attention-based Neural
    Machine Translation" (2015), section 3.1.

    Args:
        use_scale: Whether to multiply the scores by a learned number. Defaults
            to False.
        score_mode: How query and key are compared: `"dot"`, their product, or
            `"concat"`, the sum of the tanh of their sum. Defaults to `"dot"`.
        dropout: Share of the scores to drop in training. Defaults to 0.
        seed: Seed of the dropout.
        causal_alignment: `"start"` or `"end"`: where the queries stand beside
            the keys, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: `[query, value]` or `[query, value, key]`: tensors of shape
            `(batch, target, features)`, and `(batch, source, features)` for
            value and key.
        mask: List with a mask for each of them, boolean, `(batch, steps)`,
            True at real steps, or None. Defaults to the masks that the inputs
            carry; None in the list stands for that one. A step of the source
            is real where both its value and its key are.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        use_causal_mask: Whether a query sees no later key, by
            `causal_alignment`. Defaults to False.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. A query that may see no key gives 0 too, and scores of 0.
        Padding values: reach neither real outputs nor gradients, NaN included.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.Attention`: the same weights, and
            without a mask the same numbers.
        Differs: in Keras a NaN at padding spreads, a query that may see no key
            answers with a mean of padding, or NaN in float16 on PyTorch, and
            the mask of `key` is not looked at.

    Returns:
        Tensor of shape `(batch, target, features of value)`. With
        `return_attention_scores`, also the scores, `(batch, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list, or an input with a mask is not
            of rank 3.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(
            use_scale,
            score_mode,
            dropout,
            seed,
            causal_alignment=causal_alignment,
            **kwargs,
        )


@export
class MaskedAdditiveAttention(
    MaskedAttentionOfList, keras.layers.AdditiveAttention
):
    """Additive attention over real steps: Bahdanau's.

    Formula: Bahdanau et al., "Neural Machine Translation by Jointly Learning
    to Align and Translate" (2015), appendix A.1.2.

    Args:
        use_scale: Whether to weigh the features by learned numbers. Defaults
            to True.
        dropout: Share of the scores to drop in training. Defaults to 0.
        causal_alignment: `"start"` or `"end"`: where the queries stand beside
            the keys, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: `[query, value]` or `[query, value, key]`: tensors of shape
            `(batch, target, features)`, and `(batch, source, features)` for
            value and key.
        mask: List with a mask for each of them, boolean, `(batch, steps)`,
            True at real steps, or None. Defaults to the masks that the inputs
            carry; None in the list stands for that one. A step of the source
            is real where both its value and its key are.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        use_causal_mask: Whether a query sees no later key, by
            `causal_alignment`. Defaults to False.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. A query that may see no key gives 0 too, and scores of 0.
        Padding values: reach neither real outputs nor gradients, NaN included.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.AdditiveAttention`: the same weights, and
            without a mask the same numbers.
        Differs: in Keras a NaN at padding spreads, a query that may see no key
            answers with a mean of padding, or NaN in float16 on PyTorch, and
            the mask of `key` is not looked at.

    Returns:
        Tensor of shape `(batch, target, features of value)`. With
        `return_attention_scores`, also the scores, `(batch, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list, or an input with a mask is not
            of rank 3.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(
            use_scale, dropout, causal_alignment=causal_alignment, **kwargs
        )
