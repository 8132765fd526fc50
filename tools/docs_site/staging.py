"""Prepares the pages of the site: copies of what stands in the repository, with links that work on the site."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

HOME = "index.md"
ROOT_PAGES = {
    "README.md": HOME,
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
}
"""Pages of the site that stand at the root of the repository, where GitHub looks for them."""

FILES = "files"
"""The folder of the site that has the files that pages link to, such as example scripts."""

_CODE = re.compile(r"^( *```).*?^\1`*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(?<=\]\()([^)\s]+)(?=[^)]*\))")
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def stage(root: Path, target: Path) -> None:
    """Fill a folder with the pages, their pictures and the files that they link to.

    Args:
        root: The repository.
        target: The folder, which is emptied first.

    Raises:
        FileNotFoundError: A page links to a file that does not exist.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target)
    for name, page in ROOT_PAGES.items():
        if (root / name).exists():
            shutil.copy(root / name, target / page)
    for path in sorted(target.rglob("*.md")):
        page = path.relative_to(target).as_posix()
        text = _links_of_site(path.read_text(), page, root, target)
        path.write_text(_with_pictures(text, path))


def source_of(page: str) -> str:
    """The file of the repository that a page of the site is made from."""
    at_root = {site: name for name, site in ROOT_PAGES.items()}
    return at_root.get(page, f"docs/{page}")


def page_of(source: str) -> str | None:
    """The page, picture or file of the site that a file of the repository becomes; None for other files."""
    if source in ROOT_PAGES:
        return ROOT_PAGES[source]
    return source.removeprefix("docs/") if source.startswith("docs/") else None


def _links_of_site(text: str, page: str, root: Path, target: Path) -> str:
    """A page whose links lead to other pages of the site, or to copies of files."""

    def rewritten(found: re.Match[str]) -> str:
        link, hash_sign, anchor = found[1].partition("#")
        if not link or re.match(r"[a-z]+:", link):
            return found[0]
        source = posixpath.normpath(posixpath.join(posixpath.dirname(source_of(page)), link))
        place = page_of(source) or _copied(source, root, target)
        return posixpath.relpath(place, posixpath.dirname(page) or ".") + hash_sign + anchor

    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_TARGET.sub(rewritten, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _TARGET.sub(rewritten, text[end:])])


def _copied(source: str, root: Path, target: Path) -> str:
    """Copy a file that is no page; returns its place on the site."""
    # A web server knows the kind of file by its name, and shows a text rather than offering it as a download.
    place = f"{FILES}/{source}.txt"
    (target / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / source, target / place)
    return place


def _with_pictures(text: str, path: Path) -> str:
    """A page with pictures in place of its diagrams, which a browser could draw only with a script from elsewhere."""
    if not _DIAGRAM.search(text):
        return text
    import mermaidx

    numbers = iter(range(1, 100))

    def drawn(found: re.Match[str]) -> str:
        picture = path.with_name(f"{path.stem}-{next(numbers)}.svg")
        picture.write_text(mermaidx.render(found[1], config={"htmlLabels": False}).svg())
        heading = re.findall(r"^#+ (.+)$", text[: found.start()], re.MULTILINE)[-1]
        return f"![{heading}, as a diagram]({picture.name})"

    return _DIAGRAM.sub(drawn, text)
