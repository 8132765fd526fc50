"""Files about the project agree with it: the changelog, the citation, the workflows, the navigation of the site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.docs_site.llms import first_sentence, llms_txt, pages_of
from tools.docs_site.staging import ROOT_PAGES, page_of, stage

from zeus_bso import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
SITE = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_the_changelog_begins_with_this_version_and_its_date() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    dated = [heading for heading in headings if heading != "Unreleased"]
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", dated[0])


def test_the_changelog_has_the_usual_sections() -> None:
    sections = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(sections) <= {"Added", "Changed", "Fixed", "Removed", "Deprecated", "Security"}


def test_the_citation_names_this_version_and_the_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["cff-version"], citation["version"], citation["license"]) == (
        "1.2.0",
        __version__,
        PROJECT["license"],
    )


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_that_exist_and_pins_what_it_uses(workflow: Path) -> None:
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    called = {target for command in commands for target in re.sub(r"^make ", "", command).split() if "make " in command}
    used = [step["uses"] for step in steps(workflow) if "uses" in step]

    assert called - TARGETS == set()
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+)*", action)] == []
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}


def test_every_supported_python_is_in_the_matrix() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["fast"]["strategy"]["matrix"]
    supported = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert supported | {"3.14"} == set(matrix["python"])


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_an_issue_form_is_whole(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    assert all("label" in part["attributes"] for part in content["body"] if part["type"] != "markdown")


def test_every_page_stands_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")} | set(ROOT_PAGES)
    listed = [page for _, page in pages_of(SITE["nav"])]
    generated = {page for page in listed if page.startswith("reference/")}

    assert {page_of(page) for page in pages} == set(listed) - generated
    assert len(listed) == len(set(listed))


def test_a_page_on_the_site_links_to_pages_and_to_copies_of_files(tmp_path: Path) -> None:
    for name, text in {
        "README.md": "[a](docs/a.md#x) ![b](docs/images/b.png) [c](examples/c.py) [d](https://d.example) `[e](f)`\n",
        "docs/a.md": "[home](../README.md)\n\n```text\n[not](a-link)\n```\n",
        "docs/images/b.png": "",
        "examples/c.py": "pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    stage(tmp_path, tmp_path / "site")

    site = tmp_path / "site"
    assert (site / "index.md").read_text() == (
        "[a](a.md#x) ![b](images/b.png) [c](files/examples/c.py.txt) [d](https://d.example) `[e](f)`\n"
    )
    assert (site / "a.md").read_text() == "[home](index.md)\n\n```text\n[not](a-link)\n```\n"
    assert (site / "files/examples/c.py.txt").read_text() == "pass\n"


def test_a_link_to_a_file_that_does_not_exist_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("[gone](../gone.py)\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        stage(tmp_path, tmp_path / "site")


def test_the_contents_for_language_models_list_every_page(tmp_path: Path) -> None:
    for _, page in pages_of(SITE["nav"]):
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text("# Title\n\nIt says this. And more.\n")
    text = llms_txt("zeus-bso", "What it is.", SITE["nav"], tmp_path)

    assert text.startswith("# zeus-bso\n\n> What it is.\n\n## Start here\n\n- [Quick start](index.md): It says this.\n")
    assert re.findall(r"^- \[.+\]\((.+)\): It says this\.$", text, re.MULTILINE) == [
        page for _, page in pages_of(SITE["nav"])
    ]


def test_the_first_sentence_of_a_page_is_prose() -> None:
    page = "# Title\n\n```shell\nls\n```\n\n| a |\n|---|\n\n[A job](b.md) is `this`.\nNothing else.\n"
    assert first_sentence(page) == "A job is `this`."
