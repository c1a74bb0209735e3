"""The likelihood of a CRF from its factors: scores of steps, and transitions.

Potentials have a number for each pair of tags at each step. Where a pair has
the same transition at all steps, their factors are smaller by the number of
tags, and so is what the recursions read.

Source of the formulas: Rabiner (1989), "A Tutorial on Hidden Markov Models",
whose scaled recursions run on chances instead of their logarithms.
"""

from typing import Any
from typing import NamedTuple

from keras import ops

from keras_masking._backends import cond
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import multiplies_exactly
from keras_masking._backends import new_axis
from keras_masking._keras import get_mask
from keras_masking._keras import get_note
from keras_masking._keras import set_note
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.loops import scan
from keras_masking.ops.masks import both
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import either
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.order import unchecked_compact_steps
from keras_masking.ops.reading import expanded

# Below it a sum of chances may lack one that float32 does not hold.
TINY = 1e-30
NOTE = "_keras_masking_factors"


class Factors(NamedTuple):
    """What potentials are made of.

    At real steps they are `scores[:, :, None] + transitions`, without
    `transitions` at the first.
    """

    scores: Tensor  # (batch, steps, tags)
    transitions: Tensor  # (tags, tags)
    mask: Tensor | None


class Chances(NamedTuple):
    """Over all paths of each row, and the logarithm of their sum."""

    partition: Tensor  # (batch,)
    tags: Tensor  # (batch, steps, tags)
    pairs: Tensor  # (batch, tags, tags), summed over the steps


def make_potentials(factors: Factors, follows: Tensor) -> Tensor:
    """Potentials that carry their factors.

    `follows` is 1 at steps with a step before them, `(batch, steps)`, 0 at the
    first and at padding.
    """
    follows, after = expanded(follows, 4), factors.transitions
    scores = new_axis(factors.scores, 2)
    # A product, since it is weights that it leaves out: a selection from
    # tensors of this size takes several times as long.
    if is_torch_tensor(scores):  # in one pass
        potentials = scores.addcmul(follows, after)
    else:
        potentials = scores + follows * after
    set_note(potentials, NOTE, factors)
    return potentials


def get_factors(potentials: Tensor, mask: Tensor | None) -> Factors | None:
    """The factors that `potentials` carry, if they were made for this mask.

    None stands for the mask that `potentials` carry.
    """
    found: Factors | None = get_note(potentials, NOTE)
    if found is None or mask is found.mask:
        return found
    carries = get_mask(potentials) is not None
    return found if mask is None and carries else None


def factored_log_likelihood(
    tags: Tensor, scores: Tensor, transitions: Tensor, mask: Tensor
) -> Tensor:
    """The log-probability of a path of each row, `(batch,)`.

    Args:
        tags: Integers `(batch, steps)`.
        scores: `(batch, steps, tags)`, 0 at padding.
        transitions: `(tags, tags)`.
        mask: `(batch, steps)`.

    Its gradient is what the path has, minus what paths have on average. There
    is no second derivative.
    """
    # Relative to the largest, so that sums over many steps stay small: all
    # paths lose the same.
    scores = _from_largest(upcast_half(scores), -1)
    transitions = _from_largest(upcast_half(transitions), None)
    known = ops.stop_gradient(scores), ops.stop_gradient(transitions)
    first = first_and_last(mask)[0]
    follows = both(mask, opposite(first))
    every = _chances(*known, mask, first, follows)
    tags = fill_padding(ops.cast(tags, "int32"), mask)
    width, dtype = scores.shape[-1], scores.dtype
    own = fill_padding(ops.one_hot(tags, width, dtype=dtype), mask)
    before = ops.one_hot(tags_before(tags, mask), width, dtype=dtype)
    pairs = _sum_of_pairs(fill_padding(before, follows), own)
    value = _weighted(own, pairs, *known) - every.partition
    more = ops.stop_gradient(own - every.tags)
    more_pairs = ops.stop_gradient(pairs - every.pairs)
    linear = _weighted(more, more_pairs, scores, transitions)
    return linear + ops.stop_gradient(value - linear)


def _from_largest(x: Tensor, axis: int | None) -> Tensor:
    return x - ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))


def _weighted(
    steps: Tensor, pairs: Tensor, scores: Tensor, transitions: Tensor
) -> Tensor:
    return ops.sum(steps * scores, axis=(1, 2)) + ops.sum(
        pairs * transitions, axis=(1, 2)
    )


def _sum_of_pairs(before: Tensor, after: Tensor) -> Tensor:
    return ops.matmul(ops.transpose(before, (0, 2, 1)), after)


def _chances(
    scores: Tensor,
    transitions: Tensor,
    mask: Tensor,
    first: Tensor,
    follows: Tensor,
) -> Chances:
    steps = (
        ops.transpose(scores, (1, 0, 2)),
        *(new_axis(ops.transpose(x), -1) for x in (mask, first, follows)),
    )
    found, ok = _scaled(transitions, *steps)
    return Chances(*cond(ok, lambda: found, lambda: _logs(transitions, *steps)))


def _scaled(
    transitions: Tensor,
    scores: Tensor,
    real: Tensor,
    first: Tensor,
    follows: Tensor,
) -> tuple[Chances, Tensor]:
    """By products of matrices, and whether float32 held all that they need.

    The largest score of a step, and of a transition, is 0. All but
    `transitions` have their steps first. Sums of chances are those that a tag
    takes over before its own score is added: large enough, they have all their
    digits, whatever the scores are.
    """
    factors, shares = ops.exp(transitions), ops.exp(scores)
    ones = ops.ones_like(scores[0])

    def forward(chances: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        shares, real, first = given
        new = ops.where(first, shares, _times(chances, factors) * shares)
        new = new / ops.sum(new, axis=-1, keepdims=True)
        chances = ops.where(real, new, chances)
        return chances, chances

    def backward(chances: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        shares, real = given
        new = _times(chances * shares, ops.transpose(factors))
        new = new / ops.sum(new, axis=-1, keepdims=True)
        return ops.where(real, new, chances), chances

    _, each = scan(forward, ones, (shares, real, first))
    _, after = scan(backward, ones, (shares, real), reverse=True)
    before = _shifted(each, ones)
    taken = ops.where(follows, _times(before, factors), 1.0)
    held = ops.minimum(taken, after) >= TINY
    # NaN is in no order, and goes the other way.
    ok = ops.all(either(held, opposite(real)))
    total = ops.log(ops.sum(taken * shares, axis=-1, keepdims=True))
    total = ops.where(real, total, 0.0)
    tags = ops.softmax(ops.log(taken) + scores + ops.log(after), axis=-1)
    by_row = (
        ops.transpose(x, (1, 0, 2))
        for x in (
            before,
            ops.where(follows, tags / taken, 0.0),
            ops.where(real, tags, 0.0),
        )
    )
    before, after, tags = by_row
    pairs = _sum_of_pairs(before, after) * factors
    return Chances(ops.sum(total, axis=(0, 2)), tags, pairs), ok


def _logs(
    transitions: Tensor,
    scores: Tensor,
    real: Tensor,
    first: Tensor,
    follows: Tensor,
) -> Chances:
    """The same from logarithms, which hold any range, but take longer."""
    zeros = ops.zeros_like(scores[0])

    def forward(state: Any, given: Any) -> tuple[Any, Any]:
        (logs, _), (scores, real, first) = state, given
        taken = ops.logsumexp(new_axis(logs, 2) + transitions, axis=1)
        taken = ops.where(first, 0.0, taken)
        new = taken + scores
        new = new - ops.max(new, axis=-1, keepdims=True)
        state = ops.where(real, new, logs), taken
        return state, state

    def backward(logs: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        scores, real = given
        new = ops.logsumexp(transitions + new_axis(scores + logs, 1), axis=2)
        new = new - ops.max(new, axis=-1, keepdims=True)
        return ops.where(real, new, logs), logs

    given = scores, real, first
    (last, _), (each, taken) = scan(forward, (zeros, zeros), given)
    _, after = scan(backward, zeros, (scores, real), reverse=True)
    before = _shifted(each, zeros)
    top = ops.max(taken + scores, axis=-1, keepdims=True)
    total = ops.sum(ops.where(real, top, 0.0), axis=(0, 2))
    tags = ops.softmax(taken + scores + after, axis=-1)
    follow = ops.where(follows, tags, 0.0)

    def after_one(given: Any) -> Tensor:
        before, transitions = given
        shares = ops.exp(new_axis(before, -1) + transitions - taken)
        return ops.sum(ops.where(follows, shares, 0.0) * follow, axis=0)

    pairs = ops.map(after_one, (ops.transpose(before, (2, 0, 1)), transitions))
    return Chances(
        total + ops.logsumexp(last, axis=-1),
        ops.transpose(ops.where(real, tags, 0.0), (1, 0, 2)),
        ops.transpose(pairs, (1, 0, 2)),
    )


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    if multiplies_exactly():
        return ops.matmul(x, matrix)
    return ops.sum(new_axis(x, -1) * matrix, axis=-2)


def _shifted(each: Tensor, start: Tensor) -> Tensor:
    """What a scan had before each step."""
    return ops.concatenate([new_axis(start, 0), each[:-1]], axis=0)


def tags_before(tags: Tensor, mask: Tensor) -> Tensor:
    """The tag of the real step before each real step; 0 at the first.

    `tags` are 0 at padding.
    """
    # In a row without holes, the tag before stands one column to the left.
    front = unchecked_compact_steps(tags, mask)[0]
    before = unchecked_position_ids(mask) - 1
    found = ops.take_along_axis(front, ops.maximum(before, 0), axis=1)
    return ops.where(first_and_last(mask)[0], 0, found)


def first_and_last(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which steps are the first, and which the last real one of their row."""
    position = unchecked_position_ids(mask)
    last = ops.equal(position, new_axis(count_steps(mask), 1) - 1)
    return both(mask, ops.equal(position, 0)), both(mask, last)
