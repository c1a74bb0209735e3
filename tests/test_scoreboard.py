"""The scoreboard agrees with its records, and each failure has a reason."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest

from keras_masking.contract.registry import every_check
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from tools import DOCS
from tools.scoreboard import archive
from tools.scoreboard import keras_layers
from tools.scoreboard import keras_scores
from tools.scoreboard import other_layers
from tools.scoreboard import pages
from tools.scoreboard import records
from tools.scoreboard.causes import CAUSES
from tools.scoreboard.causes import OF_MOST
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import every_row

pytestmark = pytest.mark.once

KERAS = [
    archive.load(archive.RECORDS / f"keras-{minor}.json")
    for minor in (pages.OLDEST, pages.RELEASE, pages.NEXT)
]
OTHERS = archive.load(archive.RECORDS / "others.json")
NOW = KERAS[1]
SCORES, PREDICT = (
    archive.load(archive.RECORDS / f"{what}-{pages.RELEASE}.json")
    for what in ("scores", "predict")
)
# Each record with a report, and its rows.
REPORTED = {
    "keras": (NOW, keras_layers.FAMILIES),
    "scores": (SCORES, keras_scores.FAMILIES),
    "others": (OTHERS, other_layers.FAMILIES),
}
ROWS = [row for rows in keras_layers.FAMILIES.values() for row in rows]


def test_the_page_is_made_of_the_records() -> None:
    written = pages.PAGE.read_text()
    assert written == pages.page(), "run `python -m tools.scoreboard pages`"


def test_the_readme_counts_as_the_page_does() -> None:
    kept, defects = pages.count_rows(NOW)
    readme = " ".join((DOCS.parent / "README.md").read_text().split())
    said = f"of {len(ROWS)} configurations of Keras layers, {kept} keep the "
    assert f"{said}whole contract and {defects} have a defect" in readme


def test_the_record_has_every_row_on_three_backends() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 100
    assert set(NOW["rows"]) == set(names)
    for row in NOW["rows"].values():
        assert [b for b in records.BACKENDS if b in row] == [*records.BACKENDS]
        assert all(row[b]["ran"] for b in records.BACKENDS)


@pytest.mark.parametrize(
    ("known", "families"),
    [
        *((known, keras_layers.FAMILIES) for known in (*KERAS, PREDICT)),
        (SCORES, keras_scores.FAMILIES),
    ],
    ids=[*(known["keras"] for known in KERAS), "predict", "scores"],
)
def test_each_failure_has_its_reason(known: Any, families: Any) -> None:
    assert records.unexplained(known, families) == []


def test_every_loss_and_metric_has_a_row_or_a_reason() -> None:
    rows = every_row(keras_scores.FAMILIES)
    named = {row.call.partition("(")[0] for row in rows}
    public = {
        f"{module}.{name}"
        for module in ("losses", "metrics")
        for name, found in vars(getattr(keras, module)).items()
        if isinstance(found, type)
    }
    left_out = set(keras_scores.NOT_JUDGED)
    assert named | left_out == public
    assert not named & left_out
    assert set(SCORES["rows"]) == {row.name for row in rows}
    for row in SCORES["rows"].values():
        assert [*row] == [*records.BACKENDS]


def test_the_rows_of_backends_that_predict() -> None:
    assert set(PREDICT["rows"]) == {row.name for row in ROWS}
    for row in PREDICT["rows"].values():
        assert set(row) <= set(records.PREDICT_ONLY)


def test_no_reason_is_left_over() -> None:
    assert records.unexplained(OTHERS, other_layers.FAMILIES) == []
    assert records.idle([*KERAS, PREDICT], keras_layers.FAMILIES) == []
    assert records.idle([SCORES], keras_scores.FAMILIES) == []
    assert records.idle([OTHERS], other_layers.FAMILIES) == []
    used = {
        name
        for _, families in REPORTED.values()
        for rows in families.values()
        for row in rows
        for name in row.because
    }
    assert used | set(OF_MOST.values()) == set(CAUSES)
    for cause in CAUSES.values():
        assert cause.checks <= set(every_check())


def test_each_defect_has_its_script() -> None:
    for cause in CAUSES.values():
        assert cause.scripts or cause.kind != "defect", cause.short
        for script in cause.scripts:
            assert (DOCS / "upstream" / script).exists(), script


def test_no_row_is_lost() -> None:
    later = {"BatchNormalization(renorm=True)"}
    later |= {f"Adaptive{kind}Pooling1D(2)" for kind in ("Average", "Max")}
    names = {row.name for row in ROWS}
    old, _, new = KERAS
    assert names - set(old["rows"]) == later
    assert set(new["rows"]) == names
    others = other_layers.FAMILIES.values()
    assert set(OTHERS["rows"]) == {row.name for rows in others for row in rows}


@pytest.mark.parametrize("what", REPORTED)
def test_the_report_in_a_record_is_what_the_record_says(what: str) -> None:
    known, rows = REPORTED[what]
    reports = archive.unpack(known["report"])
    row_of = {row.name: row for row in every_row(rows)}
    told: dict[str, Any] = {}
    for backend, those in reports.items():
        for report in those:
            failed = [r for r in report if r.status == "xfail"]
            row = told.setdefault(report.layer, {})
            fails = sorted(result.check for result in failed)
            row[backend] = {"ran": report.ran, "fails": fails}
            assert all(r.seen and r.script for r in failed)
            assert "kit-error" not in {r.status for r in report}
    assert told == known["rows"]
    for failure in known["report"]["failures"]:
        row = row_of[failure["layer"]]
        because = records.because(row, failure["check"], known)
        assert failure["because"] == because


@pytest.mark.parametrize(
    "path", sorted(archive.RECORDS.glob("*.json")), ids=lambda path: path.stem
)
def test_a_record_is_of_no_machine(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|usr|opt)/", text)
    assert "site-packages" not in text


def test_a_record_keeps_a_report(tmp_path: Path) -> None:
    texts = {"statement": "s", "cause": "c", "right": "r"}
    where = {"where": "row 0", "smallest": "one row"}
    broken = Result("L()", "pad-value", "required", "fail", **texts, **where)
    seen = "in /a/site-packages/keras/x.py: 1 of 1"
    script = 'check_layer(L, only=["pad-value"])'
    broken = replace(broken, seen=seen, script=script)
    results = [
        Result("L()", "runs-with-mask", "required", "pass", **texts),
        broken,
        Result("L()", "jit", "required", "n/a", **texts, reason="not now"),
    ]
    versions = {"keras": "3.15.1"}
    reports = {
        backend: [Report("L()", "passes", True, backend, versions, results)]
        for backend in ("jax", "torch")
    }
    path = tmp_path / "record.json"
    packed = archive.pack(reports, lambda name, check: ["warns"])
    archive.save(path, {"rows": {}, "report": packed})
    assert path.read_text().count('"row 0; one row"') == 1
    kept = archive.unpack(archive.load(path)["report"])
    assert [*kept] == ["jax", "torch"]
    for backend, (report,) in kept.items():
        assert report.summary() == (
            f"L() [passes, inferred] on {backend}: 1 pass, 1 xfail, 1 n/a; "
            "2 of 3 checks ran"
        )
        assert report.results[1] == replace(
            broken,
            status="xfail",
            reason=CAUSES["warns"].short,
            seen="in keras/x.py: 1 of 1",
            where="row 0; one row",
            smallest="",
        )


def test_the_pages_of_reports() -> None:
    page = pages.PAGE.read_text()
    for name, text in archive.html_pages().items():
        assert f"]({name})" in page
        assert "</html>" in text


def test_a_record_keeps_a_loss_beside_a_metric() -> None:
    results = {
        "loss": Result("L()", "loss-fit", "required", "pass"),
        "metric": Result("M()", "metric-split", "required", "n/a", reason="r"),
    }
    reports = [
        Report(result.layer, kind, False, "jax", {}, [result], "floats")
        for kind, result in results.items()
    ]
    packed = archive.pack({"jax": reports}, lambda name, check: [])
    assert archive.unpack(packed) == {"jax": reports}


def test_some_rows_are_made_anew() -> None:
    assert len(keras_layers.TEN) == 10
    assert len(keras_scores.FIVE) == 5


ROW = Row("Conv1D(5, 3)", ("warns",))
KNOWN = {
    "keras": "3.15.1",
    "rows": {ROW.name: {"torch": {"ran": 3, "fails": ["mask-kept"]}}},
}
RESULT = Result(ROW.name, "mask-kept", "required", "fail")


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (RESULT, "xfail"),
        (replace(RESULT, status="pass"), "xpass"),
        (replace(RESULT, status="blocked"), "blocked"),
        (replace(RESULT, check="pad-value"), "fail"),
        (replace(RESULT, check="pad-value", status="pass"), "pass"),
    ],
)
def test_what_is_known_is_expected(result: Result, status: str) -> None:
    report = Report(ROW.name, "transforms", True, "torch", {}, [result])
    reports = records.expect({"torch": [report]}, KNOWN, {"": [ROW]})
    (told,) = reports["torch"][0]
    assert told.status == status
    if status.startswith("x"):
        assert told.reason == CAUSES["warns"].short


def test_a_failure_without_a_reason_is_told() -> None:
    known = json.loads(json.dumps(KNOWN))
    assert records.unexplained(known, {"": [ROW]}) == []
    known["rows"][ROW.name]["torch"]["fails"].append("pad-value")
    assert records.unexplained(known, {"": [ROW]}) == [
        f"{ROW.name} on torch: pad-value"
    ]
    assert records.idle([known], {"": [replace(ROW, because=("deletes",))]})
