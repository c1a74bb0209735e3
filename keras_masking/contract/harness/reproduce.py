"""A short script that reproduces a failure, with literal arrays."""

import ast
import inspect
from typing import Any

import keras
import numpy as np

from keras_masking.contract.case import Case
from keras_masking.contract.harness.layer_harness import LayerHarness


def script(case: Case, harness: LayerHarness, check: str) -> str:
    """A script that runs as printed if the layer can be imported."""
    imports, make = _maker(case, harness)
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


def _maker(case: Case, harness: LayerHarness) -> tuple[list[str], str]:
    """The imports and the expression that make the layer."""
    if case.script:
        *imports, make = case.script.splitlines()
        return imports, make
    layer = case.layer
    if inspect.isclass(layer) and _importable(layer):
        return [_import(layer)], layer.__name__
    kind = type(harness.layer)
    if _importable(kind):
        try:
            config = harness.layer.get_config()
            if ast.literal_eval(repr(config)) == config:
                line = f"lambda: {kind.__name__}.from_config({config!r})"
                return [_import(kind)], line
        except Exception:
            pass
    return [
        f"# {case.name}: define `make_layer` here, which returns the layer"
    ], "make_layer"


def _import(kind: type) -> str:
    public = getattr(keras.layers, kind.__name__, None) is kind
    home = "keras.layers" if public else kind.__module__
    return f"from {home} import {kind.__name__}"


def _importable(kind: type) -> bool:
    return kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__
