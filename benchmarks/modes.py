"""How a backend runs a function: as Keras' `predict` and `fit` have it run.

`predict` is the forward pass: TensorFlow in a graph, which XLA compiles where
Keras chooses so (on a GPU, not on a CPU), JAX compiled, PyTorch eager. `fit` is
the value of sum(f(x) * w) and its gradients with respect to x and the weights,
run in the same way. `eager` is the forward pass outside of any function,
`compiled` the other compiler: `torch.compile`, and XLA or not on TensorFlow.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras import tree

MODES = ("predict", "fit", "eager", "compiled")
EXTRA = {
    "jax": ("eager",),
    "tensorflow": ("eager", "compiled"),
    "torch": ("compiled",),
}


class Holder(keras.Model):
    """A model that Keras can be asked of how it would compile it."""

    def __init__(self, inside: Sequence[Any]) -> None:
        super().__init__()
        self.inside = list(inside)


class Run:
    """A function made ready; called with the inputs it was made for."""

    def __init__(
        self,
        mode: str,
        function: Callable[..., Any],
        layers: Sequence[Any],
        inputs: Sequence[Any],
    ) -> None:
        self.mode, self.function = mode, function
        self.variables = [v for a in layers for v in a.trainable_variables]
        self.values = [v.value for v in self.variables]
        self.jit = bool(Holder(layers).jit_compile)
        self.floats = [
            i for i, x in enumerate(inputs) if "float" in str(x.dtype)
        ]
        self.weights: list[Any] = []
        if mode == "fit":
            self.weights = [_weights(y) for y in self.outputs(inputs)]

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        """Things of the shapes and dtypes of the outputs."""
        raise NotImplementedError

    def memory(self, *inputs: Any) -> int | None:
        """Bytes of temporaries of one call; None if they cannot be told."""
        return None

    def summed(self, outputs: Any, weights: Sequence[Any]) -> Any:
        total: Any = 0.0
        for y, w in zip(tree.flatten(outputs), weights):
            total = total + ops.sum(y * w)
        return total


class OnJax(Run):
    def __init__(self, mode: str, *args: Any) -> None:
        super().__init__(mode, *args)
        import jax

        self.run = self.forward if mode != "fit" else self.gradients
        if mode != "eager":
            self.run = jax.jit(self.run)
        self.ready = jax.block_until_ready

    def forward(self, values: Any, weights: Any, *inputs: Any) -> Any:
        # As arguments: constants would let XLA compute ahead.
        mapping = list(zip(self.variables, values))
        with keras.StatelessScope(state_mapping=mapping):
            return self.function(*inputs)

    def gradients(self, values: Any, weights: Any, *inputs: Any) -> Any:
        import jax

        def loss(values: Any, floats: Any) -> Any:
            given = list(inputs)
            for i, x in zip(self.floats, floats):
                given[i] = x
            outputs = self.forward(values, (), *given)
            return self.summed(outputs, weights)

        floats = [inputs[i] for i in self.floats]
        return jax.value_and_grad(loss, (0, 1))(values, floats)

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        import jax

        return tree.flatten(
            jax.eval_shape(self.forward, self.values, (), *inputs)
        )

    def __call__(self, *inputs: Any) -> Any:
        return self.ready(self.run(self.values, self.weights, *inputs))

    def memory(self, *inputs: Any) -> int | None:
        if self.mode == "eager":
            return None
        lowered = self.run.lower(self.values, self.weights, *inputs)
        analysis = lowered.compile().memory_analysis()
        return None if analysis is None else analysis.temp_size_in_bytes


class OnTensorFlow(Run):
    def __init__(self, mode: str, *args: Any) -> None:
        super().__init__(mode, *args)
        import tensorflow as tf

        self.run = self.gradients if mode == "fit" else self.forward
        if mode != "eager":
            self.run = tf.function(
                self.run,
                jit_compile=self.jit != (mode == "compiled") or None,
                reduce_retracing=True,
                autograph=False,
            )
        self.many = bool(tf.config.list_physical_devices("GPU"))
        self.sync = tf.test.experimental.sync_devices

    def forward(self, weights: Any, *inputs: Any) -> Any:
        return self.function(*inputs)

    def gradients(self, weights: Any, *inputs: Any) -> Any:
        import tensorflow as tf

        watched = [inputs[i] for i in self.floats]
        watched += self.values
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            total = self.summed(self.function(*inputs), weights)
        found = tape.gradient(total, watched)
        return total, [g for g in found if g is not None]

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        return tree.flatten(self.function(*inputs))

    def __call__(self, *inputs: Any) -> Any:
        outputs = self.run(self.weights, *inputs)
        if self.many:
            self.sync()
        return outputs


class OnTorch(Run):
    def __init__(self, mode: str, *args: Any) -> None:
        super().__init__(mode, *args)
        import torch

        self.torch = torch
        self.gpu = torch.cuda.is_available()
        if mode == "compiled":
            self.function = torch.compile(self.function)

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        import torch

        with torch.no_grad():
            return tree.flatten(self.function(*inputs))

    def __call__(self, *inputs: Any) -> Any:
        outputs = self.gradients(inputs) if self.weights else None
        if outputs is None:
            with self.torch.no_grad():
                outputs = self.function(*inputs)
        if self.gpu:
            self.torch.cuda.synchronize()
        return outputs

    def gradients(self, inputs: Sequence[Any]) -> Any:
        given = list(inputs)
        for i in self.floats:
            given[i] = given[i].detach().requires_grad_(True)
        total = self.summed(self.function(*given), self.weights)
        watched = [given[i] for i in self.floats]
        watched += self.values
        return self.torch.autograd.grad(total, watched, allow_unused=True)

    def memory(self, *inputs: Any) -> int | None:
        if not self.gpu:
            return None
        cuda = self.torch.cuda
        before = cuda.memory_allocated()
        cuda.reset_peak_memory_stats()
        self(*inputs)
        return int(cuda.max_memory_allocated() - before)


def prepare(
    mode: str,
    function: Callable[..., Any],
    layers: Sequence[Any],
    inputs: Sequence[Any],
) -> Run:
    """The function, ready to run in `mode` on the backend of this process."""
    kinds = {"jax": OnJax, "tensorflow": OnTensorFlow, "torch": OnTorch}
    return kinds[keras.backend.backend()](mode, function, layers, inputs)


def _weights(y: Any) -> Any:
    """Random ones, so that no gradient is that of a plain sum."""
    random = np.random.default_rng(4).uniform(0.5, 1.5, tuple(y.shape))
    dtype = keras.backend.standardize_dtype(y.dtype)
    return ops.convert_to_tensor(random.astype("float32"), dtype)
