"""Why layers break the contract: the causes that `because` of a row names."""

from dataclasses import dataclass

# The checks that may fail if padding enters a real output.
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
        kind: `"defect"` of Keras; `"choice"`, which Keras documents or warns
            about; `"question"`, neither promised nor documented; `"mended"`
            in newer versions; `"package"`, a property of another package; or
            `"backend"`, of a backend that only predicts.
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
        "destroyed, and later layers take all steps as real. Where the layer "
        "processes each step by itself, wrapping it in `KeepMask` keeps the "
        "mask.",
        NO_MASK_OUT,
        kind="choice",
    ),
    "silent": Cause(
        "silently drops the mask",
        "The layer declares that it supports masking, but passes none on.",
        NO_MASK_OUT,
        scripts=("reversible_embedding_drops_mask.py",),
    ),
    "windows": Cause(
        "padding enters windows",
        "Padding steps are read as if they were real, and enter the windows, "
        "maxima and means of real steps. Keras warns.",
        PADDING_ENTERS,
        kind="choice",
    ),
    "statistics": Cause(
        "padding silently enters sums",
        "The layer declares that it supports masking and passes the mask on, "
        "but reads padding steps as if they were real. Nothing warns.",
        PADDING_ENTERS,
        scripts=(
            "group_normalization_counts_padding.py",
            "layer_normalization_over_steps_counts_padding.py",
        ),
    ),
    "dot": Cause(
        "silently sums over padding",
        "`Dot` declares that it supports masking, but sums over padding or "
        "puts it into the features, and passes no mask on. Nothing warns.",
        PADDING_ENTERS | NO_MASK_OUT,
        scripts=("dot_sums_over_padding.py",),
    ),
    "replaces": _cause(
        "replaces the mask of its input",
        "The layer makes a mask, and does not AND it with the one that the "
        "input carries.",
        "mask-combined",
        scripts=("masking_discards_mask.py",),
        kind="question",
    ),
    "not-symbolic": _cause(
        "no mask on the symbolic tensor",
        "An eager call gives a mask, but the symbolic call of a Functional "
        "model does not: code that reads masks while the model is built sees "
        "none.",
        "symbolic-mask",
        scripts=("mask_made_in_call_is_not_symbolic.py",),
    ),
    "explicit-lost": _cause(
        "loses an explicit mask",
        "`layer(x, mask=mask)` gives a different result than `layer(x)` where "
        "x carries the mask.",
        "explicit-equals-attached",
        "declares-support",
        scripts=("pipeline_loses_explicit_mask.py",),
    ),
    "lambda-loaded": _cause(
        "the mask function is not loaded",
        "`Lambda(mask=function)` can be saved, but `load_model` does not "
        "restore the function.",
        "save-load",
        scripts=("lambda_forgets_function_of_mask.py",),
    ),
    "false-warning": _cause(
        "false warning",
        "Keras warns that the mask is destroyed, although it is used and "
        "passed on, or rightly ends here.",
        "no-destroy-warning",
        "declares-support",
        scripts=("group_query_attention_warns_for_nothing.py",),
    ),
    "softmax-shape": _cause(
        "fails on a masked sequence",
        "The mask of the steps is taken for a mask of elements: ValueError, or "
        "the wrong elements where the sizes agree.",
        "runs-with-mask",
        scripts=("softmax_takes_steps_for_elements.py",),
    ),
    "zero-vector": _cause(
        "NaN at zero vectors",
        "The layer divides by the norm, which is zero here: the gradient is "
        "not finite, nor is the value in half precision, and padding is "
        "usually zeros.",
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
        "If the layer is built by a symbolic call, for example inside another "
        "layer, it keeps the symbolic mean and variance of that call. This is "
        "unrelated to masks.",
        "nested",
        scripts=("normalization_keeps_symbolic_mean.py",),
    ),
    "penalty": _cause(
        "the penalty counts padding",
        "The penalty of the activations includes padding steps, and so has a "
        "gradient there. So does every `activity_regularizer=`.",
        "grad-zero-at-padding",
        "grad-empty-row",
        scripts=("activity_regularization_counts_padding.py",),
    ),
    "jax-no-op": _cause(
        "keeps the mask on JAX only",
        "On JAX, a reshape to the same shape returns the same array, which "
        "carries its mask; on the other backends, and symbolically, the mask "
        "is lost.",
        "symbolic-mask",
        "cross-backend",
        kind="question",
    ),
    "moves-steps": Cause(
        "the steps become features",
        "The steps move to another axis, and the padding with them: no mask "
        "`(batch, steps)` can express this.",
        PADDING_ENTERS,
        kind="choice",
    ),
    "short-depthwise": _cause(
        "invents steps on TensorFlow",
        "On TensorFlow's CPU build, a convolution of 2 steps with a `valid` "
        "window of 3 may give 2 steps of uninitialized memory, where there "
        "should be none or an error.",
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
        "With a mask, the sum is computed in float16: a sum of 5000 steps of "
        "20 overflows.",
        "precision",
        scripts=("average_pooling_overflows_in_float16.py",),
    ),
    "or-mask": _cause(
        "ORs the masks",
        "A step counts as real if it is real in one input, but contains the "
        "padding of the other.",
        "different-masks",
        scripts=("add_of_masks_lets_padding_in.py",),
    ),
    "unmasked-input": _cause(
        "an unmasked input loses the mask",
        "If one input has no mask, for example positions, the mask of the "
        "other is dropped or becomes all True. Nothing warns.",
        "partial-masks",
        scripts=("merging_with_unmasked_input_loses_mask.py",),
        kind="question",
    ),
    "zero-times-nan": _cause(
        "zero times NaN",
        "The scores of padding are 0, but the values that they multiply are "
        "not: NaN or infinity at a padding step reaches every real output.",
        "nan-padding",
        scripts=("attention_lets_nan_through.py",),
        kind="question",
    ),
    "deletes": _cause(
        "deletes the caller's mask",
        "The call removes the masks of the tensors that it is called on: "
        "whatever uses them next, for example a residual connection, sees "
        "none.",
        "input-not-mutated",
        scripts=("multi_head_attention_deletes_mask.py",),
    ),
    "query-mask": _cause(
        "ignores `query_mask=`",
        "An explicit `query_mask` is overwritten by the one that the tensor "
        "carries, or by None.",
        "explicit-equals-attached",
        scripts=("multi_head_attention_ignores_query_mask.py",),
    ),
    "half-scores": _cause(
        "attends to padding in float16",
        "In float16, hidden keys get the score -30000, and real scores of "
        "large inputs can be lower: padding gets their weight, and is zeroed "
        "afterwards. The kit sees it on JAX, the script on every backend.",
        "precision",
        scripts=("multi_head_attention_hides_too_little_in_float16.py",),
    ),
    "half-state": _cause(
        "the state is rounded",
        "In half precision, the state after some hundred steps of large inputs "
        "is off by more than the check allows. Whether that is a fault of the "
        "layer is open: the check is a hard one.",
        "precision",
        kind="question",
    ),
    "next-keras": Cause(
        "no masks in the 3.16 nightly",
        "In the nightly, recurrent layers and wrappers use the mask, declare "
        "that they do not support it, and pass none on (pull request 23235). "
        "For a layer that returns only its last step, only the warning is "
        "wrong. Wrapping the layer in `KeepMask` passes the mask on.",
        NO_MASK_OUT,
        kind="choice",
        scripts=("recurrent_layers_stop_passing_mask.py",),
    ),
    "not-reversed": _cause(
        "the output mask is not reversed",
        "With `go_backwards`, the steps come out reversed, but their mask does "
        "not.",
        "mask-truth",
        "pad-length",
        "alone-equals-batched",
        "equal-sizes",
        "mask-position",
        scripts=("backward_rnn_does_not_reverse_mask.py",),
    ),
    "unrolled": _cause(
        "wrong if unrolled backwards",
        "Unrolled and backwards with a mask: an error on PyTorch, zeros at "
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
        "With `initial_state=`, the call has two tensors, and Keras fills in "
        "no `mask`: padding is read. Pass `mask=`, or use `KeepMask`.",
        PADDING_ENTERS | {"mask-arg-reachable"},
        scripts=("rnn_with_initial_state_ignores_mask.py",),
    ),
    "first-state": Cause(
        "outputs the first state",
        "On JAX, if padding follows the last real step or there are holes, the "
        "last output is replaced by the first state of the cell.",
        PADDING_ENTERS | {"cross-backend", "precision"},
        scripts=("rnn_on_jax_takes_state_for_output.py",),
    ),
    "outer-mask": _cause(
        "passes the outer mask to the inner layer",
        "The inner layer gets a slice of the outer mask, `(batch,)`, as its "
        "own mask: an error. `MaskedTimeDistributed` is right.",
        "runs-with-mask",
        scripts=("time_distributed_hands_on_wrong_mask.py",),
    ),
    "batch-norm-rank": _cause(
        "a mask `(batch, steps)` fails",
        "If the input has more axes than `(batch, steps, features)`, the mask "
        "of the steps does not broadcast: an error.",
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
    # Older versions.
    "cast": _cause(
        "a cast loses the mask",
        "In 3.12, the cast of float inputs under a policy of half precision "
        "makes tensors without masks, before most layers.",
        "mixed-precision",
        kind="mended",
    ),
    "vectors-for-ids": _cause(
        "takes vectors for ids",
        "In 3.12, the layer makes a mask from the vectors that are turned back "
        "into scores, as if they were ids, and the mask has the wrong shape.",
        "mask-shape",
        "trains",
        kind="mended",
    ),
    "times-mask": _cause(
        "multiplies by the mask",
        "In 3.12, padding is multiplied by 0, which leaves NaN; on PyTorch it "
        "does so in place, in the caller's tensor.",
        "nan-padding",
        "input-not-mutated",
        kind="mended",
    ),
    "transpose-on-torch": Cause(
        "shifted windows on PyTorch",
        "In 3.12, the windows have different positions on PyTorch.",
        PADDING_ENTERS | {"cross-backend"},
        kind="mended",
    ),
    "steps-of-padding": _cause(
        "learns from steps of padding",
        "`TimeDistributed` calls the inner layer once for each step. A step "
        "that is padding in every row has the mean and variance 0, and moves "
        "the statistics towards 0, so that they depend on the longest sequence "
        "of a batch. `BatchNormalization` needs no wrapper.",
        "pad-length-training",
        scripts=("batch_normalization_learns_from_nothing.py",),
    ),
    # Losses and metrics.
    "loss-times-zero": _cause(
        "NaN of padding stays NaN",
        "The loss or metric of a padding step is multiplied by 0, which leaves "
        "NaN: that of a target that is NaN, and of predictions that are 0 for "
        "every class. Classes of -1 are an error, or read another class. "
        "`MaskedLoss` and `MaskedMetric` leave padding out.",
        "loss-nan-targets",
        "loss-pad-value",
        "metric-nan-targets",
        "metric-pad-value",
        scripts=("loss_of_nan_at_padding_is_nan.py",),
    ),
    "row-weights": _cause(
        "takes weights of rows for weights of steps",
        "`sample_weight` of the shape `(batch,)` is multiplied along the "
        "steps: an error, or the wrong weights where the sizes agree. "
        "`MaskedLoss` and `MaskedMetric` take weights of rows and of steps.",
        "loss-sample-weight",
        "metric-sample-weight",
        scripts=("sample_weight_of_rows_weighs_steps.py",),
    ),
    "no-steps": _cause(
        "reduces the steps itself",
        "Keras multiplies what the loss returns by the mask, when its steps "
        "are gone: an error where there is a number for each row, and the same "
        "number where there is one for the batch, in which padding counts.",
        "loss-runs",
        "loss-pad-value",
        "loss-more-padding",
        "loss-alone-equals-batched",
        "loss-empty-row",
        "loss-nan-targets",
        "loss-all-empty-batch",
        scripts=("loss_without_steps_fails_on_mask.py",),
    ),
    "ignores-mask": _cause(
        "ignores the mask",
        "`update_state` does not read the mask of the predictions: padding "
        "counts as real steps do. Nothing warns. Wrap the metric in "
        "`MaskedMetric`.",
        "metric-pad-value",
        "metric-nan-targets",
        "metric-more-padding",
        "metric-split",
        "metric-empty-row",
        "metric-all-empty-batch",
        "metric-sample-weight",
        scripts=("metrics_ignore_mask.py",),
    ),
    "share-of-steps": _cause(
        "weighs batches by their share of real steps",
        "Within a batch each real step counts the same. Over several batches, "
        "each batch counts by its number of real steps divided by its length, "
        "so that the result depends on which sequences share a batch. "
        "`MaskedMetric` counts steps.",
        "metric-split",
        kind="question",
    ),
    # Backends that only predict.
    "cast-copies": _cause(
        "a cast loses the mask on NumPy",
        "The layer casts its output. On NumPy a cast to the same dtype makes a "
        "new array, which carries no mask; on the other backends it returns "
        "the same tensor.",
        "mask-kept",
        kind="backend",
    ),
    "no-key-openvino": _cause(
        "NaN without a real key on OpenVINO",
        "On OpenVINO, attention in which no key is real gives NaN: the outputs "
        "of an empty row, and a loss, which multiplies them by 0. In half "
        "precision a causal mask makes all outputs NaN.",
        "empty-row",
        "precision",
        "loss-ignores-padding",
        kind="backend",
    ),
    "numpy-penalty": _cause(
        "no `evaluate` with penalties on NumPy",
        "On NumPy, `evaluate` of a model in which a layer adds a loss raises: "
        "the losses are summed as a list.",
        "loss-ignores-padding",
        kind="backend",
    ),
    # Packages around Keras.
    "attention-mask-only": Cause(
        "takes `attention_mask` only",
        "The mask that the tensors carry is not used: pass "
        "`attention_mask=mask[:, None, :]`.",
        PADDING_ENTERS | {"no-destroy-warning"},
        kind="package",
    ),
    "columns": _cause(
        "positions count columns",
        "The first column is position 0, whether it is padding or not: padding "
        "on the left moves every real step. `MaskedPositionEmbedding` counts "
        "real steps.",
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
        "The configuration lacks arguments of the layer.",
        "save-load",
        kind="package",
    ),
    "other-mask": _cause(
        "different mask in a model",
        "In a Functional model of unknown length, the output mask differs from "
        "that of an eager call.",
        "dynamic-time",
        kind="package",
    ),
    "stale-mask": _cause(
        "passes on the mask of summed steps",
        "The steps are summed, but the sum carries their mask: the loss fails, "
        "or masks features where the sizes agree.",
        "mask-dropped",
        "trains",
        kind="package",
    ),
    "static-steps": _cause(
        "needs a known number of steps",
        "It computes with the static number of steps, which is None in a model "
        "of unknown length.",
        "dynamic-time",
        kind="package",
    ),
    "static-steps-in-graphs": _cause(
        "does not run as a graph",
        "It computes with sizes that are known only in eager calls.",
        "graph",
        "trains",
        "functional",
        "nested",
        "grad-finite",
        "grad-empty-row",
        kind="package",
    ),
    "fourier": _cause(
        "convolves by a Fourier transform",
        "The transform spreads NaN and rounding over all steps, and takes no "
        "half precision.",
        "pad-value",
        "nan-padding",
        "grad-pad-value",
        "mixed-precision",
        kind="package",
    ),
    "explicit-differs": _cause(
        "an explicit mask acts differently",
        "A mask that is passed as `mask=` is not used like the mask that the "
        "input carries.",
        "explicit-equals-attached",
        kind="package",
    ),
    "mask-of-features": _cause(
        "wants a mask with a feature axis",
        "It takes masks `(batch, steps, 1)`, made by a layer of the same "
        "package, and raises for those of Keras.",
        "runs-with-mask",
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
        "Under `mixed_float16` the layer raises, because it mixes two dtypes.",
        "mixed-precision",
        kind="package",
    ),
    "minus-10000": _cause(
        "subtracts 10000",
        "Padding is hidden by subtracting 10000 from its score, which a large "
        "score exceeds, and NaN stays NaN.",
        "large-values",
        "nan-padding",
        "empty-row",
        "pad-value",
        kind="package",
    ),
}

# Causes that break most layers of a version, and so belong to no single row.
OF_MOST = {"3.12": "cast"}
