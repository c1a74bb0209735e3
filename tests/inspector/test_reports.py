"""How a report is shown: as text, as a page, as a picture."""

import io
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from keras_masking.inspector.data import FAULTS
from keras_masking.inspector.data import PaddingRecord
from keras_masking.inspector.report import MaskReport
from keras_masking.inspector.reports import labels
from keras_masking.inspector.reports.grid import GAP
from keras_masking.inspector.reports.grid import PITCH
from keras_masking.inspector.reports.grid import grid
from keras_masking.inspector.reports.html import as_fragment
from keras_masking.inspector.reports.html import as_html
from keras_masking.inspector.reports.text import as_text
from keras_masking.inspector.reports.text import show
from keras_masking.names import ROLES
from tests.inspector import reports

pytestmark = pytest.mark.once

SCRIPT = "<script>alert(1)</script>"
MADE = [reports.everything, reports.clean]
SVG = re.compile(r'<svg class="km-grid" role="img".*?</svg>', re.S)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_hand_made_report_has_it_all() -> None:
    calls = reports.everything().calls
    assert {c.role for c in calls} == {*ROLES, ""}
    assert {c.verdict for c in calls if c.finding} == set(FAULTS)
    kinds = {"finding", "victim", "harmless", "sound", "quiet"}
    assert {labels.kind(c) for c in calls} == kinds
    report = reports.everything()
    kinds = {labels.drift(report, one)[0] for one in report.drift}
    assert kinds == {"quiet", "finding", "harmless", "sound"}


# Text


@pytest.mark.parametrize("width", [60, 100, 160])
@pytest.mark.parametrize(
    "report",
    [*MADE, lambda: reports.hostile("x" * 300), lambda: MaskReport("m", "jax")],
)
def test_no_line_is_too_long(
    report: Callable[[], MaskReport], width: int
) -> None:
    lines = as_text(report(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(ord(c) < 128 and c.isprintable() for c in "".join(lines))


@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_text_says_it_all(width: int) -> None:
    report = reports.everything()
    text = as_text(report, width)
    shown = "".join(text.split())
    for call in report.findings:
        for part in (call.path, call.type, call.reason, call.advice):
            assert "".join(part.split()) in shown
    for one in report.drift:
        assert "".join(one.change.split()) in shown
    for part in (
        "calls without a mask because of it: #9, #10",
        "output tags: no, lost by #8 norm",
        "output steps: yes, 25/36 real",
        "not applicable: no steps",
        "from #10 pool on",
        "a note, not a finding",
        "not measured: the model failed",
        *report.notes,
        report.error,
    ):
        assert "".join(part.split()) in shown
    assert flat(text).endswith(report.summary())


def test_a_row_of_the_table() -> None:
    lines = [flat(s) for s in as_text(reports.everything(), 200).splitlines()]
    for row in (
        "1 words Embedding - (3,12) -> 25/36 real (3,12,32) - generates",
        "! 8 norm RMSNormalization 25/36 real (3,12,32) -> no mask (3,12,32) "
        "nothing drops",
        "7 add Add 25/36 real (3,12,32) x 2 -> 25/36 real (3,12,32) nothing "
        "merges",
        "10 pool GlobalAveragePooling1D no mask (3,12,32) -> "
        "steps gone (3,32) - no mask since #8",
        "16 cell LSTMCell x 12 - (3,32) -> - (3,32) - -",
        "! 20 slice Crop[1:] 25/36 real (3,12,32) nothing wrong shape",
        "-> 25/36 real (3,10,32), its mask (3,12)",
        "12 conv MaskedConv1D 25/36 real (3,12,32) -> 19/30 real (3,10,32) "
        "mask transforms",
        "23 drop DropMask 25/36 real (3,12,32) -> no mask (3,12,32) nothing "
        "drops",
    ):
        assert row in lines


def test_depth_leaves_room_for_the_name() -> None:
    head, *lines = as_text(reports.everything(), 60).splitlines()
    column = slice(head.index("layer"), head.index("mask in"))
    shown = "".join(line[column].strip() for line in lines[:100])
    assert reports.everything().calls[25].name in shown


def test_depth_indents() -> None:
    lines = as_text(reports.everything(), 160).splitlines()
    at = {name: line.index(name) for name in ("post_norm", "words", "block_0")
          for line in lines[:10][::-1] if f" {name} " in line}  # fmt: skip
    assert at["words"] - at["post_norm"] == 2
    assert at["block_0"] - at["post_norm"] == 4


def test_a_name_is_no_markup_and_moves_no_terminal() -> None:
    text = as_text(reports.hostile("[bold]a[/]\x1b[2J\r[link=x]"), 200)
    assert text.count("[bold]a[/]\\x1b[2J\\r[link=x]") > 10
    assert "\x1b" not in text and "\r" not in text


def test_colours_on_request_only() -> None:
    assert "\x1b" not in as_text(reports.everything())
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100,
                      color_system="standard")  # fmt: skip
    show(reports.everything(), console)
    coloured = file.getvalue()
    assert "\x1b[1;31m" in coloured
    plain = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert "\n".join(lines) == as_text(reports.everything(), 100)


def test_a_pipe_is_100_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    report = reports.everything()
    assert as_text(report) == as_text(report, 100) == str(report)


def test_a_clean_report_is_short() -> None:
    text = as_text(reports.clean(), 100)
    assert "Findings" not in text and "!" not in text
    assert "output 0: yes, 25/36 real" in text
    assert "#3 tagger/tags" in text


# Headlines


def test_the_headline() -> None:
    assert labels.headline(reports.clean()) == (
        "sound",
        "Clean: no finding in 4 calls.",
    )
    report = reports.everything()
    assert labels.headline(report)[1].startswith("The model failed; 9 findings")
    report.error = ""
    assert labels.headline(report) == ("finding", "9 findings in 27 calls.")
    for call in report.calls:
        call.finding = False
    report.missing = ["Nothing was run."]
    assert labels.headline(report)[0] == "unknown"


@pytest.mark.parametrize("render", [as_html, as_fragment, str])
def test_what_is_missing_is_shown(render: Callable[[MaskReport], str]) -> None:
    report = reports.clean()
    report.missing = ["The model was not run."]
    report.padding = [PaddingRecord("ids", "0", "guessed from `real`")]
    shown = render(report)
    shown = shown if render is str else Tags(shown).text
    assert "Not measured" in shown and "The model was not run." in shown
    assert "padding of" in shown and ": 0, guessed from" in shown


# Page


def drawn(svg: str) -> np.ndarray:
    """The mask that an SVG shows."""
    cells = {}
    for path in ElementTree.fromstring(svg).iter("path"):
        real = path.get("class") == "km-real"
        runs = re.findall(r"M(\d+) ([\d.]+)h(\d+)", path.get("d"))
        for x, y, long in runs:
            for step in range(0, int(long), PITCH):
                at = (int(float(y)) // PITCH, (int(x) + step) - 2 * (not real))
                assert at not in cells
                cells[at] = real
    rows = max(row for row, _ in cells) + 1
    return np.array(
        [[real for (y, _), real in sorted(cells.items()) if y == row]
         for row in range(rows)]
    )  # fmt: skip


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("render", [as_html, as_fragment])
def test_the_drawings_are_the_masks(
    make: Callable[[], MaskReport], render: Callable[[MaskReport], str]
) -> None:
    report = make()
    found = iter(SVG.findall(render(report)))
    count = 0
    for call in [*report.findings, *report.calls]:
        for seen in [*labels.inputs(call), *labels.outputs(call)]:
            if seen.tensor.mask is None:
                continue
            svg, mask = next(found), seen.tensor.mask
            if mask.shape[1] > 24:
                mask = np.concatenate([mask[:8, :12], mask[:8, -12:]], axis=1)
                assert "first 8 of 20 rows" in svg
                assert "first and last 12 of 600 steps" in svg
            np.testing.assert_array_equal(drawn(svg), mask)
            assert f'"{seen.tensor.real} real steps' in svg
            assert f"{seen.tensor.padding} padding</title>" in svg
            count += 1
    assert next(found, None) is None
    assert count > 5


@pytest.mark.parametrize(
    "shape", [(), (4,), (0, 3), (3, 0), (2, 3, 4), (2, 24), (2, 25), (9, 5)]
)
def test_a_mask_of_any_shape_is_drawn(shape: tuple[int, ...]) -> None:
    mask = np.ones(shape, bool)
    shown = grid(mask)
    assert not list(shown.runs(False))
    runs = list(shown.runs(True))
    assert sum(count for _, _, count in runs) == shown.mask.size <= mask.size
    assert bool(shown.left_out) == (shown.mask.size < mask.size)
    assert shown.width > 0 and shown.height > 0
    if runs:
        assert max(x + n * PITCH for x, _, n in runs) == shown.width
        assert max(y + PITCH for _, y, _ in runs) == shown.height
    if shape == (2, 25):
        assert [x for x, _, _ in runs] == [0, 12 * PITCH + GAP] * 2
    report = reports.hostile("x")
    x = reports.TensorRecord((2, 3), "f", mask)
    report.calls[0].inputs = report.calls[0].outputs = [x]
    assert "<svg" in as_html(report)
    assert as_text(report)


class Tags(HTMLParser):
    """Every element, every attribute, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("render", [as_html, as_fragment])
@pytest.mark.parametrize(
    "words", [SCRIPT, f"\"'>{SCRIPT}", "</style>" + SCRIPT]
)
def test_what_a_model_says_is_text(
    render: Callable[[MaskReport], str], words: str
) -> None:
    tags = Tags(render(reports.hostile(words)))
    sound = Tags(render(reports.hostile("word")))
    assert tags.elements == sound.elements
    assert [n for n, _ in tags.attributes] == [n for n, _ in sound.attributes]
    assert tags.text.count(words) == sound.text.count("word") > 15


@pytest.mark.parametrize(
    "field", ["model", "backend", "error", "notes", "versions", "calls.name",
              "calls.type", "calls.path", "calls.received", "calls.role",
              "calls.verdict", "calls.reason", "calls.advice", "outputs.name",
              "drift.change", "drift.why_not"]
)  # fmt: skip
def test_each_field_is_escaped(field: str) -> None:
    report = reports.hostile("word")
    holder, _, name = field.rpartition(".")
    holders = getattr(report, holder) if holder else [report]
    for one in holders:
        old = getattr(one, name)
        new = {
            list: [SCRIPT],
            dict: {SCRIPT: SCRIPT},
            str: SCRIPT,
        }[type(old)]
        object.__setattr__(one, name, new)
    for html in (as_html(report), as_fragment(report)):
        assert "<script" not in html
        # A role is what the verdict says, where nothing is wrong.
        assert ("&lt;script&gt;" in html) == (field != "calls.role")


def test_the_page_loads_nothing() -> None:
    html = as_html(reports.everything())
    tags = Tags(html)
    assert "script" not in tags.elements
    assert "default-src 'none'" in html
    for name, value in tags.attributes:
        assert name not in ("src", "action", "srcset", "style") or "--" in value
        if name == "href":
            assert value == "data:," or value.startswith("#")
    assert "url(" not in html and "@import" not in html


def test_each_finding_is_linked_to_its_row() -> None:
    tags = Tags(as_html(reports.everything()))
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(set(ids)) == len(ids) == len(reports.everything().calls)
    links = [v[1:] for n, v in tags.attributes if n == "href" and v[0] == "#"]
    assert set(links) <= set(ids)
    for call in reports.everything().findings:
        assert f"call-{call.index}" in links


def test_the_page_says_it_all() -> None:
    report = reports.everything()
    shown = flat(Tags(as_html(report)).text)
    for call in report.findings:
        for part in (call.path, call.type, call.reason, call.advice):
            assert part.replace("`", "") in shown
    for part in (
        report.summary(),
        report.error,
        *report.notes,
        "no mask since #8",
        "from #10 pool on",
        "not measured: the model failed",
        "lost by #8 norm",
        "steps gone (3,32)",
        "LSTMCell \u00d7 12",
        "raised",
    ):
        assert part in shown
    assert shown.index("What is wrong") < shown.index("Every call")
    assert shown.count("no mask") > 5


def test_a_fragment_touches_nothing_else() -> None:
    html = as_fragment(reports.everything())
    assert html == reports.everything()._repr_html_()
    tags = Tags(html)
    assert not {"html", "head", "body", "meta", "script", "link"} & {
        *tags.elements
    }
    assert "id" not in {name for name, _ in tags.attributes}
    css = html[html.index("<style>") + 7 : html.index("</style>")]
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    selectors = re.findall(r"([^{}]+)\{", css)
    for selector in selectors:
        shown = selector.strip()
        if not shown.startswith("@"):
            shown = re.sub(r"\(.*?\)", "", shown)
            assert all(s.strip().startswith(".km-") for s in shown.split(","))


def test_what_is_no_character_can_be_written(tmp_path: Path) -> None:
    reports.hostile("a\udcff").to_html(tmp_path / "a.html")
    assert "a\\udcff" in (tmp_path / "a.html").read_text("utf-8")


# Picture


@pytest.mark.parametrize(
    "make", [*MADE, lambda: reports.hostile("$_{x}$ \x00\n" * 9),
             lambda: MaskReport("m", "jax")]
)  # fmt: skip
def test_a_picture_is_drawn(
    make: Callable[[], MaskReport], tmp_path: Path
) -> None:
    from matplotlib import image

    make().plot(tmp_path / "a.png")
    pixels = image.imread(tmp_path / "a.png")[..., :3]
    assert min(pixels.shape[:2]) > 50
    inked = (pixels < 0.9).any(axis=-1)
    assert 0.001 < inked.mean() < 0.5


def test_a_picture_shows_each_finding(tmp_path: Path) -> None:
    import matplotlib

    report = reports.everything()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        report.plot(tmp_path / "a.svg")
    shown = "".join(ElementTree.parse(tmp_path / "a.svg").getroot().itertext())
    for call in report.findings:
        assert f"{call.index}  {call.name}" in shown
        assert f"✕ {call.verdict}" in shown
    assert "6 of 27 calls left out" in shown
    assert "9 findings in 27 calls" in shown


def test_a_picture_without_matplotlib(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'install "keras-masking\[plot\]"'):
        reports.clean().plot(tmp_path / "a.png")
