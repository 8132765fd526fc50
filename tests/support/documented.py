"""Commands as the documentation has them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.forked import shell_variables

DEPLOYMENT = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"


def commands(title: str) -> str:
    """The first block of shell commands under a heading of docs/deployment.md."""
    found = re.search(rf"^#+ {re.escape(title)}$(.*?)^```shell$(.*?)^```$", DEPLOYMENT.read_text(), re.M | re.S)
    assert found, f"nothing is documented under '{title}'"
    assert not re.search(r"^#+ ", found.group(1), re.MULTILINE), f"no commands stand under '{title}'"
    return found.group(2)


def run_documented(title: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run the commands under a heading; returns what they printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(title)],
        cwd=folder,
        env=os.environ | dict(environment) | shell_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
