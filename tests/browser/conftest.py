"""A browser, and a server process whose jobs it looks at: a real training script's, and one with a long history."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support.databases import look
from tests.support.history import History
from tests.support.jobs import spec
from tests.support.process import ServerProcess
from tests.support.requests import request
from zeus_bso.cli.demo import training_script

BIG_JOB, BIG_JOB_TRIALS = "nightly/resnet50 40 sizes", 5_000
ODD_JOB = "<b>\"bold\" & 'odd'</b> \u05d0\u05d1\u05d2"
LIMITED_JOB = "hourly/bert power limits"
PRICES = {
    "ZEUS_BSO_ELECTRICITY_PRICE": "0.25",
    "ZEUS_BSO_CURRENCY": "EUR",
    "ZEUS_BSO_CARBON_INTENSITY": "300",
}
WIDE = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LIGHT, DARK = "rgb(247, 246, 243)", "rgb(18, 19, 20)"

EXCESS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""By how much a page is wider than its screen [px]."""

PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Site:
    """A server that has something to show.

    Attributes:
        url: Its address.
        database_url: Its database.
        real_job: The id of the job whose run was real.
    """

    url: str
    database_url: str
    real_job: str


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server process with some jobs.

    One had a real run, one 5,000 trials with 40 batch sizes, one has an odd name, and one power limits of 40 sizes.
    """
    folder = tmp_path_factory.mktemp("dashboard")
    with ServerProcess(folder / "jobs.db", environment=PRICES) as process:
        yield _with_jobs(process.url, f"sqlite:///{folder / 'jobs.db'}")


def _with_jobs(url: str, database_url: str) -> Site:
    # A run that fails to converge ends with 1, which means: launch it again.
    subprocess.run(
        [sys.executable, str(training_script())],
        env=os.environ | {"ZEUS_BSO_SERVER_URL": url},
        check=False,
        capture_output=True,
        timeout=240,
    )
    (real,) = request("GET", f"{url}/api/v1/jobs").json()
    big = History(BIG_JOB, BIG_JOB_TRIALS)
    message = "<img src=x onerror=alert(1)> \"quoted\" 'so'"
    odd = big.shorter(ODD_JOB, 60, batch_sizes=[8, 16, 32], default_batch_size=16, message=message)
    limited = big.shorter(LIMITED_JOB, 600, limited=True)
    for history in (big, odd, limited):
        request("POST", f"{url}/jobs", json=spec(**history.spec))
        look(database_url, history.write)
    return Site(url, database_url, real["job_id"])


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("NO CHROMIUM: the dashboard cannot be looked at; on Debian: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


def address(job_id: str, path: str = "/job", **more: object) -> str:
    """Where a page of a job is."""
    return f"{path}?{urlencode({'job_id': job_id, **more})}"


def missing(message: str) -> None:
    """Skip the test loudly, since a tool is missing; in CI fail."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _draw(chart: Locator) -> None:
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-drawn", "")


@dataclass
class Visit:
    """A page in a browser, and what it did that it should not have done.

    Attributes:
        page: The page.
        wrongs: Errors in the console, and requests to other hosts.
    """

    page: Page
    site: Site
    wrongs: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a path of the site."""
        self.page.goto(self.site.url + path)
        return self.page

    def open_job(self, job_id: str | None = None) -> Page:
        """Go to a job's page; by default that of the real run."""
        return self.open(address(job_id or self.site.real_job))

    def draw(self, name: str) -> Locator:
        """Bring a chart into view and wait until it is drawn; returns it."""
        chart = self.page.locator(f"#chart-{name}")
        _draw(chart)
        return chart

    def draw_all(self) -> None:
        """Bring every chart into view and wait until it is drawn."""
        for chart in self.page.locator("[data-chart]").all():
            _draw(chart)

    def pass_time(self, seconds: float) -> None:
        """Let time pass on a page whose clock was installed before it was opened."""
        self.page.clock.run_for(int(1000 * seconds))

    def watch(self) -> None:
        """Note what goes wrong from now on."""
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrongs.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(self.site.url):
            self.wrongs.append(f"asked for {request.url}")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    opened = browser.new_context(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def visit(context: BrowserContext, site: Site) -> Iterator[Visit]:
    """A page; at the end of the test nothing may have gone wrong on it."""
    visit = Visit(context.new_page(), site)
    visit.watch()
    yield visit
    assert visit.wrongs == []
