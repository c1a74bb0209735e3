"""Selection by the bits of floats, against a loop."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import _selection
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import select
from keras_masking.ops.dtypes import zero_unless
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import gradient
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

on_torch = pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
X, MASK = sample(), MASKS["holes"]
REAL = MASK[:, :, None]


def by_loops(x: np.ndarray, other: float) -> np.ndarray:
    y = np.full_like(x, other)
    for at in np.ndindex(x.shape):
        if MASK[at[:2]]:
            y[at] = x[at]
    return y


def tensor(x: Any, dtype: Any = None) -> Any:
    return keras.ops.convert_to_tensor(x, dtype=dtype)


@pytest.mark.parametrize("padding", [-8.0, -0.0, 3e38, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("other", [0.0, 2.5, -np.inf])
def test_values(padding: float, other: float) -> None:
    x = tensor(poisoned(X, MASK, padding))
    y = select(tensor(REAL), x, scalar(other, x))
    np.testing.assert_array_equal(to_numpy(y), by_loops(X, other))
    if other == 0:
        y = to_numpy(zero_unless(tensor(REAL), x))
        np.testing.assert_array_equal(y, by_loops(X, 0))
        assert not np.signbit(y[~MASK]).any()


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", *["float64"] * (BACKEND != "jax")]
)
def test_dtypes(dtype: str) -> None:
    x = keras.ops.cast(tensor(poisoned(X, MASK, np.nan)), dtype)
    y = select(tensor(REAL), x, scalar(-2.0, x))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    wanted = to_numpy(keras.ops.cast(x, "float32"))
    wanted = by_loops(wanted, -2.0)
    found = to_numpy(keras.ops.cast(y, "float32"))
    np.testing.assert_array_equal(found, wanted)


def test_a_real_value_that_is_not_finite_stays() -> None:
    x = X.copy()
    x[0, 0, :3] = np.nan, np.inf, -np.inf
    y = to_numpy(zero_unless(tensor(REAL), tensor(x)))
    np.testing.assert_array_equal(y, by_loops(x, 0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients(bad: float) -> None:
    """Those at padding are 0, whatever comes from above."""
    above = poisoned(np.cos(X), MASK, bad)

    def total(x: Any) -> Any:
        y = select(tensor(REAL), x, scalar(7.0, x))
        return keras.ops.sum(y * y * tensor(above))

    (found,) = gradient(total, poisoned(X, MASK, np.nan))
    wanted = np.where(REAL, 2 * X * np.cos(X), 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@on_torch
def test_other_derivatives() -> None:
    import torch

    def total(x: Any) -> Any:
        return (zero_unless(real, x) ** 3).sum()

    x, real = torch.tensor(poisoned(X, MASK, np.nan)), torch.tensor(REAL)
    v = torch.tensor(np.sin(X))
    _, slope = torch.func.jvp(total, (x,), (v,))
    wanted = np.sum(np.where(REAL, 3 * X**2 * np.sin(X), 0))
    np.testing.assert_allclose(float(slope), wanted, rtol=1e-5)
    both = torch.func.vmap(torch.func.grad(total))(torch.stack([x, 2 * x]))
    for factor, found in zip((1, 2), both):
        wanted = np.where(REAL, 3 * (factor * X) ** 2, 0)
        np.testing.assert_allclose(to_numpy(found), wanted, rtol=1e-5)
    x.requires_grad_()
    factors = torch.stack([torch.ones_like(x), torch.tensor(np.cos(X))])
    (batch,) = torch.autograd.grad(
        zero_unless(real, x), x, factors, is_grads_batched=True
    )
    for factor, found in zip((np.ones_like(X), np.cos(X)), batch):
        wanted = np.where(REAL, factor, 0)
        np.testing.assert_array_equal(to_numpy(found), wanted)
    (first,) = torch.autograd.grad(total(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    wanted = np.where(REAL, 6 * X, 0)
    np.testing.assert_allclose(to_numpy(second), wanted, rtol=1e-5)


@on_torch
def test_derivatives_where_none_are_recorded() -> None:
    """Forward mode and `vmap` are possible in `torch.no_grad`."""
    import torch
    from torch.autograd import forward_ad

    x, real = torch.tensor(poisoned(X, MASK, np.nan)), torch.tensor(REAL)
    v = torch.tensor(np.sin(X))

    def square(x: Any) -> Any:
        return zero_unless(real, x) ** 2

    with torch.no_grad(), forward_ad.dual_level():
        y = square(forward_ad.make_dual(x, v))
        found = [forward_ad.unpack_dual(y).tangent]
    with torch.no_grad():
        found.append(torch.func.jvp(square, (x,), (v,))[1])
        found += torch.func.vmap(
            lambda x, v: torch.func.jvp(square, (x,), (v,))[1]
        )(torch.stack([x, x]), torch.stack([v, v]))
    wanted = np.where(REAL, 2 * X * np.sin(X), 0)
    assert len(found) == 4
    for y in found:
        np.testing.assert_allclose(to_numpy(y), wanted, rtol=1e-5)


@on_torch
@pytest.mark.parametrize("records", [True, False])
def test_vmap_over_masks_and_others(records: bool) -> None:
    import torch

    x, real = torch.tensor(X), torch.tensor(REAL)
    masks, others = torch.stack([real, ~real]), torch.tensor([1.0, 2.0])
    with torch.set_grad_enabled(records):
        found = torch.func.vmap(select, (0, None, 0))(masks, x, others)
    for y, mask, other in zip(found, (REAL, ~REAL), (1.0, 2.0)):
        np.testing.assert_array_equal(to_numpy(y), np.where(mask, X, other))


@on_torch
def test_the_result_may_be_changed() -> None:
    import torch

    x = torch.tensor(X, requires_grad=True)
    y = zero_unless(torch.tensor(REAL), x)
    y += x
    y.sum().backward()
    wanted = np.where(REAL, 2.0, 1.0)
    wanted = np.broadcast_to(wanted, X.shape)
    np.testing.assert_array_equal(to_numpy(x.grad), wanted)


@on_torch
def test_which_are_selected_by_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    x, real = torch.tensor(X), torch.tensor(REAL)
    monkeypatch.setattr(_selection, "LEAST", X.size)
    assert _selection.gains_by_bits(real, x)
    assert not _selection.gains_by_bits(real, x[1:])  # too small
    assert not _selection.gains_by_bits(real.expand(x.shape), x)
    assert not _selection.gains_by_bits(real, x.int())
    assert not _selection.gains_by_bits(REAL, x)
