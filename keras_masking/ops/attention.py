"""Attention: which query may see which key, and what comes of seeing none."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.masks import apply_mask
from keras_masking.ops.masks import real_in_all
from keras_masking.ops.reading import expanded
from keras_masking.ops.steps import first_step


def attend_real(
    attend: Callable[..., Any],
    inputs: Sequence[Tensor],
    masks: Sequence[Tensor | None],
    attention_mask: Tensor | None = None,
    causal: bool = False,
    sliding_window: int | None = None,
) -> Any:
    """Runs `attend` on real steps: padding neither asks nor is looked at.

    Args:
        attend: Function of `[query, value, key]` and of an attention mask or
            None. It gives outputs `(batch, target, ...)`, or those and scores
            `(batch, heads, target, source)` or `(batch, target, source)`.
        inputs: Query, value, and key if that is not the value.
        masks: A mask of each, or None; that of a key counts without one too.
            A step of the source is real where value and key are.
        attention_mask: Which query may see which key,
            `(batch or 1, target or 1, source or 1)`.
        causal: Whether a query sees no later column.
        sliding_window: Number of columns, its own included, that a query sees
            to either side. Defaults to all.

    Returns:
        What `attend` gives, and 0 where a query is padding or may see no key.
    """
    query, *source = inputs
    answered, *real = masks
    real_source = real_in_all(real)
    allowed = attention_mask
    if real_source is not None:
        allowed = real_in_all([allowed, real_source[:, None]])
    if allowed is not None:
        sizes = ops.shape(query)[1], ops.shape(source[0])[1]
        band = _band(*sizes, causal, sliding_window)
        allowed = real_in_all([allowed, band])
        sees = ops.any(allowed, axis=-1)
        # A row of the softmax without any key would be 0 / 0.
        allowed = ops.logical_or(allowed, ops.logical_not(sees)[..., None])
    query = apply_mask(query, answered)
    value = apply_mask(source[0], real_source)
    key = _keys(source[-1], real_source)
    outputs = attend([query, value, key], allowed)
    if allowed is not None:
        answered = real_in_all([answered, sees])
    if answered is None:
        return outputs
    if not isinstance(outputs, (list, tuple)):
        return _where(answered, outputs)
    output, scores = outputs
    heads = len(scores.shape) == 4
    asked = answered[:, None] if heads else answered
    return _where(answered, output), _where(asked, scores)


def _keys(key: Tensor, real: Tensor | None) -> Tensor:
    """Keys, those of padding harmless."""
    if real is None or dtype_name(key) != "float16":
        return apply_mask(key, real)
    # On PyTorch Keras adds -45856 to the score of a hidden key, which may
    # still be the largest then. A score that a real key has too never is.
    return ops.where(real[..., None], key, first_step(key, real, keepdims=True))


def _where(mask: Tensor, x: Tensor) -> Tensor:
    return ops.where(expanded(mask, len(x.shape)), x, scalar(0, x))


def _band(
    targets: Any, sources: Any, causal: bool, width: int | None
) -> Tensor | None:
    """`(1, target, source)`: what position alone allows; None for all."""
    if not causal and width is None:
        return None
    rows = ops.arange(targets, dtype="int32")[None, :, None]
    behind = rows - ops.arange(sources, dtype="int32")
    band = None if width is None else ops.abs(behind) < width
    return real_in_all([band, behind >= 0 if causal else None])
