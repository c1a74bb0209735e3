"""The page of a report in a browser: filtered, opened, on a phone, in the dark.

The reports are made by hand, so no backend is needed.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keras_masking.contract.report import Report
from keras_masking.contract.reports import writers
from keras_masking.contract.reports.html import MEANINGS
from keras_masking.contract.reports.html import as_html
from tests.contract.reports import BACKENDS
from tests.contract.reports import failing
from tests.contract.reports import report
from tests.contract.reports import reports
from tests.contract.reports import result

pytest.importorskip("selenium", reason="the extra `browser` is not installed")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from selenium.webdriver.support.ui import WebDriverWait

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="chromium or chromedriver is not installed"
)
EVERY = ["Sound", "Pool(2)", "Known", "Mended"]
HOSTILE = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"


def every_status() -> Report:
    """One layer with each status, a long name, and as many checks as ours."""
    return report(
        *(failing(f"check-{status}", status) for status in MEANINGS),
        failing("long", seen=f"value {'1234567890' * 20}"),
        result("advice", "fail", level="information"),
        *(result(f"check-{number}", "pass") for number in range(40)),
        layer=f"Layer_{'of_a_long_name_' * 6}(units=2)",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    writers.write(folder / "report.html", reports(), ["a:Pool(2)"])
    writers.write(folder / "every.html", {"jax": [every_status()]}, ["a:B"])
    bad = failing(HOSTILE, seen=HOSTILE, script=HOSTILE, cause=HOSTILE)
    text = as_html(
        {HOSTILE: [report(bad, layer=HOSTILE, role=HOSTILE, backend=HOSTILE)]},
        [HOSTILE],
    )
    (folder / "hostile.html").write_text(text)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("headless", "no-sandbox", "disable-gpu"):
        options.add_argument(f"--{word}")
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


class Page:
    """What a test does with the page, and what it sees of it."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser = browser
        self.folder = folder

    def open(self, address: str = "", name: str = "report.html") -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{(self.folder / name).as_uri()}{address}")

    def emulate(self, width: int = 1280, scheme: str = "light") -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": 900,
                "deviceScaleFactor": 1,
                "mobile": width < 700,
            },
        )
        media = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [media]}
        )

    def find(self, css: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, css)

    def shown(self, css: str) -> list[Any]:
        found = self.browser.find_elements(By.CSS_SELECTOR, css)
        return [element for element in found if element.is_displayed()]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, true: Any) -> None:
        WebDriverWait(self.browser, 5).until(lambda _: true())

    @property
    def layers(self) -> list[str]:
        return [name.text for name in self.shown("tbody .name")]

    @property
    def checks(self) -> list[str]:
        return [a.get_attribute("textContent") for a in self.shown("thead a")]

    @property
    def detail(self) -> str:
        """The text of the open dialog, or nothing."""
        return self.run(
            "const d = document.querySelector('dialog');"
            "return d.open ? d.innerText : ''"
        )

    @property
    def hash(self) -> str:
        return self.run("return location.hash")

    @property
    def focused(self) -> str:
        return self.run("return document.activeElement.hash || ''")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def choose(self, name: str, value: str) -> None:
        if name == "status":
            self.find(f"[name=status][value='{value}']").click()
        elif name in ("layer", "check"):
            self.find(f"[name={name}]").send_keys(value)
        else:
            Select(self.find(f"[name={name}]")).select_by_visible_text(value)


@pytest.fixture
def page(chromium: Any, folder: Path) -> Iterator[Page]:
    """The page; afterwards its console had no error, and no request."""
    for log in ("browser", "performance"):
        chromium.get_log(log)
    page = Page(chromium, folder)
    page.emulate()
    page.open()
    yield page
    assert chromium.get_log("browser") == []
    for entry in chromium.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            asked = event["params"]["request"]["url"]
            assert asked.startswith((folder.as_uri(), "data:"))


@pytest.mark.parametrize(
    ("chosen", "layers", "checks", "count"),
    [
        ({}, EVERY, 4, "30 of 30 results, 4 of 4 layers, 4 of 4 checks"),
        ({"layer": "pOOl"}, ["Pool(2)"], 3, "9 of 30 results, 1 of 4 layers"),
        ({"check": "empty"}, EVERY[:3], 1, "9 of 30 results, 3 of 4 layers"),
        ({"role": "merges"}, ["Known"], 3, "9 of 30 results, 1 of 4 layers"),
        ({"level": "information"}, ["Known"], 1, "3 of 30 results"),
        ({"backend": "torch"}, EVERY, 4, "10 of 30 results, 4 of 4 layers"),
        ({"status": "fail"}, EVERY[1:3], 3, "7 of 30 results, 2 of 4 layers"),
        ({"status": "xpass"}, ["Mended"], 1, "3 of 30 results, 1 of 4 layers"),
        ({"backend": "jax", "status": "fail", "check": "empty"}, [], 0,
         "0 of 30 results, 0 of 4 layers, 0 of 4 checks"),
        ({"backend": "torch", "status": "fail", "check": "empty"}, ["Pool(2)"],
         1, "1 of 30 results, 1 of 4 layers, 1 of 4 checks"),
    ],
)  # fmt: skip
def test_filters(
    page: Page, chosen: dict[str, str], layers: list, checks: int, count: str
) -> None:
    for name, value in chosen.items():
        page.choose(name, value)
    for _ in "chosen", "by the address":
        assert page.layers == layers
        assert len(page.checks) == checks
        assert page.find("#shown").text.startswith(count)
        page.open(page.run("return location.search"))
    page.find("[type=reset]").click()
    page.wait(lambda: page.layers == EVERY)
    assert page.run("return location.search") == ""


def test_several_outcomes_add_up(page: Page) -> None:
    page.choose("status", "xfail")
    page.choose("status", "xpass")
    assert page.layers == ["Known", "Mended"]


def test_a_backend_shows_its_own_mark(page: Page) -> None:
    cell = "[href='#Pool-2/empty-row'] b"
    assert [b.get_attribute("class") for b in page.shown(cell)] == [
        "pass",
        "fail",
        "pass",
    ]
    page.choose("backend", "torch")
    assert [b.get_attribute("class") for b in page.shown(cell)] == ["fail"]


def test_a_click_opens_a_cell(page: Page) -> None:
    page.find("[href='#Pool-2/pad-value']").click()
    page.wait(lambda: page.detail)
    assert page.hash == "#Pool-2/pad-value"
    for word in (
        "pad-value",
        "required · Pool(2)",
        "fail on jax, torch, tensorflow",
        "Values at padding steps do not change real outputs.",
        "8 on jax",
        "8 on tensorflow",
        "row 1 of 2, mask TFF; inputs (2, 3, 2)",
        "`call` does not use the mask.",
        "real = ops.where(mask[..., None], inputs, 0)",
        'print("pad-value")',
    ):
        assert word in page.detail
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.detail)
    page.wait(lambda: page.hash == "")
    page.wait(lambda: page.focused == "#Pool-2/pad-value")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("#Pool-2/empty-row", ["fail on torch", "pass on jax, tensorflow"]),
        ("#Known/pad-value", ["xfail on jax", "as Keras does", "8", "seen"]),
        ("#Known/empty-row", ["n/a on jax", "a layer that merges"]),
        ("#Pool-2/jit", ["blocked", "pad-value did not pass"]),
        ("#Sound/jit", ["n/a on torch", "pass on jax", "runs on request"]),
        ("#Pool-2/pad-value", ["fail on jax", "seen"]),
        ("#Mended/pad-value", ["xpass", "was wrong", "but it passes"]),
        ("#Sound/pad-value", ["pad-value: pass", "Values at padding steps"]),
        ("#rule:pad-value", ["Values at padding", "`call` does not use"]),
    ],
)
def test_a_link_opens_on_load(
    page: Page, address: str, words: list[str]
) -> None:
    page.open(f"?status=fail{address}")
    for word in words:
        assert word in page.detail
    page.find("dialog form button").click()
    page.wait(lambda: not page.detail)
    assert page.run("return location.search") == "?status=fail"


def test_back_closes(page: Page) -> None:
    page.find("[href='#rule:pad-value']").click()
    page.wait(lambda: page.detail)
    page.browser.back()
    page.wait(lambda: not page.detail)


def test_the_keyboard(page: Page) -> None:
    before = page.find("thead a[href='#rule:advice']")
    before.send_keys(Keys.TAB)
    assert page.focused == "#Sound/pad-value"
    page.press(Keys.TAB)
    assert page.focused == ""  # the matrix is one stop
    before.send_keys(Keys.TAB)
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert page.focused == "#Pool-2/empty-row"
    outline = page.run(
        "return getComputedStyle(document.activeElement).outlineStyle"
    )
    assert outline == "solid"
    page.press(Keys.ENTER)
    page.wait(lambda: page.detail)
    assert "fail on torch" in page.detail
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.focused == "#Pool-2/empty-row")
    page.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.focused == "#Sound/pad-value"
    # A cell that is filtered away leaves its place to one that is not.
    page.find("[name=layer]").send_keys("mended")
    page.find("thead a").send_keys(Keys.TAB)
    assert page.focused == "#Mended/pad-value"


def test_a_script_is_copied(page: Page) -> None:
    page.browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    page.open("#Pool-2/empty-row")
    button = page.shown("dialog .copy")[-1]
    button.click()
    page.wait(lambda: button.text == "Copied")
    copied = page.browser.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0])"
    )
    assert copied == 'print("empty-row")'


@pytest.mark.parametrize("name", ["report.html", "every.html"])
@pytest.mark.parametrize("address", ["", "#rule:pad-value"])
def test_a_phone_cuts_nothing_off(page: Page, name: str, address: str) -> None:
    page.emulate(width=360)
    page.open(address, name)
    assert page.run("return innerWidth") == 360
    assert page.run("return document.documentElement.scrollWidth") == 360
    # Code alone is wider, in a block of its own that scrolls.
    beyond = page.run(
        "return [...document.querySelectorAll('body *')].filter((e) =>"
        " e.checkVisibility() && !e.closest('pre code') &&"
        " e.getBoundingClientRect().right > 360.5).map((e) => e.outerHTML)"
    )
    assert beyond == []
    words = [a.text for a in page.shown("tbody a")]
    if name == "report.html":
        assert "pad-value: fail" in words
        assert "empty-row: pass on jax, tensorflow; fail on torch" in words
        # Passes are shown on request.
        assert "pad-value: pass" not in words


def test_passes_are_shown_on_a_phone_on_request(page: Page) -> None:
    page.emulate(width=360)
    page.open("?status=pass")
    words = [a.text for a in page.shown("tbody a")]
    assert "pad-value: pass" in words


@pytest.mark.parametrize("width", [800, 1280, 1920])
def test_a_wide_matrix_scrolls_in_its_own_box(page: Page, width: int) -> None:
    page.emulate(width=width)
    page.open(name="every.html")
    assert page.run("return document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(page: Page, scheme: str) -> None:
    """Contrasts of at least 4.5, which WCAG asks for."""
    page.emulate(scheme=scheme)
    page.open(name="every.html")
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (_light(ground) < 0.1) == (scheme == "dark")
    pairs = page.run(
        "const seen = (e) => { for (; e; e = e.parentElement) {"
        "  const c = getComputedStyle(e).backgroundColor;"
        "  if (!c.startsWith('rgba(0, 0, 0, 0')) return c; } };"
        "return [...document.querySelectorAll("
        "  'h1, label, #how, tbody b, thead a, .counts, .facts, code, button')]"
        "  .filter((e) => e.checkVisibility()).map((e) =>"
        "  [e.outerHTML, getComputedStyle(e).color, seen(e)])"
    )
    assert len(pairs) > 30
    for what, ink, paper in pairs:
        dim, bright = sorted([_light(ink), _light(paper)])
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (what, ink, paper)


def _light(color: str) -> float:
    """The relative luminance of `rgb(r, g, b)`."""
    numbers = [int(n) / 255 for n in color[4:-1].split(",")]
    linear = [
        n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4
        for n in numbers
    ]
    return sum(w * n for w, n in zip((0.2126, 0.7152, 0.0722), linear))


def test_every_status_has_a_sign_of_its_own(page: Page) -> None:
    page.open(name="every.html")
    signs = page.run(
        "return [...document.querySelectorAll('#filters b')].map("
        "(b) => getComputedStyle(b, '::before').content)"
    )
    assert len(set(signs)) == len(signs) == len(MEANINGS)
    assert not any("?" in sign for sign in signs)


def test_without_javascript_it_is_all_there(page: Page) -> None:
    page.browser.execute_cdp_cmd(
        "Emulation.setScriptExecutionDisabled", {"value": True}
    )
    try:
        page.open()
        assert page.layers == EVERY
        assert not page.shown("#filters")
        page.find("#entries summary").click()
        shown = page.find("#entries").text
        rules = page.find("#rules").text
    finally:
        page.browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )
    assert "n/a on torch" in shown
    assert "`call` does not use the mask." in rules


def test_hostile_words_stay_words(page: Page) -> None:
    page.open(name="hostile.html")
    assert page.layers == [HOSTILE]
    page.shown("tbody a")[0].click()
    page.wait(lambda: page.detail)
    assert page.detail.count(HOSTILE) >= 4
    assert page.run("return document.querySelector('img')") is None
    assert page.run("return document.scripts.length") == 1


def test_each_backend_has_its_place(page: Page) -> None:
    assert f"from the top: {', '.join(BACKENDS)}" in page.find("#how").text
