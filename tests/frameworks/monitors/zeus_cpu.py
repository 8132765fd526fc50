"""Trains with ``ZeusMonitor`` over CPU counters that are not there; only the package's device look-up is replaced."""

from __future__ import annotations

import zeus.device
from zeus.device.cpu.common import CpuDramMeasurement


class Cpus:
    """The documented methods of ``zeus.device.cpu.CPUs``; each epoch uses 30 J, and 2 J in the memory."""

    def __init__(self) -> None:
        self.millijoules = 1_000_000.0
        self.cpus = [object()]

    def __len__(self) -> int:
        return 1

    def get_total_energy_consumption(self, index: int) -> CpuDramMeasurement:
        return CpuDramMeasurement(cpu_mj=self.millijoules, dram_mj=self.millijoules / 15)

    def supports_get_dram_energy_consumption(self, index: int) -> bool:
        return True

    getTotalEnergyConsumption = get_total_energy_consumption  # noqa: N815
    supportsGetDramEnergyConsumption = supports_get_dram_energy_consumption  # noqa: N815


cpus = Cpus()
zeus.device.get_cpus = lambda: cpus

from zeus.monitor import ZeusMonitor  # noqa: E402

from zeus_bso import BatchSizeOptimizer, JobSpec  # noqa: E402

bso = BatchSizeOptimizer(
    monitor=ZeusMonitor(),
    job=JobSpec(job_id="zeus", job_id_prefix="zeus", batch_sizes=[32], default_batch_size=32, target_metric=3.0),
)
bso.get_batch_size()
bso.on_train_begin()
for epoch in (1, 2, 3):
    cpus.millijoules += 30_000
    bso.on_evaluate(epoch)
assert bso.training_finished
