"""The dashboard for every eye, hand and screen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import platformdirs
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import BIG_JOB, LIMITED_JOB, ODD_JOB, WIDE, Site, Visit, missing

AXE = "axe-core@4.10.3"
LIGHT, DARK = "rgb(247, 246, 243)", "rgb(18, 19, 20)"

JUDGED = """
async (options) => {
  const { passes, violations } = await axe.run(
    // A drawing is one picture with a text to those who do not see it; its parts are nobody's.
    { exclude: [".plot .plot-container"] },
    { resultTypes: ["violations"], ...options },
  );
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const wrongs = serious.map(
    ({ id, nodes: [first] }) => `${location}: ${id} at ${first.target}: ${first.failureSummary}`,
  );
  return { passed: passes.length, wrongs };
}
"""
"""What the rules of accessibility say of a page. To name the places of what passes would take most of the time."""

OF_COLORS = ["color-contrast", "link-in-text-block"]
"""The rules whose answer depends on the theme."""


@pytest.fixture(scope="module")
def axe() -> str:
    """The rules of accessibility, from npm; kept beside other caches."""
    folder = platformdirs.user_cache_path("zeus-bso-tests") / AXE
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            missing("NO NPM: accessibility cannot be judged; on Debian: apt install npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = [str(npm), "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", AXE]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
        if done.returncode:
            missing(f"NO AXE: npm could not install it: {done.stderr[-300:]}")
    return script.read_text()


def pages(visit: Visit) -> Iterator[Page]:
    """Every kind of page, one after the other."""
    yield visit.open("/")
    yield visit.open_job(ODD_JOB)
    visit.open_job(LIMITED_JOB)
    visit.draw_all()
    yield visit.page
    visit.open_job()
    visit.draw_all()
    yield visit.page
    visit.open("/fleet")
    visit.draw_all()
    yield visit.page
    visit.open(f"/job/trial?job_id={visit.site.real_job}&number=1")
    visit.draw_all()
    yield visit.page
    yield visit.open(f"/compare?job_id={visit.site.real_job}")
    visit.open("/compare?" + urlencode({"job_id": BIG_JOB, "other": LIMITED_JOB}))
    visit.draw_all()
    yield visit.page
    yield visit.open("/docs")
    yield visit.open(f"/job/data?job_id={visit.site.real_job}&name=belief")


def test_axe_finds_nothing_serious(visit: Visit, axe: str) -> None:
    """What does not depend on the theme is judged in the light one only."""
    found = []
    for page in pages(visit):
        page.evaluate(axe)
        judged = page.evaluate(JUDGED, {})
        assert judged["passed"] > 10
        found += judged["wrongs"]
        page.emulate_media(color_scheme="dark")
        expect(page.locator("body")).to_have_css("background-color", DARK)
        judged = page.evaluate(JUDGED, {"runOnly": OF_COLORS})
        assert judged["passed"] > 0
        found += judged["wrongs"]
        page.emulate_media(color_scheme="light")
    assert found == []


def test_no_page_is_wider_than_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 320, "height": 700})
    for page in pages(visit):
        for width in (320, 390):
            page.set_viewport_size({"width": width, "height": 700})
            excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert excess == 0, (page.url, width)
        page.set_viewport_size({"width": 320, "height": 700})


def test_on_a_phone_jobs_are_cards_that_can_be_sorted(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 700})
    page = visit.open("/")
    row = page.get_by_role("row").filter(has_text=BIG_JOB)

    expect(row.locator("[data-name='Chosen size']")).to_be_in_viewport()
    expect(row.locator("[data-name='Energy saved']")).to_be_in_viewport()
    page.get_by_label("Sort by").select_option("-runs")
    expect(page.locator("tbody tr").first).to_contain_text(BIG_JOB)


def test_the_theme_follows_the_system_and_a_choice_is_remembered(visit: Visit) -> None:
    page = visit.open_job()
    visit.draw("belief")
    toggle = page.get_by_role("button", name="Theme")
    mark = page.locator("#chart-belief .xtitle")
    light = mark.evaluate("e => getComputedStyle(e).fill")

    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", DARK)
    expect(mark).not_to_have_css("fill", light)
    toggle.click()
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    expect(mark).to_have_css("fill", light)
    page.reload()
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    expect(toggle).to_have_text("Theme: light")
    toggle.click()
    expect(page.locator("body")).to_have_css("background-color", DARK)
    toggle.click()
    expect(toggle).to_have_text("Theme: system")


def test_a_job_is_found_and_read_by_keyboard_alone(visit: Visit) -> None:
    page = visit.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("resnet")
    expect(page.locator("tbody tr")).to_have_count(1)
    link = page.get_by_role("link", name=BIG_JOB)
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(BIG_JOB)
    page.wait_for_load_state()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.value || ''"))
    assert {"Export", "Data as a table"} <= reached
    assert any(text.startswith("200") for text in reached)


def test_without_scripts_everything_is_there_but_the_drawings(browser: Browser, site: Site) -> None:
    context: BrowserContext = browser.new_context(viewport=WIDE, java_script_enabled=False)  # type: ignore[arg-type]
    visit = Visit(context.new_page(), site)
    try:
        page = visit.open("/")
        page.get_by_role("searchbox").fill("resnet")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("columnheader", name="Job").get_by_role("button").click()
        expect(page.get_by_role("columnheader", name="Job")).to_have_attribute("aria-sort", "ascending")
        page.get_by_role("link", name=BIG_JOB).click()
        expect(page.locator(".next .reason")).to_be_visible()
        page.locator("#chart-belief").get_by_role("link", name="Data as a table").click()
        expect(page.locator("tbody tr")).to_have_count(40)
    finally:
        context.close()


def test_the_pictures_of_the_readme_are_there() -> None:
    root = Path(__file__).resolve().parents[2]
    for name in ("jobs", "job"):
        assert f"docs/images/dashboard-{name}.png" in (root / "README.md").read_text()
        assert (root / "docs" / "images" / f"dashboard-{name}.png").stat().st_size < 500_000
