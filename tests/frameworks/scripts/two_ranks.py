"""One of two processes that train one PyTorch model together, on the CPU; what it saw goes to standard output as JSON.

Usage: two_ranks.py SERVER_URL CHECKPOINT, with what ``torchrun`` would put into the environment, and

    STOPS_AT        the epoch after whose report both wait to be killed
    FAILS_AT        the epoch at which rank 1 fails, and FAILS_BY: exit, leaving, oom
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
from zeus_bso.monitor import DeviceInfo

JOB = JobSpec(
    job_id="ranks",
    job_id_prefix="ranks",
    batch_sizes=[16, 32],
    default_batch_size=32,
    target_metric=8.0,
    eta_knob=1.0,
    beta_knob=None,
    max_epochs=20,
)
CHECKPOINT_EVERY = 3
RANK = int(os.environ["RANK"])
DEVICE = DeviceInfo(max_power_w=300.0, number_of_gpus=1, gpu_model="A100")


def main() -> None:
    """Train until told to stop."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    checkpoint = Path(sys.argv[2])
    saved = torch.load(checkpoint) if checkpoint.exists() else None
    # A window takes as long as it took on the slower rank, 2 s, and the energy of both devices, 30 J.
    monitor = ReplayMonitor(itertools.repeat((1.0 + RANK, 10.0 * (1 + RANK))), DEVICE, name=f"gpu-{RANK}")
    bso = BatchSizeOptimizer(
        monitor,
        sys.argv[1],
        JOB,
        run_id="night-1",
        resume=saved["bso"] if saved else None,
        heartbeat_s=0.2,
        distributed=True,
    )
    told: list[str] = []
    bso.log_to(lambda kind, values: told.append(f"{kind} {values.get('outcome', values.get('epoch', ''))}".strip()))
    share = bso.split(distributed.get_world_size()) if bso.get_batch_size() else None
    assert share is not None
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if saved and bso.resumed:
        model.load_state_dict(saved["model"])
    epoch = saved["epoch"] if saved and bso.resumed else 0

    bso.on_train_begin()
    while not bso.training_finished:
        epoch += 1
        images = torch.randn(share.per_device, 4)
        nn.functional.mse_loss(model(images), images.sum(dim=1, keepdim=True)).backward()
        optimizer.step()
        optimizer.zero_grad()
        fail(epoch, bso)
        # Each rank has a metric of its own; that of rank 0, which reaches the target after eight epochs, counts.
        bso.on_evaluate(float(epoch) if RANK == 0 else -1.0)
        if RANK == 0 and epoch % CHECKPOINT_EVERY == 0:
            torch.save({"model": model.state_dict(), "epoch": epoch, "bso": bso.state_dict()}, checkpoint)
        if epoch == int(os.environ.get("STOPS_AT", 0)):
            say(state="waits")
            while True:  # A pause would miss a signal that comes just before it.
                time.sleep(0.05)
    weights = [float(weight) for weight in model.module.weight.flatten()]
    say(state="done", epoch=epoch, size=bso.current_batch_size, trial=bso.trial_number, weights=weights, logged=told)


def fail(epoch: int, bso: BatchSizeOptimizer) -> None:
    """End rank 1 in the way that is asked for."""
    if RANK == 1 and epoch == int(os.environ.get("FAILS_AT", 0)):
        if os.environ["FAILS_BY"] == "exit":
            os._exit(3)
        if os.environ["FAILS_BY"] == "leaving":
            bso.on_train_end()
            sys.exit(4)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def say(**what: object) -> None:
    """Tell the test."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
