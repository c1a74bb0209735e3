"""Linear-chain conditional random fields over real steps.

`potentials` are `(batch, steps, tags, tags)`: the score of tag `j` at a step
after tag `i` at the real step before it. At the first real step only the row
`i = 0` is read. Padding, wherever it stands, is skipped.

Source of the formulas: Lafferty, McCallum, Pereira (2001), "Conditional Random
Fields"; forward, backward and Viterbi recursions as in Rabiner (1989).
"""

from typing import Any

import numpy as np
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.crf_factors import first_and_last
from keras_masking.ops.crf_factors import tags_before
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.loops import scan
from keras_masking.ops.masks import both
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.reading import check_mask
from keras_masking.ops.reading import expanded


def crf_decode(potentials: Tensor, mask: Tensor | None = None) -> Tensor:
    """The most likely tags of each sequence (Viterbi).

    Args:
        potentials: Floats `(batch, steps, tags, tags)`, such as
            `LinearChainCRF` gives: the score of a tag (last axis) after another
            (axis 2).
        mask: True at real steps, `(batch, steps)`. Defaults to all real.

    Returns:
        int32 tensor `(batch, steps)`; 0 at padding steps. Of paths with equal
        scores, any.

    Example:

    >>> scores = np.array([[0.0, 1.0], [3.0, 0.0], [0.0, 9.0]])
    >>> potentials = np.repeat(scores[None, :, None], 2, axis=2)
    >>> tags = keras_masking.ops.crf_decode(potentials, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(tags)
    array([[1, 0, 0]], dtype=int32)
    """
    return unchecked_crf_decode(*_read("`crf_decode`", potentials, mask))


def crf_marginals(potentials: Tensor, mask: Tensor | None = None) -> Tensor:
    """The probability of each tag at each step, over all paths.

    Args:
        potentials: Floats `(batch, steps, tags, tags)`, such as
            `LinearChainCRF` gives.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.

    Returns:
        Floats `(batch, steps, tags)`, whose sum over the tags is 1 at real
        steps; 0 at padding steps. float32 at least.

    Example:

    >>> potentials = np.log([[[[1.0, 3.0]] * 2, [[1.0, 1.0], [4.0, 2.0]]]])
    >>> chances = keras_masking.ops.crf_marginals(potentials.astype("float32"))
    >>> keras.ops.convert_to_numpy(chances)[0].round(2)
    array([[0.1 , 0.9 ],
           [0.65, 0.35]], dtype=float32)
    """
    return unchecked_crf_marginals(*_read("`crf_marginals`", potentials, mask))


def crf_log_likelihood(
    tags: Tensor, potentials: Tensor, mask: Tensor | None = None
) -> Tensor:
    """The log-probability of a path of tags among all paths.

    Args:
        tags: Integers `(batch, steps)`, of any value at padding steps.
        potentials: Floats `(batch, steps, tags, tags)`, such as
            `LinearChainCRF` gives.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.

    Returns:
        Floats `(batch,)`, at most 0; 0 for empty rows. float32 at least.

    Example:

    >>> potentials = np.log([[[[1.0, 3.0]] * 2, [[1.0, 1.0], [4.0, 2.0]]]])
    >>> likelihood = keras_masking.ops.crf_log_likelihood(
    ...     np.array([[1, 0]]), potentials.astype("float32")
    ... )
    >>> round(float(keras.ops.exp(likelihood)[0]), 2)  # 3 * 4 / 20
    0.6
    """
    potentials, mask = _read("`crf_log_likelihood`", potentials, mask)
    potentials = fill_padding(potentials, mask)
    tags = ops.convert_to_tensor(tags)
    return unchecked_crf_log_likelihood(tags, potentials, mask)


def _read(
    caller: str, potentials: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    potentials = ops.convert_to_tensor(potentials)
    check_potentials(caller, potentials)
    if mask is None:
        return potentials, unchecked_full_mask(potentials)
    return potentials, check_mask(mask, potentials, caller)


def check_potentials(caller: str, potentials: Tensor) -> None:
    """Raises an error if the axes are not those of potentials."""
    shape = tuple(potentials.shape)
    if len(shape) != 4 or shape[2] != shape[3]:
        raise ValueError(
            describe(
                caller,
                "potentials must be (batch, steps, tags, tags).",
                "Pass the outputs of `LinearChainCRF(tags)`.",
                **{"potentials.shape": shape},
            )
        )


def unchecked_crf_log_likelihood(
    tags: Tensor, potentials: Tensor, mask: Tensor
) -> Tensor:
    """The same for potentials that are 0 at padding."""
    potentials = upcast_half(potentials)
    partition = fill_padding(
        _log_partition(potentials, mask), has_real_step(mask)
    )
    return _path_score(tags, potentials, mask) - partition


def unchecked_crf_marginals(potentials: Tensor, mask: Tensor) -> Tensor:
    potentials = upcast_half(fill_padding(potentials, mask))
    by_step = _by_step(potentials, mask, first_and_last(mask)[0])
    last, before = _forward(potentials, by_step)
    after = _backward(potentials, by_step)
    partition = expanded(ops.logsumexp(last, axis=-1), 3)
    return fill_padding(ops.exp(before + after - partition), mask)


def unchecked_crf_decode(potentials: Tensor, mask: Tensor) -> Tensor:
    potentials = upcast_half(fill_padding(potentials, mask))

    def step(state: Any, given: Any) -> tuple[Any, Any]:
        (best, _), (scores, real, begins) = state, given
        paths = new_axis(best, 2) + scores
        came_from = ops.cast(ops.argmax(paths, axis=1), "int32")
        new = _where(begins, scores[:, 0], ops.max(paths, axis=1))
        # At padding a path stays where it is.
        state = _where(real, new, best), _where(real, came_from, same)
        return state, state

    start = ops.zeros_like(potentials[:, 0, 0])
    same = ops.cast(start, "int32") + ops.arange(start.shape[-1], dtype="int32")
    # On TensorFlow what a scan gives at each step has the dtypes of its state.
    (best, _), (_, came_from) = scan(
        step, (start, same), _by_step(potentials, mask, first_and_last(mask)[0])
    )
    end = ops.cast(ops.argmax(best, axis=-1), "int32")

    def back(tag: Tensor, pointers: Tensor) -> tuple[Tensor, Tensor]:
        previous = ops.take_along_axis(pointers, new_axis(tag, 1), axis=1)
        return previous[:, 0], tag

    _, found = ops.scan(back, end, came_from, reverse=True)
    return fill_padding(ops.transpose(found), mask)


def _log_partition(potentials: Tensor, mask: Tensor) -> Tensor:
    """The log-sum of the scores of all paths of each row.

    Its gradient is the chance of each pair of neighbors. Through the loops over
    the steps it would cost a copy of all potentials for each step on PyTorch.
    There is no second derivative.
    """
    known = ops.stop_gradient(potentials)
    first = first_and_last(mask)[0]
    by_step = _by_step(known, mask, first)
    last, each = _forward(known, by_step)
    total = expanded(ops.logsumexp(last, axis=-1), 3)
    after = _backward(known, by_step) - total
    before = ops.concatenate(
        [ops.zeros_like(each[:, :1]), each[:, :-1]], axis=1
    )
    # At the first step only the scores after tag 0 are read; at padding none.
    # Small tensors say so: the pairs of all steps are large.
    only_first = ops.where(ops.arange(known.shape[-1]) > 0, -np.inf, 0.0)
    before = ops.where(new_axis(first, -1), only_first, before)
    before = ops.where(new_axis(mask, -1), before, -np.inf)
    pairs = new_axis(before, -1) + known
    chances = ops.exp(pairs + new_axis(after, 2))
    expected = ops.sum(chances * potentials, axis=(1, 2, 3))
    return expected + ops.stop_gradient(total[:, 0, 0] - expected)


def _forward(
    potentials: Tensor, by_step: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Log-sums of all paths to each tag: at the end, and after each step."""

    def step(sums: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        scores, real, begins = given
        new = ops.logsumexp(new_axis(sums, 2) + scores, axis=1)
        new = _where(begins, scores[:, 0], new)
        sums = _where(real, new, sums)
        return sums, sums

    start = ops.zeros_like(potentials[:, 0, 0])
    last, each = scan(step, start, by_step)
    return last, ops.transpose(each, (1, 0, 2))


def _backward(potentials: Tensor, by_step: tuple[Tensor, ...]) -> Tensor:
    """Log-sums of all paths from each tag at each step to the end."""

    def step(sums: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        scores, real, begins = given
        new = ops.logsumexp(scores + new_axis(sums, 1), axis=2)
        return _where(both(real, opposite(begins)), new, sums), sums

    start = ops.zeros_like(potentials[:, 0, 0])
    _, each = scan(step, start, by_step, reverse=True)
    return ops.transpose(each, (1, 0, 2))


def _path_score(tags: Tensor, potentials: Tensor, mask: Tensor) -> Tensor:
    """The sum of the potentials along a path."""
    number = potentials.shape[-1]
    tags = fill_padding(ops.cast(tags, "int32"), mask)
    before = tags_before(tags, mask)
    shape = ops.shape(potentials)
    flat = ops.reshape(potentials, (*shape[:2], number * number))
    index = ops.expand_dims(before * number + tags, -1)
    scores = ops.take_along_axis(flat, index, axis=2)[..., 0]
    return ops.sum(fill_padding(scores, mask), axis=1)


def _by_step(*given: Tensor) -> tuple[Tensor, ...]:
    """Tensors with their steps first, as `scan` takes them."""
    return tuple(
        ops.transpose(x, (1, 0, *range(2, len(x.shape)))) for x in given
    )


def _where(rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return ops.where(new_axis(rows, 1), x, y)
