"""Pages for users that need PyTorch, experiment trackers, run from the first block to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frameworks.launches import TRAINING
from tests.support import pages
from tests.support.pages import PATIENCE_S, Block, PageRun, blocks_of
from zeus_bso import connect

TRACKED = """
import mlflow, wandb
from torch.utils.tensorboard import SummaryWriter
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
bso = BatchSizeOptimizer(
    EnergyMonitor(),
    "sqlite:///jobs.db",
    JobSpec(
        job_id="tracked", job_id_prefix="t", batch_sizes=[32], default_batch_size=32, target_metric=0.3, max_epochs=9
    ),
)
"""
"""What the page about trackers leaves to its reader."""

TRAINED = """
bso.get_batch_size()
bso.on_train_begin()
for metric in (0.1, 0.2, 0.3):
    bso.on_evaluate(metric)
wandb.finish()
mlflow.end_run()
"""

JOB = """
from zeus_bso import JobSpec
job = JobSpec(job_id_prefix="moved", batch_sizes=[32], default_batch_size=32, target_metric=0.3, max_epochs=9)
monitor = zeus_bso.EnergyMonitor()
"""


@pytest.mark.timeout(3 * PATIENCE_S)
def test_the_job_of_the_tutorial_tries_sizes_and_reaches_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A train.py with real PyTorch, launched as the page says."""
    for name, value in TRAINING.items():
        monkeypatch.setenv(name, value)
    run = PageRun(tmp_path, before="", forked=True, replaced={"zeus-bso try ": "zeus-bso try --max-runs 2 "})
    *blocks, fragment = blocks_of("docs/tutorial.md")
    with run:
        for block in blocks:
            run.run(block)

    with connect(f"sqlite:///{tmp_path}/jobs.db") as results:
        trials = results.trials("tutorial")
        assert trials[0].batch_size == 1024
        assert sum(trial.outcome == "converged" for trial in trials) >= 3
        assert len({trial.batch_size for trial in trials}) > 1
    script = next(block for block in blocks if block.title == "train.py")
    asking = "batch_size = bso.get_batch_size()"
    assert asking in script.text
    assert fragment.text.strip() == asking.replace("()", "(explore=False)")
    (tmp_path / "train.py").write_text(script.text.replace("bso.get_batch_size()", "bso.get_batch_size(explore=False)"))
    last = next(block for block in blocks if "zeus-bso run" in block.text)
    with run:
        run.run(Block("shell", "", last.text.splitlines()[1]))


def test_the_loop_of_the_tutorial_is_as_short_as_it_says() -> None:
    script = next(block for block in blocks_of("docs/tutorial.md") if block.title == "train.py")
    loop = script.text.partition("with BatchSizeOptimizer")[2].splitlines()
    assert len(loop) <= 25


def test_a_run_is_logged_to_each_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    run = PageRun(tmp_path, before=pages.TRAINING + TRACKED)
    blocks = blocks_of("docs/howto/trackers.md")
    with run:
        for block in blocks:
            run.run(block)
        run.run(Block("python", "", TRAINED))

    assert "summary" in run.said
    assert list(tmp_path.glob("wandb/offline-run-*"))
    assert list((tmp_path / "runs").iterdir())


def test_a_script_moves_from_zeus(tmp_path: Path) -> None:
    run = PageRun(tmp_path, before=pages.TRAINING + JOB, forked=True)
    serve, client, moved = blocks_of("docs/howto/from-zeus.md")
    with run:
        for block in (serve, moved, client):
            run.run(block)
        run.run(Block("python", "", "bso.get_batch_size()\nassert bso.job_id.startswith('moved-'), bso.job_id"))
        with connect(run.url) as results:
            assert [job.job_id for job in results.jobs("moved")]
