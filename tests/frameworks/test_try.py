"""``zeus-bso try`` on a plain PyTorch loop."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.frameworks.launches import SCRIPTS, TRAINING
from tests.support.forked import shell_variables

pytest.importorskip("torch", reason="run by: make test-frameworks")


def test_a_pytorch_loop_is_tried_as_it_is(tmp_path: Path) -> None:
    command = ["zeus-bso", "try", "--max-runs", "3", "--json", "--", "python", str(SCRIPTS / "torch_loop.py")]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | TRAINING | shell_variables(),
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
