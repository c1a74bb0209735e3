"""Attention of several heads over real steps."""

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
    """Attention of several heads: padding masked, not causal by itself.

    Formula: Vaswani et al., "Attention Is All You Need" (2017), section 3.2.
    Causal attention and sliding windows go by columns: real steps keep their
    distance when padding is added at an end, but a hole stays between them.

    With fewer queries than keys, as in a decoder with a memory or a cache,
    query 0 stands beside key 0, as in Keras. `causal_alignment="end"` puts the
    last real query beside the last real key: of `t` queries and `s` keys query
    `i` sees keys up to `i + s - t`, whatever the padding of the row. PyTorch
    calls that `causal_lower_right`, others bottom-right aligned.

    Args:
        num_heads: Number of heads.
        key_dim: Size of each head's queries and keys.
        value_dim: Size of each head's values. Defaults to `key_dim`.
        dropout: Share of the scores to drop in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to True.
        output_shape: Size of the outputs' features. Defaults to that of
            `query`.
        *args: The arguments of `keras.layers.MultiHeadAttention` that follow,
            in its order.
        causal_alignment: Where the queries stand beside the keys, for causal
            attention and `sliding_window`: `"start"`, the first query beside
            the first key, counted in columns, as in Keras; or `"end"`, the
            last real query beside the last real key, counted in real steps,
            for queries that are the last steps of a longer sequence. Defaults
            to `"start"`.
        **kwargs: The other arguments of `keras.layers.MultiHeadAttention`,
            `sliding_window` and `use_gate` where Keras has them, and of the
            base layer.

    Call arguments:
        query: Tensor of shape `(batch, target, features)`.
        value: Tensor of shape `(batch, source, features)`.
        key: Tensor of shape `(batch, source, features)`. Defaults to `value`.
        query_mask: Boolean tensor of shape `(batch, target)`, True at real
            steps. Defaults to the mask that `query` carries, if any.
        value_mask: The same of `value`, `(batch, source)`.
        key_mask: The same of `key`. A step of the source is real where both
            its value and its key are.
        attention_mask: Boolean tensor, True where a query may see a key:
            `(batch, target, source)`, or what broadcasts to it.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        training: Whether to apply dropout.
        use_causal_mask: Whether a query sees no later key, by
            `causal_alignment`. Defaults to False: with a mask this is an
            encoder's attention.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. A query that may see no key gives 0 too, after the output
            projection, and scores of 0.
        Padding values: reach neither real outputs nor gradients, NaN included.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.MultiHeadAttention`: the same arguments and
            weights, and without a mask the same numbers.
        Differs: Keras deletes the mask of the tensors that it is given, so
            that a residual connection loses it and the next block looks at
            padding; it overlooks an explicit `query_mask`, and a NaN at
            padding spreads. With masks, inputs of rank 3 only, and one
            `attention_mask` for all heads.

    Returns:
        Tensor of shape `(batch, target, features)`, or of
        `output_shape`. With
        `return_attention_scores`, also the scores,
        `(batch, heads, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`, or `attention_mask`
            does not broadcast to `(batch, target, source)`.
        ValueError: If there is a mask and an input is not of rank 3.

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
            **kwargs,
        )
        self.heads = num_heads


@export
class MaskedGroupQueryAttention(
    MaskedAttentionOfArguments, keras.layers.GroupQueryAttention
):
    """Attention whose heads share keys and values in groups.

    Formula: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer
    Models from Multi-Head Checkpoints" (2023). Causal attention and sliding
    windows go by columns, or by real steps from the end, as those of
    `MaskedMultiHeadAttention` do.

    Args:
        head_dim: Size of each head.
        num_query_heads: Number of heads of the queries.
        num_key_value_heads: Number of heads of keys and values; it must divide
            that of the queries.
        dropout: Share of the scores to drop in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to True.
        *args: The arguments of `keras.layers.GroupQueryAttention` that follow,
            in its order.
        causal_alignment: `"start"` or `"end"`: where the queries stand beside
            the keys, as in `MaskedMultiHeadAttention`. Defaults to `"start"`.
        **kwargs: The other arguments of `keras.layers.GroupQueryAttention`,
            `sliding_window` and `use_gate` where Keras has them, and of the
            base layer.

    Call arguments:
        query: Tensor of shape `(batch, target, features)`.
        value: Tensor of shape `(batch, source, features)`.
        key: Tensor of shape `(batch, source, features)`. Defaults to `value`.
        query_mask: Boolean tensor of shape `(batch, target)`, True at real
            steps. Defaults to the mask that `query` carries, if any.
        value_mask: The same of `value`, `(batch, source)`.
        key_mask: The same of `key`. A step of the source is real where both
            its value and its key are.
        attention_mask: Boolean tensor, True where a query may see a key:
            `(batch, target, source)`, or what broadcasts to it.
        return_attention_scores: Whether to return the scores too. Defaults to
            False.
        training: Whether to apply dropout.
        use_causal_mask: Whether a query sees no later key, by
            `causal_alignment`. Defaults to False: with a mask this is an
            encoder's attention.

    Mask behavior:
        Reads: `(batch, steps)` for `query`, `value` and `key`.
        Emits: `(batch, target)`: the mask of `query`.
        Empty row: 0. A query that may see no key gives 0 too, after the output
            projection, and scores of 0.
        Padding values: reach neither real outputs nor gradients, NaN included.
            Outputs and scores of padding queries are 0.

    Keras layer:
        Drops in for: `keras.layers.GroupQueryAttention`: the same arguments and
            weights, and without a mask the same numbers.
        Differs: in Keras a NaN at padding spreads, padding queries answer, an
            explicit `query_mask` is not on the output, and a warning says that
            the mask is lost when it is not. With masks, one `attention_mask`
            for all heads.

    Returns:
        Tensor of shape `(batch, target, features)`. With
        `return_attention_scores`, also the scores,
        `(batch, heads, target, source)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`, or `attention_mask`
            does not broadcast to `(batch, target, source)`.
        ValueError: If there is a mask and an input is not of rank 3.

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
            **kwargs,
        )
        self.heads = num_query_heads
