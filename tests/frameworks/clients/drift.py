"""A script of the zeus package's users: data that drifts, each slice trained by a recurrence of one job."""

from __future__ import annotations

import os

import cuda_stand_in  # noqa: F401
import torch
from learning import Task, fresh, step
from zeus.monitor import ZeusMonitor
from zeus.optimizer.batch_size import BatchSizeOptimizer, JobSpec

monitor = ZeusMonitor(gpu_indices=[torch.cuda.current_device()])
for number in range(6):
    task = Task(number)
    bso = BatchSizeOptimizer(
        monitor=monitor,
        server_url=os.environ["SERVER_URL"],
        job=JobSpec(
            job_id=os.environ["ZEUS_JOB_ID"],
            job_id_prefix="drift",
            default_batch_size=64,
            batch_sizes=[32, 64, 128],
            target_metric=0.95,
            max_epochs=20,
            beta_knob=None,
            num_pruning_rounds=1,
            window_size=3,
            mab_num_explorations=1,
            mab_seed=1,
        ),
    )
    batch_size = bso.get_batch_size()
    model, optimizer = fresh()
    bso.on_train_begin()
    for _ in range(20):
        for points, sides in task.batches(batch_size):
            step(model, optimizer, points, sides)
        bso.on_evaluate(task.accuracy(model))
        if bso.training_finished:
            break
    print("trained slice", number, "with", batch_size)
