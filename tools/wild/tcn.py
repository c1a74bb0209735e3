"""Models of keras-tcn."""

from tcn import TCN

from tools.wild.rows import Row
from tools.wild.rows import masked


def block(**config: object) -> TCN:
    return TCN(4, 3, dilations=[1, 2], padding="same", **config)


ROWS = [
    Row(
        "TCN, sequences",
        lambda: masked(block(return_sequences=True), steps=True),
        guilty=("tcn",),
    ),
    Row(
        "TCN, last step",
        lambda: masked(block()),
        guilty=("tcn",),
        raises="Scalar tensor has no `len()`",
    ),
]
