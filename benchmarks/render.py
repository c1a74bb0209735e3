"""The page: from the JSON alone, so that it can change without a run."""

from benchmarks import details
from benchmarks import summary
from benchmarks.row import FLOOR
from benchmarks.summary import Found
from benchmarks.summary import Results
from benchmarks.summary import size
from benchmarks.text import number
from benchmarks.text import table
from benchmarks.text import with_spread

HOW = """\
A ratio is the time of a contender by that of the *floor*, the same operation
without any mask: 1 means that the mask costs nothing. All contenders of a row
run in one process, in turns, in an order drawn anew in each round. Told is the
median of the ratios of the rounds, with their quartiles in brackets. What reads
other data (NaN in its padding, real steps alone) takes turns with the floor in
rounds of its own. Half of the steps are padding (prefix masks of random
lengths) unless it says otherwise. The mask is an argument of what is compiled,
never a constant.

- `predict`: the forward pass as `Model.predict` of Keras runs it: JAX compiled,
  TensorFlow in a graph (compiled by XLA on a GPU, not on a CPU), PyTorch eager.
- `fit`: the value of `sum(f(x) * w)` and its gradients with respect to x and
  to the weights, run in the same way.
- `eager`, `compiled`: the forward pass outside of any function, and by the
  other compiler (`torch.compile`; XLA or not on TensorFlow).
"""


def page(results: Results) -> str:
    sections = [
        headline(results),
        machines(results),
        targets(results),
        whole_models(results),
        *(
            details.cells_of(results, mode, dtype)
            for mode in details.TITLES
            for dtype in ("float32", "bfloat16")
        ),
        details.variants(results),
        details.growth(results),
        details.first_calls(results),
        details.memory(results),
        details.bandwidth(results),
        details.values(results),
        details.compared(results),
        details.failures(results),
    ]
    return "\n".join(section for section in sections if section)


def headline(results: Results) -> str:
    found = summary.cells(results, "predict")
    found = [one for one in found if one[1]["name"] != "parts"]
    worst, typical = summary.worst(found), summary.typical(found)
    if worst is None:
        return f"# What a mask costs\n\nNo forward pass was measured.\n\n{HOW}"
    value, backend, cell = worst
    where = f"`{cell['name']}` on {backend}, {size(cell['shape'])}"
    quick = ""
    if results["options"]["quick"]:
        quick = "**A quick run: these numbers are too few to mean much.**\n\n"
    lines = []
    for backend in results["backends"]:
        mine = [one for one in found if one[0] == backend]
        aims = [one for one in mine if one[1].get("targets")]
        row = [backend, number(summary.typical(mine))]
        for some in (aims, mine):
            bad = summary.worst(some)
            row.append("-" if bad is None else _where(*bad))
        verdicts = [
            v for v in summary.verdicts(results) if v["backend"] == backend
        ]
        met = sum(v["met"] for v in verdicts)
        lines.append([*row, f"{met} of {len(verdicts)}"])
    head = (
        "backend",
        "typical (median)",
        "worst of the rows with a target",
        "worst of all",
        "targets met",
    )
    return (
        f"# What a mask costs\n\n{quick}At worst ours takes "
        f"**{number(value)} times** as long as the same without a mask "
        f"({where}), typically {number(typical)} times: forward, float32, "
        f"on the {results['device'].upper()}.\n\n"
        f"{table(head, lines)}\n{HOW}"
    )


def _where(value: float, backend: str, cell: Found) -> str:
    return f"{number(value)} (`{cell['name']}`, {size(cell['shape'])})"


def machines(results: Results) -> str:
    lines = []
    for backend, found in results["backends"].items():
        machine = found["machine"]
        if not machine:
            continue
        versions = machine["versions"].items()
        lines.append(
            [
                backend,
                machine["gpu"] or machine["processor"],
                machine["cores"],
                machine["threads"],
                ", ".join(f"{name} {version}" for name, version in versions),
            ]
        )
    head = ("backend", "processor", "cores", "OMP_NUM_THREADS", "versions")
    return f"{results['date']}.\n\n{table(head, lines)}"


def targets(results: Results) -> str:
    """The worst shape of each row, then all that is missed."""
    found = summary.verdicts(results)
    if not found:
        return ""
    backends = list(results["backends"])
    lines = []
    rows = dict.fromkeys((v["row"], v["of"]) for v in found)
    for row, of in rows:
        line = [f"`{row}`", "the floor" if of == FLOOR else "Keras' layer"]
        for backend in backends:
            for mode in ("predict", "fit"):
                key = row, of, backend, mode
                some = [v for v in found if _key(v) == key]
                line.append(_verdict(some))
        lines.append(line)
    columns = [f"{b}, {m}" for b in backends for m in ("predict", "fit")]
    missed = sorted(
        (v for v in found if not v["met"]), key=lambda v: -v["over"]
    )
    met = f"{len(found) - len(missed)} of {len(found)} met"
    if unknown := summary.unmeasured(results):
        met += f", {unknown} not measured"
    misses = [
        [
            f"`{v['row']}`",
            v["backend"],
            v["mode"],
            v["shape"],
            f"MISSED {with_spread({**v, 'median': v['ratio']})}",
            "the floor" if v["of"] == FLOOR else "Keras' layer",
            number(v["limit"]),
            v["faults"],
        ]
        for v in missed
    ]
    head = ("row", "backend", "mode", "shape", "ratio", "of", "limit", "faults")
    return (
        f"## Targets: {met}\n\nThe worst of all shapes, "
        "and what was asked: the time of ours by that of the floor, or of "
        "Keras' layer (0.5 asked: twice as fast). In `fit` a fifth more is "
        "allowed.\n\n"
        + table(("row", "against", *columns), lines)
        + "\n### Missed\n\n"
        + (table(head, misses) if misses else "None.\n")
        + "\n*Faults*: pages that one call has the system map, about 1 us "
        "each.\n"
    )


def _key(verdict: Found) -> tuple[str, ...]:
    return tuple(verdict[key] for key in ("row", "of", "backend", "mode"))


def _verdict(some: list[Found]) -> str:
    if not some:
        return "-"
    bad = max(some, key=lambda v: v["over"])
    text = f"{number(bad['ratio'])} of {number(bad['limit'])}"
    return f"{text} met" if bad["met"] else f"**{text} MISSED** {bad['shape']}"


def whole_models(results: Results) -> str:
    lines = []
    for backend, model in summary.parts(results, "models"):
        for what in ("fit", "predict"):
            found = model.get(what)
            if found is None:
                continue
            limit = model["limit"]
            met = found["ratio"]["median"] <= limit
            lines.append(
                [
                    f"`{model['name']}`",
                    backend,
                    what,
                    number(found["keras_ms"]),
                    number(found["ours_ms"]),
                    with_spread(found["ratio"]),
                    f"{limit} met" if met else f"**{limit} MISSED**",
                    number(found["first_keras_ms"] / 1e3),
                    number(found["first_ours_ms"] / 1e3),
                ]
            )
    if not lines:
        return ""
    head = ("model", "backend", "what", "Keras, ms", "ours, ms", "ratio")
    head += ("target", "first call of Keras, s", "first of ours, s")
    return (
        "## Whole models\n\nThe examples, of our layers and of plain Keras: an "
        "epoch of `fit` and a `predict`, 256 sequences of up to 128 steps in "
        "batches of 32. Ratio of the medians; in brackets the quartiles of the "
        "rounds.\n\n" + table(head, lines)
    )
