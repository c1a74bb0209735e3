"""The page's tables of all that was measured."""

from benchmarks import summary
from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import NAN
from benchmarks.row import OURS
from benchmarks.row import padded
from benchmarks.summary import Found
from benchmarks.summary import Results
from benchmarks.summary import size
from benchmarks.text import number
from benchmarks.text import safe
from benchmarks.text import table
from benchmarks.text import with_spread

TITLES = {
    "predict": "Forward (`predict`)",
    "fit": "Forward and backward (`fit`)",
    "eager": "Eager",
    "compiled": "The other compiler",
}


VARIANTS = {
    NAN: "NaN in the padding",
    padded(0.1): "10 % padding",
    padded(0.9): "90 % padding",
}
OTHERS = """\
Others, where they have the operation and are installed: `sequence-layers` on
JAX (it has no pooling over all steps and no softmax over them), ragged tensors
of TensorFlow and nested tensors of PyTorch, both of which read real steps alone
and so half of the memory, and the line written by hand in PyTorch,
`(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)`, which
lets NaN through.
"""


def cells_of(results: Results, mode: str, dtype: str) -> str:
    found = summary.cells(results, mode, dtype)
    if not found:
        return ""
    text = f"## {TITLES[mode]}, {dtype}\n"
    for backend in results["backends"]:
        lines = [_line(cell) for b, cell in found if b == backend]
        head = ("row", "shape", "floor, ms", "ours", "Keras", "others")
        text += f"\n### {backend}\n\n{table(head, lines)}"
    return text


def _line(cell: Found) -> list[str]:
    contenders = cell.get("contenders", {})
    floor = number(contenders.get(FLOOR, {}).get("median_ms"))
    keras = cell.get("keras", "-").split(":")[0].split(";")[0]
    if KERAS in contenders:
        keras = _ratio(contenders[KERAS])
    ours = _ratio(cell if "error" in cell else contenders.get(OURS, {}))
    others = []
    for name, record in contenders.items():
        if name in (FLOOR, KERAS, OURS, *VARIANTS):
            continue
        note = f" ({record['note']})" if "note" in record else ""
        others.append(f"{name}{note}: {_ratio(record, brief=True)}")
    line = [f"`{cell['name']}`", size(cell["shape"]), floor, ours, keras]
    return [safe(text) for text in (*line, "; ".join(others))]


def _ratio(record: Found, brief: bool = False) -> str:
    """To the floor; why it fails stands under "Not measured"."""
    if "error" in record:
        told = record["error"] in ("not installed", summary.NO_TIME)
        return record["error"] if told else "fails"
    found = record.get("to_floor")
    return number(found and found["median"]) if brief else with_spread(found)


def variants(results: Results) -> str:
    lines = []
    for backend, cell in summary.cells(results, "predict"):
        found = [with_spread(summary.spread(cell, name)) for name in VARIANTS]
        if set(found) != {"-"}:
            row = [f"`{cell['name']}`", backend, size(cell["shape"])]
            lines.append([*row, with_spread(summary.spread(cell)), *found])
    if not lines:
        return ""
    head = ("row", "backend", "shape", "50 % padding", *VARIANTS.values())
    return (
        "## Other padding\n\nOurs, forward, float32, by the floor, which meets "
        "neither NaN nor a mask.\n\n" + table(head, lines)
    )


def growth(results: Results) -> str:
    found = summary.exponents(results)
    if not found:
        return ""
    steps = sorted({steps for one in found for steps in one["times"]})
    lines = [
        [
            f"`{one['row']}`",
            one["backend"],
            one["contender"],
            *(number(one["times"].get(n)) for n in steps),
            number(one["exponent"]),
        ]
        for one in found
    ]
    columns = [f"{n} steps, ms" for n in steps]
    head = ("row", "backend", "contender", *columns, "exponent")
    return (
        "## Growth with the steps\n\n4 rows of 64 features. The exponent is "
        f"that of the steps, fitted from {summary.LONG} on: 1 is linear. A "
        "step up where the data leaves a cache shows as well.\n\n"
        + table(head, lines)
    )


def first_calls(results: Results) -> str:
    lines = []
    both = [summary.first_calls(results, mode) for mode in ("predict", "fit")]
    for key in dict.fromkeys([*both[0], *both[1]]):
        row, backend = key
        numbers = [
            number(calls.get(key, {}).get(name))
            for calls in both
            for name in (FLOOR, KERAS, OURS)
        ]
        lines.append([f"`{row}`", backend, *numbers])
    if not lines:
        return ""
    columns = [
        f"{mode}: {name}, ms"
        for mode in ("predict", "fit")
        for name in (FLOOR, "Keras", OURS)
    ]
    return (
        "## First call\n\nTracing, compiling and running a fresh function; the "
        "median over the shapes of a row. Nothing comes from a cache on "
        "disk; in `fit` the output was computed once before, for its shape.\n\n"
        + table(("row", "backend", *columns), lines)
    )


def memory(results: Results) -> str:
    """At the first shape of each row: what is planned grows with the input."""
    found: dict[tuple[str, str], dict[str, Found]] = {}
    for mode in ("predict", "fit"):
        for backend, cell in summary.cells(results, mode):
            both = found.setdefault((cell["name"], backend), {})
            both.setdefault(mode, cell)
    lines = []
    for (row, backend), both in found.items():
        sizes = [
            both.get(mode, {}).get("contenders", {}).get(name, {}).get("memory")
            for mode in ("predict", "fit")
            for name in (FLOOR, KERAS, OURS)
        ]
        if any(one is not None for one in sizes):
            shape = size(next(iter(both.values()))["shape"])
            lines.append([f"`{row}`", backend, shape, *map(number, sizes)])
    columns = [
        f"{mode}: {name}"
        for mode in ("predict", "fit")
        for name in (FLOOR, "Keras", OURS)
    ]
    return (
        "## Memory\n\nTemporaries at their peak, as multiples of the inputs: "
        "on JAX what the compiler plans, on PyTorch with a GPU what was "
        "allocated (outputs included). TensorFlow, and PyTorch on a CPU: not "
        "measured, they do not say it.\n\n"
        + table(("row", "backend", "shape", *columns), lines)
    )


def bandwidth(results: Results) -> str:
    copies = list(summary.parts(results, "bandwidth"))
    if not copies:
        return ""
    speeds = [
        [b, number(c["bytes_per_s"] / 1e9), c["copied"] // 2**20, c["how"]]
        for b, c in copies
        if "bytes_per_s" in c
    ]
    lines = [
        [f"`{cell['name']}`", backend, size(cell["shape"]), number(part)]
        for backend, cell, part in summary.fractions(results)
    ]
    head = ("backend", "GB/s", "MiB", "how")
    return (
        "## Against a copy\n\nBytes that a copy reads and writes in a second, "
        f"the best of several.\n\n{table(head, speeds)}\nThe share of it that "
        "our reductions reach: the bytes of their inputs and outputs, each "
        "counted once, by the time. Above 1: the input is in a cache, and "
        "the copied memory is not.\n\n"
        + table(("row", "backend", "shape", "share"), lines)
    )


def values(results: Results) -> str:
    lines = [
        [
            f"`{one['name']}`",
            backend,
            f"{one['difference']:.1e}",
            f"{one['relative']:.1e}",
        ]
        for backend, one in summary.parts(results, "values")
        if "difference" in one
    ]
    if not lines:
        return ""
    head = ("row", "backend", "largest difference", "by the largest value")
    return "## Values on the GPU and on the CPU\n\n" + table(head, lines)


def compared(results: Results) -> str:
    rows = {
        cell["name"]: [f"`{cell['name']}`", cell["ours"], cell["keras"]]
        for _, cell in summary.parts(results, "rows")
        if "ours" in cell
    }
    head = ("row", "ours", "Keras")
    return f"## What is compared\n\n{table(head, rows.values())}\n{OTHERS}"


def failures(results: Results) -> str:
    lines = [[safe(text) for text in one] for one in summary.failures(results)]
    if not lines:
        return ""
    head = ("backend", "what", "where", "why")
    return f"## Not measured\n\n{table(head, lines)}"
