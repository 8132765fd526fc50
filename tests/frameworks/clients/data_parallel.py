"""A script of the zeus package's users: one process per GPU, and a set of callbacks."""

from __future__ import annotations

import os

import cuda_stand_in  # noqa: F401
import torch
from learning import Task, fresh, step
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from zeus.callback import Callback, CallbackSet
from zeus.monitor import ZeusMonitor
from zeus.optimizer.batch_size import BatchSizeOptimizer, JobSpec


class Steps(Callback):
    """Another callback of the set."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_end(self) -> None:
        self.steps += 1


distributed.init_process_group("gloo")
rank, world_size = distributed.get_rank(), distributed.get_world_size()
bso = BatchSizeOptimizer(
    monitor=ZeusMonitor(gpu_indices=[torch.cuda.current_device()]),
    server_url=os.environ["SERVER_URL"],
    job=JobSpec(
        job_id=os.environ["ZEUS_JOB_ID"],
        job_id_prefix="data_parallel",
        default_batch_size=64,
        batch_sizes=[32, 64, 128],
        target_metric=0.95,
        max_epochs=20,
    ),
    rank=rank,
)
told = torch.tensor([0, 0])
if rank == 0:
    told[0] = bso.get_batch_size()
    told[1] = bso.trial_number
distributed.broadcast(told, src=0)
bso.current_batch_size = told[0].item()
bso.trial_number = told[1].item()

task = Task()
local, optimizer = fresh()
model = DistributedDataParallel(local)
counted = Steps()
callbacks = CallbackSet([counted, bso])
callbacks.on_train_begin()
for _ in range(20):
    callbacks.on_epoch_begin()
    for points, sides in task.batches(bso.current_batch_size, rank, world_size):
        callbacks.on_step_begin()
        callbacks.on_instruction_begin("step")
        step(model, optimizer, points, sides)
        callbacks.on_instruction_end("step")
        callbacks.on_step_end()
    callbacks.on_epoch_end()
    metric = torch.tensor(task.accuracy(model))
    distributed.all_reduce(metric)
    callbacks.on_evaluate(metric.item() / world_size)
    if bso.training_finished:
        break
callbacks.on_train_end()
print("trained with", bso.current_batch_size, "in", counted.steps, "steps")
distributed.destroy_process_group()
