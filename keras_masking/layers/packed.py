"""What layers share that take several sequences in a row."""

from typing import Any

from keras_masking._packing import PackingNeed
from keras_masking.layers.base import MaskAware
from keras_masking.layers.checks import check_boolean


class TakesPacked(MaskAware):
    """Mixin of layers that work on each run of a mask if `packed`.

    List it before the Keras layer in the bases of a class.
    """

    def __init__(self, *args: Any, packed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.packed = check_boolean(self.caller, "packed", packed)

    @property
    def packing_need(self) -> PackingNeed | str:  # type: ignore[override]
        """What it needs between two sequences, or why it cannot take them."""
        return PackingNeed() if self.packed else "`packed` is not set"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "packed": self.packed}
