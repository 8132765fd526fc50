"""A process that ends by itself, or is ended, still logs how its run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.forked import shell_variables
from tests.support.signals import WAIT_FOR_A_SIGNAL

PROGRAM = """
import itertools, json, sys, time
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

def log(kind, values):
    with open(sys.argv[1], "a") as file:
        file.write(json.dumps([kind, values]) + "\\n")

job = JobSpec(job_id_prefix="ends", batch_sizes=[64], default_batch_size=64, target_metric=0.9, max_epochs=5)
bso = BatchSizeOptimizer(ReplayMonitor(itertools.repeat((1.0, 10.0))), f"sqlite:///{sys.argv[1]}.db", job)
bso.log_to(log)
bso.get_batch_size()
bso.on_train_begin()
bso.on_evaluate(0.1)
"""


@pytest.mark.parametrize(
    ("rest", "by", "outcome"),
    [
        ("", None, "target-missed"),
        ("raise ValueError", None, "error"),
        (f"print('ready', flush=True); {WAIT_FOR_A_SIGNAL}", signal.SIGTERM, "preempted"),
    ],
)
def test_the_end_of_the_process_is_in_the_summary(
    rest: str, by: signal.Signals | None, outcome: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with subprocess.Popen(
        ["python", "-c", PROGRAM + rest, str(log)],
        env=os.environ | shell_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        if by is not None:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(by)
        process.wait(240)

    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [kind for kind, _ in events] == ["config", "evaluation", "summary"]
    assert events[-1][1]["outcome"] == outcome
