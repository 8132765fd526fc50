"""What is released, built once for all tests of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def pip(*arguments: str | Path, cwd: Path, python: str | Path = sys.executable) -> str:
    """Run pip on the environment of a Python, which needs no pip of its own."""
    done = run(sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was made of it.

    One environment with what pyproject.toml requires for it builds both, in place of one each.
    """
    folder = tmp_path_factory.mktemp("dist")
    environment = tmp_path_factory.mktemp("backend")
    venv.create(environment)
    backend = environment / "bin" / "python"
    requirements = re.search(r"^requires = (\[.*\])$", (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert requirements
    pip("install", "--quiet", "--no-compile", "build", *json.loads(requirements[1]), cwd=folder, python=backend)
    done = run(backend, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(released: Path) -> Path:
    """The wheel."""
    [found] = released.glob("*.whl")
    return found
