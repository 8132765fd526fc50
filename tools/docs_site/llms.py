"""``llms.txt``: the contents of the site for language models (https://llmstxt.org)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Nav = Sequence[Mapping[str, "str | Nav"]]

_NOT_PROSE = ("#", "|", "!", "<", "-", "::", "    ")


def llms_txt(name: str, description: str, nav: Nav, pages: Path) -> str:
    """The text: the name, one sentence, and each page by section with the first sentence of its text.

    Args:
        name: The name of the site.
        description: What it is about, in one sentence.
        nav: The navigation of the site: titles with pages, or with a navigation of their own.
        pages: The folder of the pages in Markdown.
    """
    return "\n".join([f"# {name}\n", f"> {description}\n", *_sections(nav, pages)]) + "\n"


def pages_of(nav: Nav) -> Iterator[tuple[str, str]]:
    """The title and the file of each page, in their order."""
    for entry in nav:
        for title, content in entry.items():
            if isinstance(content, str):
                yield title, content
            else:
                yield from pages_of(content)


def first_sentence(text: str) -> str:
    """The first sentence of a page's prose, without links and marks."""
    for paragraph in re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).split("\n\n"):
        prose = paragraph.strip("\n")
        if prose and not prose.startswith(_NOT_PROSE):
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(prose.split()))
            return re.split(r"(?<=[.!?]) (?=[A-Z`\[])", plain)[0]
    return ""


def _sections(nav: Nav, pages: Path) -> Iterator[str]:
    alone = [entry for entry in nav if all(isinstance(content, str) for content in entry.values())]
    yield from _section("Start here", alone, pages)
    for entry in nav:
        for title, content in entry.items():
            if not isinstance(content, str):
                yield from _section(title, content, pages)


def _section(title: str, nav: Nav, pages: Path) -> Iterator[str]:
    yield f"## {title}\n"
    for name, page in pages_of(nav):
        about = first_sentence((pages / page).read_text())
        yield f"- [{name}]({page})" + (f": {about}" if about else "")
    yield ""
