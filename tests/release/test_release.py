"""What is released: an sdist, and a wheel made of it that runs as client and server on every supported Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.release.conftest import REPOSITORY, pip, run
from tests.release.test_wheel import SCRIPT
from tests.support.process import ServerProcess

import zeus_bso
from zeus_bso.cli.server_reader import ServerReader

PARTS = ("src", "tests", "docs", "docker", "deploy", "benchmarks", "skills", "tools")
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
SERVING = VERSIONS if os.environ.get("CI") else (VERSIONS[0], VERSIONS[-1])
"""Where the server of the wheel is tried too: to install and import it takes more than twice what a client takes."""


def interpreter(version: str) -> str:
    """A Python of a version: of the path, or of pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        sys.executable if version == f"{sys.version_info.major}.{sys.version_info.minor}" else None,
        shutil.which(f"python{version}"),
        *sorted(map(str, root.glob(f"versions/{version}.*/bin/python"))),
    ]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"NO PYTHON {version}: the wheel is not tried on it")


def test_the_sdist_is_whole(released: Path) -> None:
    [sdist] = released.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    tracked = run("git", "ls-files", *PARTS, cwd=REPOSITORY).stdout
    missing = {name for name in tracked.splitlines() if (REPOSITORY / name).exists()} - names
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
    assert not missing


def test_the_version_of_the_package_is_that_of_the_wheel(wheel: Path) -> None:

    assert wheel.name.startswith(f"zeus_bso-{zeus_bso.__version__}-")


def test_an_index_can_show_the_readme_as_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()

    assert "Description-Content-Type: text/markdown" in text
    assert 'pip install "zeus-bso[server]"' in text
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", text) == []
    assert 'pip install "zeus-bso[demo]"\nzeus-bso demo' in text
    for gone in ("picture", "make demo", "make test", "docker-compose", "Read on", "examples/", "Algorithms explains"):
        assert gone not in text, gone


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_trains_in_an_empty_environment_and_serves_there(wheel: Path, tmp_path: Path, version: str) -> None:
    serves = version in SERVING
    environment = tmp_path / "venv"
    made = run(interpreter(version), "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    pip("install", "--quiet", "--no-compile", f"{wheel}[server]" if serves else wheel, cwd=tmp_path, python=python)
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    program = [str(environment / "bin" / "zeus-bso")] if serves else None
    with ServerProcess(tmp_path / "jobs.db", program=program) as server:
        trained = run(python, "-W", "error", script, server.url, cwd=tmp_path)
        [job] = ServerReader(server.url).jobs()
        code = server.end()

    assert trained.returncode == 0, trained.stderr
    assert job.job_id.startswith("bare-")
    assert code == 0
