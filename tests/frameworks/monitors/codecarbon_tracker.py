"""Trains with a CodeCarbon tracker, and prints what the tracker itself said of each window [kWh]."""

from __future__ import annotations

import json
import time

from codecarbon import OfflineEmissionsTracker

from zeus_bso import BatchSizeOptimizer, JobSpec

tasks: list[dict[str, float]] = []


class Tracker(OfflineEmissionsTracker):  # type: ignore[misc]
    """Keeps what it answers."""

    def stop_task(self, task_name: str | None = None) -> object:
        data = super().stop_task(task_name)
        tasks.append({"kwh": data.cpu_energy + data.ram_energy, "seconds": data.duration})
        return data


bso = BatchSizeOptimizer(
    monitor=Tracker(country_iso_code="FRA", save_to_file=False, log_level="critical", allow_multiple_runs=True),
    job=JobSpec(job_id="carbon", job_id_prefix="carbon", batch_sizes=[32], default_batch_size=32, target_metric=3.0),
)
bso.get_batch_size()
bso.on_train_begin()
for epoch in (1, 2, 3):
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    bso.on_evaluate(epoch)
assert bso.training_finished
print(json.dumps(tasks[:3]))
