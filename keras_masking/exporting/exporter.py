"""`export`: writes a file, opens it, and keeps it if its answers are right."""

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_masking.exporting.blame import blame
from keras_masking.exporting.files import beside
from keras_masking.exporting.files import put
from keras_masking.exporting.files import require_place
from keras_masking.exporting.formats import Format
from keras_masking.exporting.formats import choose_format
from keras_masking.exporting.formats import module_of
from keras_masking.exporting.formats import require_packages
from keras_masking.exporting.formats import versions_of
from keras_masking.exporting.quiet import quiet
from keras_masking.exporting.refusals import cause_of
from keras_masking.exporting.report import ExportError
from keras_masking.exporting.report import ExportMismatchError
from keras_masking.exporting.report import ExportReport
from keras_masking.exporting.signature import read_signature
from keras_masking.exporting.source import Source
from keras_masking.exporting.verify import Verified
from keras_masking.exporting.verify import verify as compare
from keras_masking.versions import versions


def export(
    model: keras.Model,
    path: str | Path,
    format: str | None = None,
    *,
    inputs: Any = None,
    names: Sequence[str] | None = None,
    verify: bool = True,
    tolerance: float | None = None,
) -> ExportReport:
    """Writes a model for another runtime, and proves that it answers alike.

    The file is opened in its runtime and compared with `model.predict`, on
    batches of other sizes than it was traced with: padding on the right and on
    the left, a hole, an empty row, NaN at padding where a mask or lengths say
    where that is. A file that answers otherwise is not kept. The model is not
    changed.

    Args:
        model: A built model: Functional, Sequential or subclassed. Layers of
            this package are not needed.
        path: The file to write, or the folder of a SavedModel. What is there is
            replaced, but only if the new file is right.
        format: `"tf_saved_model"`, `"onnx"` (`.onnx`), `"litert"` (`.tflite`),
            `"openvino"` (`.xml`), `"torch"` (`.pt2`) or `"jax"` (`.jax`). By
            default the ending of `path` says it.
        inputs: A batch as for `predict`, from which the batches to compare are
            drawn; by default they are made up from the model's signature. A
            model without `keras.Input` needs it: its axis 1 may then have any
            size where the input is of integers, booleans, or rank 3 and more.
        names: The names of the inputs in the file, in the order of the model's
            inputs. Defaults to the names of its `keras.Input` or, if it takes a
            dict, to the keys. A single input needs no name: it is `"inputs"`.
        verify: Whether to open the file and compare it.
        tolerance: The largest difference that counts as rounding, relative to
            the largest output (if that is above 1). Defaults to 2e-5, and to
            more for a model that computes in half precision.

    Returns:
        An `ExportReport`: print it.

    Raises:
        ValueError: If the backend lacks the format, the ending of `path` does
            not fit it, the shapes of the inputs are not known, or inputs have
            no names.
        OSError: If `path` cannot be written; said before the work.
        ImportError: If the converter or the runtime is not installed.
        ExportError: If the converter refuses the model.
        ExportMismatchError: If the file answers otherwise than the model.

    Example:

    >>> ids = keras.Input((None,), dtype="int32", name="ids")
    >>> x = keras_masking.layers.CustomEmbedding(9, 4, mask_zero=True)(ids)
    >>> x = keras_masking.layers.MaskedGlobalAveragePooling1D()(x)
    >>> model = keras.Model(ids, x)
    >>> keras_masking.export(model, "model.h5")
    Traceback (most recent call last):
    ...
    ValueError: In `export`: `path` must end in .onnx, .tflite, .xml, .pt2,
    .jax; a folder, without an ending, becomes a SavedModel. Received:
    path=model.h5. Pass `format` for another ending of a folder.
    """
    return run_export(
        model,
        path,
        format,
        inputs=inputs,
        names=names,
        verify=verify,
        tolerance=tolerance,
    )


def run_export(
    model: keras.Model,
    path: str | Path,
    format: str | None = None,
    *,
    inputs: Any = None,
    names: Sequence[str] | None = None,
    verify: bool = True,
    tolerance: float | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> ExportReport:
    """`export`, which calls `on_stage` with what it does next."""
    path = Path(path)
    chosen = choose_format(path, format)
    require_place(path, is_folder=not chosen.suffix)
    require_packages(chosen, verify)
    signature = read_signature(model, inputs, names)
    on_stage("calling the model")
    with quiet():
        source = Source(model, signature, verify)
    with beside(path) as made:
        report = write_and_compare(
            source, chosen, made, verify, tolerance, on_stage
        )
        put(made, path)
    report.path = path
    return report


def write_and_compare(
    source: Source,
    chosen: Format,
    made: Path,
    verify: bool = True,
    tolerance: float | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> ExportReport:
    """Writes a file, and raises if it is not right.

    Raises:
        ExportError: If the converter refuses the model.
        ExportMismatchError: If the file answers otherwise than the model.
    """
    report = new_report(source, chosen)
    on_stage(f"writing {chosen.name}")
    _write(source, chosen, made)
    if verify:
        on_stage("comparing")
        found = _opened(source, chosen, made, tolerance)
        report.compared = found.compared
        report.notes += found.notes
        if found.failed is not None:
            on_stage("looking for the layer that differs")
        _require_same(source, chosen, found, tolerance)
    return report


def new_report(source: Source, chosen: Format) -> ExportReport:
    """A report without results."""
    slots = source.signature.slots
    note = getattr(module_of(chosen), "NOTE", "")
    return ExportReport(
        None,
        chosen.name,
        keras.backend.backend(),
        [
            (slot.name, shape, slot.dtype)
            for slot, shape in zip(slots, source.shapes())
        ],
        source.outputs,
        {**versions(), **versions_of(chosen)},
        notes=[note] if note else [],
    )


def _write(source: Source, chosen: Format, made: Path) -> None:
    try:
        with quiet():
            module_of(chosen).write(source, made)
    except Exception as error:
        said = blame(source, chosen, None, None)
        raise ExportError(
            f"{_name(source, chosen)} was not written. {cause_of(error)} {said}"
        ) from error


def _opened(
    source: Source, chosen: Format, made: Path, tolerance: float | None
) -> Verified:
    """Opens the file in its runtime, and compares it.

    Raises:
        ExportError: If the runtime does not open it.
    """
    try:
        with quiet():
            run = module_of(chosen).open_file(made, source)
    except Exception as error:
        said = blame(source, chosen, None, None)
        raise ExportError(
            f"{_name(source, chosen)} does not open in its runtime, and was "
            f"not kept. {cause_of(error)} {said}"
        ) from error
    return compare(source, run, source.batches.all(), tolerance)


def _require_same(
    source: Source, chosen: Format, found: Verified, tolerance: float | None
) -> None:
    if found.failed is None:
        return
    wrong = [one for one in found.compared if not one.ok]
    worst = max(wrong, key=lambda one: one.largest - one.allowed)
    how = (
        f"differs by {worst.largest:.3g}"
        if found.error == ""
        else f"fails with {found.error}"
    )
    said = blame(source, chosen, found.failed, tolerance)
    raise ExportMismatchError(
        f"{_name(source, chosen)} answers otherwise than the model in "
        f"{len(wrong)} of {len(found.compared)} batches, and was not kept. The "
        f"worst: {worst}: it {how} ({worst.where}). {said}"
    )


def _name(source: Source, chosen: Format) -> str:
    return (
        f"In `export`: the {chosen.name} file of {source.model.name!r}, from "
        f"Keras on {keras.backend.backend()},"
    )
