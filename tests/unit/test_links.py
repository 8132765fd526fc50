"""Every relative link of the documentation leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|(?:href|src)=\"([^\"]+)\"|^\[[^\]]+\]: *(\S+)", re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links to files of this repository."""
    for found in _LINK.finditer(_CODE.sub("", page.read_text())):
        target = found[1] or found[2] or found[3]
        if not re.match(r"[a-z]+:", target):
            yield target


@cache
def anchors(page: Path) -> frozenset[str]:
    """What a link into a page may name, as GitHub makes it of headings."""
    names: list[str] = []
    for title in re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return frozenset(names)


def leads_nowhere(page: Path, link: str) -> bool:
    """Whether there is no such file, or no such heading in it."""
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target.resolve()))


def test_every_link_within_the_documentation_leads_somewhere() -> None:
    found = [(page, link) for page in PAGES for link in links(page)]
    assert len(found) > 20
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in found if leads_nowhere(page, link)] == []
