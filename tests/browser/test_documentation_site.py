"""The documentation site as ``make docs`` has built it: search, entries, and nothing from elsewhere."""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from tools.docs_site.built_links import broken_links, foreign_loads

from tests.support.examples import public_names

SITE = Path(__file__).resolve().parents[2] / "build" / "site"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing."""


@pytest.fixture(scope="module")
def built() -> Path:
    """The site; in CI, it has been built before the tests run."""
    if not (SITE / "index.html").exists():
        message = "NO SITE: the documentation site is not looked at; run make docs first"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SITE


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    """Where a web server serves the site."""
    handler = functools.partial(_Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_word_is_found_by_search_and_nothing_comes_from_elsewhere(address: str, context: BrowserContext) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/concepts/")
    page.get_by_role("button", name="Search").first.click()
    page.get_by_role("combobox", name="Search").fill("heartbeat")

    found = page.get_by_role("option").filter(has=page.locator("mark", has_text=re.compile("heartbeat", re.IGNORECASE)))
    expect(found.first).to_be_visible()
    assert len(asked) > 3
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def test_every_picture_of_the_site_is_drawn(address: str, context: BrowserContext) -> None:
    page = context.new_page()
    for path in ("", "concepts/", "architecture/"):
        page.goto(f"{address}/{path}", wait_until="networkidle")
        widths = page.eval_on_selector_all("article img", "images => images.map(image => image.naturalWidth)")
        assert widths
        assert min(widths) > 100


def test_every_public_name_has_an_entry_on_the_site(built: Path) -> None:
    reference = "".join(path.read_text() for path in (built / "reference").rglob("*.html"))
    entries = set(re.findall(r'id="(zeus_bso[\w.]*)"', reference))

    assert {f"{module}.{name}" for module, name in public_names()} - entries == set()


def test_every_entry_shows_its_example(built: Path) -> None:
    reference = "".join(path.read_text() for path in (built / "reference").rglob("*.html"))
    assert reference.count("Examples:") >= len(public_names())


def test_the_contents_for_language_models_lead_to_pages(built: Path) -> None:
    links = re.findall(r"^- \[.+?\]\((.+?)\)", (built / "llms.txt").read_text(), re.MULTILINE)
    assert len(links) > 40
    assert [link for link in links if not (built / link).is_file()] == []


def test_no_link_of_the_site_is_broken(built: Path) -> None:
    assert broken_links(built) == []
    assert foreign_loads(built) == []


def test_a_broken_link_and_a_foreign_script_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text('<p id="x">')
    (tmp_path / "index.html").write_text(
        '<a href="there/#x"><a href="there/#y"><a href="gone/"><a href="https://example.org/"><img src="no.png">'
        '<script src="https://example.org/a.js"></script>'
    )

    assert broken_links(tmp_path) == ["index.html: there/#y", "index.html: gone/", "index.html: no.png"]
    assert foreign_loads(tmp_path) == ["index.html: https://example.org/a.js"]
