"""Every kind of page: it fits a phone, its charts can be read, and who cannot see it well is not left out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import platformdirs
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import BIG_JOB, DARK, EXCESS, LIMITED_JOB, ODD_JOB, PHONE, Site, Visit, address, missing

AXE = "axe-core@4.10.3"
CHARTS_OF_A_JOB = ("cost", "belief", "plane", "curves", "savings")

NARROW: ViewportSize = {"width": 320, "height": 700}
DESK: ViewportSize = {"width": 1440, "height": 900}

FITTED = """
() => [...document.querySelectorAll(".plot")].every((plot) => {
  const drawn = plot.querySelector(".main-svg");
  return !drawn || Math.abs(drawn.clientWidth - plot.clientWidth) <= 1;
})
"""
"""Whether every chart has the width of its place; it takes that some time after the window has changed."""

CROWDED = """
() => [...document.querySelectorAll(".plot")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  const texts = [...plot.querySelectorAll("svg text")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width);
  const outside = ([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1;
  const across = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const along = (one, other) => Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  const pairs = boxes.flatMap((one, place) => boxes.slice(place + 1).map((other) => [one, other]));
  const overlapping = pairs.filter(([[, one], [, other]]) => across(one, other) > 2 && along(one, other) > 4);
  return [...boxes.filter(outside).map(([text]) => text), ...overlapping.map(([[a], [b]]) => `${a} | ${b}`)];
})
"""
"""The labels of charts that are cut off or overlap."""

SHOW_SPAN = """
(span) => {
  const dated = [...document.querySelectorAll(".plot")].filter((plot) => plot._fullLayout?.xaxis?.type === "date");
  const begin = Date.UTC(2026, 10, 28, 23, 59, 41);
  const range = [begin, begin + span * 1000].map((time) => new Date(time).toISOString());
  return Promise.all(dated.map((plot) => Plotly.relayout(plot, { "xaxis.range": range }))).then(() => dated.length);
}
"""
"""Show so many seconds on each chart over time; says how many such charts there are."""

CHARTS = """
() => [...document.querySelectorAll("[data-chart]")].map((chart) => ({
  name: chart.id,
  summary: chart.querySelector(".summary").innerText,
  told: chart.querySelector("[role=img]")?.getAttribute("aria-label"),
  width: chart.querySelector(".plot .main-svg")?.clientWidth ?? 0,
  marks: chart.querySelectorAll(".plot .points path, .plot .scatterlayer path").length,
}))
"""
"""What each chart shows, and says in words."""

JUDGED = """
async (options) => {
  const { passes, violations } = await axe.run(
    // A drawing is one picture with a text to those who do not see it; its parts are nobody's.
    { exclude: [".plot .plot-container"] },
    { resultTypes: ["violations"], ...options },
  );
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const wrongs = serious.map(({ id, nodes: [first] }) => `${id} at ${first.target}: ${first.failureSummary}`);
  return { passed: passes.length, wrongs };
}
"""
"""What the rules of accessibility say of a page. To name the places of what passes would take most of the time."""

OF_COLORS = ["color-contrast", "link-in-text-block"]
"""The rules whose answer depends on the theme."""


@dataclass(frozen=True)
class Look:
    """What was seen of a page.

    Attributes:
        url: Its address.
        excess: By how much it is wider than a screen, by the width of the screen [px].
        crowded: The labels of charts that are cut off or overlap, by the width of the screen.
        charts: What each chart shows, and says in words.
        judged: What the rules of accessibility say, by theme.
    """

    url: str
    excess: dict[int, int]
    crowded: dict[int, list[str]]
    charts: list[dict[str, Any]]
    judged: dict[str, dict[str, Any]]


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
    """Every kind of page, one after the other, with all charts that it has."""
    real_job = visit.site.real_job
    paths = (
        *("/", "/fleet", *map(address, (ODD_JOB, LIMITED_JOB, BIG_JOB, real_job))),
        address(real_job, "/job/trial", number=1),
        address(real_job, "/job/data", name="belief"),
        address(real_job, "/compare"),
        address(BIG_JOB, "/compare", other=LIMITED_JOB),
        "/docs",
    )
    for path in paths:
        visit.page.set_viewport_size(NARROW)
        visit.open(path)
        visit.draw_all()
        yield visit.page


def look_at(page: Page, axe: str) -> Look:
    """Look at a page on every screen and in both themes.

    What does not depend on the theme is judged in the light one only, and the job with most trials not at all: its page
    has nothing that that of another job lacks.
    """
    excess, crowded, judged = {}, {}, {}
    for screen in (NARROW, PHONE, DESK):
        page.set_viewport_size(screen)
        page.wait_for_function(FITTED)
        excess[screen["width"]] = page.evaluate(EXCESS)
        if screen != NARROW:
            crowded[screen["width"]] = page.evaluate(CROWDED)
    charts = page.evaluate(CHARTS)
    if not page.url.endswith(address(BIG_JOB)):
        page.evaluate(axe)
        judged["light"] = page.evaluate(JUDGED, {})
        page.emulate_media(color_scheme="dark")
        expect(page.locator("body")).to_have_css("background-color", DARK)
        judged["dark"] = page.evaluate(JUDGED, {"runOnly": OF_COLORS})
        page.emulate_media(color_scheme="light")
    return Look(page.url, excess, crowded, charts, judged)


@pytest.fixture(scope="module")
def looks(browser: Browser, site: Site, axe: str) -> Iterator[list[Look]]:
    """What was seen of every kind of page. Each is opened once, on a narrow phone, for its charts take their time."""
    with closing(browser.new_context(viewport=NARROW, color_scheme="light")) as context:
        visit = Visit(context.new_page(), site)
        visit.watch()
        yield [look_at(page, axe) for page in pages(visit)]
    assert visit.wrongs == []


def test_axe_finds_nothing_serious(looks: list[Look]) -> None:
    judged = [(look.url, theme, found) for look in looks for theme, found in look.judged.items()]

    assert len(judged) == 2 * (len(looks) - 1)
    assert [each for each in judged if each[2]["wrongs"]] == []
    assert all(found["passed"] > (10 if theme == "light" else 0) for _, theme, found in judged)


def test_no_page_is_wider_than_its_screen(looks: list[Look]) -> None:
    assert [(look.url, look.excess) for look in looks if any(look.excess.values())] == []


def test_no_label_of_a_chart_overlaps_another_or_is_cut_off(looks: list[Look]) -> None:
    assert [(look.url, look.crowded) for look in looks if any(look.crowded.values())] == []


def test_on_a_phone_the_times_of_a_chart_have_room_whatever_span_it_shows(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    visit.open_job(LIMITED_JOB)
    visit.draw_all()
    crowded = {}
    for span in (0.2, 0.9, 3, 8, 17, 24, 31, 38, 48, 55, 62, 90, 150, 300, 1800, 20_000, 100_000, 10**6, 10**7, 10**9):
        assert visit.page.evaluate(SHOW_SPAN, span) > 0
        crowded[span] = visit.page.evaluate(CROWDED)

    assert {span: labels for span, labels in crowded.items() if labels} == {}


def test_every_chart_is_drawn_and_says_in_words_what_it_shows(looks: list[Look], site: Site) -> None:
    for look in looks:
        for chart in look.charts:
            assert chart["summary"], (look.url, chart)
            assert chart["told"] == chart["summary"], look.url
    for job_id in (ODD_JOB, BIG_JOB, site.real_job):
        [charts] = [look.charts for look in looks if look.url.endswith(address(job_id))]
        assert {f"chart-{name}" for name in CHARTS_OF_A_JOB} == {chart["name"] for chart in charts}
        for chart in charts:
            if chart["name"] != "chart-savings":  # The real run may not have converged at the default size yet.
                assert chart["width"] > 0, (job_id, chart)
                assert chart["marks"] > 0, (job_id, chart)
