"""Base classes of attention layers: masks in, real steps only, mask out."""

import inspect
from typing import Any

import keras

from keras_masking._backends import is_torch_tensor
from keras_masking._backends import new_axis
from keras_masking._keras import KEEPS_MASKS_OF_CASTS
from keras_masking._keras import get_mask
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import carrying
from keras_masking.layers.base import zeros_like_specs
from keras_masking.layers.checks import check_inputs
from keras_masking.layers.packed import TakesPacked
from keras_masking.ops.attention import attend_real
from keras_masking.ops.attention import softmax_of_seen
from keras_masking.ops.reading import check_attention_mask
from keras_masking.ops.reading import check_attention_values
from keras_masking.ops.softmax import unchecked_softmax


class MaskedAttentionMixin(TakesPacked):
    """Makes a Keras attention layer respect masks.

    Inputs are `[query, value]` or `[query, value, key]`, with a mask or None
    for each. A subclass defines the output shape, and how to call the Keras
    layer with one attention mask instead.
    """

    heads: int | None = None  # None: the scores have no head axis
    sliding_window: int | None = None

    def __init__(
        self, *args: Any, causal_alignment: str = "start", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        kwargs.pop("packed", None)
        theirs = inspect.signature(super(MaskAware, self).__init__)
        given = theirs.bind(*args, **kwargs).arguments
        self.sliding_window = given.get("sliding_window")
        if causal_alignment not in ("start", "end"):
            raise ValueError(
                describe(
                    self.caller,
                    "`causal_alignment` must be 'start' or 'end'.",
                    "Pass 'end' if the queries are the last steps of a longer "
                    "sequence.",
                    causal_alignment=repr(causal_alignment),
                )
            )
        self.causal_alignment = causal_alignment

    @property
    def ends_together(self) -> bool:
        """Whether the last query is aligned with the last key."""
        return self.causal_alignment == "end"

    def get_config(self) -> dict[str, Any]:
        config = {"causal_alignment": self.causal_alignment}
        return {**super().get_config(), **config}

    def attend(
        self, inputs: list[Tensor], attention_mask: Tensor | None, **how: Any
    ) -> Any:
        """Calls the Keras layer."""
        raise NotImplementedError

    def answer_shape(self, shapes: list[Shape]) -> Shape:
        """The shape of the outputs."""
        raise NotImplementedError

    def answer(
        self,
        inputs: list[Tensor],
        masks: list[Tensor | None],
        attention_mask: Tensor | None = None,
        use_causal_mask: bool = False,
        **how: Any,
    ) -> Any:
        """The outputs; the first of them carries the mask of the query."""
        if 0 in (*inputs[0].shape[:2], inputs[1].shape[1]):
            outputs = zeros_like_specs(self.answer_spec(inputs, masks, **how))
            return self._answering(outputs, masks[0])

        def attend(inputs: list[Tensor], allowed: Tensor | None) -> Any:
            # `allowed` includes the causal mask.
            causal = use_causal_mask and allowed is None
            return self.attend(inputs, allowed, use_causal_mask=causal, **how)

        outputs = attend_real(
            attend,
            inputs,
            masks,
            attention_mask,
            use_causal_mask,
            self.sliding_window,
            self.ends_together,
            self.packed,
        )
        return self._answering(outputs, masks[0])

    def answer_spec(
        self,
        inputs: list[Tensor],
        masks: list[Tensor | None],
        return_attention_scores: bool = False,
        **how: Any,
    ) -> Any:
        """The symbolic result of `answer`."""
        shapes = [tuple(x.shape) for x in inputs]
        dtype = self.compute_dtype
        outputs = keras.KerasTensor(self.answer_shape(shapes), dtype=dtype)
        if return_attention_scores:
            heads = () if self.heads is None else (self.heads,)
            shape = (shapes[0][0], *heads, shapes[0][1], shapes[1][1])
            outputs = outputs, keras.KerasTensor(shape, dtype=dtype)
        return self._answering(outputs, masks[0])

    def _answering(self, outputs: Any, mask: Tensor | None) -> Any:
        # Keras would ignore an explicit query mask.
        carrying(keras.tree.flatten(outputs)[0], mask)
        return outputs

    def check_ranks(self, inputs: list[Tensor]) -> None:
        """Rejects masks for inputs other than `(batch, steps, features)`."""
        if any(len(x.shape) != 3 for x in inputs):
            raise ValueError(
                describe(
                    self.caller,
                    "inputs with masks must be (batch, steps, features).",
                    "Reshape them with `keras.ops.reshape`.",
                    shapes=[tuple(x.shape) for x in inputs],
                )
            )


class MaskedAttentionOfArguments(MaskedAttentionMixin):
    """Attention called as `layer(query, value, key)`."""

    def __call__(  # type: ignore[override]
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if args:
            first = (query, value, key, query_mask, value_mask, key_mask)
            kwargs |= self.bind_by_name((*first, attention_mask), args, kwargs)
        inputs = self._given(query, value, key)
        check_inputs(self.caller, inputs)
        # Not in `call`: Keras would convert these first.
        masks = self._read(inputs, (query_mask, value_mask, key_mask))
        named = zip(("query", "value", "key"), [*inputs, value], masks)
        for name, x, mask in named:
            if mask is not get_mask(x):  # Keras finds carried masks itself
                kwargs[f"{name}_mask"] = mask
        if attention_mask is not None:
            if self._is_for_keras(inputs, masks, attention_mask):
                mask = check_attention_values(attention_mask, self.caller)
            else:
                mask = check_attention_mask(
                    attention_mask, query, value, self.caller
                )
            kwargs["attention_mask"] = mask
        if not KEEPS_MASKS_OF_CASTS:
            inputs = [self._cast(x) for x in inputs]
        return self.call_trusting(masks, *inputs, **kwargs)

    def _is_for_keras(
        self, inputs: list[Tensor], masks: list[Any], attention_mask: Any
    ) -> bool:
        """Whether Keras handles it: per head or for more axes, and no masks."""
        axes = len(getattr(attention_mask, "shape", ()))
        more = axes > 3 or any(len(x.shape) != 3 for x in inputs)
        return more and all(mask is None for mask in masks)

    def _given(self, *inputs: Tensor | None) -> list[Tensor]:
        return [x for x in inputs if x is not None]

    def _read(
        self,
        inputs: list[Tensor],
        masks: tuple[Tensor | None, ...],
    ) -> list[Tensor | None]:
        read = [self.read_mask(x, mask) for x, mask in zip(inputs, masks)]
        if len(inputs) == 2:  # without a key the value is used
            key = masks[2]
            read.append(None if key is None else self.read_mask(inputs[1], key))
        if any(mask is not None for mask in read):
            self.check_ranks(inputs)
        return read

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        inputs = self._given(query, value, key)
        masks = self._read(inputs, (query_mask, value_mask, key_mask))
        causal = use_causal_mask
        how = {
            "return_attention_scores": return_attention_scores,
            "training": training,
        }
        if self._is_for_keras(inputs, masks, attention_mask):
            by_us = self.ends_together or self.packed
            if by_us and (causal or self.sliding_window):
                raise ValueError(
                    describe(
                        self.caller,
                        "causal_alignment='end' and `packed` need inputs "
                        "(batch, steps, features), and one `attention_mask` "
                        "for all heads.",
                        "Include the causal mask in `attention_mask`, and "
                        "leave `causal_alignment` at 'start' and `packed` at "
                        "False.",
                        shapes=[tuple(x.shape) for x in inputs],
                    )
                )
            return self.attend(
                inputs, attention_mask, use_causal_mask=causal, **how
            )
        return self.answer(inputs, masks, attention_mask, causal, **how)

    def attend(
        self, inputs: list[Tensor], attention_mask: Tensor | None, **how: Any
    ) -> Any:
        if self._needs_scores() and not how.get("return_attention_scores"):
            how["return_attention_scores"] = True
            outputs, _ = self.attend(inputs, attention_mask, **how)
            return outputs
        layer = self
        heads = attention_mask is not None and len(attention_mask.shape) > 3
        gains = how.get("training") is False and is_torch_tensor(inputs[0])
        if gains and not heads and self.sliding_window is None:
            # With a dropout Keras would not use its fused kernel, which gains
            # on PyTorch. A query that sees no key gets other numbers from it.
            layer = self.with_attributes(dropout=0.0, _dropout=0.0)
        return super(MaskAware, layer).call(
            *inputs, attention_mask=attention_mask, **how
        )

    def _needs_scores(self) -> bool:
        """Whether Keras' fused kernel fails: JAX' wants values like keys."""
        sizes = {getattr(self, name, None) for name in ("key_dim", "value_dim")}
        return keras.backend.backend() == "jax" and len(sizes) > 1

    def _compute_sliding_window_mask(self, *inputs: Any) -> Tensor:
        if self.ends_together or self.packed:
            # The attention mask includes the window.
            return keras.ops.ones((1, 1, 1), dtype="bool")
        return super()._compute_sliding_window_mask(*inputs)

    def _masked_softmax(
        self, scores: Tensor, attention_mask: Tensor | None = None
    ) -> Tensor:
        # In float16 Keras sets masked scores to -30000, maybe the largest.
        ranks = len(scores.shape), len(getattr(attention_mask, "shape", ()))
        if ranks != (4, 3):
            return super()._masked_softmax(scores, attention_mask)
        mask = new_axis(attention_mask, 1)
        if self.sliding_window is not None:  # there may be no key within it
            return unchecked_softmax(scores, mask, axis=-1)
        return softmax_of_seen(scores, mask)

    def answer_shape(self, shapes: list[Shape]) -> Shape:
        return tuple(self.compute_output_shape(*shapes))

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        **how: Any,
    ) -> Any:
        inputs = self._given(query, value, key)
        masks = self._read(inputs, (query_mask, value_mask, key_mask))
        return self.answer_spec(inputs, masks, **how)
