"""`where` on PyTorch and a CPU, several times as fast.

PyTorch's `where` reads one number after the other. The bits of a float and of a
mask, which has all of them or none, are read many at a time. The result is
exact, whatever is at padding.
"""

from inspect import signature
from typing import Any

from keras_masking._backends import TORCH
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import torch_traces
from keras_masking._types import Tensor

# Numbers from which this is faster.
LEAST = 2**16


def gains_by_bits(real: Tensor, x: Tensor) -> bool:
    """Whether `select_bits` is possible and faster than `where`."""
    if not is_torch_tensor(x) or not is_torch_tensor(real) or torch_traces():
        return False
    if x.numel() < LEAST or not x.is_floating_point():
        return False
    # The bits of a mask as large as `x` would be two more tensors of that size.
    smaller = 2 * real.numel() <= x.numel() and real.ndim <= x.ndim
    return smaller and x.device.type == real.device.type == "cpu"


def select_bits(real: Tensor, x: Tensor, other: Any = None) -> Tensor:
    """`x` where `real`, else `other`, or 0 if there is none.

    Args:
        real: Booleans that broadcast to `x`.
        x: PyTorch's floats on a CPU.
        other: A tensor like `x`, with no more axes than `real` and no gradient.
    """
    if not TORCH.is_grad_enabled():
        try:  # half of the time is that of a function with a derivative
            tangent = TORCH.autograd.forward_ad.unpack_dual(x).tangent
            if tangent is None:
                return _Selection.forward(x, real, other)
        except RuntimeError:  # under `vmap`, which takes this in any form
            return TORCH.where(real, x, 0.0 if other is None else other)
    return _Selection.apply(x, real, other)


if TORCH is not None:
    # Of the size of the float, in bytes.
    _BITS = {2: TORCH.int16, 4: TORCH.int32, 8: TORCH.int64}

    class _Selection(TORCH.autograd.Function):
        """With derivatives of any order, forward mode and `vmap`."""

        @staticmethod
        def forward(x: Any, real: Any, other: Any) -> Any:
            bits = _BITS[x.element_size()]
            ones = real.to(bits).neg()
            y = TORCH.empty_like(x)  # not a view, so that it may be changed
            TORCH.bitwise_and(x.view(bits), ones, out=y.view(bits))
            if other is not None:
                y.view(bits).bitwise_or_(other.view(bits) & ~ones)
            return y

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[1])
            ctx.save_for_forward(inputs[1])

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (real,) = ctx.saved_tensors
            if torch_traces():  # a compiled train step traces this alone
                return TORCH.where(real, gradient, 0.0), None, None
            return select_bits(real, gradient), None, None

        @staticmethod
        def jvp(ctx: Any, tangent: Any, *of_others: Any) -> Any:
            (real,) = ctx.saved_tensors
            return _Selection.apply(tangent, real, None)

        @staticmethod
        def vmap(info: Any, axes: Any, x: Any, real: Any, other: Any) -> Any:
            ndim = 1 + max(
                y.ndim - (a is not None) for y, a in zip((x, real), axes)
            )

            def batched(y: Any, axis: Any) -> Any:
                y = y.unsqueeze(0) if axis is None else y.movedim(axis, 0)
                ones = [1] * (ndim - y.ndim)
                return y.reshape(y.shape[0], *ones, *y.shape[1:])

            fill = 0.0 if other is None else batched(other, axes[2])
            y = TORCH.where(batched(real, axes[1]), batched(x, axes[0]), fill)
            return y, 0

    # PyTorch asks for it at each call, which takes longer than the selection.
    _forward: Any = _Selection.forward
    _forward.__signature__ = signature(_forward)
