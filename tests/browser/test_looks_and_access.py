"""The dashboard for every eye, hand and screen."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import BIG_JOB, DARK, LIGHT, WIDE, Site, Visit


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
