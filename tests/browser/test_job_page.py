"""A job's page, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import BIG_JOB, LIMITED_JOB, ODD_JOB, Visit
from tests.support.requests import request

POLLED_S = 5
"""A page asks so often for what is new."""


def test_power_limits_are_shown_for_the_sizes_that_matter_and_the_others_on_demand(visit: Visit) -> None:
    page = visit.open_job(LIMITED_JOB)
    chart = visit.draw("limits")

    expect(page.locator(".saved h2")).to_contain_text("at 200\xa0W")
    expect(page.locator(".saved .split")).to_contain_text("batch sizes saved")
    expect(chart.locator(".summary")).to_contain_text("of 40 batch sizes")
    expect(chart.locator(".scatterlayer .trace")).to_have_count(5)
    expect(chart.locator(".legend .traces")).to_have_count(10)
    chart.locator(".legend .legendtoggle").first.click()
    expect(chart.locator(".scatterlayer .trace")).to_have_count(6)
    expect(page.locator("#sizes tbody tr").last).to_contain_text("so far")
    expect(page.locator("#trials tbody tr").first).to_contain_text("200\xa0W")
    chart.get_by_role("link", name="Data as a table").click()
    expect(page.locator("tbody tr").nth(40)).to_be_attached()


def test_a_job_without_power_limits_says_nothing_of_them(visit: Visit) -> None:
    page = visit.open_job(ODD_JOB)

    expect(page.locator("#chart-savings")).to_be_visible()
    expect(page.locator("#chart-limits")).to_have_count(0)
    expect(page.locator("#sizes")).not_to_contain_text("limit")
    expect(page.locator("#trials")).not_to_contain_text("Limit")


def test_it_says_what_it_will_choose_next_and_why(visit: Visit) -> None:
    page = visit.open_job(BIG_JOB)
    shares = page.locator(".chances .num").all_inner_texts()

    expect(page.locator(".next")).to_contain_text(re.compile("batch size 1\\d\\d"))
    expect(page.locator(".next .reason")).to_contain_text("The next run's size is drawn")
    assert 90 <= sum(int(share.rstrip("\xa0%").lstrip("<>")) for share in shares) <= 101
    visit.open_job()
    expect(page.locator(".next .reason")).to_contain_text("The next run")


def test_more_trials_are_drawn_on_demand(visit: Visit) -> None:
    page = visit.open_job(BIG_JOB)
    summary = page.locator("#chart-cost .summary")

    expect(summary).to_contain_text("The latest 200 of 5\u202f000 trials.")
    page.get_by_role("radio", name="Latest 1,000").check(force=True)
    expect(summary).to_contain_text("The latest 1\u202f000 of 5\u202f000 trials.")
    page.get_by_role("radio", name="All").check(force=True)
    expect(summary).to_contain_text("Every 5th of 5\u202f000 trials, and all of the latest 100.")
    page.locator("#chart-cost").get_by_role("link", name="Data as a table").click()
    expect(page.locator(".reason")).to_contain_text("Every 5th of 5\u202f000 trials")
    expect(page.locator("tbody tr")).to_have_count(1_080)


def test_the_runs_of_a_chart_are_walked_by_keyboard_and_told_with_a_link(visit: Visit) -> None:
    page = visit.open_job(BIG_JOB)
    chart = visit.draw("cost")
    told = chart.locator(".pointed .told")
    chart.get_by_role("button", name="Run before").focus()
    page.keyboard.press("Enter")

    expect(told).to_have_text(re.compile(r"trial 5\s000"))
    page.keyboard.press("ArrowLeft")
    expect(told).to_have_text(
        re.compile(r"trial 4\s999, batch size \d+, running, .*\sWh, .*\smin.*, 2026-\d\d-\d\d .*")
    )
    expect(chart.locator(".hoverlayer .hovertext")).to_contain_text("trial 4\u202f999")
    expect(chart.get_by_role("link", name="Open trial 4999")).to_have_attribute("href", re.compile("number=4999$"))
    chart.get_by_role("radio", name="Energy").check(force=True)
    expect(chart.locator(".ytitle")).to_contain_text("energy (Wh)")
    expect(chart.locator(".summary")).to_contain_text("default batch size 1\u202f152 takes")


def test_trials_are_filtered_and_paged_in_place(visit: Visit) -> None:
    page = visit.open_job(BIG_JOB)
    page.evaluate("window.sameDocument = true")
    rows = page.locator("#trials tbody tr")
    expect(rows.first).to_contain_text("running")
    page.get_by_label("State").select_option("failed")

    expect(rows.first).to_contain_text("crashed")
    chart = page.locator("#chart-cost")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".summary")).to_contain_text("4 of them match the filter. 0 converged")
    older = page.get_by_role("link", name="Older")
    last = rows.last.locator("th").inner_text()
    older.focus()
    page.keyboard.press("Enter")
    expect(rows.last.locator("th")).not_to_have_text(last)
    expect(older).to_be_focused()
    page.locator("#trial-filter [name=size]").select_option("8")
    expect(page.locator("#trials")).to_contain_text("No trial matches.")
    assert page.evaluate("window.sameDocument")


def test_the_whole_job_can_be_taken_away(visit: Visit) -> None:
    page = visit.open_job(ODD_JOB)
    link = page.get_by_role("link", name="Export").get_attribute("href")
    answer = page.request.get(f"{visit.site.url}{link}")

    assert answer.ok
    assert ODD_JOB in answer.text().encode().decode("unicode_escape" if "\\u05d0" in answer.text() else "utf-8")


def test_a_run_appears_as_it_goes_without_a_reload_and_without_loss_of_focus(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open_job()
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_role("status")).to_have_text("Live")
    field = page.get_by_label("State")
    field.focus()
    offer = request("POST", f"{visit.site.url}/api/v1/trials", json={"job_id": visit.site.real_job}).json()
    running = page.locator("#running")
    number = offer["trial_number"]

    visit.pass_time(POLLED_S)
    expect(running).to_contain_text(f"Trial {number}")
    trial = {name: offer[name] for name in ("job_id", "batch_size", "trial_number")}
    report = trial | {"time": 0.001, "energy": 0.001, "metric": 0.4321, "current_epoch": 1}
    assert request("POST", f"{visit.site.url}/report", json=report).status == 200
    visit.pass_time(POLLED_S)
    expect(running).to_contain_text("0.4321")
    assert request("PATCH", f"{visit.site.url}/trials", json=trial | {"reason": "cancelled"}).status == 200
    visit.pass_time(POLLED_S)
    expect(running).to_be_empty()
    expect(page.locator("#trials tbody tr").first).to_contain_text("cancelled")
    expect(field).to_be_focused()
    page.locator("#chart-cost").scroll_into_view_if_needed()
    expect(page.locator("#chart-cost .summary")).to_contain_text(f"{number} trials.")
    assert page.evaluate("window.sameDocument")


def test_nothing_is_sent_again_while_nothing_happens_and_nothing_is_asked_in_a_hidden_tab(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open_job(ODD_JOB)
    with page.expect_response(lambda answer: "/job?" in answer.url):
        visit.pass_time(POLLED_S)
    with page.expect_response(lambda answer: "/job?" in answer.url) as second:
        visit.pass_time(POLLED_S)

    assert second.value.status == 304
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(page.get_by_role("status")).to_have_text("Paused")


def test_a_server_that_is_away_is_said_boldly_until_it_is_back(visit: Visit) -> None:
    page = visit.open_job(ODD_JOB)
    gap = page.get_by_role("alert").filter(has_text="has not answered since")
    page.route("**/job?*", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(gap).to_be_visible()
    expect(page.locator("#live")).to_have_text("No answer")
    page.unroute("**/job?*")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(gap).to_be_hidden()
    visit.wrongs = [wrong for wrong in visit.wrongs if "ERR_FAILED" not in wrong]


def test_a_click_on_a_mark_opens_the_page_of_its_trial(visit: Visit) -> None:
    page = visit.open_job(BIG_JOB)
    chart = visit.draw("cost")
    chart.locator(".trace .points path").nth(50).hover(force=True)
    expect(chart.locator(".pointed .told")).to_contain_text("batch size")
    chart.locator(".trace .points path").nth(50).click(force=True)

    expect(page.locator("h1")).to_contain_text("Trial 4")
    visit.draw_all()
    expect(page.locator("#trial")).to_contain_text("Why this batch size")
    page.get_by_role("link", name="→").click()
    expect(page.locator("#reports")).to_be_visible()
