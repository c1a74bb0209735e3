"""Models of keras-self-attention."""

from keras_self_attention import SeqSelfAttention
from keras_self_attention import SeqWeightedAttention

from tools.wild.rows import Row
from tools.wild.rows import masked

RANK = "has no attribute 'rank'"  # they run on TensorFlow alone

ROWS = [
    Row(
        "SeqSelfAttention",
        lambda: masked(SeqSelfAttention(), steps=True),
        guilty=("seq_self_attention",),
        raises=RANK,
    ),
    Row(
        "SeqWeightedAttention",
        lambda: masked(SeqWeightedAttention()),
        raises=RANK,
    ),
]
