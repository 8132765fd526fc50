"""Trains with ``ZeusMonitor`` over two GPUs that are not there; only the package's device look-up is replaced.

PyTorch, which ``ZeusMonitor`` asks to wait for the GPUs, is stood in for with them.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import zeus.device


class Gpus:
    """The documented methods of ``zeus.device.gpu.GPUs``; each epoch uses 50 J and 70 J."""

    def __init__(self) -> None:
        self.millijoules = [1_000_000, 2_000_000]
        self.gpus = [object(), object()]

    def __len__(self) -> int:
        return 2

    def train(self) -> None:
        self.millijoules[0] += 50_000
        self.millijoules[1] += 70_000

    def getName(self, gpu_index: int) -> str:  # noqa: N802
        return "Testium 100"

    def getPowerManagementLimitConstraints(self, gpu_index: int) -> tuple[int, int]:  # noqa: N802
        return 100_000, 300_000

    def supportsGetTotalEnergyConsumption(self, gpu_index: int) -> bool:  # noqa: N802
        return True

    def getTotalEnergyConsumption(self, gpu_index: int) -> int:  # noqa: N802
        return self.millijoules[gpu_index]

    get_name = getName
    get_power_management_limit_constraints = getPowerManagementLimitConstraints
    supports_get_total_energy_consumption = supportsGetTotalEnergyConsumption
    get_total_energy_consumption = getTotalEnergyConsumption


gpus = Gpus()
zeus.device.get_gpus = lambda ensure_homogeneous=False: gpus

from zeus.monitor import ZeusMonitor  # noqa: E402

from zeus_bso import BatchSizeOptimizer, JobSpec  # noqa: E402

torch = ModuleType("torch")
torch.cuda = SimpleNamespace(is_available=lambda: True, synchronize=lambda device=None: None)  # type: ignore[attr-defined]
sys.modules["torch"] = torch

bso = BatchSizeOptimizer(
    monitor=ZeusMonitor(gpu_indices=[0, 1]),
    job=JobSpec(job_id="zeus", job_id_prefix="zeus", batch_sizes=[32], default_batch_size=32, target_metric=3.0),
)
bso.get_batch_size()
bso.on_train_begin()
for epoch in (1, 2, 3):
    gpus.train()
    bso.on_evaluate(epoch)
assert bso.training_finished
