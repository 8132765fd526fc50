"""The list of jobs, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import BIG_JOB, ODD_JOB, Visit


def test_the_chosen_size_and_the_saving_stand_in_the_jobs_own_row(visit: Visit) -> None:
    row = visit.open("/").get_by_role("row").filter(has_text=BIG_JOB)

    expect(row.locator("[data-name='Chosen size']")).to_have_text(re.compile(r"\d+\s+default 1\s152"))
    expect(row.locator("[data-name='Energy saved']")).to_have_text(re.compile(r"\d\skWh\s+\d+\s% less"))
    for name, unit in (("Time saved", "d"), ("Money saved", "EUR"), ("CO₂e avoided", "kg")):
        expect(row.locator(f"[data-name='{name}']")).to_contain_text(re.compile(rf"\d\s{unit}"))
    expect(row.locator("[data-name='Runs']")).to_have_text(re.compile(r"5\s000\s+2 running"))


def test_estimated_energy_is_marked_or_the_source_is_measured(visit: Visit) -> None:
    page = visit.open_job()
    source = page.request.get(f"{visit.site.url}/api/v1/job", params={"job_id": visit.site.real_job}).json()[
        "energy_source"
    ]

    expect(page.locator("#facts")).to_contain_text("estimated" if source == "estimate" else source)


def test_typing_narrows_the_list_at_once_and_the_address_can_be_shared(visit: Visit) -> None:
    page = visit.open("/")
    page.evaluate("window.sameDocument = true")
    search = page.get_by_role("searchbox")
    search.press_sequentially("RESNET")

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text(BIG_JOB)
    expect(search).to_be_focused()
    expect(page).to_have_url(re.compile("q=RESNET"))
    assert page.evaluate("window.sameDocument")
    search.fill("nothing like it")
    expect(page.locator("#jobs")).to_contain_text("No job matches “nothing like it”")
    page.get_by_role("link", name="Show all jobs").click()
    expect(page.locator("tbody tr")).to_have_count(4)


def test_the_heads_of_columns_sort_and_keep_the_focus(visit: Visit) -> None:
    page = visit.open("/")
    runs = page.get_by_role("columnheader", name="Runs")
    runs.get_by_role("button").focus()
    page.keyboard.press("Enter")

    expect(runs).to_have_attribute("aria-sort", "descending")
    expect(runs.get_by_role("button")).to_be_focused()
    expect(page.locator("tbody tr").first).to_contain_text(BIG_JOB)
    page.keyboard.press("Enter")
    expect(runs).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tbody tr").last).to_contain_text(BIG_JOB)
    expect(page).to_have_url(re.compile("sort=runs"))


def test_every_column_can_be_sorted_by(visit: Visit) -> None:
    page = visit.open("/")
    for name in page.locator("thead button").all_inner_texts():
        head = page.get_by_role("columnheader", name=name, exact=True)
        before = head.get_attribute("aria-sort")
        head.get_by_role("button").click()
        expect(head).not_to_have_attribute("aria-sort", before or "none")
        expect(head).to_have_attribute("aria-sort", re.compile("ascending|descending"))
        expect(page.locator("thead [aria-sort]")).to_have_count(1)


def test_a_job_of_an_odd_name_opens_and_is_shown_as_it_is_called(visit: Visit) -> None:
    page = visit.open("/")
    page.get_by_role("link", name=ODD_JOB).click()

    expect(page.locator("h1")).to_have_text(ODD_JOB)
    expect(page).to_have_title(f"{ODD_JOB} · zeus-bso")
    page.locator("#trials tbody tr").filter(has_text="too dear").first.get_by_role("link").click()
    expect(page.locator("#trial")).to_contain_text("<img src=x onerror=alert(1)> \"quoted\" 'so'")


def test_the_fleet_adds_all_jobs_up_and_leads_to_those_of_a_gpu(visit: Visit) -> None:
    page = visit.open("/fleet")

    expect(page.get_by_role("heading", name="Saved against")).to_be_visible()
    expect(page.locator(".tile").filter(has_text="Energy saved")).to_contain_text("kWh")
    expect(page.locator(".tile").filter(has_text="Jobs")).to_contain_text("4")
    page.get_by_role("link", name="A100").click()
    expect(page.locator("tbody tr")).to_have_count(3)
