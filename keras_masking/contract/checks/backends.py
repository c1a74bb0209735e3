"""The same layer on another backend."""

from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.layer_harness import NotApplicable
from keras_masking.contract.registry import check


@check("advised")
def check_cross_backend(harness: LayerHarness) -> None:
    """Equal weights and inputs give equal outputs and masks on all backends.

    Why: a model is trained on one backend and served on another, and its
        weights say nothing of where they come from. Compared are the real
        steps and the masks, within 1e-4 of the largest output. (Keras keeps a
        few differences of its frameworks, in how they pad and round.)
    Cause: code of one framework, or a function that the backends define
        differently: padding of strided windows, `argmax` among equals, 0 / 0,
        integer division, an index out of range.
    Wrong:
        y = torch.nn.functional.gelu(x, approximate="tanh")
    Right:
        y = keras.ops.gelu(x, approximate=True)
    """
    # The command line compares what its workers have result.
    raise NotApplicable("needs several backends: run `keras-masking check`")
