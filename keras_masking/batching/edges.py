"""The lengths to which sequences are padded."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.checks import check_lengths


def bucket_edges(
    lengths: Sequence[int] | Any, buckets: int = 8, multiple_of: int = 1
) -> list[int]:
    """The lengths to pad to, such that the fewest steps are padding.

    A bucket is a group of sequences that are padded to the same length, its
    edge. Each sequence belongs to the first bucket whose edge is not below its
    length. The result is exact: no other edges need fewer steps in total.

    Args:
        lengths: The number of steps of each sequence, integers of shape
            `(sequences,)`.
        buckets: The largest number of edges. Where a backend compiles each
            shape, as JAX does, it is the number of compilations. Defaults to 8.
        multiple_of: Edges are multiples of it. Take the product of the strides
            of a model whose output would shift otherwise. Defaults to 1.

    Returns:
        The edges in steps, in ascending order. The last one is the longest
        length, rounded up to a multiple. There are fewer than `buckets` if the
        lengths have fewer different values.

    Raises:
        ValueError: If there are no lengths, one of them is not a whole number
            of at least 0, or `buckets` or `multiple_of` is not an integer of at
            least 1.

    Source: a partition of sorted numbers into intervals by dynamic programming
    (Bellman 1961), with the lower hull of lines for the minimum, so that the
    time grows with `buckets` times the number of different lengths.

    Example:

    >>> lengths = [3, 3, 3, 4, 9, 10]
    >>> keras_masking.batching.bucket_edges(lengths, buckets=2)
    [4, 10]
    >>> keras_masking.batching.bucket_edges(lengths, buckets=2, multiple_of=8)
    [8, 16]
    """
    caller = "bucket_edges"
    found = check_lengths(caller, lengths)
    buckets = check_integer(caller, "buckets", buckets)
    multiple_of = check_integer(caller, "multiple_of", multiple_of)
    # An edge of 0 would be a tensor without steps.
    found = np.maximum(-(-found // multiple_of), 1) * multiple_of
    sizes, counts = np.unique(found, return_counts=True)
    # Python's integers: products of large lengths don't overflow.
    return _fewest_steps(sizes.tolist(), counts.tolist(), buckets)


def _fewest_steps(sizes: list[int], counts: list[int], most: int) -> list[int]:
    """At most `most` of the sizes, the last among them."""
    up_to = list(accumulate(counts, initial=0))
    # The steps of the first j sizes in one bucket, then in two, and so on.
    steps = [size * up_to[j + 1] for j, size in enumerate(sizes)]
    cuts: list[list[int]] = []
    for _ in range(min(most, len(sizes)) - 1):
        steps, before = _with_one_more(sizes, up_to, [0, *steps])
        cuts.append(before)
    end, edges = len(sizes), []
    for before in reversed(cuts):
        edges.append(sizes[end - 1])
        end = before[end - 1]
    return [*edges, sizes[end - 1]][::-1]


def _with_one_more(
    sizes: list[int], up_to: list[int], steps: list[int]
) -> tuple[list[int], list[int]]:
    """The fewest steps with one bucket more, and where that bucket begins.

    A bucket of the sizes from i to j takes `sizes[j] * (up_to[j + 1] -
    up_to[i])` steps: for each i a line in `sizes[j]` of slope `-up_to[i]`.
    """
    least, begins = [], []
    hull: list[int] = []  # lines that are lowest somewhere, by slope
    first = 0
    for j, size in enumerate(sizes):
        _add_line(hull, j, up_to, steps, first)
        first = min(first, len(hull) - 1)
        while first + 1 < len(hull):
            a, b = hull[first], hull[first + 1]
            if steps[a] - size * up_to[a] < steps[b] - size * up_to[b]:
                break
            first += 1
        i = hull[first]
        least.append(steps[i] + size * (up_to[j + 1] - up_to[i]))
        begins.append(i)
    return least, begins


def _add_line(
    hull: list[int], new: int, up_to: list[int], steps: list[int], first: int
) -> None:
    """Adds line `new`, the steepest; removes those that it makes useless."""
    while len(hull) - first >= 2:
        a, b = hull[-2:]
        # The new line meets a where b is not yet, or never, below both.
        new_a = (steps[new] - steps[a]) * (up_to[b] - up_to[a])
        b_a = (steps[b] - steps[a]) * (up_to[new] - up_to[a])
        if new_a > b_a:
            break
        hull.pop()
    hull.append(new)
