"""One launch of a script for the client of the ``zeus`` package, as it is installed; only its GPUs are not there.

The server's URL is the first argument. It prints the batch size, and how the run ended.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest import mock

from zeus.optimizer.batch_size import client
from zeus.optimizer.batch_size.common import JobSpec


class Gpus:
    """The documented methods of ``zeus.device.gpu.GPUs`` that say what a GPU is."""

    def __len__(self) -> int:
        return 1

    def getName(self, gpu_index: int) -> str:  # noqa: N802
        return "Testium 100"

    def getPowerManagementLimitConstraints(self, gpu_index: int) -> tuple[int, int]:  # noqa: N802
        return 100_000, 300_000

    get_name = getName
    get_power_management_limit_constraints = getPowerManagementLimitConstraints


class Monitor:
    """Has the interface of ``ZeusMonitor``; an epoch takes 1 s and 100 J."""

    gpu_indices = (0,)

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        pass

    def end_window(self, key: str, sync_execution: bool = True) -> SimpleNamespace:
        return SimpleNamespace(time=1.0, gpu_energy={0: 100.0}, total_energy=100.0)


with mock.patch.object(client, "get_gpus", return_value=Gpus()):
    bso = client.BatchSizeOptimizer(
        monitor=Monitor(),
        server_url=sys.argv[1],
        job=JobSpec(
            job_id="reference",
            job_id_prefix="reference",
            batch_sizes=[8, 16, 32],
            default_batch_size=16,
            target_metric=0.9,
            max_epochs=3,
        ),
    )
    batch_size = bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate(0.5)
    bso.on_evaluate(0.95)
print(batch_size)
