"""What is released: an sdist, and a wheel made of it that runs as client and server on every supported Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.e2e.test_wheel import REPOSITORY, SCRIPT, pip, run

from zeus_bso.cli.demo_api import DemoApi

pytestmark = pytest.mark.slow

VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def interpreter(version: str) -> str:
    """A Python of a version: of the path, or of pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        sys.executable if version == f"{sys.version_info.major}.{sys.version_info.minor}" else None,
        shutil.which(f"python{version}"),
        *sorted(map(str, root.glob(f"versions/{version}.*/bin/python"))),
    ]
    for candidate in filter(None, candidates):
        if (
            subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode
            == 0
        ):
            return candidate
    pytest.skip(f"NO PYTHON {version}: the wheel is not tried on it")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was made of it."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--outdir", folder, REPOSITORY, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_sdist_is_whole(released: Path) -> None:
    [sdist] = released.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    tracked = run("git", "ls-files", "src", "tests", "docs", "docker", "deploy", "benchmarks", cwd=REPOSITORY).stdout
    missing = {name for name in tracked.splitlines() if (REPOSITORY / name).exists()} - names
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
    assert not missing


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_serves_and_trains_in_an_empty_environment(released: Path, tmp_path: Path, version: str) -> None:
    [wheel] = released.glob("*.whl")
    environment = tmp_path / "venv"
    made = run(interpreter(version), "-m", "venv", environment, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    pip(python, "install", f"{wheel}[server]", cwd=tmp_path)
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    command = [str(environment / "bin" / "zeus-bso"), "serve", "--port", "0", "--database-url", "sqlite:///jobs.db"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://[^\s;]+:\d+", server.stdout.readline())
            assert found
            trained = run(python, "-W", "error", script, found.group(), cwd=tmp_path)
            [job] = DemoApi(found.group()).jobs()
        finally:
            server.terminate()

    assert trained.returncode == 0, trained.stderr
    assert job.job_id.startswith("bare-")
    assert server.returncode == 0
