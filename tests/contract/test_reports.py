"""What a report becomes: a page, a summary, a badge, and JSON again."""

import json
import re
from dataclasses import fields
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest

from keras_masking import pages
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.contract.reports import html
from keras_masking.contract.reports import summary
from keras_masking.contract.reports import writers
from keras_masking.contract.reports.badge import as_badge
from tests.contract.reports import BACKENDS
from tests.contract.reports import failing
from tests.contract.reports import report
from tests.contract.reports import reports
from tests.contract.reports import result

pytestmark = pytest.mark.once

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</script><!-- </style></title></textarea><b>",
)
TEMPLATES = Path(html.__file__).parent / "templates"


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["pass", "n/a", "xfail"], 0),
        (["pass", "fail"], 1),
        (["xpass"], 1),
        (["fail", "kit-error"], 3),
        (["n/a", "blocked"], 5),
        ([], 5),
    ],
)
def test_exit_codes(statuses: list[str], code: int) -> None:
    passes = [report(result("pad-value", "pass"))]
    those = [report(*(result("pad-value", status) for status in statuses))]
    assert summary.exit_code({"jax": passes, "torch": those}) == code
    assert summary.exit_code({}) == summary.NOTHING


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        (["pass", "pass", "n/a"], "pass 2"),
        (["pass", "xfail"], "pass 1, xfail 1"),
        (["pass", "xfail", "xpass"], "FAIL 1 of 3, xfail 1"),
        (["fail", "kit-error"], "KIT-ERROR"),
        (["blocked"], "nothing ran"),
    ],
)
def test_outcome(statuses: list[str], words: str) -> None:
    those = report(*(result(f"check-{s}", s) for s in statuses))
    assert summary.outcome(those) == words


def test_a_failing_information_is_no_failure() -> None:
    those = report(failing("advice", level="information"))
    assert summary.outcome(those) == "information 1"


def test_violations_are_listed_once_with_their_backends() -> None:
    bad = result("pad-value", "fail", seen="seen")
    shown = {b: [report(bad, backend=b)] for b in ("jax", "torch")}
    assert summary.violations(shown) == [(["jax", "torch"], bad)]


def test_two_layers_of_one_name_stay_apart() -> None:
    two = [report(failing("pad-value")), report(result("pad-value", "pass"))]
    outcomes = [row[-1] for row in summary.matrix({"jax": two})]
    assert outcomes == ["FAIL 1 of 1", "pass 1"]
    elements = Elements(html.as_html({"jax": two}, []))
    assert len(set(elements.ids)) == len(elements.ids)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("pass", ("pass", "No violation in 1 layer.")),
        ("xfail", ("xfail", "No violation in 1 layer, but known ones in 1.")),
        ("xpass", ("fail", "Violations in 1 of 1 layer.")),
        ("kit-error", ("kit-error", "The kit failed on 1 of 1 layer.")),
        ("n/a", ("blocked", "No check ran on 1 of 1 layer.")),
    ],
)
def test_verdict(status: str, verdict: tuple[str, str]) -> None:
    those = {"jax": [report(result("pad-value", status))]}
    assert summary.verdict(those) == verdict
    assert summary.verdict({})[0] == "blocked"
    sums = summary.verdict(reports())
    assert sums == ("fail", "Violations in 2 of 4 layers, known ones in 1.")


# JSON: what the others are made of.


def test_json_is_read_back(tmp_path: Path) -> None:
    writers.write(tmp_path / "r.json", reports(), ["a:B"])
    assert writers.read(tmp_path / "r.json") == reports()
    shown = (reports(), ["a:B"], "keras-masking check a:B")
    assert writers.join([tmp_path / "r.json"]) == shown


def test_reports_are_joined(tmp_path: Path) -> None:
    paths = []
    for backend, those in reports().items():
        paths.append(tmp_path / f"{backend}.json")
        writers.write(paths[-1], {backend: those}, ["a:B"], f"run {backend}")
    commands = "run jax\nrun torch\nrun tensorflow"
    assert writers.join(paths) == (reports(), ["a:B"], commands)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 9}', '{"schema": 1, "backends": ["jax"]}'],
)
def test_what_is_no_report(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(writers.NoReport, match=r"r.json is not a JSON report"):
        writers.read(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "weird"}, "unknown status 'weird'"),
        ({"check": 7}, "the texts of a result must be strings"),
    ],
)
def test_what_is_no_result(tmp_path: Path, wrong: Any, message: str) -> None:
    writers.write(tmp_path / "r.json", reports(), ["a:B"])
    data = json.loads((tmp_path / "r.json").read_text())
    data["reports"][0]["results"][0] |= wrong
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(writers.NoReport, match=message):
        writers.read(tmp_path / "r.json")


@pytest.mark.parametrize("suffix", [".json", ".md", ".html"])
def test_what_is_no_character_is_written(tmp_path: Path, suffix: str) -> None:
    odd = Result("Pool", "pad-value", "required", "fail", seen="\ud800")
    report = Report("Pool", "reduces", True, "jax", {}, [odd])
    writers.write(tmp_path / f"r{suffix}", {"jax": [report]}, ["a:B"])
    assert "\\ud800" in (tmp_path / f"r{suffix}").read_text()


# Markdown.


def test_markdown_is_short_first() -> None:
    text = writers.as_markdown(reports(), ["a:Pool(2)"], "run me")
    head, *folded = text.split("<details>")
    assert "Violations in 2 of 4 layers, known ones in 1." in head
    assert "checks that ran: jax 8 (2 failed)" in head
    assert (
        "| Pool(2) | reduces (inferred) | FAIL 1 of 2 | FAIL 2 of 2 |" in head
    )
    summaries = [part.split("</summary>")[0] for part in folded]
    assert (
        summaries[0] == "<summary>Pool(2): pad-value (jax, torch, tensorflow)"
    )
    assert summaries[1] == "<summary>Pool(2): empty-row (torch)"
    assert str(reports()["jax"][1].results[0]) in text
    assert "```sh\nrun me\n# keras-masking 0" in text


def test_markdown_of_a_hostile_name() -> None:
    name = "a|b `c` <img src=x> *d* [e](f)\n# g"
    those = {"jax": [report(failing("pad-value", script="````"), layer=name)]}
    text = writers.as_markdown(those, [name], summary.command([name]))
    safe = r"a\|b \`c\` &lt;img src=x&gt; \*d\* \[e\](f) # g"
    assert f"| {safe} | passes (inferred) |" in text
    assert f"<summary>{safe}: pad-value (jax)</summary>" in text
    outside = re.sub(r"(?ms)^(`{3,})\w+\n.*?^\1$", "", text)
    assert "`````text" in text
    assert "<img" in text
    assert "<img" not in outside
    assert "Values at padding" not in outside


# The badge.


@pytest.mark.parametrize(
    ("jax", "torch", "message", "color"),
    [
        ("pp", "pp", "2 checks pass on jax, torch", "brightgreen"),
        ("pp", "p.", "2 checks pass on jax; 1 on torch",
         "brightgreen"),
        ("px", "px", "1 of 2 checks pass on jax, torch", "yellow"),
        ("pp", "pf", "1 of 2 checks fail on torch", "red"),
        ("ff", "xf", "2 of 2 checks fail on jax; 1 of 2 on torch",
         "red"),
        ("..", "..", "nothing ran", "lightgrey"),
        ("", "", "nothing ran", "lightgrey"),
        ("p.", "..", "nothing ran on 1 of 1 layers", "lightgrey"),
        ("fk", "pp", "the kit failed on jax", "orange"),
    ],
)  # fmt: skip
def test_badge(jax: str, torch: str, message: str, color: str) -> None:
    long = {"p": "pass", "f": "fail", "x": "xfail", ".": "n/a"}
    long["k"] = "kit-error"
    those = {
        name: [report(*(result(c, long[c]) for c in letters), backend=name)]
        for name, letters in (("jax", jax), ("torch", torch))
    }
    assert json.loads(as_badge(those)) == {
        "schemaVersion": 1,
        "label": "mask contract",
        "message": message,
        "color": color,
    }


# The page.


def test_the_page_shows_everything() -> None:
    text = html.as_html(reports(), ["a:Pool(2)"])
    shown = Elements(text).text
    for word in (
        "Mask contract",
        "Violations in 2 of 4 layers, known ones in 1.",
        "keras-masking check 'a:Pool(2)'",
        "keras-masking 0.1.0 · keras 3.15.1 · jax 1.2 · torch 1.2",
        summary.last_line(reports()),
        "empty-row: pass on jax, tensorflow; fail on torch",
        "pad-value: fail",
        "1 fail on jax, tensorflow; 2 fail on torch, of 2 that ran",
        "as Keras does",
        "was wrong",
        "pad-value did not pass",
        "8 on jax",
        "row 1 of 2, mask TFF; inputs (2, 3, 2)",
        'print("pad-value")',
        "`call` does not use the mask.",
    ):
        assert word in shown, word


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        (["pass", "n/a"], "1 pass"),
        (["pass", "xfail", "fail"], "1 fail, 1 xfail, of 3 that ran"),
        (["n/a"], "nothing ran"),
        (["kit-error"], "1 kit-error, of 0 that ran"),
    ],
)
def test_the_page_counts_for_a_layer(statuses: list[str], shown: str) -> None:
    those = report(*(result(f"check-{s}", s) for s in statuses))
    text = html.as_html({"jax": [those]}, [])
    assert f"passes (inferred): {shown}</span>" in text


def test_a_page_of_nothing() -> None:
    assert "No layer was checked." in html.as_html({}, [])


def test_a_text_of_several_backends_stands_once() -> None:
    text = html.as_html(reports(), [])
    assert text.count("print(&#34;empty-row&#34;)") == 1
    assert text.count("real = ops.where(mask[..., None], inputs, 0)") == 3
    assert [text.count(f"8 on {b}") for b in BACKENDS] == [1, 1, 1]


def test_violations_come_first() -> None:
    those = report(
        result("mask-kept", "n/a", reason="it has none"),
        failing("pad-value"),
        result("jit", "blocked", reason="pad-value did not pass"),
    )
    elements = Elements(html.as_html({"jax": [those]}, []))
    shown = [id for id in elements.ids if "/" in id]
    assert shown == ["L/pad-value", "L/mask-kept", "L/jit"]


def test_links_of_cells_name_what_is_shown() -> None:
    elements = Elements(html.as_html(reports(), []))
    assert len(set(elements.ids)) == len(elements.ids)
    cells = [link[1:] for link in elements.links if "/" in link]
    assert len(set(cells)) == 10
    assert "Pool-2/pad-value" in cells
    # Cells that pass everywhere have no details.
    silent = set(cells) - set(elements.ids)
    assert silent == {"Sound/pad-value", "Sound/empty-row"}


def test_failures_are_listed() -> None:
    """Each once, with its backends, before the results; none, no list."""
    text = html.as_html(reports(), [])
    listed = text.split('<section id="failures">')[1].split("</section>")[0]
    cells = re.findall(r'<li class="bad"><a href="#([^"]+)">', listed)
    assert "Pool-2/pad-value" in cells and len(set(cells)) == len(cells)
    assert f"{len(cells)} to mend" in listed
    quiet = {"jax": [report(result("jit", "blocked", reason="it"))]}
    assert 'id="failures"' not in html.as_html(quiet, [])


def test_nothing_is_loaded() -> None:
    text = html.as_html(reports(), [])
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert not {"src", "srcset"} & {a for e in Elements(text).found for a in e}


def everywhere(word: str, status: str) -> dict[str, list[Report]]:
    """A report with `word` in each field that holds a text."""
    texts = {
        f.name: word
        for f in fields(Result)
        if f.type is str and f.name != "status"
    }
    some = [Result(**texts, status=s) for s in ("fail", "xpass", status)]
    for number, one in enumerate(some):
        one.check += str(number)
        one.seen += str(number)
    # Another word for another backend, so that both are shown.
    other = [replace(r, **{t: f"{word} too" for t in ("seen", "script", "cause",
             "right", "where", "reason")}) for r in some]  # fmt: skip
    return {
        word: [Report(word, word, True, word, {word: word}, some)],
        "jax": [Report(word, word, False, "jax", {"keras": word}, other)],
    }


def elements_of(word: str, status: str) -> list[tuple[str, ...]]:
    arguments = {"title": word, "command": word}
    text = html.as_html(everywhere(word, status), [word], **arguments)
    return Elements(text).found


@pytest.mark.parametrize("word", HOSTILE)
def test_no_text_of_a_layer_becomes_an_element(word: str) -> None:
    assert elements_of(word, word) == elements_of("plain", "plain")
    assert elements_of(word, "xfail") == elements_of("plain", "xfail")


@pytest.mark.parametrize("field", [f.name for f in fields(Result)][:-1])
@pytest.mark.parametrize("word", HOSTILE)
def test_no_field_becomes_an_element(word: str, field: str) -> None:
    found = []
    for text in (word, "plain"):
        bad = replace(failing("pad-value"), **{field: text})
        other = replace(failing("pad-value"), seen="else")
        those = {"jax": [report(bad)], "torch": [report(other)]}
        those["jax"][0].results[0] = bad
        found.append(Elements(html.as_html(those, [])).found)
    assert found[0] == found[1]


# Of these no layer says a word, or they are made a word of letters.
OURS = {
    "bad | length",
    "script_hash",
    "verdict[1]",
    "number",
    "slug(status)",
    "rule.id",
    "cell.id",
    "cell.rule.id",
    '": " if row.role',
    'meanings.get(group.status, "")',
    "meanings.get(status, '')",
    "name",
    "name | capitalize",
}


def test_unescaped_text_would_be_found(monkeypatch: Any) -> None:
    """Each expression in turn, with `| safe`: the tests above go red."""
    source = (TEMPLATES / "page.html").read_text()
    sources = {p.name: p.read_text() for p in TEMPLATES.iterdir()}
    found = re.findall(r"\{\{ (?!mark|variants)(.+?) \}\}", source)
    assert len(found) > 20
    plain = elements_of("plain", "plain")
    unseen = set()
    for expression in found:
        changed = f"{{{{ ({expression}) | safe }}}}"
        sources["page.html"] = source.replace(
            f"{{{{ {expression} }}}}", changed
        )
        loader = jinja2.DictLoader(sources)
        monkeypatch.setattr(pages, "PackageLoader", lambda name, at=loader: at)
        if all(elements_of(word, word) == plain for word in HOSTILE):
            unseen.add(expression)
    assert unseen == OURS
