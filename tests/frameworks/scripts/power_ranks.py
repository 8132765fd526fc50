"""Two ranks with a GPU each, whose power limit the job optimises. Each tells the limits of its GPU, epoch by epoch.

Usage: power_ranks.py SERVER JOB_ID
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.client.power.gpus import measured_gpus

# PyTorch may have imported the real one.
sys.modules.pop("pynvml", None)
sys.path.insert(0, str(Path(__file__).parents[2] / "support" / "gpu_libraries"))

rank = int(os.environ["RANK"])
monitor = EnergyMonitor([rank])
job = JobSpec(
    job_id=sys.argv[2],
    job_id_prefix="power",
    batch_sizes=[32],
    default_batch_size=32,
    target_metric=0.9,
    max_epochs=100,
    power_limit="optimize",
)
bso = BatchSizeOptimizer(monitor, sys.argv[1], job, distributed=True)
[gpu] = measured_gpus(monitor)
bso.get_batch_size()
bso.on_train_begin()
limits = []
for epoch in range(1, 26):
    for _ in range(5):
        bso.on_step_begin()
        time.sleep(0.002)
        bso.on_step_end()
    bso.on_evaluate(0.9 if epoch == 25 else 0.1)
    limits.append(gpu.power_limits_w().now_w)
print(json.dumps({"rank": rank, "limits": limits}), flush=True)
