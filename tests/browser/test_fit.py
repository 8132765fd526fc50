"""What stands on a page has room there, at a desk and on a phone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import BIG_JOB, PHONE, Visit
from tests.support.jobs import spec


def test_on_a_phone_a_large_figure_does_not_reach_into_the_next(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    figures = visit.open("/fleet").locator("#fleet .figure")
    figures.evaluate_all("all => all.forEach((one) => { one.textContent = '-810\\u00a0136.02\\u00a0EUR'; })")
    boxes = [(box["x"], box["y"]) for figure in figures.all() if (box := figure.bounding_box())]
    ends = figures.evaluate_all("all => all.map((one) => one.getBoundingClientRect().left + one.scrollWidth)")

    assert len(boxes) == 4
    for (_, row), end, (begin, next_row) in zip(boxes, ends, boxes[1:], strict=False):
        assert end <= begin or row != next_row


def test_on_a_phone_the_fleet_shows_what_each_gpu_model_saved(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("/fleet")
    page.locator(".models th a").first.evaluate("link => { link.textContent = 'NVIDIA H100 80GB HBM3'; }")

    saved = page.get_by_role("columnheader", name="Energy saved")
    saved.scroll_into_view_if_needed()
    assert page.locator(".scroll").evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_a_chart_without_data_says_why_at_its_top_and_offers_no_table(visit: Visit) -> None:
    page = visit.open("/")
    page.request.post(f"{visit.site.url}/jobs", data=spec(job_id="fresh"))
    try:
        visit.open_job("fresh")
        savings = visit.draw("savings")

        expect(savings.locator(".summary")).to_contain_text("Not enough data yet")
        expect(savings.get_by_role("link", name="Data as a table")).to_be_hidden()
        expect(savings.locator("figcaption")).to_have_css("margin-top", "0px")
    finally:
        visit.open("/")
        page.request.delete(f"{visit.site.url}/jobs?job_id=fresh")


def test_runs_are_numbered_in_charts_as_in_tables(visit: Visit) -> None:
    visit.open_job(BIG_JOB)

    expect(visit.draw("cost").locator(".xtick").last).to_have_text("5\u202f000")


def test_on_a_phone_the_meaning_of_a_field_of_the_api_stands_on_the_screen(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    cells = visit.open("/docs").locator("#JobView tr td:last-child, #get-api-v1-trials tr td:last-child")
    boxes = [box for cell in cells.all() if (box := cell.bounding_box())]

    assert len(boxes) > 20
    assert all(box["x"] + box["width"] <= PHONE["width"] and box["width"] > 250 for box in boxes)
