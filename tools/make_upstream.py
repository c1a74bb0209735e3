"""Generates `docs/upstream/README.md`: `python -m tools.make_upstream`."""

import ast
import re

from tools import DOCS

FOLDER = DOCS / "upstream"
LOOKED = (
    "keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)"
)
# Worst first; for each script, our layers that fix it, if any.
ORDER = {
    "Silently wrong numbers": {
        "multi_head_attention_deletes_mask": "MaskedMultiHeadAttention",
        "rnn_with_initial_state_ignores_mask": "KeepMask",
        "group_normalization_counts_padding": "MaskedGroupNormalization",
        "dot_sums_over_padding": "ApplyMask",
        "layer_normalization_over_steps_counts_padding": (
            "MaskedGroupNormalization"
        ),
        "add_of_masks_lets_padding_in": "MaskedAdd, MaskedConcatenate",
        "backward_rnn_does_not_reverse_mask": "KeepMask, TemporalReverse",
        "pipeline_loses_explicit_mask": "AttachMask",
        "metrics_ignore_mask": "MaskedMetric",
        "jax_fit_hands_metrics_no_mask": "",
        "jax_trainer_ignores_compute_mask": "AttachMask",
        "stateless_call_ignores_mask": "",
        "torch_multiplies_sample_weight_in_place": "MaskedLoss",
        "replicas_average_means_of_masked_steps": "MaskedLoss",
        "accumulation_averages_means_of_masked_steps": "",
        "sample_weight_of_rows_weighs_steps": "MaskedLoss",
        "class_weight_of_steps_weighs_rows": "MaskedLoss, MaskedMetric",
        "functional_call_masks_wrong_input": "AttachMask",
        "functional_call_leaves_mask_on_input": "AttachMask",
        "rnn_on_jax_takes_state_for_output": "",
        "average_pooling_of_empty_row_is_nan": "MaskedGlobalAveragePooling1D",
        "average_pooling_overflows_in_float16": "MaskedGlobalAveragePooling1D",
        "multi_head_attention_averages_padding": "MaskedMultiHeadAttention",
        "attention_ignores_mask_of_key": "MaskedAttention",
        "batch_normalization_learns_from_nothing": "",
        "activity_regularization_counts_padding": "ApplyMask",
        "unit_normalization_of_zeros_has_no_gradient": "KeepMask",
        "unit_normalization_of_zeros_is_nan_in_float16": "KeepMask",
        "attention_lets_nan_through": "MaskedAttention, "
        "MaskedAdditiveAttention, MaskedMultiHeadAttention, "
        "MaskedGroupQueryAttention",
        "multi_head_attention_hides_too_little_in_float16": (
            "MaskedMultiHeadAttention, MaskedGroupQueryAttention"
        ),
        "loss_of_nan_at_padding_is_nan": "MaskedLoss",
        "strided_convolution_is_traced_for_one_length": (
            "MaskedConv1D, MaskedDepthwiseConv1D, MaskedSeparableConv1D, "
            "MaskedMaxPooling1D"
        ),
        "recurrent_layer_is_traced_for_one_length": "",
    },
    "Crashes": {
        "softmax_takes_steps_for_elements": "TemporalSoftmax",
        "loss_without_steps_fails_on_mask": "DropMask",
        "replicas_fail_on_odd_first_batch": "",
        "scan_of_unknown_length_fails": "",
        "time_distributed_hands_on_wrong_mask": "MaskedTimeDistributed",
        "unrolled_backward_rnn_misreads_mask": "",
        "conv_lstm_with_mask_fails_on_jax": "",
        "batch_normalization_of_one_feature_fails": "",
        "batch_normalization_of_segments_fails_with_mask": "",
        "lambda_forgets_function_of_mask": "KeepMask",
    },
    "Lost masks and false warnings": {
        "merging_with_unmasked_input_loses_mask": (
            "MaskedAdd, MaskedMultiply, MaskedConcatenate"
        ),
        "recurrent_layers_stop_passing_mask": "KeepMask, MaskedTimeDistributed",
        "multi_head_attention_ignores_query_mask": "MaskedMultiHeadAttention",
        "time_distributed_does_not_ask_for_mask": "MaskedTimeDistributed",
        "masking_discards_mask": "NaNMask, AttachMask",
        "masking_of_nan_masks_nothing": "NaNMask",
        "reversible_embedding_drops_mask": "AttachMask",
        "nested_model_has_no_symbolic_mask": "",
        "mask_made_in_call_is_not_symbolic": "KeepMask, CustomEmbedding",
        "group_query_attention_warns_for_nothing": (
            "MaskedGroupQueryAttention"
        ),
    },
    "Unrelated to masks": {
        "multi_head_attention_scores_have_wrong_shape": (
            "MaskedMultiHeadAttention"
        ),
        "onnx_export_needs_a_call": "",
        "softmax_of_negative_axes_fails": "",
        "normalization_keeps_symbolic_mean": "",
        "cloned_normalization_forgets_statistics": "",
        "convolution_makes_steps_on_tensorflow": (
            "MaskedConv1D, MaskedDepthwiseConv1D, MaskedSeparableConv1D"
        ),
        "scaled_input_is_sparse": "",
        "sum_of_float64_is_float32_on_torch": "",
        "py_dataset_workers_repeat_batches": "",
    },
}
FIELDS = [
    "Where",
    "Where in 3.16",
    "Since",
    "Threads",
    "Shows on",
    "Layers",
    "Fix",
    "Tried",
    "Workaround",
]
HEAD = f"""<!-- Made from the scripts by `python -m tools.make_upstream`. -->

# Defects of Keras

Each script shows one defect of Keras, or a question about it, in plain Keras,
and is ready to be filed: its docstring says what happens and what should
happen, names the lines of Keras, and proposes a fix. The script prints the
expected and the actual result, and exits with 1 where the defect shows and
with 0 where it does not:

    KERAS_BACKEND=torch python docs/upstream/masking_discards_mask.py

All were run on {LOOKED}.
*Everywhere* means all of these. `tests/test_upstream.py` runs the scripts
again, and fails if a newer Keras fixes one. A fix that a docstring calls
*tried* was applied to 3.15.1, together with the others.
"""
TAIL = """## What is not here

Intended or documented behaviour: convolutions, windowed pooling, reshaping,
RMSNormalization and EinsumDense destroy the mask, with a warning; an operator,
such as `x * 2`, makes a tensor without a mask. Also most of the defects that
3.16 has fixed: float16 in Attention on torch, the edges of AveragePooling1D on
torch, `delta` in the config of Huber, the states of a stateful Bidirectional.
"""


def names() -> list[str]:
    """The scripts, worst first."""
    return [name for group in ORDER.values() for name in group]


def read(name: str) -> dict[str, str]:
    """The fields of a script's docstring, and its first line as `title`."""
    source = (FOLDER / f"{name}.py").read_text()
    text = ast.get_docstring(ast.parse(source)) or ""
    parts = re.split(rf"^({'|'.join(FIELDS)}):", text, flags=re.M)
    said = dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))
    return {"title": text.split("\n")[0], **said}


def shows(line: str) -> dict[str, list[str]]:
    """The backends on which it shows, for each version of Keras."""
    found = re.findall(r"([\d.]+) \(([\w, ]+)\)", line.removeprefix("keras "))
    return {version: backends.split(", ") for version, backends in found}


def quotes(said: str) -> list[tuple[str, int, str]]:
    """File, line and piece of code of each place in Keras."""
    found = re.findall(r'^\s*(\S+\.py):(\d+) "(.*)"$', said, flags=re.M)
    return [(file, int(line), code) for file, line, code in found]


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for group, scripts in ORDER.items():
        parts.append(f"## {group}\n")
        parts.append("| defect | layers | shows on | workaround | our layer |")
        parts.append("|---|---|---|---|---|")
        for name, ours in scripts.items():
            said = {k: " ".join(v.split()) for k, v in read(name).items()}
            where = said["Shows on"].removeprefix("keras ")
            where = "everywhere" if said["Shows on"] == LOOKED else where
            mends = ", ".join(f"`{o}`" for o in ours.split(", ") if o)
            cells = [f"[{said['title']}]({name}.py)", said["Layers"], where]
            row = " | ".join([*cells, said["Workaround"], mends])
            parts.append(f"| {row} |")
        parts.append("")
    return "\n".join([*parts, TAIL])


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(page())
