"""The same layer on another backend."""

from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("advised")
def check_cross_backend(harness: LayerHarness) -> None:
    """Equal weights and inputs give equal outputs and masks on all backends.

    Why: a model is trained on one backend and served on another. The check
        compares real steps and masks, within 1e-4 of the largest output. (Keras
        keeps a few differences between its frameworks, in padding and
        rounding.)
    Cause: code of one framework, or a function that the backends define
        differently: padding of strided windows, `argmax` of ties, 0 / 0,
        integer division, an index out of range.
    Wrong:
        y = torch.nn.functional.gelu(x, approximate="tanh")
    Right:
        y = keras.ops.gelu(x, approximate=True)
    """
    # The command line compares the outputs of its workers.
    raise NotApplicable("needs several backends: run `keras-masking check`")
