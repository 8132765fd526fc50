"""A person logs in to the dashboard with a browser, and out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.browser.conftest import EXCESS
from tests.support.access import JOB, TOKENS, WRONG, GuardedServer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server that asks for tokens, with one job."""
    with GuardedServer(tmp_path_factory.mktemp("guarded") / "zeus-bso.db") as server:
        server.prepare()
        yield server


@pytest.fixture
def page(context: BrowserContext, guarded: GuardedServer) -> Iterator[Page]:
    """A page; at the end nothing may have gone wrong on it but that a token was refused."""
    wrongs: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "401 (Unauthorized)" not in message.text:
            wrongs.append(message.text)

    opened = context.new_page()
    opened.on("console", heard)
    opened.on("pageerror", lambda error: wrongs.append(str(error)))
    yield opened
    assert wrongs == []


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_person_logs_in_sees_the_job_they_wanted_and_logs_out(page: Page, guarded: GuardedServer) -> None:
    wanted = f"{guarded.process.url}/job?job_id={JOB}"
    page.goto(wanted)
    log_in(page, WRONG)
    expect(page.get_by_role("alert")).to_have_text("This server does not know the token.")

    log_in(page, TOKENS["team-a"])
    expect(page).to_have_url(wanted)
    expect(page.get_by_role("heading", level=1)).to_contain_text(JOB)
    page.wait_for_load_state()
    for chart in page.locator("[data-chart]").all():
        chart.scroll_into_view_if_needed()
        expect(chart).to_have_attribute("data-drawn", "")
    expect(page.locator("form.user")).to_contain_text("team-a")

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.goto(wanted)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_page_whose_session_has_ended_goes_to_the_login(page: Page, guarded: GuardedServer) -> None:
    page.goto(guarded.process.url)
    log_in(page, TOKENS["boss"])
    expect(page.get_by_text(JOB)).to_be_visible()

    page.context.clear_cookies()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_login_fits_a_phone_and_needs_no_mouse(page: Page, guarded: GuardedServer) -> None:
    page.set_viewport_size({"width": 320, "height": 600})
    page.goto(guarded.process.url)
    excess = page.evaluate(EXCESS)
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(TOKENS["boss"])
    page.keyboard.press("Enter")

    assert excess == 0
    expect(page.get_by_text(JOB)).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_be_in_viewport()
    page.wait_for_load_state()
    assert page.evaluate(EXCESS) == 0
