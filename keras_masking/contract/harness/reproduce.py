"""A short script that reproduces a failure, with literal arrays."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_masking.contract.case import Case
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.model_harness import ModelHarness
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.model_case import ModelCase
from keras_masking.contract.score_case import ScoreCase

SHORT = 40  # characters of a call within a line of code
FEW = 500  # numbers that a script may contain


def script(case: Case, harness: LayerHarness, check: str) -> str:
    """A script that runs as printed if the layer can be imported."""
    imports, make = _maker(case, case.layer, lambda: harness.layer)
    names = "check_layer"
    declared = _declared(case)
    if declared and (not case.script or make.startswith("lambda")):
        make = f"Case({', '.join([make, *declared])})"
        names = "Case, check_layer"
    options = [f'only=["{check}"]']
    if case.role is not None:
        options.append(f'role="{case.role}"')
    if harness.seed:
        options.append(f"seed={harness.seed}")
    given = harness.given(harness.batch)
    mask = "" if given is None else _literal(given)
    packed = harness.pack([_literal(x) for x in harness.batch.leaves], mask)
    options.append(f"inputs={_join(packed)}")
    rows = iter(harness.batch.fixed)
    kwargs = keras.tree.map_structure(
        lambda v: _literal(next(rows)) if _has_rows(v) else repr(v),
        harness.kwargs_structure,
    )
    if harness.argument is not None and harness.argument.name:
        kwargs[harness.argument.name] = mask
    if kwargs:
        options.append(f"call_kwargs={_join(kwargs)}")
    return "\n".join(
        [
            "import numpy as np",
            *imports,
            f"from keras_masking.contract import {names}",
            "",
            "report = check_layer(",
            f"    {make},",
            *[f"    {option}," for option in options],
            ")",
            "print(report)",
        ]
    )


def _declared(case: Case) -> list[str]:
    """What only a `Case` can say of a layer."""
    found = []
    if case.requires_mask:
        found += ["requires_mask=True", f"reason={case.reason!r}"]
    if case.sequences is not None:
        found.append(f"sequences={list(case.sequences)!r}")
    if case.packed_gap is not None:
        found.append(f"packed_gap={case.packed_gap}")
    if case.packed_align != 1:
        found.append(f"packed_align={case.packed_align}")
    if case.mask_argument is not None:
        found.append(f"mask_argument={case.mask_argument!r}")
    return found


def _has_rows(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def _literal(x: np.ndarray) -> str:
    # Converted to text first, so that a float32 prints with few digits.
    short = x.astype("U").astype("float64") if x.dtype.kind == "f" else x
    return f'np.array({short.tolist()}, "{x.dtype}")'


def _join(packed: Any) -> str:
    """The source of a structure whose leaves are sources."""
    if isinstance(packed, dict):
        items = ", ".join(f"{k!r}: {_join(v)}" for k, v in packed.items())
        return f"{{{items}}}"
    if isinstance(packed, tuple):
        return "(" + "".join(f"{_join(v)}, " for v in packed).strip() + ")"
    if isinstance(packed, list):
        return "[" + ", ".join(_join(v) for v in packed) + "]"
    return str(packed)


def score_script(case: ScoreCase, harness: ScoreHarness, check: str) -> str:
    """A script that runs as printed if the loss or metric can be imported."""
    # A config may omit what such a check finds missing.
    whole = not check.endswith("save-load")
    imports, make = _maker(case, case.score, harness.new, whole)
    call = f"check_{case.kind}"
    batch = harness.batch
    return "\n".join(
        [
            "import numpy as np",
            *imports,
            f"from keras_masking.contract import {call}",
            "",
            f"report = {call}(",
            f"    {make},",
            f'    only=["{check}"],',
            *([f"    seed={harness.seed},"] if harness.seed else []),
            f"    y_true={_literal(batch.y_true)},",
            f"    y_pred={_literal(batch.y_pred)},",
            ")",
            "print(report)",
        ]
    )


def score_call(case: ScoreCase, harness: ScoreHarness) -> str:
    """The expression of the loss or metric itself, in the texts of failures."""
    _, make = _maker(case, case.score, harness.new)
    if case.of_functions or make.endswith("]"):
        return make
    called = make.removeprefix("lambda: ")
    if len(called) > SHORT:
        return f"My{case.kind.title()}()"
    return f"{make}()" if called == make else called


def model_script(case: ModelCase, harness: ModelHarness, check: str) -> str:
    """A script that runs as printed if its first lines make the model."""
    imports, make = _maker(case, case.model, case.make, whole=False)
    given = harness.found.given
    options = [f'only=["{check}"]']
    if case.inputs is not None:
        few = sum(x.size for x in given.leaves) <= FEW
        texts = [_literal(x) for x in given.leaves]
        options.append(
            f"inputs={_join(given.pack(texts)) if few else 'inputs'}"
        )
        if not few:
            imports = [*imports, "# define `inputs` here"]
    if case.padding is not None:
        options.append(f"padding={case.padding!r}")
    return "\n".join(
        [
            "import numpy as np",
            *imports,
            "from keras_masking.contract import check_model",
            "",
            "report = check_model(",
            f"    {make},",
            *[f"    {option}," for option in options],
            ")",
            "print(report)",
        ]
    )


def _maker(
    case: Any, target: Any, make: Callable[[], Any], whole: bool = True
) -> tuple[list[str], str]:
    """The imports and the expression that make a target.

    By its config, if that is `whole`.
    """
    if case.script:
        *imports, line = case.script.splitlines()
        return imports, line
    if inspect.isclass(target) and _importable(target):
        return [_import(target)], target.__name__
    two = getattr(case, "of_functions", False)
    if two and _importable(target) and target.__name__ != "<lambda>":
        line = f"from {target.__module__} import {target.__name__}"
        return [line], target.__name__
    made = make()  # a class that cannot be built was returned above
    kind = type(made)
    if whole and _importable(kind):
        try:
            config = made.get_config()
            if ast.literal_eval(repr(config)) == config:
                line = f"lambda: {kind.__name__}.from_config({config!r})"
                return [_import(kind)], line
        except Exception:
            pass
    what = f"make_{case.kind}"
    line = f"# {case.name}: define `{what}` here, which returns the {case.kind}"
    return [line], what


def _import(kind: type) -> str:
    home = kind.__module__
    for name in ("layers", "losses", "metrics"):
        if getattr(getattr(keras, name), kind.__name__, None) is kind:
            home = f"keras.{name}"
    return f"from {home} import {kind.__name__}"


def _importable(kind: Any) -> bool:
    return kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__
