"""The page of an inspection in a browser: on a phone, in the dark, hostile.

The reports are made by hand, so no backend is needed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="the extra `browser` is not installed")

from keras_masking.inspector.reports.html import as_fragment
from tests.browser.test_report import Page
from tests.browser.test_report import _light
from tests.browser.test_report import chromium
from tests.browser.test_report import page
from tests.browser.test_report import pytestmark
from tests.inspector import reports

__all__ = ["chromium", "page", "pytestmark"]  # used by pytest
HOSTILE = "\"'></title></style></svg><script>document.x = 1</script><img src=x>"
# A notebook has styles of its own, for all tables.
NOTEBOOK = (
    "<!DOCTYPE html><html lang='en'><meta name='viewport' "
    "content='width=device-width'><link rel='icon' href='data:,'>"
    "<style>body { margin: 0; } td { white-space: nowrap; color: red; }"
    "</style><body><p id='before'>before</p>CELL</body></html>"
)
PAGES = ["report.html", "clean.html", "notebook.html"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("inspections")
    reports.everything().to_html(folder / "report.html")
    reports.clean().to_html(folder / "clean.html")
    reports.hostile(HOSTILE).to_html(folder / "hostile.html")
    reports.hostile("word").to_html(folder / "tame.html")
    cell = as_fragment(reports.everything())
    (folder / "notebook.html").write_text(NOTEBOOK.replace("CELL", cell))
    yield folder


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_cut_off(page: Page, name: str, width: int) -> None:
    page.emulate(width=width)
    page.open(name=name)
    assert page.run("return innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth") <= width
    beyond = page.run(
        "return [...document.querySelectorAll('body *')].filter((e) =>"
        " e.checkVisibility() && e.getBoundingClientRect().right >"
        " arguments[0] + 0.5).map((e) => e.outerHTML)",
        width,
    )
    assert beyond == []
    assert len(page.shown(".km-grid")) > 5


def test_a_link_leads_to_the_row(page: Page) -> None:
    page.find(".km-card a[href='#call-8']").click()
    page.wait(lambda: page.hash == "#call-8")
    assert "norm" in page.find("tr:target").text
    top = page.run(
        "return document.querySelector('tr:target').getBoundingClientRect().top"
    )
    assert -1 <= top < 900


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["", "#call-8"])
def test_it_can_be_read(
    page: Page, name: str, scheme: str, address: str
) -> None:
    """Contrasts of at least 4.5 for words, of 3 for drawings: WCAG's."""
    page.emulate(scheme=scheme)
    page.open(address, name)
    ground = page.run(
        "return getComputedStyle(document.querySelector('.km-masks'))"
        ".backgroundColor"
    )
    assert (_light(ground) < 0.1) == (scheme == "dark")
    pairs = page.run(
        "const seen = (e) => { for (; e; e = e.parentElement) {"
        "  const c = getComputedStyle(e).backgroundColor;"
        "  if (!c.startsWith('rgba(0, 0, 0, 0')) return c; } };"
        "const own = (e) => [...e.childNodes].some((n) =>"
        "  n.nodeType === 3 && n.textContent.trim());"
        "return [...document.querySelectorAll('.km-masks *')].filter((e) =>"
        "  e.checkVisibility() && (own(e) || e.localName === 'path')"
        "  && !['style', 'title'].includes(e.localName)).map((e) => {"
        "    const look = getComputedStyle(e);"
        "    const ink = {path: look.stroke, text: look.fill};"
        "    return [e.outerHTML.slice(0, 200), ink[e.localName] ?? look.color,"
        "      seen(e), e.localName === 'path']; })"
    )
    assert len(pairs) > 20
    for what, ink, paper, drawn in pairs:
        dim, bright = sorted([_light(ink), _light(paper)])
        needed = 3 if drawn else 4.5
        assert (bright + 0.05) / (dim + 0.05) >= needed, (what, ink, paper)


def test_real_and_padding_differ_in_shape(page: Page) -> None:
    sizes = page.run(
        "return ['real', 'padding'].map((kind) => document.querySelector("
        "  `.km-legend .km-${kind}`).getBoundingClientRect().width)"
    )
    assert sizes[0] > 2 * sizes[1] > 0


def test_hostile_words_stay_words(page: Page) -> None:
    def elements() -> Any:
        return page.run(
            "return [...document.querySelectorAll('*')].map((e) => e.localName)"
        )

    page.open(name="tame.html")
    tame = elements()
    page.open(name="hostile.html")
    assert elements() == tame
    assert page.run("return document.x") is None
    assert page.run("return document.body.innerText").count(HOSTILE) > 10


def test_the_policy_stops_what_gets_in(page: Page) -> None:
    page.run(
        "const i = new Image(); i.src = 'report.html?image';"
        "document.body.append(i);"
        "const s = document.createElement('script');"
        "s.textContent = 'document.x = 1'; document.body.append(s);"
    )
    assert page.run("return document.x") is None
    logged = page.browser.get_log("browser")
    assert len(logged) == 2
    assert all("Content Security Policy" in one["message"] for one in logged)


def test_a_notebook_keeps_its_own_styles(page: Page) -> None:
    page.open(name="notebook.html")
    look = "return getComputedStyle(document.querySelector('#before')).{}"
    font = page.run(look.format("fontFamily"))
    assert "system-ui" not in font
    assert page.run(look.format("marginTop")) == "16px"
