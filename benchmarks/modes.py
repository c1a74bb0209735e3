"""How a backend runs a function: as `predict` and `fit` of Keras run it.

`predict` is the forward pass: TensorFlow in a graph, which XLA compiles where
Keras chooses so (on a GPU, not on a CPU), JAX compiled, PyTorch eager. `fit` is
the value of sum(f(x) * w) and its gradients with respect to x and the weights,
run in the same way. `eager` is the forward pass outside of any function,
`compiled` the other compiler: `torch.compile`, and XLA or not on TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from keras import tree

from benchmarks.row import Contender

Call = Callable[..., Any]
# Without what is `predict` under another name.
RUN = {
    "jax": ("predict", "fit", "eager"),
    "tensorflow": ("predict", "fit", "eager", "compiled"),
    "torch": ("predict", "fit", "compiled"),
}


class Run:
    """A contender made ready: `call` is a function of inputs like its own."""

    memory: Call | None = None  # bytes of temporaries, where they are known

    def __init__(self, mode: str, contender: Contender) -> None:
        self.mode, self.function = mode, contender.function
        self.layers = list(contender.layers)
        self.variables = [v for a in self.layers for v in a.trainable_variables]
        self.values = [v.value for v in self.variables]
        dtype = keras.backend.standardize_dtype
        kinds = [dtype(x.dtype) for x in contender.inputs]
        self.floats = [i for i, kind in enumerate(kinds) if "float" in kind]
        self.weights: list[Any] = []  # so that no gradient is that of a sum
        if mode == "fit":
            draw = np.random.default_rng(4).uniform
            for y in tree.flatten(self.function(*contender.inputs)):
                w = draw(0.5, 1.5, tuple(y.shape)).astype("float32")
                self.weights += [ops.convert_to_tensor(w, dtype(y.dtype))]
        self.call: Call = getattr(self, keras.backend.backend())()

    def loss(self, weights: Any, floats: Any, inputs: Any) -> Any:
        given = dict(zip(self.floats, floats))
        inputs = [given.get(i, x) for i, x in enumerate(inputs)]
        outputs = tree.flatten(self.function(*inputs))
        return sum(ops.sum(y * w) for y, w in zip(outputs, weights))

    def jax(self) -> Call:
        import jax

        # Values and weights are arguments: of constants XLA computes ahead.
        def scope(values: Any) -> Any:
            mapping = list(zip(self.variables, values))
            return keras.StatelessScope(state_mapping=mapping)

        def forward(values: Any, weights: Any, *inputs: Any) -> Any:
            with scope(values):
                return self.function(*inputs)

        def gradients(values: Any, weights: Any, *inputs: Any) -> Any:
            def loss(values: Any, floats: Any) -> Any:
                with scope(values):
                    return self.loss(weights, floats, inputs)

            floats = [inputs[i] for i in self.floats]
            return jax.value_and_grad(loss, (0, 1))(values, floats)

        def memory(*inputs: Any) -> int:
            lowered = run.lower(self.values, self.weights, *inputs)
            return lowered.compile().memory_analysis().temp_size_in_bytes

        run = gradients if self.mode == "fit" else forward
        if self.mode != "eager":
            run, self.memory = jax.jit(run), memory
        return lambda *inputs: jax.block_until_ready(
            run(self.values, self.weights, *inputs)
        )

    def tensorflow(self) -> Call:
        import tensorflow as tf

        def gradients(weights: Any, *inputs: Any) -> Any:
            watched = [inputs[i] for i in self.floats] + self.values
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                total = self.loss(weights, (), inputs)
            found = tape.gradient(total, watched)
            return total, [g for g in found if g is not None]

        def forward(weights: Any, *inputs: Any) -> Any:
            return self.function(*inputs)

        run = gradients if self.mode == "fit" else forward
        if self.mode != "eager":
            holder = keras.Model()  # says whether Keras would use XLA
            holder.inside = self.layers
            xla = bool(holder.jit_compile) != (self.mode == "compiled")
            options = {"reduce_retracing": True, "autograph": False}
            run = tf.function(run, jit_compile=xla or None, **options)
        gpu = bool(tf.config.list_physical_devices("GPU"))

        def call(*inputs: Any) -> Any:
            outputs = run(self.weights, *inputs)
            if gpu:
                tf.test.experimental.sync_devices()
            return outputs

        return call

    def torch(self) -> Call:
        import torch

        def gradients(*inputs: Any) -> Any:
            floats = [inputs[i].detach() for i in self.floats]
            watched = [x.requires_grad_(True) for x in floats] + self.values
            total = self.loss(self.weights, floats, inputs)
            found = torch.autograd.grad(total, watched, allow_unused=True)
            return total, [g for g in found if g is not None]

        compiled = self.mode == "compiled"
        forward = torch.compile(self.function) if compiled else self.function
        run = gradients if self.mode == "fit" else torch.no_grad()(forward)
        if not torch.cuda.is_available():
            return run

        def call(*inputs: Any) -> Any:
            outputs = run(*inputs)
            torch.cuda.synchronize()
            return outputs

        def memory(*inputs: Any) -> int:
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            call(*inputs)
            return int(torch.cuda.max_memory_allocated() - before)

        self.memory = memory
        return call
