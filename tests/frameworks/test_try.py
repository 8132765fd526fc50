"""``zeus-bso try`` on a plain PyTorch loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks.launches import SCRIPTS

pytest.importorskip("torch", reason="run by: make test-frameworks")


def test_a_pytorch_loop_is_tried_as_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zeus_bso", "try", "--max-runs", "3", "--json", "--"]
    done = subprocess.run(
        [*command, sys.executable, str(SCRIPTS / "torch_loop.py")],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["job_id"].startswith("torch-digits-")
    assert report["recurrences"] == 3
    assert report["bill"]["models"] >= 1
    assert (tmp_path / "zeus-bso.db").is_file()
