"""How many real steps a row has, as a loss counts them."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

import numpy as np
from keras import tree

from keras_masking.batching.sources import Batch
from keras_masking.errors import describe

# Where the mask of an output is. None: the loss has a number for each row.
Mask: TypeAlias = str | Callable[[Any, Any], Any] | None
KINDS = ("ids", "lengths", "mask")


def check_masks(caller: str, mask: Any) -> None:
    """Raises an error unless all are masks that can be counted."""
    for one in tree.flatten(mask):
        if one is not None and one not in KINDS and not callable(one):
            raise ValueError(
                describe(
                    caller,
                    "`mask` must be 'ids', 'lengths', 'mask', None, or a "
                    "function of `x` and `y` that returns a mask.",
                    "For example `mask=lambda x, y: x['tokens'] != 0`.",
                    mask=repr(one),
                )
            )


def for_each_output(caller: str, mask: Any, y: Any) -> list[tuple[Mask, Any]]:
    """The mask and the targets of each output."""
    targets = tree.flatten(y)
    nested = tree.is_nested(mask)
    masks = tree.flatten(mask) if nested else [mask] * len(targets)
    if nested:
        try:
            tree.assert_same_structure(mask, y)
        except (TypeError, ValueError):
            raise ValueError(
                describe(
                    caller,
                    "several masks must have the structure of the targets.",
                    "Pass one for each output, None where the loss has a "
                    "number for each row.",
                    mask=mask,
                    targets=len(targets),
                )
            ) from None
    return [*zip(masks, targets)]


def count_steps(
    caller: str, mask: Mask, batch: Batch, pad_value: float
) -> np.ndarray:
    """The number of real steps of each row, float64 `(batch,)`."""
    if callable(mask):
        return _count_mask(caller, mask(batch.x, batch.y))
    found = masked_input(caller, str(mask), batch.x)
    if mask == "lengths":
        return _count_lengths(caller, found)
    if mask == "mask":
        return _count_mask(caller, found)
    return _count_real(real_of(caller, found, pad_value))


def masked_input(caller: str, kind: str, x: Any) -> np.ndarray:
    """The ids, lengths or mask among the inputs."""
    found = None
    if isinstance(x, Mapping):
        found = x.get(kind)
    elif isinstance(x, (tuple, list)) and x:
        found = x[0 if kind == "ids" else -1]
    elif kind == "ids":
        found = x
    if not isinstance(found, np.ndarray):
        names = [*x] if isinstance(x, Mapping) else type(x).__name__
        raise ValueError(
            describe(
                caller,
                f"mask={kind!r} is not among the inputs.",
                "It is the input of this name in a dict; in a list the ids are "
                "first, lengths and masks last. Elsewhere pass a function, for "
                "example `mask=lambda x, y: x['tokens'] != 0`.",
                inputs=names,
            )
        )
    return found


def real_of(caller: str, x: np.ndarray, pad_value: float) -> np.ndarray:
    """Where ids or features are not padding, `(batch, steps)`."""
    if x.ndim < 2 or x.dtype.kind not in "biuf":
        raise ValueError(
            describe(
                caller,
                "ids must be numbers of shape (batch, steps), features "
                "(batch, steps, features).",
                "Elsewhere pass a function of `x` and `y` as `mask`.",
                shape=x.shape,
                dtype=x.dtype,
            )
        )
    real = ~np.isnan(x) if np.isnan(pad_value) else x != pad_value
    # As in `keras.layers.Masking`: a step of padding has no other feature.
    features = x.ndim > 2 and x.dtype.kind == "f"
    return real.any(axis=-1) if features else real


def _count_real(mask: np.ndarray) -> np.ndarray:
    return mask.reshape(len(mask), -1).sum(axis=1).astype("float64")


def _count_mask(caller: str, mask: Any) -> np.ndarray:
    mask = np.asarray(mask)
    known = mask.dtype.kind in "biuf" and np.isin(mask, (0, 1)).all()
    if mask.ndim < 2 or not known:
        raise ValueError(
            describe(
                caller,
                "a mask must be boolean, (batch, steps), True at real steps.",
                "Compare, for example `ids != 0`.",
                shape=mask.shape,
                dtype=mask.dtype,
            )
        )
    return _count_real(mask)


def _count_lengths(caller: str, lengths: np.ndarray) -> np.ndarray:
    counts = lengths.astype("float64")
    whole = np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))
    if counts.ndim != 1 or not whole.all():
        raise ValueError(
            describe(
                caller,
                "lengths must be whole numbers of at least 0, (batch,).",
                "Pass the number of real steps of each row.",
                shape=lengths.shape,
                lengths=lengths.ravel()[:5].tolist(),
            )
        )
    return counts
