"""Looks for broken links on the built site, and for what a page would load from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("link", "href")}


class _Page(HTMLParser):
    """What a page links to, what it loads, and where links into it may lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element refers to."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append(value)
                if (tag, name) in _LOADED:
                    self.loaded.append(value)


def broken_links(site: Path) -> list[str]:
    """Every link of the site that leads nowhere within it, as ``page: link``."""
    return [
        f"{page.relative_to(site)}: {link}"
        for page in _pages(site)
        for link in dict.fromkeys(_read(page).links)
        if _leads_nowhere(link, page, site)
    ]


def foreign_loads(site: Path) -> list[str]:
    """Every script, style, picture or font that a page loads from another host, as ``page: address``."""
    return [
        f"{page.relative_to(site)}: {address}"
        for page in _pages(site)
        for address in dict.fromkeys(_read(page).loaded)
        if urlsplit(address).netloc
    ]


def _pages(site: Path) -> Iterator[Path]:
    yield from sorted(site.rglob("*.html"))


@cache
def _read(page: Path) -> _Page:
    return _Page(page.read_text())


def _leads_nowhere(link: str, page: Path, site: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    start = site if parts.path.startswith("/") else page.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor and target.suffix == ".html" and anchor not in _read(target).anchors)
