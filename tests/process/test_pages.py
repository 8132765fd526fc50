"""Whoever does what the pages for users say, from the first block to the last, gets what they promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.support.extras import extras, named_extras, unknown_extras
from tests.support.pages import PATIENCE_S, ROOT, TRAINING, Block, PageRun, blocks_of, run_page

from zeus_bso import connect
from zeus_bso.cli.main import _EXTRAS

pytestmark = pytest.mark.timeout(PATIENCE_S)

ELSEWHERE = {
    "docs/tutorial.md": "tests/frameworks",
    "docs/howto/trackers.md": "tests/frameworks",
    "docs/howto/from-zeus.md": "tests/frameworks",
    "docs/howto/cluster.md": "tests/databases",
}
"""Pages whose tests need more than is here."""

DOCTOR = {"zeus-bso doctor": 3}
"""What the doctor says of a machine that can only estimate."""


def test_every_page_for_users_is_run_somewhere() -> None:
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "howto").glob("*.md")]
    here = {f"docs/howto/{name}.md" for name in ("gpu-machine", "notebook", "slurm", "kubernetes")}

    assert {page for page in pages if page not in ELSEWHERE} == here


def test_a_page_without_a_block_of_its_own_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Nothing to do\n")
    with pytest.raises(AssertionError, match="has no block"):
        run_page(tmp_path / "page.md", PageRun(tmp_path))


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```shell\npip install '.[serveur]'\n```\n")
    with pytest.raises(AssertionError, match="no extra serveur"):
        run_page(tmp_path / "page.md", PageRun(tmp_path))


def test_python_that_fails_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError, match="AssertionError"):
        run_page(tmp_path / "page.md", PageRun(tmp_path))


def test_a_job_on_a_machine_of_ones_own(tmp_path: Path) -> None:
    run = PageRun(tmp_path, exit_codes=DOCTOR, forked=True)
    run_page("docs/howto/gpu-machine.md", run)

    with connect(f"sqlite:///{tmp_path}/zeus-bso.db") as results:
        assert [trial.batch_size for trial in results.trials("mnist")] == [128]
    assert "mnist" in run.said


def test_a_job_in_a_notebook(tmp_path: Path) -> None:
    run_page("docs/howto/notebook.md", PageRun(tmp_path))

    with connect(f"sqlite:///{tmp_path}/jobs.db") as results:
        assert [trial.outcome for trial in results.trials("notebook")] == ["converged"]


def test_a_slurm_job_that_is_requeued_goes_on_with_its_trial(
    tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", server_url)
    monkeypatch.setenv("TEST_SLURM_JOB_ID", "4711")
    run = PageRun(tmp_path, exit_codes={"sbatch": 143})
    submit = [block for block in blocks_of("docs/howto/slurm.md") if block.language == "shell"]
    run_page("docs/howto/slurm.md", run)
    saved = json.loads((tmp_path / "checkpoint.json").read_text())
    with run:
        run.run(submit[-1])

    with connect(server_url) as results:
        [trial] = results.trials("mnist")
    assert saved["epoch"] == 1
    assert (trial.outcome, trial.current_epoch) == ("converged", 9)


def test_manifests_for_kubernetes(tmp_path: Path) -> None:
    run_page("docs/howto/kubernetes.md", PageRun(tmp_path))


def test_commands_for_trouble(tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page about trouble names a job and its first trial, which is still open."""
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", server_url)
    run = PageRun(tmp_path, exit_codes=DOCTOR, forked=True)
    job = next(block for block in blocks_of("docs/howto/gpu-machine.md") if block.title == "train.py")
    begun = f"import os\n{job.text.partition('with ')[0]}bso = BatchSizeOptimizer(EnergyMonitor(), job=job)\n"
    run.run(Block("python", "", f"{begun}bso.get_batch_size()\n"))
    run_page("docs/faq.md", run)

    with connect(server_url) as results:
        [trial] = results.trials("mnist")
    assert (trial.status, trial.reason) == ("Failed", "cancelled")


def test_the_skill_for_agents(tmp_path: Path) -> None:
    skill = ROOT / "skills" / "zeus-bso" / "SKILL.md"
    run_page(skill, PageRun(tmp_path, exit_codes=DOCTOR, forked=True))

    _, head, _ = skill.read_text().split("---\n", 2)
    described = yaml.safe_load(head)
    assert described["name"] == skill.parent.name
    assert 100 < len(described["description"]) <= 1024
    with connect(f"sqlite:///{tmp_path}/jobs.db") as results:
        assert [trial.outcome for trial in results.trials("mnist")] == ["converged"]


def test_the_readme(tmp_path: Path) -> None:
    """Its job is launched twice, by a server and on a file, before the commands name it."""
    run = PageRun(tmp_path, replaced={"make demo": "zeus-bso version"}, exit_codes=DOCTOR, forked=True)
    blocks = [block for block in blocks_of("README.md") if "docker" not in block.text and "DB_USER" not in block.text]
    [script] = [block for block in blocks if block.language == "python"]
    # A script that names its server cannot be recorded, and is told so.
    recorded = script.text.replace('    server_url="http://127.0.0.1:8000",\n', "")
    assert recorded != script.text
    (tmp_path / "train.py").write_text(f"{TRAINING}\n{recorded}")
    with run:
        for block in blocks:
            run.run(block)
            if block is script:
                file = script.text.replace("http://127.0.0.1:8000", "sqlite:///jobs.db")
                run.run(Block("python", "", f"{file}\nprint('named', bso.job_id)"))
                run.replaced |= {"JOB_ID": run.said.split("named ")[1].split()[0]}
                run.run(Block("shell", "", f"export ZEUS_BSO_SERVER_URL={run.url}"))

    assert (tmp_path / "figures").is_dir()
    assert "mnist-dev" in run.said


def test_every_install_hint_names_an_extra_that_exists() -> None:
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for folder, kinds in {"src": ("py", "html"), "docs": ("md",), "examples": ("py",), "skills": ("md",)}.items()
        for kind in kinds
        for path in (ROOT / folder).rglob(f"*.{kind}")
    } | {"README.md": (ROOT / "README.md").read_text()}

    assert sum(len(named_extras(text)) for text in texts.values()) > 15
    assert {name: unknown for name, text in texts.items() if (unknown := unknown_extras(text))} == {}
    assert set(_EXTRAS.values()) <= extras()
