"""One of two processes that meet one error after the other; each is told as JSON, by its name and first words."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, ZeusBSOError
from zeus_bso.client.distributed import Ranks
from zeus_bso.monitor import DeviceInfo

RANK = int(os.environ["RANK"])
URL = sys.argv[1]


def optimizer(url: str = URL, gpu_model: str = "A100", windows: int = 9, **options: Any) -> BatchSizeOptimizer:
    """An optimizer on every rank."""
    job = JobSpec(job_id_prefix="errors", batch_sizes=[16], default_batch_size=16, max_epochs=2, target_metric=9.0)
    devices = DeviceInfo(max_power_w=300.0, number_of_gpus=1, gpu_model=gpu_model)
    monitor = ReplayMonitor([(1.0, 10.0)] * windows, devices, name=f"gpu-{RANK}")
    return BatchSizeOptimizer(monitor, url, job, heartbeat_s=None, distributed=True, **options)


def no_server() -> None:
    """Only rank 0 notices."""
    optimizer("http://127.0.0.1:9")


def no_server_but_a_default() -> None:
    """Both train unreported, and are stopped together."""
    bso = optimizer("http://127.0.0.1:9", on_unreachable="default")
    train(bso)
    raise ZeusBSOError(f"stopped: {bso.training_finished}, after {bso.state_dict()['current_epoch']}")


def other_gpus() -> None:
    """Each rank sees devices of another model."""
    optimizer(gpu_model=f"Model {RANK}")


def target_missed() -> None:
    """Two epochs are over."""
    train(optimizer())


def ended_early() -> None:
    """The script ends the run after one epoch."""
    with optimizer() as bso:
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(1.0)


def broken_monitor() -> None:
    """The monitor of rank 1 fails in the second epoch; both go on, and are stopped together."""
    train(optimizer(windows=9 if RANK == 0 else 1))


def no_metric() -> None:
    """Rank 0 has none in the first epoch."""
    bso = optimizer()
    bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate("none" if RANK == 0 else 5.0)  # type: ignore[arg-type]
    raise ZeusBSOError(f"evaluated: {bso.state_dict()['current_epoch']}")


def late_rank() -> None:
    """Rank 1 comes when rank 0 has given it up."""
    ranks = Ranks(timeout_s=2.0)
    time.sleep(6.0 * RANK)
    began = time.monotonic()
    try:
        ranks.exchange("here")
    finally:
        assert time.monotonic() - began < 30.0, "it hung"


def train(bso: BatchSizeOptimizer) -> None:
    """Evaluate until told to stop; each rank has a metric of its own."""
    bso.get_batch_size()
    bso.on_train_begin()
    while not bso.training_finished:
        bso.on_evaluate(float(RANK))


def met(meet: Callable[[], None]) -> list[str]:
    """The error that was met."""
    try:
        meet()
    except ZeusBSOError as error:
        return [type(error).__name__, str(error)]
    return ["none", ""]


if __name__ == "__main__":
    unmet = [no_server, no_server_but_a_default, other_gpus, target_missed, ended_early, broken_monitor, no_metric]
    print(json.dumps({meet.__name__: met(meet) for meet in [*unmet, late_rank]}), flush=True)
