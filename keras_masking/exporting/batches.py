"""Batches that a file and its model must answer alike."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_masking.exporting.roles import Role
from keras_masking.exporting.signature import Signature
from keras_masking.exporting.sizes import Sizes

# Rows and steps. A converter may take a size of 1, or the traced one, for ever.
SHAPES = ((2, 5), (1, 1), (3, 8), (4, 21))
TRACED = (3, 7)
RIGHT, LEFT = "right padding", "left padding"
HOLE, EMPTY, NAN = "a hole", "an empty row", "NaN at padding"
PLAIN = "no steps"


class Batch(NamedTuple):
    """Inputs, flat, and what is special about them."""

    kind: str
    rows: int
    steps: tuple[int, ...]
    arrays: list[np.ndarray]


class Batches:
    """Makes batches of any size for the inputs of a model.

    Values are drawn from the batch of the user, if there is one.
    """

    def __init__(
        self, signature: Signature, sizes: Sizes, roles: list[Role]
    ) -> None:
        self.signature, self.sizes, self.roles = signature, sizes, roles

    def traced(self) -> list[np.ndarray]:
        """A batch to trace with: no size is 1, and no two are the same."""
        return self._make(RIGHT, *TRACED).arrays

    def all(
        self, shapes: tuple[tuple[int, int], ...] = SHAPES
    ) -> Iterator[Batch]:
        """Each kind of padding that the inputs can have, at each size."""
        if not any(role.steps != "" for role in self.roles):
            for rows in dict.fromkeys(rows for rows, _ in shapes):
                yield self._make(PLAIN, rows, 1)
            return
        kinds = [role.kind for role in self.roles]
        apart = any(role.padding is None for role in self.roles)
        for shape in shapes:
            for kind in (RIGHT, LEFT, HOLE, EMPTY, NAN):
                if kind in (LEFT, HOLE) and "lengths" in kinds:
                    continue
                if kind == NAN and not apart:
                    continue
                if shape[1] > 1 or kind in (RIGHT, EMPTY):
                    yield self._make(kind, *shape)

    def _make(self, kind: str, rows: int, steps: int) -> Batch:
        rng = np.random.default_rng(1000 * rows + steps)
        sizes = {name: steps + i for i, name in enumerate(self.sizes.groups)}
        counted = list(
            dict.fromkeys(r.steps for r in self.roles if r.steps != "")
        )
        real = {
            name: _real(
                kind, rows, name if isinstance(name, int) else sizes[name]
            )
            for name in counted
        }
        arrays = []
        for place, (slot, role) in enumerate(
            zip(self.signature.slots, self.roles)
        ):
            shape = self.sizes.sized(place, slot, rows, sizes)
            array = self._values(place, role, shape, real.get(role.steps), rng)
            if kind == NAN and role.kind == "features" and role.padding is None:
                array[~real[role.steps]] = np.nan
            arrays.append(array.astype(slot.dtype))
        found = tuple(real[name].shape[1] for name in counted)
        return Batch(kind, rows, found, arrays)

    def _values(
        self,
        place: int,
        role: Role,
        shape: tuple[int, ...],
        real: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        if role.kind == "lengths" and real is not None:
            return real.sum(axis=1).reshape(shape)
        if role.kind == "mask" and real is not None:
            return real if len(shape) == 2 else np.ones(shape)
        values = self._drawn(place, role, shape, rng)
        if real is None:
            return values
        there = real.reshape(real.shape + (1,) * (len(shape) - 2))
        if role.padding is None:  # it may hold anything
            return np.where(there, values, 9.0 * values)
        return np.where(there, values, role.padding)

    def _drawn(
        self,
        place: int,
        role: Role,
        shape: tuple[int, ...],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Random values, none of which is padding."""
        given = self.signature.given
        if given is not None:
            return _drawn_from(given[place], role, shape, rng)
        dtype = self.signature.slots[place].dtype
        if role.kind != "ids" and dtype.startswith("float"):
            return rng.normal(size=shape)
        if dtype == "bool":
            return np.ones(shape)
        ids = [i for i in range(max(role.below, 2)) if i != role.padding]
        return rng.choice(ids, shape)


def _drawn_from(
    x: np.ndarray, role: Role, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Rows, or steps that are not padding, of a user's input."""
    if role.steps == "":
        return x[rng.integers(len(x), size=shape[0])]
    flat = x.reshape(-1, *x.shape[2:])
    if role.padding is not None:
        other = (flat != role.padding).reshape(len(flat), -1).any(axis=1)
        flat = flat[other] if other.any() else flat
    return flat[rng.integers(len(flat), size=shape[:2])]


def _real(kind: str, rows: int, steps: int) -> np.ndarray:
    """Where the steps are real."""
    short = max(1, steps // 3)
    lengths = np.linspace(steps, short, rows + (rows == 1)).astype(int)[-rows:]
    real = np.arange(steps) < lengths[:, None]
    if kind == LEFT:
        real = real[:, ::-1].copy()
    if kind == HOLE:
        real[:, -1] = True
        real[:, steps // 2] = False
    if kind == EMPTY:
        real[-1] = False
    return real
