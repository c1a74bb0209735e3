"""A linear-chain conditional random field: scores of neighboring tags."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.checks import check_integer
from keras_masking.ops.crf import check_potentials
from keras_masking.ops.crf import unchecked_crf_decode
from keras_masking.ops.crf_factors import Factors
from keras_masking.ops.crf_factors import first_and_last
from keras_masking.ops.crf_factors import make_potentials
from keras_masking.ops.masks import both
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_full_mask

# The score of what is not allowed. Minus infinity would have no gradient.
FORBIDDEN = -1e4


@export
class LinearChainCRF(MaskAware):
    """Scores each tag together with the tag before it.

    The last layer of a tagger. It adds to the scores of the tags of each step,
    its *emissions*, learned scores of a tag after another, at the start and at
    the end of a sequence. Train it with `keras_masking.losses.CRFLoss()`, take
    the best tags with `ViterbiDecode()`, and probabilities with
    `keras_masking.ops.crf_marginals`.

    Source: Lafferty, McCallum, Pereira (2001), "Conditional Random Fields".

    Args:
        tags: Number of tags.
        allowed: Booleans `(tags, tags)`, True where the tag of a column may
            follow the tag of a row; others score -10,000. See
            `keras_masking.ops.bio_transitions`. Defaults to all.
        allowed_start: Booleans `(tags,)`, True for tags that may come first.
            Defaults to all.
        allowed_end: Booleans `(tags,)`, True for tags that may come last.
            Defaults to all.
        initializer: Initializer of the three weights. Defaults to `"zeros"`,
            a model of independent steps.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`,
            which defaults to float32: in half precision tags of long sequences
            are indistinguishable.

    Call arguments:
        inputs: Emissions, floats `(batch, steps, tags)`, such as the outputs
            of a `Dense(tags)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Padding is skipped, wherever it stands: a real
            step follows the real step before it.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        Potentials, `(batch, steps, tags, tags)`: the score of a tag (last axis)
        after another (axis 2). At the first step all tags of axis 2 have the
        same score. The score of a path is the sum of its potentials. They carry
        what they are made of, from which `CRFLoss` is computed.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `tags` is not a positive integer, the inputs have not as
            many features, or `allowed`, `allowed_start` or `allowed_end` has
            another shape, is not boolean, or allows no tag.

    Example:

    >>> crf = keras_masking.layers.LinearChainCRF(2)
    >>> emissions = np.array([[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    >>> potentials = crf(emissions, mask=np.array([[True, True, False]]))
    >>> tags = keras_masking.layers.ViterbiDecode()(potentials)
    >>> keras.ops.convert_to_numpy(tags)
    array([[0, 1, 0]], dtype=int32)
    """

    packing_need = "it scores one path of tags for the whole row"

    def __init__(
        self,
        tags: int,
        allowed: Any = None,
        allowed_start: Any = None,
        allowed_end: Any = None,
        initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tags = check_integer(self.caller, "tags", tags, 1)
        self.allowed = self._read("allowed", allowed, (tags, tags))
        self.allowed_start = self._read("allowed_start", allowed_start, (tags,))
        self.allowed_end = self._read("allowed_end", allowed_end, (tags,))
        self.initializer = keras.initializers.get(initializer)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: tags})

    def _read(
        self, name: str, given: Any, shape: tuple[int, ...]
    ) -> list[Any] | None:
        """Booleans as a list, which a config can hold."""
        if given is None:
            return None
        found = np.asarray(given)
        if found.shape != shape or found.dtype != bool:
            raise ValueError(
                describe(
                    self.caller,
                    f"`{name}` must be booleans of shape {shape}.",
                    "True where a tag is allowed.",
                    **{f"{name}.shape": found.shape, "dtype": found.dtype},
                )
            )
        if not found.any():
            raise ValueError(
                describe(
                    self.caller,
                    f"`{name}` must allow a tag.",
                    "Is it inverted? True means allowed.",
                    **{name: "all False"},
                )
            )
        return found.tolist()

    def build(self, input_shape: Shape) -> None:
        for name, shape in (
            ("transitions", (self.tags, self.tags)),
            ("start", (self.tags,)),
            ("end", (self.tags,)),
        ):
            weight = self.add_weight(
                shape=shape, initializer=self.initializer, name=name
            )
            setattr(self, name, weight)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        real = unchecked_full_mask(inputs) if mask is None else mask
        first, last = first_and_last(real)
        start = _limited(self.start, self.allowed_start)
        end = _limited(self.end, self.allowed_end)
        scores = fill_padding(inputs, mask)
        scores = scores + ops.where(new_axis(first, 2), start, 0.0)
        scores = scores + ops.where(new_axis(last, 2), end, 0.0)
        follows = ops.cast(both(real, opposite(first)), scores.dtype)
        after = _limited(self.transitions, self.allowed)
        return make_potentials(Factors(scores, after, mask), follows)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.tags)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tags": self.tags,
            "allowed": self.allowed,
            "allowed_start": self.allowed_start,
            "allowed_end": self.allowed_end,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def _limited(scores: Tensor, allowed: Sequence[Any] | None) -> Tensor:
    """`scores` with a low score for what is not allowed."""
    scores = ops.convert_to_tensor(scores)
    if allowed is None:
        return scores
    return ops.where(np.array(allowed), scores, FORBIDDEN)


@export
class ViterbiDecode(MaskAware):
    """The most likely tags of each sequence, from the scores of a CRF.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: Potentials, `(batch, steps, tags, tags)`, the outputs of
            `LinearChainCRF`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Padding is skipped, wherever it stands.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: are not read. The output is 0 at padding steps.

    Returns:
        int32 tensor `(batch, steps)`, the tags of the path with the largest
        score.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `inputs` are not `(batch, steps, tags, tags)`.

    Example:

    >>> crf = keras_masking.layers.LinearChainCRF(2)
    >>> potentials = crf(np.array([[[1.0, 0.0], [0.0, 2.0]]]))
    >>> tags = keras_masking.layers.ViterbiDecode()(potentials)
    >>> keras.ops.convert_to_numpy(tags)
    array([[0, 1]], dtype=int32)
    """

    packing_need = "it finds one path of tags for the whole row"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        check_potentials(self.caller, inputs)
        real = unchecked_full_mask(inputs) if mask is None else mask
        return unchecked_crf_decode(inputs, real)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[:2]

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        return keras.KerasTensor(inputs.shape[:2], dtype="int32")
