"""The fake that is shipped for users' tests is the real server over a database in memory."""

from __future__ import annotations

import pytest

from zeus_bso import BatchSizeOptimizer, JobSpec, ZeusBSOTrainFailError
from zeus_bso.testing import InMemoryServer, ReplayMonitor

JOB = JobSpec(job_id="mine", job_id_prefix="mine", batch_sizes=[8, 16], default_batch_size=8, max_epochs=2)


def optimizer(server: InMemoryServer) -> BatchSizeOptimizer:
    return BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), job=JOB, transport=server)


def test_a_training_runs_against_it() -> None:
    server = InMemoryServer()
    bso = optimizer(server)
    assert bso.get_batch_size() == 8
    bso.on_train_begin()
    bso.on_evaluate(0.1)
    bso.on_evaluate(0.9)
    assert bso.training_finished
    view = server.request("GET", "/api/v1/job", params={"job_id": "mine"}).body
    assert view["min_cost"] == 0.5 * 1000.0 + 0.5 * 300.0 * 20.0


def test_a_run_that_misses_its_target_fails_as_against_a_real_one() -> None:
    bso = optimizer(InMemoryServer())
    bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate(0.1)
    with pytest.raises(ZeusBSOTrainFailError, match="max_epochs"):
        bso.on_evaluate(0.1)


def test_two_of_them_share_nothing() -> None:
    first, second = InMemoryServer(), InMemoryServer()
    optimizer(first).get_batch_size()
    assert second.request("GET", "/api/v1/job", params={"job_id": "mine"}).status == 404
