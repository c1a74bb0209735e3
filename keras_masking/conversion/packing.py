"""A copy of a converted model that takes packed rows."""

import warnings
from typing import Any

from keras_masking import layers
from keras_masking.batching.gap import packing_gap
from keras_masking.batching.gap import unpackable
from keras_masking.conversion.carrying import carry_all
from keras_masking.conversion.counterparts import config_of
from keras_masking.conversion.report import ConversionReport
from keras_masking.conversion.walk import Walk
from keras_masking.conversion.walk import sentence
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.recurrent_base import Recurrent


def pack_model(
    model: Any, max_segments: int | None, report: ConversionReport
) -> Any:
    """Copies `model`, and sets `packed` and `max_segments` of its layers.

    The report lists them, and the layers that cannot take packed rows.
    """
    walk = PackingWalk(max_segments, report)
    try:
        with warnings.catch_warnings():
            # A model inside is called before it is built.
            warnings.filterwarnings("ignore", ".*destroy the mask")
            made = walk.model(model)
    except (TypeError, ValueError) as error:
        raise ValueError(
            describe(
                "`convert`",
                "with `packed` a pooling gives (batch, max_segments, features) "
                "to the layers after it, and one does not take it.",
                "Convert without `packed`, or let that layer work on the last "
                "axis alone.",
                error=sentence(error),
            )
        ) from error
    carry_all(walk.made.values())
    for layer, why in unpackable(made):
        row = layer.name, type(layer).__name__, walk.errors.get(layer.name, why)
        if row not in report.unpacked:
            report.unpacked.append(row)
    if not report.unpacked:
        report.packing = packing_gap(made)
    return made


class PackingWalk(Walk):
    """A walk through a model that gives our layers their packed arguments."""

    def __init__(
        self, max_segments: int | None, report: ConversionReport
    ) -> None:
        super().__init__(set(), {}, replaces=False)
        self.arguments = {"packed": True, "max_segments": max_segments}
        self.packed = report.packed
        self.errors: dict[str, str] = {}  # by the names of layers

    def clone(self, layer: Any) -> Any:
        config = config_of(layer) if isinstance(layer, MaskAware) else {}
        changes = {
            name: value
            for name, value in self.arguments.items()
            if value and name in config and not config[name]
        }
        if not changes:
            return super().clone(layer)
        try:
            if getattr(layer, "return_sequences", True) is False:
                self._take_last(layer)
                changes["return_sequences"] = True
            new = type(layer).from_config({**config, **changes})
        except ValueError as error:
            self.errors[layer.name] = sentence(error)
            return super().clone(layer)
        said = ", ".join(f"{name}={value}" for name, value in changes.items())
        self.packed.append((layer.name, type(layer).__name__, said))
        return new

    def _take_last(self, layer: Any) -> None:
        """Takes the last output of each run behind a recurrent layer."""
        if not isinstance(layer, Recurrent) or layer.go_backwards:
            raise ValueError(
                "it returns one output for a row; let it return sequences, and "
                "take the steps of each with `max_segments`"
            )
        segments = self.arguments["max_segments"]
        if segments is None:
            raise ValueError("`max_segments` is not set")
        self.after[id(layer)] = layers.LastStep(
            max_segments=segments, name=f"{layer.name}_last"
        )
