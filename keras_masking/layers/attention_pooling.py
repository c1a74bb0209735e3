"""Pooling with learned weights."""

from typing import Any

import keras
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.checks import check_integer
from keras_masking.layers.sequence_pooling import PoolsSegments
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.segments import segment_softmax
from keras_masking.ops.softmax import unchecked_softmax


@export
class AttentionPooling1D(PoolsSegments):
    """Averages the real steps of a sequence with learned weights.

    Each head scores every step, `scores = activation(x W + b) V`, and averages
    the steps, weighted by the softmax of its scores over real steps (Lin et al.
    2017, "A structured self-attentive sentence embedding", here with a bias).
    Without `hidden_dim`, `scores = x V`.

    Args:
        num_heads: Number of weighted averages. Defaults to 1.
        hidden_dim: Width of the hidden layer of the scores. Defaults to none.
        activation: Activation of the hidden layer. Defaults to `"tanh"`.
        kernel_initializer: Initializer of `W` and `V`. Defaults to
            `"glorot_uniform"`.
        bias_initializer: Initializer of `b`. Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of `W` and `V`. Defaults to none.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.
        return_attention_scores: Whether to return the weights of the steps too.
            Defaults to `False`.

    Mask behavior:
        Reads: `(batch, steps)`. Padding steps have weight 0.
        Emits: none: there is no step axis. With `max_segments`,
            `(batch, max_segments)`: True where a row has a sequence.
        Empty row: zeros; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Returns:
        Tensor of shape `(batch, num_heads * features)`, or with `max_segments`
        `(batch, max_segments, num_heads * features)`, of the compute dtype;
        with `return_attention_scores` also the weights, `(batch, num_heads,
        steps)`, which sum to 1 over the real steps of each sequence.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or a size is not positive.

    Example:

    >>> pool = keras_masking.layers.AttentionPooling1D(
    ...     kernel_initializer="zeros"
    ... )
    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    def __init__(
        self,
        num_heads: int = 1,
        hidden_dim: int | None = None,
        activation: Any = "tanh",
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        max_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_segments = self.read_segments(max_segments)
        self.num_heads = check_integer(self.caller, "num_heads", num_heads, 1)
        self.hidden_dim = hidden_dim
        if hidden_dim is not None:
            self.hidden_dim = check_integer(
                self.caller, "hidden_dim", hidden_dim, 1
            )
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape: Shape) -> None:
        width = input_shape[-1]
        if self.hidden_dim is not None:
            self.hidden_kernel = self._kernel("hidden", width, self.hidden_dim)
            self.hidden_bias = self.add_weight(
                shape=(self.hidden_dim,),
                initializer=self.bias_initializer,
                name="hidden_bias",
            )
            width = self.hidden_dim
        self.score_kernel = self._kernel("score", width, self.num_heads)

    def _kernel(self, name: str, inputs: int | None, outputs: int) -> Any:
        return self.add_weight(
            shape=(inputs, outputs),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name=f"{name}_kernel",
        )

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        mask = self.read_mask(inputs, mask)
        x = ops.cast(fill_padding(inputs, mask), self.compute_dtype)
        # `@`, since `ops.matmul` turns float64 into float32 on torch.
        scored = x
        if self.hidden_dim is not None:
            hidden = x @ ops.convert_to_tensor(self.hidden_kernel)
            scored = self.activation(hidden + self.hidden_bias)
        scores = upcast_half(scored @ ops.convert_to_tensor(self.score_kernel))
        # Do not sum over many steps in half precision.
        if self.max_segments is not None:
            weights, y = self._of_segments(scores, upcast_half(x), mask)
        else:
            weights = unchecked_softmax(scores, mask)
            y = ops.transpose(weights, (0, 2, 1)) @ upcast_half(x)
            width = self.num_heads * inputs.shape[2]
            # Not -1 for the rows, which is ambiguous if the width is 0.
            y = ops.reshape(y, (ops.shape(x)[0], width))
        y = ops.cast(y, self.compute_dtype)
        if not return_attention_scores:
            return y
        weights = ops.transpose(weights, (0, 2, 1))
        return y, ops.cast(weights, self.compute_dtype)

    def _of_segments(
        self, scores: Tensor, x: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The weights, which sum to 1 over each run, and the averages."""
        runs = self.runs(x, mask)
        weights = segment_softmax(scores, runs.mask)
        shares = new_axis(weights, 3) * new_axis(x, 2)
        y = runs.pooled(runs.sum(shares), 0.0, dtype_name(x))
        rows, width = ops.shape(x)[0], self.num_heads * x.shape[2]
        return weights, ops.reshape(y, (rows, self.max_segments, width))

    def compute_output_spec(
        self,
        inputs: keras.KerasTensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        batch, steps, _ = inputs.shape
        shape = self.compute_output_shape(inputs.shape)
        pooled = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return pooled
        shape = (batch, self.num_heads, steps)
        return pooled, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, features = input_shape
        slots = [] if self.max_segments is None else [self.max_segments]
        width = None if features is None else self.num_heads * features
        return (batch, *slots, width)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }
