"""Why layers break the contract: what the rows' `because` names."""

from dataclasses import dataclass

# What padding that enters a real output makes fail, one way or another.
PADDING_ENTERS = frozenset(
    {
        "pad-value",
        "pad-value-training",
        "nan-padding",
        "mask-position",
        "empty-row",
        "large-values",
        "pad-length",
        "alone-equals-batched",
        "equal-sizes",
        "batch-independence",
        "grad-zero-at-padding",
        "grad-pad-value",
    }
)
NO_MASK_OUT = frozenset(
    {"mask-kept", "declares-support", "no-destroy-warning", "symbolic-mask"}
)


@dataclass(frozen=True)
class Cause:
    """What goes wrong, in which checks it shows, and whose fault it is.

    Args:
        short: A few words, for the table.
        text: What happens, and what to do.
        checks: The ids of the checks that it may fail.
        kind: `"defect"` of Keras, `"choice"` that Keras tells by a warning or
            its documentation, `"question"`: neither promised nor told,
            `"mended"` since, or `"package"`: a matter of another package.
        scripts: Those under `docs/upstream` that show it.
    """

    short: str
    text: str
    checks: frozenset[str]
    kind: str = "defect"
    scripts: tuple[str, ...] = ()


def _cause(short: str, text: str, *checks: str, **more: object) -> Cause:
    return Cause(short, text, frozenset(checks), **more)  # type: ignore[arg-type]


CAUSES: dict[str, Cause] = {
    "warns": Cause(
        "drops the mask, and warns",
        "The layer does not support masking: Keras warns that the mask is "
        "destroyed, and what follows takes all steps as real. Where the layer "
        "treats each step by itself, `KeepMask` around it keeps the mask.",
        NO_MASK_OUT,
        kind="choice",
    ),
    "silent": Cause(
        "drops the mask in silence",
        "The layer says that it supports masking, and hands none on.",
        NO_MASK_OUT,
        scripts=("reversible_embedding_drops_mask.py",),
    ),
    "windows": Cause(
        "padding enters windows",
        "Padding steps are read as if they were real: the windows, maxima and "
        "means of real steps hold them. Keras warns.",
        PADDING_ENTERS,
        kind="choice",
    ),
    "statistics": Cause(
        "padding enters sums, in silence",
        "The layer says that it supports masking, hands the mask on, and reads "
        "padding steps as if they were real. Nothing warns.",
        PADDING_ENTERS,
        scripts=(
            "group_normalization_counts_padding.py",
            "layer_normalization_over_steps_counts_padding.py",
        ),
    ),
    "dot": Cause(
        "sums over padding in silence",
        "`Dot` says that it supports masking, sums over padding or puts it "
        "into the features, and hands no mask on. Nothing warns.",
        PADDING_ENTERS | NO_MASK_OUT,
        scripts=("dot_sums_over_padding.py",),
    ),
    "replaces": _cause(
        "replaces a mask that comes in",
        "The mask that is made is not ANDed with the one that the input "
        "carries.",
        "mask-combined",
        scripts=("masking_discards_mask.py",),
        kind="question",
    ),
    "not-symbolic": _cause(
        "no mask on the symbolic tensor",
        "A call gives a mask, the symbolic call of a Functional model does "
        "not: what is decided while the model is built sees none.",
        "symbolic-mask",
        scripts=("mask_made_in_call_is_not_symbolic.py",),
    ),
    "explicit-lost": _cause(
        "loses an explicit mask",
        "`layer(x, mask=mask)` is not what it is when x carries the mask.",
        "explicit-equals-attached",
        "declares-support",
        scripts=("pipeline_loses_explicit_mask.py",),
    ),
    "lambda-loaded": _cause(
        "the mask function is not loaded",
        "`Lambda(mask=function)` is saved, and not restored by `load_model`.",
        "save-load",
        scripts=("lambda_forgets_function_of_mask.py",),
    ),
    "false-warning": _cause(
        "warns for nothing",
        "Keras warns that the mask is destroyed, though it is used and handed "
        "on, or rightly ends here.",
        "no-destroy-warning",
        "declares-support",
        scripts=("group_query_attention_warns_for_nothing.py",),
    ),
    "softmax-shape": _cause(
        "fails on a masked sequence",
        "The mask of the steps is taken as one of the elements: ValueError, "
        "or the wrong elements where the sizes agree.",
        "runs-with-mask",
        scripts=("softmax_takes_steps_for_elements.py",),
    ),
    "zero-vector": _cause(
        "NaN at zero vectors",
        "The norm of a zero vector is divided by: its gradient is not finite, "
        "nor is its value in half precision, and padding mostly is zeros.",
        "grad-finite",
        "grad-empty-row",
        "grad-zero-at-padding",
        "mixed-precision",
        scripts=(
            "unit_normalization_of_zeros_has_no_gradient.py",
            "unit_normalization_of_zeros_is_nan_in_float16.py",
        ),
    ),
    "kept-tensor": _cause(
        "keeps a symbolic tensor",
        "Built by a symbolic call, as inside another layer, the layer keeps "
        "mean and variance of that call. No matter of masks.",
        "nested",
        scripts=("normalization_keeps_symbolic_mean.py",),
    ),
    "penalty": _cause(
        "the penalty counts padding",
        "The penalty of the activations sums padding steps too, and so has a "
        "gradient there. So does every `activity_regularizer=`.",
        "grad-zero-at-padding",
        "grad-empty-row",
        scripts=("activity_regularization_counts_padding.py",),
    ),
    "steps-of-padding": _cause(
        "learns from steps of padding",
        "`TimeDistributed` calls the layer inside once for each step. At one "
        "that is padding in every row, `BatchNormalization` finds a mean of 0, "
        "and its moving averages go there. In `MaskedTimeDistributed` they are "
        "those of the real steps.",
        "pad-length-training",
        kind="question",
    ),
    "jax-no-op": _cause(
        "keeps the mask on JAX only",
        "On JAX a reshape to the same shape is the same array, which carries "
        "its mask on; on the other backends, and symbolically, it is lost.",
        "symbolic-mask",
        "cross-backend",
        kind="question",
    ),
    "moves-steps": Cause(
        "the steps become features",
        "The steps move to another axis, and the padding with them: no mask "
        "`(batch, steps)` can say so.",
        PADDING_ENTERS,
        kind="choice",
    ),
    "short-depthwise": _cause(
        "steps out of too few on TensorFlow",
        "On TensorFlow's CPU build a convolution of 2 steps with a `valid` "
        "window of 3 may give 2 steps, of memory that nobody wrote, where "
        "there should be none or an error.",
        "equal-sizes",
        scripts=("convolution_makes_steps_on_tensorflow.py",),
    ),
    "empty-mean": _cause(
        "NaN for an empty row",
        "The mean of a row without a real step is 0 / 0.",
        "empty-row",
        "grad-empty-row",
        scripts=("average_pooling_of_empty_row_is_nan.py",),
    ),
    "half-sum": _cause(
        "sums in half precision",
        "With a mask the sum is taken in float16: that of 5000 steps of 20 "
        "overflows.",
        "precision",
        scripts=("average_pooling_overflows_in_float16.py",),
    ),
    "or-mask": _cause(
        "ORs the masks",
        "A step is called real where it is real in one input, and holds the "
        "padding of the other.",
        "different-masks",
        scripts=("add_of_masks_lets_padding_in.py",),
    ),
    "unmasked-input": _cause(
        "an unmasked input loses the mask",
        "One input without a mask, positions say, and the mask of the other "
        "is dropped or becomes all True. Nothing warns.",
        "partial-masks",
        scripts=("merging_with_unmasked_input_loses_mask.py",),
        kind="question",
    ),
    "zero-times-nan": _cause(
        "zero times NaN",
        "The scores of padding are 0, and the values that they multiply are "
        "not: NaN or infinity at a padding step reaches every real output.",
        "nan-padding",
        scripts=("attention_lets_nan_through.py",),
        kind="question",
    ),
    "deletes": _cause(
        "deletes the caller's mask",
        "The call takes the masks off the tensors that it is called on: what "
        "uses them next, a residual connection say, sees none.",
        "input-not-mutated",
        scripts=("multi_head_attention_deletes_mask.py",),
    ),
    "query-mask": _cause(
        "ignores `query_mask=`",
        "An explicit `query_mask` is overwritten by the one that the tensor "
        "carries, or by none.",
        "explicit-equals-attached",
        scripts=("multi_head_attention_ignores_query_mask.py",),
    ),
    "half-scores": _cause(
        "hides too little in float16",
        "In float16 -30000 is written at hidden keys, which real scores of "
        "large inputs are below: padding takes their weight, and is zeroed "
        "after. The kit sees it on JAX, the script everywhere.",
        "precision",
        scripts=("multi_head_attention_hides_too_little_in_float16.py",),
    ),
    "half-state": _cause(
        "the state rounds",
        "In half precision the state of some hundred steps of large inputs "
        "is off by more than the check allows. Whether that is the layer's "
        "fault is open: the check is a hard one.",
        "precision",
        kind="question",
    ),
    "next-keras": Cause(
        "no masks in the 3.16 nightly",
        "In the nightly recurrent layers and wrappers use the mask, say that "
        "they do not support it, and hand none on (pull request 23235). Of a "
        "layer that returns its last step only the warning is wrong. "
        "`KeepMask` around the layer hands the mask on.",
        NO_MASK_OUT,
        kind="choice",
        scripts=("recurrent_layers_stop_passing_mask.py",),
    ),
    "not-reversed": _cause(
        "the output mask is not reversed",
        "With `go_backwards` the steps come out reversed, and their mask does "
        "not.",
        "mask-truth",
        "pad-length",
        "alone-equals-batched",
        "equal-sizes",
        "mask-position",
        scripts=("backward_rnn_does_not_reverse_mask.py",),
    ),
    "unrolled": _cause(
        "unrolled backwards",
        "Unrolled and backwards under a mask: an error on PyTorch, zeros at "
        "real steps on TensorFlow.",
        "runs-with-mask",
        "mask-truth",
        "pad-length",
        "alone-equals-batched",
        "equal-sizes",
        "cross-backend",
        scripts=("unrolled_backward_rnn_misreads_mask.py",),
    ),
    "initial-state": Cause(
        "`initial_state` hides the mask",
        "With `initial_state=` the call has two tensors, and Keras fills no "
        "`mask`: padding is read. Pass `mask=`, or use `KeepMask`.",
        PADDING_ENTERS | {"mask-arg-reachable"},
        scripts=("rnn_with_initial_state_ignores_mask.py",),
    ),
    "first-state": Cause(
        "takes the first state for the output",
        "On JAX, right padding and holes make the last output the first state "
        "of the cell.",
        PADDING_ENTERS | {"cross-backend", "precision"},
        scripts=("rnn_on_jax_takes_state_for_output.py",),
    ),
    "outer-mask": _cause(
        "hands the outer mask in",
        "A slice of the outer mask, `(batch,)`, is given to the inner layer "
        "as its own: an error. `MaskedTimeDistributed` does it right.",
        "runs-with-mask",
        scripts=("time_distributed_hands_on_wrong_mask.py",),
    ),
    "batch-norm-rank": _cause(
        "a mask `(batch, steps)` fails",
        "With more axes than `(batch, steps, features)` the mask of the steps "
        "does not broadcast: an error.",
        "runs-with-mask",
        scripts=("batch_normalization_of_segments_fails_with_mask.py",),
    ),
    "conv-lstm-jax": Cause(
        "fails on JAX",
        "On JAX the mask of a step, `(batch, 1)`, does not broadcast over the "
        "state: an error, or the wrong rows where the sizes agree.",
        PADDING_ENTERS | {"runs-with-mask", "cross-backend", "precision"},
        scripts=("conv_lstm_with_mask_fails_on_jax.py",),
    ),
    # Of older versions.
    "cast": _cause(
        "a cast loses the mask",
        "In 3.12 the cast of float inputs under a policy of half precision "
        "makes tensors without their masks, in front of most layers.",
        "mixed-precision",
        kind="mended",
    ),
    "vectors-for-ids": _cause(
        "takes vectors for ids",
        "In 3.12 a mask is made of the vectors that are turned back into "
        "scores, as if they were ids, and has the wrong shape.",
        "mask-shape",
        "trains",
        kind="mended",
    ),
    "times-mask": _cause(
        "multiplies by the mask",
        "In 3.12 padding is multiplied by 0, which leaves NaN; on PyTorch in "
        "place, in the caller's tensor.",
        "nan-padding",
        "input-not-mutated",
        kind="mended",
    ),
    "transpose-on-torch": Cause(
        "other windows on PyTorch",
        "In 3.12 the windows stand elsewhere on PyTorch.",
        PADDING_ENTERS | {"cross-backend"},
        kind="mended",
    ),
    # Of the packages around Keras.
    "attention-mask-only": Cause(
        "takes `attention_mask` only",
        "The mask that the tensors carry is not used: write "
        "`attention_mask=mask[:, None, :]`.",
        PADDING_ENTERS | {"no-destroy-warning"},
        kind="package",
    ),
    "columns": _cause(
        "positions count columns",
        "The first column is position 0, padding or not: padding on the left "
        "moves every real step. `MaskedPositionEmbedding` counts real steps.",
        "mask-position",
        "pad-length",
        "alone-equals-batched",
        kind="package",
    ),
    "padding-summed": Cause(
        "padding enters sums",
        "Padding steps are read as if they were real.",
        PADDING_ENTERS,
        kind="package",
    ),
    "config-lost": _cause(
        "cannot be loaded",
        "The configuration lacks what the layer was made with.",
        "save-load",
        kind="package",
    ),
    "other-mask": _cause(
        "another mask in a model",
        "In a Functional model of unknown length the mask that comes out is "
        "not the one of an eager call.",
        "dynamic-time",
        kind="package",
    ),
    "stale-mask": _cause(
        "hands on the mask of what it summed",
        "The steps are summed, and their mask comes out with the sum: the "
        "loss fails, or masks features where the sizes agree.",
        "mask-dropped",
        "trains",
        kind="package",
    ),
    "tensorflow-only": _cause(
        "written for TensorFlow",
        "On the other backends it raises, or has no gradient.",
        "runs-with-mask",
        "runs-without-mask",
        "compute-mask-signature",
        "jit",
        "grad-finite",
        "grad-zero-at-padding",
        "grad-pad-value",
        "grad-empty-row",
        "loss-ignores-padding",
        kind="package",
    ),
    "float32-inside": _cause(
        "float32 under a policy of half precision",
        "Under `mixed_float16` it raises: two dtypes meet.",
        "mixed-precision",
        kind="package",
    ),
    "minus-10000": _cause(
        "subtracts 10000",
        "Padding is hidden by subtracting 10000 from its score, which a large "
        "score outdoes, and NaN stays NaN.",
        "large-values",
        "nan-padding",
        "empty-row",
        "pad-value",
        kind="package",
    ),
}

# What breaks most layers of a version, and so is no row's own.
OF_MOST = {"3.12": "cast"}
