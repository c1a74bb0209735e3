"""Groups sequences by length, and cuts the groups into batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.checks import check_lengths
from keras_masking.batching.edges import bucket_edges
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe

BATCH_SIZE = 32  # the default of `fit`


@dataclass(frozen=True)
class Bucket:
    """Sequences that are padded to the same length.

    Attributes:
        edge: That length, in steps.
        members: The indices of the sequences.
        most: The most rows in a batch.
    """

    edge: int
    members: np.ndarray
    most: int


def make_buckets(
    caller: str,
    lengths: np.ndarray,
    edges: Sequence[int] | None = None,
    buckets: int = 8,
    batch_size: int | None = None,
    steps_per_batch: int | None = None,
    multiple_of: int = 1,
) -> list[Bucket]:
    """The buckets that have members, by ascending edges."""
    buckets = check_integer(caller, "buckets", buckets)
    if batch_size is None and steps_per_batch is None:
        batch_size = BATCH_SIZE
    if batch_size is not None:
        check_integer(caller, "batch_size", batch_size)
    if steps_per_batch is not None:
        check_integer(caller, "steps_per_batch", steps_per_batch)
    if edges is None:
        # More edges than batches without buckets would leave few rows in each.
        batches = len(lengths) // (batch_size or len(lengths))
        if steps_per_batch is not None:
            steps = len(lengths) * int(lengths.max())
            batches = max(batches, steps // steps_per_batch)
        buckets = min(buckets, max(batches, 1))
        edges = bucket_edges(lengths, buckets, multiple_of)
    found = _read_edges(caller, edges, lengths)
    if steps_per_batch is not None and steps_per_batch < found[-1]:
        raise ValueError(
            describe(
                caller,
                "a batch must hold the longest sequence.",
                f"Pass steps_per_batch={found[-1]} or more, or shorten the "
                "sequences.",
                steps_per_batch=steps_per_batch,
                longest_edge=found[-1],
            )
        )
    place = np.searchsorted(found, lengths)
    result = []
    for i, edge in enumerate(found.tolist()):
        limits = [batch_size, steps_per_batch and steps_per_batch // edge]
        most = min(limit for limit in limits if limit is not None)
        members = np.flatnonzero(place == i)
        if len(members):
            result.append(Bucket(edge, members, most))
    return result


def cut(
    buckets: list[Bucket],
    lengths: np.ndarray,
    rng: np.random.Generator | None = None,
    padding: str = "post",
    fill: bool = False,
) -> list[Layout]:
    """Cuts buckets into batches; there are as many for every `rng`.

    A bucket's batches have equally many rows. The few sequences that are left
    over go to the next bucket; the batches of the last one differ by one row,
    unless they are filled.
    """
    result: list[Layout] = []
    left = np.array([], "int64")
    for bucket in buckets:
        members = np.concatenate([left, bucket.members])
        if rng is not None:
            rng.shuffle(members)
        if bucket is buckets[-1]:
            count = -(-len(members) // bucket.most)
            parts = np.array_split(members, count)
            least = len(parts[0]) if fill else 0
        else:
            count, rows = _even(len(members), bucket.most)
            parts = np.split(members[: count * rows], count)
            left, least = members[count * rows :], 0
        for part in parts:
            length, zero = lengths[part], np.zeros(len(part), "int64")
            start = bucket.edge - length if padding == "pre" else zero
            result.append(
                Layout(
                    rows=max(len(part), least),
                    steps=bucket.edge,
                    sequence=part,
                    length=length,
                    row=np.arange(len(part)),
                    start=start,
                    offset=zero,
                    slot=zero,
                )
            )
    return shuffled(result, rng)


def _even(members: int, most: int) -> tuple[int, int]:
    """Numbers of batches and of their rows that leave the fewest over."""
    full = members // most
    count = -(-members // most)
    if full and members - full * most <= members % count:
        return full, most
    return count, members // count


def shuffled(
    layouts: list[Layout], rng: np.random.Generator | None
) -> list[Layout]:
    """In random order, but two different lengths first.

    TensorFlow's `fit` takes from the first two batches whether the number of
    steps varies.
    """
    order = np.arange(len(layouts))
    if rng is not None:
        rng.shuffle(order)
    steps = np.array([layouts[i].steps for i in order])
    other = np.flatnonzero(steps != steps[0])
    if other.size:
        order[[1, other[0]]] = order[[other[0], 1]]
    return [layouts[i] for i in order]


def _read_edges(caller: str, edges: Any, lengths: np.ndarray) -> np.ndarray:
    found = check_lengths(caller, edges, shortest=1, name="edges")
    if np.any(np.diff(found) <= 0):
        raise ValueError(
            describe(
                caller,
                "`edges` must ascend.",
                "Pass `sorted(set(edges))`.",
                edges=found.tolist(),
            )
        )
    longest = int(lengths.argmax())
    if lengths[longest] > found[-1]:
        raise ValueError(
            describe(
                caller,
                "the last edge must not be below the longest sequence.",
                f"Pass an edge of at least {lengths[longest]}, or shorten the "
                "sequences.",
                last_edge=found[-1],
                sequence=longest,
                steps=lengths[longest],
            )
        )
    return found
