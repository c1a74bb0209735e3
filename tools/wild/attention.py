"""Models of keras-self-attention."""

from keras_self_attention import SeqSelfAttention
from keras_self_attention import SeqWeightedAttention

from tools.wild.rows import Row
from tools.wild.rows import masked

ROWS = [
    Row(
        "SeqSelfAttention",
        lambda: masked(SeqSelfAttention(), steps=True),
        raises="unsupported",
    ),
    Row(
        "SeqWeightedAttention",
        lambda: masked(SeqWeightedAttention()),
        raises="unsupported",
    ),
]
