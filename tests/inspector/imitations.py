"""Models of packages and of public bug reports, imitated in plain Keras.

They join the gallery: what must be found stands with each.
"""

from typing import Any

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from keras_masking import layers
from tests.inspector.gallery import IDS
from tests.inspector.gallery import SIZE
from tests.inspector.gallery import case
from tests.inspector.gallery import ids_and_numbers
from tests.inspector.gallery import mask_of_numbers
from tests.inspector.gallery import pooled
from tests.inspector.gallery import tokens


def mean_of_real_steps(x: Any, real: Any) -> Any:
    pool = layers.MaskedGlobalAveragePooling1D()
    return pool(x, mask=ops.not_equal(real, 0))


@case(("attention", "leaks"), inputs=ids_and_numbers)
def mask_that_hides_queries() -> Any:
    """A protein language model's mask: `(batch, steps, 1)` of the scores."""

    def block(x: Any, real: Any) -> Any:
        attention = kl.MultiHeadAttention(2, 4, name="attention")
        queries = ops.cast(real, "bool")[:, :, None]
        x = x + attention(x, x, attention_mask=queries)
        return mean_of_real_steps(x, real)

    return mask_of_numbers(block)


class FourierMixing(kl.Layer):
    """Mixes steps and features by a Fourier transform, like FNet."""

    def call(self, x: Any) -> Any:
        return ops.fft2((x, ops.zeros_like(x)))[0]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@case(("mixing", "leaks"), inputs=ids_and_numbers)
def fourier_mixing() -> Any:
    def block(x: Any, real: Any) -> Any:
        mixed = FourierMixing(name="mixing")(x)
        return mean_of_real_steps(kl.LayerNormalization()(x + mixed), real)

    return mask_of_numbers(block)


class LongConvolution(kl.Layer):
    """A causal convolution as long as its input, by a Fourier transform."""

    def call(self, x: Any) -> Any:
        steps = x.shape[1]
        size = 1 << (2 * steps - 1).bit_length()
        x = ops.pad(
            ops.transpose(x, (0, 2, 1)), [(0, 0), (0, 0), (0, size - steps)]
        )
        decay = ops.exp(-ops.arange(size, dtype="float32"))
        a, b = ops.fft((x, ops.zeros_like(x)))
        c, d = ops.fft((decay, ops.zeros_like(decay)))
        product = (a * c - b * d, a * d + b * c)
        # The inverse transform, by the transform of the conjugate.
        y = ops.fft((product[0], -product[1]))[0] / size
        return ops.transpose(y[:, :, :steps], (0, 2, 1))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@case(inputs=ids_and_numbers)
def causal_convolution_by_fourier_transform() -> Any:
    """Steps after a sequence move its steps by rounding alone."""

    def block(x: Any, real: Any) -> Any:
        return mean_of_real_steps(LongConvolution()(x), real)

    return mask_of_numbers(block)


class MiddleStep(kl.Layer):
    """The step in the middle, as a convolutional network returned it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return ops.take(x, ops.shape(x)[1] // 2, axis=1)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None


@case(("middle", "leaks"))
def middle_of_the_padded_length() -> Any:
    ids, x = tokens()
    return keras.Model(ids, MiddleStep(name="middle")(x))


class MinimalGRU(kl.Layer):
    """A recurrent layer without states in its gates, and without masks."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = kl.Dense(units, "sigmoid")
        self.candidate = kl.Dense(units)

    def build(self, shape: Any) -> None:
        self.gate.build(shape)
        self.candidate.build(shape)

    def call(self, x: Any) -> Any:
        gate, new = self.gate(x), self.candidate(x)
        state, states = ops.zeros_like(new[:, 0]), []
        for step in range(x.shape[1]):
            z = gate[:, step]
            state = (1 - z) * state + z * new[:, step]
            states.append(state)
        return ops.stack(states, axis=1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], SIZE)


@case(("recurrent", "drops"))
def recurrent_layer_without_a_mask() -> Any:
    ids, x = tokens()
    return pooled(ids, MinimalGRU(SIZE, name="recurrent")(x))


class SumOfEmbeddings(kl.Embedding):
    """One vector for all steps, with the mask of the steps."""

    def call(self, ids: Any) -> Any:
        return ops.sum(super().call(ids), axis=1, keepdims=True)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 1, self.output_dim)


@case(("table", "wrong shape"))
def sum_of_embeddings() -> Any:
    ids = keras.Input((None,), dtype="int32")
    x = SumOfEmbeddings(10, SIZE, mask_zero=True, name="table")(ids)
    return keras.Model(ids, kl.Reshape((SIZE,))(x))


class TimeOfSteps(kl.Layer):
    """Appends the time of each step, from 0 at the first to 1 at the last."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        times = ops.linspace(0.0, 1.0, x.shape[1])[None, :, None]
        return ops.concatenate([x, times + 0 * x[..., :1]], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], shape[-1] + 1)


@case(("times", "leaks"))
def time_from_the_padded_length() -> Any:
    ids, x = tokens()
    return pooled(ids, TimeOfSteps(name="times")(x))


class Equivariant(kl.Layer):
    """Each member of a set, beside the mean of all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return ops.tanh(x - ops.mean(x, axis=1, keepdims=True))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@case(("set", "leaks"))
def set_with_the_mean_of_padding() -> Any:
    ids, x = tokens()
    return pooled(ids, Equivariant(name="set")(x))


@case(("up", "leaks"))
def vocoder() -> Any:
    """Transposed and dilated convolutions, one behind the other."""
    ids, x = tokens()
    up = kl.Conv1DTranspose(SIZE, 4, 2, "same", name="up")
    x = kl.Conv1D(SIZE, 3, padding="same", dilation_rate=3, name="wide")(up(x))
    return keras.Model(ids, kl.GlobalMaxPooling1D()(x))


@case(("conv", "leaks"), inputs=ids_and_numbers)
def strided_convolution_beside_a_mask() -> Any:
    """A speech encoder that halves its mask as it halves its steps."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    real = keras.Input((None,), dtype="int32", name="real")
    x = kl.Dense(SIZE)(kl.Embedding(10, SIZE)(ids))
    x = kl.Conv1D(SIZE, 3, 2, "same", name="conv")(x)
    x = mean_of_real_steps(x, real[:, ::2])
    return keras.Model({"ids": ids, "real": real}, x)


@case(inputs=lambda: [IDS > 0, np.sin(IDS)[..., None] * [1.0, 2.0]])
def sessions_with_their_mask() -> Any:
    """A boolean mask in front of the features, as an input of its own."""
    real, x = keras.Input((None,), dtype="bool"), keras.Input((None, 2))
    y = kl.LSTM(4, return_sequences=True)(kl.Dense(SIZE)(x), mask=real)
    y = kl.GlobalAveragePooling1D()(y, mask=real)
    return keras.Model([real, x], y)
