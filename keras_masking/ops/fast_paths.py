"""Fast paths to the same numbers, which read a sequence once.

A `where` before a reduction writes and reads another tensor of the same size:
on a CPU it costs two to four times as much as the reduction, and ten times
where the system allocates that much memory anew each time (from 32 MiB). So the
value is computed as if padding were ordinary numbers, with a weight of 0 or
`-inf`. A NaN or an infinity at padding shows in the result, which is small;
only then is the `where` used. Derivatives are written out: they select, as
those of the `where` do. On PyTorch a loop reads the real steps of large rows
(see `rows`).

On a GPU compilers fuse a `where` into the reduction, and a matrix product may
round: no fast path is used there, nor while PyTorch compiles.
"""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from keras_masking._backends import gains_by_fast_paths
from keras_masking._backends import is_concrete
from keras_masking._backends import new_axis
from keras_masking._backends import with_tangent
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.known import is_symbol

_PLAIN = ContextVar("plain formulas", default=False)


@contextmanager
def plain_formulas() -> Iterator[None]:
    """A context in which every operation uses its plain formula, no fast path.

    Numbers and derivatives are the same up to rounding: use it to compare and
    debug. A function that is compiled inside stays plain.

    Example:

    >>> x = np.array([[[1.0], [3.0], [np.nan]]], "float32")
    >>> with keras_masking.ops.plain_formulas():
    ...     y = keras_masking.ops.masked_mean(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def fast_or_plain(
    fast: Callable[[Tensor, Tensor], Tensor],
    plain: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    mask: Tensor | None,
    axis: Axis,
) -> Tensor:
    """`fast(x, mask)` where it is possible and faster, else `plain(x, mask)`.

    Args:
        fast: The fast path, for floats `(batch, steps, ...)` along the steps.
        plain: The formula that is always right.
        x: Floats, at least `(batch, steps)`.
        mask: A mask with as many axes as `x`.
        axis: The axis or axes to reduce.
    """
    if not takes_fast_path(x, mask, axis):
        return plain(x, mask)
    try:
        return fast(x, mask)
    except RuntimeError:
        # PyTorch in `torch.func.vmap`, where a mask has no values.
        if keras.backend.backend() != "torch":
            raise
        return plain(x, mask)


def takes_fast_path(x: Tensor, mask: Tensor | None, axis: Axis) -> bool:
    """Whether a fast path along the steps is possible and faster."""
    if mask is None or len(x.shape) < 3 or 0 in x.shape:
        return False
    # Checked first: a context variable would break the graph of torch.compile.
    if not gains_by_fast_paths(x) or _PLAIN.get():
        return False
    # An export: conditions and loops are more than its formats hold.
    if keras.backend.backend() == "jax" and any(map(is_symbol, x.shape)):
        return False
    # A mask of rows alone has been expanded to one step.
    steps = mask.shape[1] != 1 and all(size == 1 for size in mask.shape[2:])
    return steps and is_float(x) and axis in (1, 1 - len(x.shape))


def with_gradient(
    value: Callable[..., Tensor],
    gradient: Callable[..., Tensor] | None,
    tangent: Callable[..., Tensor],
    x: Tensor,
    *others: Tensor,
) -> Tensor:
    """`value(x, *others)`, with an explicit derivative along `x`.

    `others` are floats without a gradient, for example a mask or a mean.

    Args:
        value: The function.
        gradient: `gradient(g, y, x, *others)`, for TensorFlow; None if `value`
            is for JAX alone.
        tangent: `tangent(dx, y, x, *others)`, linear in `dx`, for JAX, which
            derives forward and reverse mode from it.
        x: Floats, the sequence.
        *others: The other arguments.
    """
    if keras.backend.backend() == "jax" or gradient is None:
        return with_tangent(value, tangent)(x, *others)

    def function(x: Tensor, *others: Tensor) -> tuple[Tensor, Any]:
        y = value(x, *others)
        zeros = [ops.zeros_like(other) for other in others]
        return y, lambda g: (gradient(g, y, x, *others), *zeros)

    result: Tensor = ops.custom_gradient(function)(x, *others)
    return result


def fast_reduction(
    value: Callable[..., Tensor],
    gradient: Callable[..., Tensor] | None,
    tangent: Callable[..., Tensor],
    x: Tensor,
    mask: Tensor,
    keepdims: bool,
    *others: Tensor,
) -> Tensor:
    """A reduction along the steps of `x` and of a float mask."""
    weights = ops.cast(mask, dtype_name(x))
    y = with_gradient(value, gradient, tangent, x, weights, *others)
    return reduced(y, keepdims)


def reduced(y: Tensor, keepdims: bool) -> Tensor:
    """`y`, which has one step, without that axis unless it is kept."""
    return y if keepdims else ops.squeeze(y, 1)


def product(x: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum over steps, in one pass: NaN if a NaN has weight 0."""
    if len(x.shape) == 3:
        return ops.matmul(ops.swapaxes(weights, 1, 2), x)
    shape = ops.shape(x)
    flat = ops.reshape(x, (*shape[:2], -1))
    row = ops.reshape(weights, (shape[0], 1, shape[1]))
    return ops.reshape(ops.matmul(row, flat), (shape[0], 1, *shape[2:]))


def attained(x: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Which real steps attain the extreme `y`, and how many do, 1 at least."""
    hit = ops.logical_and(ops.equal(x, y), weights > 0)
    ties = ops.sum(ops.cast(hit, "float32"), axis=1, keepdims=True)
    return hit, ops.maximum(ties, 1)


def selected(x: Tensor, weights: Tensor) -> Tensor:
    """`x`, with 0 at padding."""
    return zero_unless(weights > 0, x)


def sums_finite(x: Tensor) -> Tensor:
    """Whether all of `x` is finite, including padding.

    Computed from plain sums: XLA's maximum loses a NaN, and XLA may turn a
    product with a mask into a selection.
    """
    return ops.isfinite(ops.sum(ops.sum(x, axis=1)))


def map_rows(plain: Callable[..., Tensor], *args: Tensor) -> Tensor:
    """`plain(*args)`, row by row in a compiled JAX function.

    A copy of a row stays in a cache. And JAX would allocate memory of the size
    of `x` even for a branch that is not taken.
    """
    if keras.backend.backend() != "jax" or is_concrete(args[0]):
        return plain(*args)
    return ops.map(
        lambda rows: plain(*[new_axis(row, 0) for row in rows])[0], args
    )
