"""`check_export`: may this model be exported? For tests."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import keras

from keras_masking.errors import NotMeasuredError
from keras_masking.exporting.exporter import write_and_compare
from keras_masking.exporting.formats import available
from keras_masking.exporting.formats import missing_package
from keras_masking.exporting.formats import named_format
from keras_masking.exporting.formats import require_packages
from keras_masking.exporting.quiet import quiet
from keras_masking.exporting.report import ExportError
from keras_masking.exporting.report import ExportReport
from keras_masking.exporting.signature import read_signature
from keras_masking.exporting.source import Source


class ExportCheckError(AssertionError):
    """A model that is refused or answers otherwise in a format."""


@dataclass
class FormatsReport:
    """How a model fares in several formats.

    Attributes:
        model: The model's name.
        backend: The backend.
        reports: The report of each format in which the model is right.
        errors: The error of each other format.
    """

    model: str
    backend: str
    reports: dict[str, ExportReport] = field(default_factory=dict)
    errors: dict[str, ExportError] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the model is right in each format."""
        return bool(self.reports) and not self.errors

    def __str__(self) -> str:
        lines = [f"{self.model}, from Keras on {self.backend}"]
        lines += [
            f"  right    {name}: at most {report.largest:.2g} apart in "
            f"{len(report.compared)} batches"
            for name, report in self.reports.items()
        ]
        lines += [f"  not right {name}: {e}" for name, e in self.errors.items()]
        return "\n".join(lines)


def check_export(
    model: keras.Model,
    formats: str | Sequence[str] | None = None,
    *,
    inputs: Any = None,
    names: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> FormatsReport:
    """Checks that a model answers alike in other runtimes; keeps no file.

    It needs no layer of this package.

    Args:
        model: A built model.
        formats: A format or several, see `export`. Defaults to those of the
            backend whose packages are installed.
        inputs: A batch, see `export`.
        names: The names of the inputs, see `export`.
        tolerance: What counts as rounding, see `export`.

    Returns:
        A `FormatsReport`: print it.

    Raises:
        ExportCheckError: If a converter refuses the model, or a file answers
            otherwise. It says which layer causes it.
        NotMeasuredError: If no package of any format is installed.
        ValueError: If the backend lacks a format, or the inputs have no names.
        ImportError: If the packages of a named format are not installed.

    Example:

    >>> x = keras.Input((None, 4), name="x")
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> keras_masking.exporting.check_export(model, "onyx")
    Traceback (most recent call last):
    ...
    ValueError: In `export`: `format` must be one of tf_saved_model, onnx,
    litert, openvino, torch, jax. Received: format='onyx'. Pass one of them.
    Did you mean 'onnx'?
    """
    backend = keras.backend.backend()
    if formats is None:
        every = [named_format(name) for name in available(backend)]
        chosen = [f for f in every if missing_package(f, verify=True) is None]
    else:
        asked = [formats] if isinstance(formats, str) else formats
        chosen = [named_format(name) for name in asked]
        for one in chosen:
            require_packages(one, verify=True)
    if not chosen:
        raise NotMeasuredError(
            f"No format of {backend} has its packages installed, such as "
            f"{', '.join(available(backend)) or 'none'}."
        )
    signature = read_signature(model, inputs, names)
    with quiet():
        source = Source(model, signature)
    report = FormatsReport(model.name, backend)
    for one in chosen:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, f"model{one.suffix}")
            try:
                report.reports[one.name] = write_and_compare(
                    source, one, made, True, tolerance
                )
            except ExportError as error:
                report.errors[one.name] = error
    if not report.ok:
        raise ExportCheckError(str(report))
    return report
