"""Exports each row on one backend: `KERAS_BACKEND=jax python -m ...worker`.

Prints a line of JSON for each row: what became of it in each format.
"""

import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_masking.errors import first_words
from keras_masking.exporting.exporter import new_report
from keras_masking.exporting.formats import FORMATS
from keras_masking.exporting.formats import available
from keras_masking.exporting.formats import module_of
from keras_masking.exporting.quiet import quiet
from keras_masking.exporting.refusals import cause_of
from keras_masking.exporting.signature import read_signature
from keras_masking.exporting.source import Source
from keras_masking.exporting.verify import verify
from tools.exports.rows import rows

OK = "ok"


def with_memory(source: Source) -> Source:
    """The source, which predicts each batch once for all formats."""
    answers: dict[bytes, Any] = {}
    predict = source.predict

    def remembered(arrays: Any) -> Any:
        parts = [x.tobytes() + str(x.shape).encode() for x in arrays]
        key = b"".join(parts)
        if key not in answers:
            answers[key] = predict(arrays)
        return answers[key]

    source.predict = remembered  # type: ignore[method-assign]
    return source


def outcome(source: Source, name: str, path: Path) -> str:
    """`OK`, or what went wrong, in a sentence."""
    chosen = FORMATS[name]
    module = module_of(chosen)
    try:
        with quiet():
            module.write(source, path)
            run = module.open_file(path, source)
    except Exception as error:
        return f"refused: {cause_of(error)}"
    found = verify(source, run, source.batches.all())
    wrong = [one for one in found.compared if not one.ok]
    if not wrong:
        return OK if found.compared else f"nothing compared: {found.notes}"
    if found.error:
        return f"fails: {found.error}"
    worst = max(one.largest for one in wrong)
    kinds = ", ".join(dict.fromkeys(one.batch for one in wrong))
    return f"differs: by {worst:.2g} in {len(wrong)} batches ({kinds})"


def of_row(make: Callable[[], keras.Model]) -> dict[str, str]:
    """The outcome in each format of this backend."""
    names = available(keras.backend.backend())
    keras.utils.set_random_seed(0)
    try:
        model = make()
        rng = np.random.default_rng(0)
        for weight in model.weights:
            if "float" in str(weight.dtype) and len(weight.shape) > 1:
                weight.assign(rng.normal(size=weight.shape) / 2)
        with quiet():
            source = with_memory(
                Source(model, read_signature(model, None, None))
            )
    except Exception as error:
        said = f"no model: {type(error).__name__}: {first_words(error)}"
        return dict.fromkeys(names, said)
    found = {}
    for name in names:
        folder = Path(tempfile.mkdtemp())
        path = folder / f"model{FORMATS[name].suffix}"
        found[name] = outcome(source, name, path)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def versions() -> dict[str, str]:
    """The versions of all packages that took part."""
    keras.utils.set_random_seed(0)
    x = keras.Input((2,), name="x")
    model = keras.Model(x, keras.layers.Dense(1)(x))
    source = Source(model, read_signature(model, None, None))
    numbers: dict[str, str] = {}
    for name in available(keras.backend.backend()):
        numbers |= new_report(source, FORMATS[name]).versions
    return numbers


def main(wanted: list[str]) -> None:
    """Prints the versions, then a line for each row."""
    warnings.simplefilter("ignore")
    out = sys.stdout
    sys.stdout = sys.stderr  # converters print
    print(json.dumps({"versions": versions()}), file=out, flush=True)
    for name, make in rows():
        if not wanted or name in wanted:
            line = {"row": name, "outcomes": of_row(make)}
            print(json.dumps(line), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
