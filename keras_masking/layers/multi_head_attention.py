"""Multi-head attention over real steps."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking.layers.masked_attention_mixin import (
    MaskedAttentionOfArguments,
)


@export
class MaskedMultiHeadAttention(
    MaskedAttentionOfArguments, keras.layers.MultiHeadAttention
):
    """Multi-head attention over real steps, not causal by default.

    Formula: Vaswani et al., "Attention Is All You Need" (2017), section 3.2.
    Causal attention and sliding windows count columns: padding at the ends does
    not change the distance of real steps, but holes count.

    With fewer queries than keys, as in a decoder with a memory or a cache,
    query 0 is aligned with key 0, as in Keras. `causal_alignment="end"` aligns
    the last real query with the last real key: with `t` queries and `s` keys,
    query `i` sees keys up to `i + s - t`, whatever the padding of the row.
    PyTorch calls this `causal_lower_right`, others bottom-right alignment.

    Args:
        num_heads: Number of heads.
        key_dim: Size of each head's queries and keys.
        value_dim: Size of each head's values. Defaults to `key_dim`.
        dropout: Fraction of the scores to drop in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to True.
        output_shape: Size of the output features. Defaults to that of `query`.
        *args: The remaining arguments of `keras.layers.MultiHeadAttention`, in
            its order.
        causal_alignment: How queries and keys are aligned for causal attention
            and `sliding_window`: `"start"` aligns the first query with the
            first key and counts columns, as in Keras; `"end"` aligns the last
            real query with the last real key and counts real steps, for queries
            that are the last steps of a longer sequence. Defaults to `"start"`.
        packed: Whether rows are packed: each run of real steps, parted by
            padding, is a sequence. Then a query sees only keys of its own
            sequence, which is the one of the same number if the queries and
            keys have different masks; and alignment and windows count from the
            first or last step of the sequence. Defaults to False.
        **kwargs: The other arguments of `keras.layers.MultiHeadAttention`,
            `sliding_window` and `use_gate` where Keras has them, and of the
            base layer.

    Call arguments:
        query: Tensor of shape `(batch, target, features)`.
        value: Tensor of shape `(batch, source, features)`.
        key: Tensor of shape `(batch, source, features)`. Defaults to `value`.
        query_mask: Boolean tensor of shape `(batch, target)`, True at real
            steps. Defaults to the mask that `query` carries, if any.
        value_mask: The same for `value`, `(batch, source)`.
        key_mask: The same for `key`. A source step is real where both its value
            and its key are.
        attention_mask: Boolean tensor, True where a query may see a key:
            `(batch, target, source)`, or a shape that broadcasts to it.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        training: Whether to apply dropout.
        use_causal_mask: Whether a query sees no later keys, given
            `causal_alignment`. Defaults to False, even with a mask, as in an
            encoder.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. The output (after the projection) and scores of a query
            that may see no key are 0 too.
        Padding values: affect neither real outputs nor gradients, even if NaN.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.MultiHeadAttention`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: Keras deletes the masks of its input tensors, so a residual
            connection loses its mask and the next block attends to padding; it
            ignores an explicit `query_mask`; and a NaN at padding spreads. With
            masks, only inputs of rank 3, and one `attention_mask` for all
            heads.

    Returns:
        Tensor of shape `(batch, target, features)`, or with features of
        `output_shape`. With `return_attention_scores`, also the scores,
        `(batch, heads, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`, or `attention_mask`
            does not broadcast to `(batch, target, source)`.
        ValueError: If there is a mask and an input does not have rank 3.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]]])
    >>> mask = np.array([[True, True, False]])
    >>> attention = keras_masking.layers.MaskedMultiHeadAttention(1, 1)
    >>> y, scores = attention(
    ...     x, x, query_mask=mask, value_mask=mask, return_attention_scores=True
    ... )
    >>> scores = keras.ops.convert_to_numpy(scores)
    >>> scores.shape
    (1, 1, 3, 3)
    >>> scores[0, 0, :, 2].tolist(), scores[0, 0, 2].tolist()
    ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | tuple[int, ...] | None = None,
        *args: Any,
        causal_alignment: str = "start",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_heads,
            key_dim,
            value_dim,
            dropout,
            use_bias,
            output_shape,
            *args,
            causal_alignment=causal_alignment,
            packed=packed,
            **kwargs,
        )
        self.heads = num_heads


@export
class MaskedGroupQueryAttention(
    MaskedAttentionOfArguments, keras.layers.GroupQueryAttention
):
    """Attention in which groups of heads share keys and values.

    Formula: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer
    Models from Multi-Head Checkpoints" (2023). Causal attention and sliding
    windows count columns, or real steps from the end, as in
    `MaskedMultiHeadAttention`.

    Args:
        head_dim: Size of each head.
        num_query_heads: Number of query heads.
        num_key_value_heads: Number of key and value heads, a divisor of
            `num_query_heads`.
        dropout: Fraction of the scores to drop in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to True.
        *args: The remaining arguments of `keras.layers.GroupQueryAttention`, in
            its order.
        causal_alignment: `"start"` or `"end"`: how queries and keys are
            aligned, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        packed: Whether rows are packed, as in `MaskedMultiHeadAttention`.
            Defaults to False.
        **kwargs: The other arguments of `keras.layers.GroupQueryAttention`,
            `sliding_window` and `use_gate` where Keras has them, and of the
            base layer.

    Call arguments:
        query: Tensor of shape `(batch, target, features)`.
        value: Tensor of shape `(batch, source, features)`.
        key: Tensor of shape `(batch, source, features)`. Defaults to `value`.
        query_mask: Boolean tensor of shape `(batch, target)`, True at real
            steps. Defaults to the mask that `query` carries, if any.
        value_mask: The same for `value`, `(batch, source)`.
        key_mask: The same for `key`. A source step is real where both its value
            and its key are.
        attention_mask: Boolean tensor, True where a query may see a key:
            `(batch, target, source)`, or a shape that broadcasts to it.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        training: Whether to apply dropout.
        use_causal_mask: Whether a query sees no later keys, given
            `causal_alignment`. Defaults to False, even with a mask, as in an
            encoder.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. The output (after the projection) and scores of a query
            that may see no key are 0 too.
        Padding values: affect neither real outputs nor gradients, even if NaN.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.GroupQueryAttention`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: in Keras a NaN at padding spreads, padding queries have
            outputs, an explicit `query_mask` is not passed on, and a warning
            says that the mask is lost although it is not. With masks, one
            `attention_mask` for all heads.

    Returns:
        Tensor of shape `(batch, target, features)`. With
        `return_attention_scores`, also the scores,
        `(batch, heads, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`, or `attention_mask`
            does not broadcast to `(batch, target, source)`.
        ValueError: If there is a mask and an input does not have rank 3.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]]])
    >>> mask = np.array([[True, True, False]])
    >>> attention = keras_masking.layers.MaskedGroupQueryAttention(1, 2, 1)
    >>> y = attention(x, x, query_mask=mask, value_mask=mask)
    >>> bool(np.isfinite(keras.ops.convert_to_numpy(y)).all())
    True
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        *args: Any,
        causal_alignment: str = "start",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            head_dim,
            num_query_heads,
            num_key_value_heads,
            dropout,
            use_bias,
            *args,
            causal_alignment=causal_alignment,
            packed=packed,
            **kwargs,
        )
        self.heads = num_query_heads
