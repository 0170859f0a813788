"""The report in a real headless browser: on a phone, on a screen, in print, in the dark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.reporting.page import gather, render
from dacno2_s5p.evaluation.tables import write_csv
from tests.builders.report_folder import build_evaluation, build_folder, score_rows

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
A4 = {"width": 703, "height": 1017}
"""A4 less the margins of the page's print style, 186 x 269 mm, in CSS pixels (96 an inch)."""
UNDECODED = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser with an empty profile; the module skips where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with api.sync_playwright() as driver:
        profile = tmp_path_factory.mktemp("profile")
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=program, headless=True, args=FLAGS
        )
        context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        yield context
        context.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    """Return a page with wide tables, long names and figures."""
    top = build_folder(tmp_path_factory.mktemp("page") / "all")
    wide = build_evaluation(top / ("a_very_long_name_without_any_break_" * 4))
    many = tuple(f"network_with_a_name_{i}" for i in range(9))
    write_csv(wide / "scores.csv", score_rows(many), overwrite=True)
    path = top.parent / "page.html"
    path.write_text(render(gather(top, title="A title")), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, page_file):
    """Return a function that opens a file from disk, and what was asked for or complained of."""
    pages = []

    def call(path: Path = page_file, **size: int):
        page = browser.new_page()
        pages.append(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(message.text))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.set_viewport_size({"width": 1280, "height": 800, **size})
        page.goto(path.as_uri(), wait_until="load")
        return page, [one for one in asked if not one.startswith("data:")]

    yield call
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_page_fits_its_window(opened, page_file, width):
    """Nothing overflows, every figure is drawn, and only the file itself is asked for."""
    page, asked = opened(width=width)
    assert asked == [page_file.as_uri()]
    assert page.evaluate("document.images.length") == 10
    assert page.evaluate(UNDECODED) == 0
    assert page.evaluate(OVERFLOW) <= 0
    scrolls = "[...document.querySelectorAll('.scroll')].some(b => b.scrollWidth > b.clientWidth)"
    assert page.evaluate(scrolls) or width > 1000  # wide tables scroll in their own box
    assert len(page.screenshot()) > 10_000


def test_page_prints_whole(opened):
    """In print no figure is higher than a page, no table wider, and no box hides a part."""
    page, _ = opened(**A4)
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOW) <= 0
    highest = page.evaluate("Math.max(...[...document.images].map(i => i.clientHeight))")
    assert 100 < highest < A4["height"]
    hidden = "[...document.querySelectorAll('.scroll')].map(b => getComputedStyle(b).overflowX)"
    assert set(page.evaluate(hidden)) == {"visible"}
    data = page.pdf(prefer_css_page_size=True)
    assert data.startswith(b"%PDF")
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") > 2


def test_page_follows_light_and_dark(opened):
    """The page has ink and paper of its own for both schemes."""
    page, _ = opened()
    colours = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}


def test_markup_in_names_is_never_run(opened, tmp_path):
    """Scripts and handlers in names of folders and in cells are text for the browser."""
    top = build_evaluation(tmp_path / '"><img src=x onerror="window.hacked=1">')
    names = ("<script>window.hacked=1</script>", "<svg onload=window.hacked=1>")
    write_csv(top / "scores.csv", score_rows(names), overwrite=True)
    path = tmp_path.parent / f"{tmp_path.name}.html"
    path.write_text(render(gather(tmp_path, title="<script>hacked=1</script>")), encoding="utf-8")
    page, asked = opened(path)
    assert asked == [path.as_uri()]
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.images.length") == 3
    assert page.title() == "<script>hacked=1</script>"
