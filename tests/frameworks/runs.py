"""Runs of a job on a server in this process, with figures that are known beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import InMemoryServer, ReplayMonitor

JOB_ID = "callbacks"
EPOCH_J = 10.0
"""Every window, from one evaluation to the next, takes 1 s and so much energy."""


def optimizer(server: InMemoryServer, resume: Mapping[str, object] | None = None, **job: Any) -> BatchSizeOptimizer:
    """An optimizer that has been given batch size 16."""
    spec: dict[str, Any] = {"target_metric": 3.0, "max_epochs": 10, "beta_knob": None} | job
    bso = BatchSizeOptimizer(
        ReplayMonitor(itertools.repeat((1.0, EPOCH_J))),
        job=JobSpec(job_id=JOB_ID, job_id_prefix="x", batch_sizes=[16], default_batch_size=16, **spec),
        run_id="night-1",
        resume=resume,
        heartbeat_s=None,
        transport=server,
    )
    assert bso.get_batch_size() == 16
    return bso


def only_trial(server: InMemoryServer) -> Mapping[str, Any]:
    """The job's one trial, as the server has it."""
    answer = server.request("GET", "/api/v1/trials", params={"job_id": JOB_ID})
    [trial] = answer.items
    assert isinstance(trial, dict)
    return trial


def count_steps(bso: BatchSizeOptimizer) -> list[str]:
    """The beginnings and ends of steps that the optimizer will be told."""
    said: list[str] = []
    begin, end = bso.on_step_begin, bso.on_step_end

    def begin_step() -> None:
        said.append("begin")
        begin()

    def end_step() -> None:
        said.append("end")
        end()

    bso.on_step_begin, bso.on_step_end = begin_step, end_step  # type: ignore[method-assign]
    return said
