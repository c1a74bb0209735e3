"""Names for what the signatures speak of."""

from collections.abc import Sequence
from typing import Any
from typing import TypeAlias

# A tensor of the active backend, a `KerasTensor` or a NumPy array: Keras has
# no common type for them.
Tensor: TypeAlias = Any
Axis: TypeAlias = int | Sequence[int]
Shape: TypeAlias = tuple[int | None, ...]
