"""A training that torchrun starts again when a rank breaks, first 0, then 1: ``elastic.py URL CHECKPOINT``."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import ReplayMonitor

url, kept = sys.argv[1], Path(sys.argv[2])
rank, attempt = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
state = json.loads(kept.read_text()) if kept.exists() else None
bso = BatchSizeOptimizer(
    ReplayMonitor(itertools.repeat((1.0, 10.0)), name=f"rank {rank}"),
    url,
    JobSpec(job_id="elastic", job_id_prefix="x", batch_sizes=[16], default_batch_size=16, target_metric=0.8),
    distributed=True,
    distributed_timeout_s=60,
    run_id="torchelastic",
    resume=state,
    heartbeat_s=0.5,
)
bso.get_batch_size()
epoch = int(str(bso.state_dict()["current_epoch"]))
if rank == 0:
    print("attempt", attempt, "trial", bso.trial_number, "epoch", epoch, flush=True)
bso.on_train_begin()
while not bso.training_finished:
    epoch += 1
    if (attempt, epoch, rank) in ((0, 3, 0), (1, 6, 1)):
        raise RuntimeError("NCCL error: unhandled system error")
    bso.on_evaluate(epoch / 10)
    if rank == 0:
        kept.write_text(json.dumps(bso.state_dict()))
