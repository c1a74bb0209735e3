"""Masked computations: pure functions on `keras.ops`.

For authors of custom layers. Every function takes tensors of the active backend
or NumPy arrays, runs eagerly and inside compiled functions, and does not modify
its arguments.
"""

from keras_masking._moved import moved
from keras_masking.ops.crf import crf_decode as crf_decode
from keras_masking.ops.crf import crf_log_likelihood as crf_log_likelihood
from keras_masking.ops.crf import crf_marginals as crf_marginals
from keras_masking.ops.ctc import ctc_beam_decode as ctc_beam_decode
from keras_masking.ops.ctc import ctc_greedy_decode as ctc_greedy_decode
from keras_masking.ops.fast_paths import plain_formulas as plain_formulas
from keras_masking.ops.masks import apply_mask as apply_mask
from keras_masking.ops.masks import full_mask as full_mask
from keras_masking.ops.masks import lengths_to_mask as lengths_to_mask
from keras_masking.ops.masks import mask_to_lengths as mask_to_lengths
from keras_masking.ops.order import compact_steps as compact_steps
from keras_masking.ops.order import pack_steps as pack_steps
from keras_masking.ops.order import reverse_steps as reverse_steps
from keras_masking.ops.pooling import window_max as window_max
from keras_masking.ops.pooling import window_mean as window_mean
from keras_masking.ops.pooling import window_sum as window_sum
from keras_masking.ops.reading import check_mask as check_mask
from keras_masking.ops.reductions import masked_max as masked_max
from keras_masking.ops.reductions import masked_mean as masked_mean
from keras_masking.ops.reductions import masked_min as masked_min
from keras_masking.ops.reductions import masked_sum as masked_sum
from keras_masking.ops.runs import position_ids as position_ids
from keras_masking.ops.runs import segment_ids as segment_ids
from keras_masking.ops.schemes import bio_transitions as bio_transitions
from keras_masking.ops.softmax import masked_logsumexp as masked_logsumexp
from keras_masking.ops.softmax import masked_softmax as masked_softmax
from keras_masking.ops.statistics import masked_moments as masked_moments
from keras_masking.ops.statistics import (
    masked_position_mean as masked_position_mean,
)
from keras_masking.ops.statistics import masked_sqrtn as masked_sqrtn
from keras_masking.ops.statistics import masked_std as masked_std
from keras_masking.ops.statistics import masked_variance as masked_variance
from keras_masking.ops.steps import first_step as first_step
from keras_masking.ops.steps import last_step as last_step
from keras_masking.ops.steps import split_steps as split_steps
from keras_masking.ops.windows import (
    transposed_window_mask as transposed_window_mask,
)
from keras_masking.ops.windows import window_mask as window_mask

__all__ = [
    "apply_mask",
    "bio_transitions",
    "check_mask",
    "compact_steps",
    "crf_decode",
    "crf_log_likelihood",
    "crf_marginals",
    "ctc_beam_decode",
    "ctc_greedy_decode",
    "first_step",
    "full_mask",
    "last_step",
    "lengths_to_mask",
    "mask_to_lengths",
    "masked_logsumexp",
    "masked_max",
    "masked_mean",
    "masked_min",
    "masked_moments",
    "masked_position_mean",
    "masked_softmax",
    "masked_sqrtn",
    "masked_std",
    "masked_sum",
    "masked_variance",
    "pack_steps",
    "plain_formulas",
    "position_ids",
    "reverse_steps",
    "segment_ids",
    "split_steps",
    "transposed_window_mask",
    "window_mask",
    "window_max",
    "window_mean",
    "window_sum",
]

__getattr__ = moved(
    __name__,
    {
        "all_real": "keras_masking.ops.full_mask",
        "step_index": "keras_masking.ops.position_ids",
    },
)
