"""Builds the documentation site into build/site. A warning, a broken link or a part from elsewhere fails the build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tools.docs_site.built_links import broken_links, foreign_loads
from tools.docs_site.http_reference import http_page
from tools.docs_site.llms import llms_txt, pages_of
from tools.docs_site.reference import cli_page, python_pages, settings_page
from tools.docs_site.staging import stage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "build" / "docs"
SITE = ROOT / "build" / "site"
CONFIGURATION = ROOT / "zensical.toml"


def prepare(pages: Path = PAGES) -> None:
    """Write all pages in Markdown into a folder, generated ones too."""
    stage(ROOT, pages)
    generated = {**dict(python_pages()), "settings.md": settings_page(), "cli.md": cli_page(), "http.md": http_page()}
    (pages / "reference").mkdir()
    for name, text in generated.items():
        (pages / "reference" / name).write_text(text)


def describe_for_models(pages: Path = PAGES, site: Path = SITE) -> None:
    """Write ``llms.txt`` into the site, with the Markdown of the pages that it lists beside their HTML."""
    project = tomllib.loads(CONFIGURATION.read_text())["project"]
    (site / "llms.txt").write_text(llms_txt(project["site_name"], project["site_description"], project["nav"], pages))
    for _, page in pages_of(project["nav"]):
        (site / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pages / page, site / page)


def main() -> int:
    """Build the site; returns the exit code."""
    if sys.version_info < (3, 11):
        print("The documentation site needs Python 3.11 or newer, for example: make docs PYTHON=python3.12")
        return 1
    prepare()
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(CONFIGURATION)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        return 1
    describe_for_models()
    problems = [f"broken link: {link}" for link in broken_links(SITE)]
    problems += [f"loaded from elsewhere: {address}" for address in foreign_loads(SITE)]
    print("\n".join(problems or [f"The site is in {SITE.relative_to(ROOT)}: {len(list(SITE.rglob('*.html')))} pages."]))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
