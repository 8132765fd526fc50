"""One of two processes of a script of the reference's shape: rank 0 asks, the script broadcasts, every rank reports."""

from __future__ import annotations

import json
import os
import sys

import torch
from torch import distributed

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

RANK = int(os.environ["RANK"])
JOB = JobSpec(job_id_prefix="shape", batch_sizes=[16, 32], default_batch_size=32, target_metric=3.0, max_epochs=9)


def main() -> None:
    """Train until told to stop."""
    distributed.init_process_group("gloo")
    bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 10.0)] * 9), sys.argv[1], JOB, rank=RANK)
    told = torch.zeros(2, dtype=torch.int64)
    if RANK == 0:
        told[0] = bso.get_batch_size()
        told[1] = bso.trial_number or 0
    distributed.broadcast(told, src=0)
    bso.current_batch_size, bso.trial_number = (int(number) for number in told)

    bso.on_train_begin()
    epoch = 0
    while not bso.training_finished:
        epoch += 1
        # The first report of an epoch decides; what a rank reports late, or otherwise, is answered alike.
        distributed.barrier()
        if RANK == 1:
            distributed.barrier()
        bso.on_evaluate(float(epoch) if RANK == 0 else -1.0)
        if RANK == 0:
            distributed.barrier()
    print(json.dumps({"epoch": epoch, "size": bso.current_batch_size, "job": bso.job_id}), flush=True)


if __name__ == "__main__":
    main()
