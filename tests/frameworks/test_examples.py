"""The example scripts train a real model to its target, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frameworks.launches import EXAMPLES, Launch, jobs, trials
from tests.support.process import ServerProcess

pytest.importorskip("torch", reason="run by: make test-frameworks")


@pytest.mark.parametrize(
    ("script", "ranks"),
    [("pytorch_ddp.py", 2), ("lightning_digits.py", 1), ("transformers_digits.py", 1), ("keras_digits.py", 1)],
)
def test_an_example_reaches_its_target(script: str, ranks: int, server: ServerProcess, tmp_path: Path) -> None:
    with Launch([EXAMPLES / script], tmp_path, ranks=ranks, variables={"ZEUS_BSO_SERVER_URL": server.url}) as launch:
        launch.finish()

    [job] = jobs(server.url)
    [trial] = trials(server.url, job["job_id"])
    assert trial["outcome"] == "converged"
    assert trial["current_epoch"] >= 1
    assert trial["energy"] > 0
