"""Attention: which query may see which key, and the result if it sees none."""

from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import cast_to
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import largest_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import select
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.masks import both
from keras_masking.ops.masks import combine_masks
from keras_masking.ops.masks import either
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.reading import expanded
from keras_masking.ops.runs import columns
from keras_masking.ops.runs import positions_in_runs
from keras_masking.ops.runs import run_bound
from keras_masking.ops.runs import run_ends
from keras_masking.ops.runs import unchecked_segment_ids
from keras_masking.ops.softmax import unchecked_softmax
from keras_masking.ops.steps import unchecked_first_step


def attend_real(
    attend: Callable[..., Any],
    inputs: Sequence[Tensor],
    masks: Sequence[Tensor | None],
    attention_mask: Tensor | None = None,
    causal: bool = False,
    sliding_window: int | None = None,
    ends_together: bool = False,
    packed: bool = False,
) -> Any:
    """Runs `attend` on real steps: padding has no output and no influence.

    Args:
        attend: Function of `[query, value, key]` and of an attention mask or
            None. It returns outputs `(batch, target, ...)`, or outputs and
            scores `(batch, heads, target, source)` or `(batch, target,
            source)`.
        inputs: Query, value, and key if that is not the value.
        masks: A mask for each, or None; the mask of a key counts without a key
            too. A source step is real where value and key both are.
        attention_mask: Which query may see which key,
            `(batch or 1, target or 1, source or 1)`.
        causal: Whether queries cannot see later columns.
        sliding_window: Number of columns, including its own, that a query sees
            on either side. Defaults to all.
        ends_together: Whether the last real query is aligned with the last real
            key, and distances count real steps. By default the first columns
            are aligned, and distances count columns.
        packed: Whether each run of real steps is a sequence of its own. The
            k-th run of queries sees the k-th run of keys.

    Returns:
        The result of `attend`, with 0 where a query is padding or may see no
        key.
    """
    query, *source = inputs
    real_query, *real = masks
    real_source = combine_masks(real)
    allowed = attention_mask
    if real_source is not None:
        allowed = combine_masks([allowed, new_axis(real_source, 1)])
    steps = query.shape[1], source[0].shape[1]
    if None not in steps and steps[0] == steps[1] and sliding_window is None:
        # Without masks both alignments are the same, and Keras' fused kernel
        # has it.
        ends_together &= real_query is not None or real_source is not None
    sides: Any = (query, real_query), (source[0], real_source)
    if packed:
        sides = [
            (x, unchecked_full_mask(x) if mask is None else mask)
            for x, mask in sides
        ]
        ids = [unchecked_segment_ids(mask) for _, mask in sides]
        own = ops.equal(new_axis(ids[0], 2), new_axis(ids[1], 1))
        allowed = combine_masks([allowed, own])
    limited = causal or sliding_window is not None
    if limited and (ends_together or allowed is not None):
        place = _from_end if ends_together else _columns
        if packed:
            place = _from_end_of_run if ends_together else _from_start_of_run
        queries, keys = [place(*side) for side in sides]
        band = _band(queries, keys, causal, sliding_window)
        allowed = combine_masks([allowed, band])
    use_query, use_source, hurt = real_query, real_source, None
    if packed:
        use_query, use_source, hurt = _finite_steps(
            inputs, (real_query, real_source), allowed
        )
    if allowed is not None:
        sees = has_real_step(allowed, -1)
        # A softmax over no key would be 0 / 0.
        allowed = either(allowed, expanded(opposite(sees), 3))
    value = fill_padding(source[0], use_source)
    same = source[0] is query and use_source is use_query
    query = value if same else fill_padding(query, use_query)
    same = source[-1] is source[0] and dtype_name(value) != "float16"
    key = value if same else _keys(source[-1], use_source)
    outputs = attend([query, value, key], allowed)
    if hurt is not None:
        outputs = keras.tree.map_structure(partial(_spoiled, hurt), outputs)
    if allowed is not None:
        real_query = combine_masks([real_query, sees])
    if real_query is None:
        return outputs
    if not isinstance(outputs, (list, tuple)):
        return _where(real_query, outputs)
    output, scores = outputs
    heads = len(scores.shape) == 4
    real_scores = new_axis(real_query, 1) if heads else real_query
    return _where(real_query, output), _where(real_scores, scores)


def softmax_of_seen(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the keys, where each query may see one of them.

    The weights of all other keys are exactly 0: in `attend_real`, a query that
    may see no key is allowed all.
    """
    wide = upcast_half(scores)
    wide = select(allowed, wide, scalar(-largest_float(wide), wide))
    return cast_to(unchecked_softmax(wide, None, axis=-1), dtype_name(scores))


def _finite_steps(
    inputs: Sequence[Tensor],
    masks: Sequence[Tensor | None],
    allowed: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The steps to use of query and source, and the queries that become NaN.

    A weight of 0 does not keep a NaN of one sequence from its neighbours: a
    step that is not finite is left out, and spoils the queries that see it.
    """
    query, *source = inputs
    finite = [
        ops.all(ops.isfinite(x), axis=-1) for x in (source[0], source[-1])
    ]
    fine = combine_masks(finite)
    use_source = combine_masks([masks[1], fine])
    if all(x is query for x in source) and masks[0] is masks[1]:
        use_query, fine_query = use_source, fine
    else:
        fine_query = ops.all(ops.isfinite(query), axis=-1)
        use_query = combine_masks([masks[0], fine_query])
    seen = has_real_step(both(allowed, new_axis(opposite(fine), 1)), -1)
    return use_query, use_source, either(seen, opposite(fine_query))


def _spoiled(hurt: Tensor, x: Tensor) -> Tensor:
    """Outputs or scores, with NaN for the queries `hurt`."""
    heads = len(x.shape) == 4
    hurt = expanded(new_axis(hurt, 1) if heads else hurt, len(x.shape))
    # Added, so that the gradient of a NaN is still one.
    return x + ops.where(hurt, scalar(np.nan, x), scalar(0, x))


def _keys(key: Tensor, real: Tensor | None) -> Tensor:
    """Keys, with harmless values at padding steps."""
    if real is None or dtype_name(key) != "float16":
        return fill_padding(key, real)
    # On PyTorch Keras adds -45856 to the score of a masked key, which may still
    # be the largest. With copies of a real key there, it is never larger.
    return ops.where(
        new_axis(real, 2), key, unchecked_first_step(key, real, keepdims=True)
    )


def _where(mask: Tensor, x: Tensor) -> Tensor:
    return zero_unless(expanded(mask, len(x.shape)), x)


def _columns(x: Tensor, mask: Tensor | None) -> Tensor:
    """`(1, steps)`: the column of each step, real or not."""
    return new_axis(ops.arange(ops.shape(x)[1], dtype="int32"), 0)


def _from_end(x: Tensor, mask: Tensor | None) -> Tensor:
    """`(batch or 1, steps)`: 0 at the last real step, -1 at the one before."""
    if mask is None:
        return _columns(x, mask) - (ops.shape(x)[1] - 1)
    counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return counts - counts[:, -1:]


def _from_start_of_run(x: Tensor, mask: Tensor) -> Tensor:
    """`(batch, steps)`: 0 at the first step of each run."""
    return positions_in_runs(mask)


def _from_end_of_run(x: Tensor, mask: Tensor) -> Tensor:
    """`(batch, steps)`: 0 at the last step of each run, -1 before it."""
    return columns(mask) - run_bound(mask, run_ends(mask))


def _band(
    queries: Tensor, keys: Tensor, causal: bool, width: int | None
) -> Tensor:
    """`(batch or 1, target, source)`: which key positions a query may see."""
    distance = ops.expand_dims(queries, 2) - ops.expand_dims(keys, 1)
    band = None if width is None else ops.abs(distance) < width
    return combine_masks([band, distance >= 0 if causal else None])
