"""The page of the scoreboard, in Markdown."""

from collections.abc import Iterator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tools import DOCS
from tools.scoreboard import keras_layers
from tools.scoreboard import keras_scores
from tools.scoreboard import other_layers
from tools.scoreboard.archive import PAGES
from tools.scoreboard.archive import RECORDS
from tools.scoreboard.archive import Record
from tools.scoreboard.archive import load
from tools.scoreboard.causes import CAUSES
from tools.scoreboard.causes import OF_MOST
from tools.scoreboard.causes import Cause
from tools.scoreboard.records import BACKENDS
from tools.scoreboard.records import PREDICT_ONLY
from tools.scoreboard.records import Families
from tools.scoreboard.records import each_backend
from tools.scoreboard.records import fails
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import every_row

PAGE = DOCS / "scoreboard.md"
NAMES = {
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
    "jax": "JAX",
    "numpy": "NumPy",
    "openvino": "OpenVINO",
}
# The release that the page is about, and those that it is compared with.
RELEASE, OLDEST, NEXT = "3.15", "3.12", "3.16"

HEAD = """<!-- Made from its records by `python -m tools.scoreboard pages`. -->

# Scoreboard

{made}

This page shows which layers keep the [mask contract](contract.md), by backend
and version. Each row is a layer with its arguments, run through [every
check](checks.md) of the kit that is required or advised, on three backends.
**Of {rows} rows, {keeps} keep the whole contract on all backends, {defects}
have a [defect](#what-breaks-them) on at least one, and {rest} break it only in
ways that Keras warns about or leaves open.**

✓ 37: the layer keeps the contract in all 37 checks that ran. ✗ 3/38: it fails 3
of 38 checks. A check that depends on a failed one does not run, so a few
failures may be serious ones: read what breaks. Where the backends give
different numbers, this counts as a failure of each. The columns of other
versions say *same*, *differs* (other checks fail), or ✗ (the version breaks
what {release} keeps): [details](#what-changed-between-versions).

NumPy and OpenVINO predict and do not train: the checks of gradients and of
`fit` do not run there. Checked on {predicted}, in float32; of the rows,
{on_numpy} ran on NumPy and {on_openvino} on OpenVINO.

The check [`pad-length-training`](checks.md#pad-length-training) is newer than
the records of the other backends. Of these rows,
`TimeDistributed(BatchNormalization())` fails it, on every backend.

All failures shown here are known, with their reasons. The kit runs them as
expected failures, so that a fix in Keras shows as an unexpected pass. The
[report]({report}) on the site has the numbers of each failure and a script.
[Which layer](which_layer.md) says what to use instead.
"""
VERSIONS = """## What changed between versions

Checks that fail in a version but not in {release}, and the other way round. A
check that does not fail either passes or did not run, because one that it
depends on fails or there is no mask left to check. Rows that are not listed are
the same as in {release}.
"""
KINDS = {
    "defect": "A defect",
    "choice": "A choice",
    "question": "A question",
    "mended": "A defect that newer versions have fixed",
    "package": "A property of the package",
    "backend": "A property of the backend",
}
SCORES = """## Losses and metrics of Keras

Checked on {date}: Keras {keras}, {backends}. Each row is a loss or metric with
its arguments, run through every check of losses or of metrics, with targets
`(batch, steps, ...)` that suit it and predictions that carry a mask. **Of
{rows} rows, {keeps} keep the whole contract.** The [report]({report}) on the
site has the numbers of each failure and a script. `MaskedLoss` and
`MaskedMetric` are [what to use instead](models.md#losses-and-metrics).

In {runs} rows more padding changes nothing, as long as its values are finite:
the others ignore the mask, or raise where the predictions carry one.
"""
NO_LAYER, NOT_RUN = "not there", "not run"
LISTS = (keras_layers, keras_scores, other_layers)
WHY = """## What breaks them

A *defect* gives wrong numbers or an error, silently or where Keras promises
otherwise. A *choice* is behaviour that Keras documents or warns about. A
*question* is behaviour that Keras neither promises nor documents. [Scripts in
plain Keras](upstream/README.md) show the defects and questions.
"""


def page() -> str:
    """The text of the page."""
    old, now, new = (
        load(RECORDS / f"keras-{minor}.json")
        for minor in (OLDEST, RELEASE, NEXT)
    )
    scores = load(RECORDS / f"scores-{RELEASE}.json")
    predict = load(RECORDS / f"predict-{RELEASE}.json")
    others = load(RECORDS / "others.json")
    families = keras_layers.FAMILIES
    number = len(every_row(families))
    kept, defects = count_rows(now)
    head = HEAD.format(
        made=f"Checked on {now['date']}: Keras {now['keras']}, "
        f"{_with(now, *BACKENDS)}.",
        rows=number,
        keeps=kept,
        defects=defects,
        rest=number - kept - defects,
        release=RELEASE,
        report=PAGES["keras"],
        predicted=f"{predict['date']}: {_with(predict, *PREDICT_ONLY)}",
        **{
            f"on_{backend}": sum(
                backend in row for row in predict["rows"].values()
            )
            for backend in PREDICT_ONLY
        },
    )
    parts = [
        head,
        "## Layers of Keras\n",
        *_tables(families, now, {OLDEST: old, NEXT: new}, predict),
        *_scores(scores),
        "## Packages around Keras\n",
        f"Checked on {others['date']}: Keras {others['keras']}, "
        f"{_with(others)}. "
        f"The [report]({PAGES['others']}) on the site has the details.\n",
        *_tables(other_layers.FAMILIES, others, {}),
        VERSIONS.format(release=now["keras"]),
        *_changes(families, now, old, new),
        WHY,
        *_causes(old),
    ]
    return "\n".join(parts)


def write_page() -> None:
    PAGE.write_text(page(), "utf-8")


def _with(known: Record, *backends: str) -> str:
    """The versions of packages in a record, perhaps of some backends alone."""
    versions = {
        name.removesuffix("-cpu"): version
        for name, version in known["versions"].items()
    }
    if backends:
        versions = {b: versions[b] for b in backends if b in versions}
    return ", ".join(f"{NAMES.get(k, k)} {v}" for k, v in versions.items())


def keeps(known: Record, name: str) -> bool:
    return not fails(known, name)


def count_rows(known: Record) -> tuple[int, int]:
    """How many rows of Keras keep the contract, and how many have a defect."""
    rows = every_row(keras_layers.FAMILIES)
    kept = sum(keeps(known, row.name) for row in rows)
    defects = sum(
        any(
            CAUSES[name].kind == "defect" and _shows(name, known, row)
            for name in row.because
        )
        for row in rows
    )
    return kept, defects


def _by_backend(known: Record, name: str) -> dict[str, set[str]]:
    return {b: set(seen["fails"]) for b, seen in each_backend(known, name)}


def _tables(
    families: Families,
    now: Record,
    others: Mapping[str, Record] = MappingProxyType({}),
    predict: Record | None = None,
) -> Iterator[str]:
    """A table for each family; a column for each backend and other version."""
    on = [now] if predict is None else [now, predict]
    backends = [
        backend
        for backend in (*BACKENDS, *PREDICT_ONLY)
        if any(backend in row for known in on for row in known["rows"].values())
    ]
    head = ["layer", "what breaks", *(NAMES[b] for b in backends), *others]
    if families is keras_scores.FAMILIES:
        head[0] = "after `keras.`"
    for family, rows in families.items():
        yield f"### {family}\n"
        yield _row(head)
        yield _row(["---"] * len(head))
        for row in rows:
            seen = dict(
                s for known in on for s in each_backend(known, row.name)
            )
            cells = [
                _cell(seen.get(b), NOT_RUN if b in PREDICT_ONLY else NO_LAYER)
                for b in backends
            ]
            for known in others.values():
                cells.append(_against(now, known, row.name))
            why = ", ".join(
                _link(n)
                for n in row.because
                if any(_shows(n, known, row) for known in on)
            )
            yield _row([_label(row), why, *cells])
        yield ""


def _scores(known: Record) -> Iterator[str]:
    """The section of losses and metrics."""
    rows = every_row(keras_scores.FAMILIES)
    yield SCORES.format(
        date=known["date"],
        keras=known["keras"],
        backends=_with(known, *BACKENDS),
        rows=len(rows),
        keeps=sum(keeps(known, row.name) for row in rows),
        runs=sum(
            not any(
                check.endswith(("-runs", "-more-padding"))
                for check in fails(known, row.name)
            )
            for row in rows
        ),
        report=PAGES["scores"],
    )
    yield from _tables(keras_scores.FAMILIES, known)
    yield "Not judged:\n"
    for name, reason in keras_scores.NOT_JUDGED.items():
        yield f"- `{name}`: {reason}."
    yield ""


def _label(row: Row) -> str:
    return f"`{row.call}`" + (f", {row.what}" if row.what else "")


def _shows(name: str, known: Record, row: Row) -> bool:
    return bool(fails(known, row.name) & CAUSES[name].checks)


def _cell(seen: Any, missing: str) -> str:
    if seen is None:
        return missing
    if not seen["ran"]:
        return "nothing ran"
    if not seen["fails"]:
        return f"✓ {seen['ran']}"
    return f"✗ {len(seen['fails'])}/{seen['ran']}"


def _against(now: Record, known: Record, name: str) -> str:
    """A version in a word, compared with the one that the page is about."""
    seen = _by_backend(known, name)
    if not seen:
        return NO_LAYER
    if seen == _by_backend(now, name):
        return "same"
    if not any(seen.values()):
        return "no failure"
    return "✗" if keeps(now, name) else "differs"


def _changes(families: Families, now: Record, *others: Record) -> Iterator[str]:
    """One line for all rows of a version with the same changes."""
    for known in others:
        yield f"### Keras {known['keras']}\n"
        yield f"Checked on {known['date']}: {_with(known)}.\n"
        alike: dict[tuple[str, str, str], list[str]] = {}
        for row in every_row(families):
            for change in _change(now, known, row):
                alike.setdefault(change, []).append(_label(row))
        yield _row(["layers", "on", "also fails", "does not fail"])
        yield _row(["---"] * 4)
        for change, labels in alike.items():
            yield _row(["; ".join(labels), *change])
        yield ""


def _change(
    now: Record, known: Record, row: Row
) -> Iterator[tuple[str, str, str]]:
    """The backends with the same changes, and the checks."""
    here, there = _by_backend(now, row.name), _by_backend(known, row.name)
    if not there:
        yield "all", "not in this version", ""
        return
    alike: dict[tuple[str, str], list[str]] = {}
    for backend in BACKENDS:
        worse = there[backend] - here[backend]
        better = here[backend] - there[backend]
        if worse or better:
            key = (_checks(worse), _checks(better))
            alike.setdefault(key, []).append(NAMES[backend])
    for (worse_, better_), backends in alike.items():
        on = "all" if len(backends) == len(BACKENDS) else ", ".join(backends)
        yield on, worse_, better_


def _causes(old: Record) -> Iterator[str]:
    rows = [row for listed in LISTS for row in every_row(listed.FAMILIES)]
    for name, cause in CAUSES.items():
        count = sum(name in row.because for row in rows)
        if name in OF_MOST.values():
            count = sum(_shows(name, old, row) for row in rows)
        yield f"### {_title(cause)}\n"
        yield f"{cause.text}\n"
        rows_ = f"{count} row{'s' * (count != 1)}"
        yield f"{KINDS[cause.kind]}, in {rows_}.{_scripts(cause)}\n"


def _scripts(cause: Cause) -> str:
    if not cause.scripts:
        return ""
    links = (f"[`{s}`](upstream/{s})" for s in cause.scripts)
    return " Shown by " + ", ".join(links) + "."


def _title(cause: Cause) -> str:
    return cause.short[0].upper() + cause.short[1:]


def _link(name: str) -> str:
    """A link to the section of a cause, as its title is made an anchor."""
    kept = "".join(
        c for c in CAUSES[name].short.lower() if c.isalnum() or c in " -_"
    )
    return f"[{CAUSES[name].short}](#{'-'.join(kept.split())})"


def _checks(ids: set[str]) -> str:
    return ", ".join(f"[`{i}`](checks.md#{i})" for i in sorted(ids))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"
