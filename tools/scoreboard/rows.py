"""A row of the scoreboard: a layer, how it is called, why it breaks."""

import importlib
import inspect
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_masking.contract import Case

X = np.random.default_rng(0).normal(size=(3, 6, 4)).round(2).astype("float32")
Y = X[::-1].copy()
Z = X[:, :5]
IDS = np.array(
    [[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 0, 0], [5, 0, 0, 0, 0, 0]], "int32"
)


@dataclass(frozen=True)
class Row:
    """A layer as written after `layers.`, and how it is called.

    Args:
        call: The call that makes it.
        because: The names of the causes that break it, see `causes.py`.
        what: A note that distinguishes rows with the same call.
        role: As in `Case`.
        inputs: As in `Case`.
        call_kwargs: As in `Case`.
        sequences: As in `Case`.
        mask_argument: As in `Case`.
        helper: Something that the call names and the module lacks.
        module: Where `layers` is imported from.
    """

    call: str
    because: tuple[str, ...] = ()
    what: str = ""
    role: str | None = None
    inputs: Any = None
    call_kwargs: Mapping[str, Any] = field(default_factory=dict)
    sequences: Sequence[int | str] | None = None
    mask_argument: str | int | None = None
    helper: Any = None
    module: str = "keras.layers"

    @property
    def name(self) -> str:
        return f"{self.call}, {self.what}" if self.what else self.call

    def make(self) -> keras.layers.Layer:
        names = {"keras": keras, "layers": importlib.import_module(self.module)}
        if self.helper is not None:
            names[self.helper.__name__] = self.helper
        return eval(f"layers.{self.call}", names)

    def case(self) -> Case:
        lines = ["import keras", f"import {self.module} as layers"]
        if self.helper is not None:
            lines += ["", "", inspect.getsource(self.helper), ""]
        return Case(
            self.make,
            name=self.name,
            role=self.role,
            inputs=self.inputs,
            call_kwargs=self.call_kwargs,
            sequences=self.sequences,
            mask_argument=self.mask_argument,
            script="\n".join([*lines, f"lambda: layers.{self.call}"]),
        )


def each(calls: Iterable[str], *because: str, **options: Any) -> list[Row]:
    """Rows that differ in their call only."""
    return [Row(call, because, **options) for call in calls]


def _infer_in_float32() -> None:
    """Otherwise OpenVINO infers in bfloat16, on CPUs that have it."""
    openvino: Any = importlib.import_module("openvino")
    openvino.compile_model = partial(
        openvino.compile_model, config={"INFERENCE_PRECISION_HINT": "f32"}
    )


def every_row(families: Mapping[str, list[Row]]) -> list[Row]:
    """The rows of all families, in their order."""
    return [row for rows in families.values() for row in rows]


def cases(families: Mapping[str, list[Row]]) -> list[Case]:
    """The cases for all layers in the installed packages."""
    if keras.backend.backend() == "openvino":
        _infer_in_float32()
    found = []
    for row in every_row(families):
        try:
            row.make()
        except (AttributeError, ImportError, TypeError, ValueError):
            continue  # the page says that it is not there
        found.append(row.case())
    if keras.backend.backend() == "torch":
        # bayesflow turns gradients off when it is imported.
        importlib.import_module("torch").set_grad_enabled(True)
    return found
