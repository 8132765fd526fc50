"""The smallest script, without a job id, runs as it stands, and its recurrences make one job."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.support.forked import run_python

from zeus_bso.cli.server_reader import ServerReader

SNIPPET = """\
# Initialization
bso = BatchSizeOptimizer(
    monitor=monitor,
    server_url="<server url>", # http://127.0.0.1:8000
    job=JobParams(
        job_id_prefix="mnist-dev",
        default_batch_size=256,
        batch_sizes=[32, 64, 256, 512, 1024, 4096, 2048],
    ),
)
# ... other codes 

# Get batch size to use from the server
batch_size = bso.get_batch_size()

# ... 

# beginning of the train
bso.on_train_begin()

# ...

# After evaluation
bso.on_evaluate(metric)
"""  # noqa: W291

HEADER = """\
import time

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobParams

monitor = EnergyMonitor()
"""

LOOP = """\
for epoch in range(1, 101):
    until = time.process_time() + 0.002
    while time.process_time() < until:
        pass
    metric = epoch * 20 / batch_size
"""

LOOP_END = """\
    if bso.training_finished:
        break
"""

LAUNCHES = 12


def script(server_url: str) -> str:
    """The snippet, with imports and a monitor above it and a training loop around its last call."""
    before, evaluation = SNIPPET.replace("<server url>", server_url).split("# After evaluation\n")
    return HEADER + before + LOOP + textwrap.indent("# After evaluation\n" + evaluation, "    ") + LOOP_END


def test_twelve_launches_of_the_snippet_without_a_job_id_land_on_one_job(tmp_path: Path, server_url: str) -> None:
    program = tmp_path / "train.py"
    program.write_text(script(server_url))

    for _ in range(LAUNCHES):
        run = run_python(str(program), folder=tmp_path)
        assert run.returncode == 0 or "ZeusBSOTrainFailError" in run.stderr, run.stderr

    api = ServerReader(server_url)
    jobs = api.jobs()
    assert [job.job_id.rpartition("-")[0] for job in jobs] == ["mnist-dev"]
    trials = api.trials(jobs[0].job_id)
    assert [trial.trial_number for trial in trials] == list(range(1, LAUNCHES + 1))
    assert {trial.status.value for trial in trials} == {"Succeeded"}
    assert trials[0].batch_size == 256
    assert len({trial.batch_size for trial in trials}) > 2
