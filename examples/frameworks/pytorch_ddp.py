"""A recurring training job on several devices: PyTorch's DistributedDataParallel learns to read handwritten digits.

The lines for zeus-bso are marked with ``# <--``. Every rank runs this script and makes the same calls. Only rank 0
sends requests to the server. All ranks get the same batch size and stop at the same evaluation::

    zeus-bso serve &
    torchrun --nproc-per-node 2 examples/frameworks/pytorch_ddp.py

If you launch it again with the same run id (``ZEUS_BSO_RUN_ID``) after an interruption, it continues from its last
checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

MAX_EPOCHS = 30
LEARNING_RATE = 0.1  # for a batch size of 64
CHECKPOINT = Path(os.environ.get("CHECKPOINT", "digits.pt"))


def main() -> None:
    """Train once, with the batch size that zeus-bso gives."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    saved = torch.load(CHECKPOINT, map_location=device) if CHECKPOINT.exists() else None

    bso = BatchSizeOptimizer(  # <-- the same on every rank
        monitor=EnergyMonitor(gpu_indices=[device.index] if on_gpu else []),
        server_url=os.environ.get("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000"),
        job=JobSpec(
            job_id_prefix="digits-ddp",
            default_batch_size=256,
            batch_sizes=[16, 32, 64, 128, 256, 512],
            target_metric=0.9,
            max_epochs=MAX_EPOCHS,
        ),
        resume=saved["bso"] if saved else None,  # <-- before get_batch_size
        distributed=True,
    )
    bso.get_batch_size()
    share = bso.split(torch.distributed.get_world_size(), max_per_device=128)  # <-- batch sizes are global

    train, test = load_data()
    sampler: DistributedSampler[tuple[torch.Tensor, ...]] = DistributedSampler(train, drop_last=True)
    loader = DataLoader(train, batch_size=share.per_device, sampler=sampler)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device))
    learning_rate = bso.scale_learning_rate(LEARNING_RATE, tuned_for=64, rule="square-root")  # <--
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
    first_epoch = 1
    if saved and bso.resumed:  # <-- otherwise a new recurrence starts from zero
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first_epoch = saved["epoch"] + 1

    bso.on_train_begin()  # <-- time and energy count from here
    for epoch in range(first_epoch, MAX_EPOCHS + 1):
        sampler.set_epoch(epoch)
        for step, (images, labels) in enumerate(loader, start=1):
            loss = nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
            (loss / share.accumulation_steps).backward()
            if step % share.accumulation_steps == 0:
                optimizer.step()
                optimizer.zero_grad()

        bso.on_evaluate(accuracy(model, test, device))  # <-- reports; raises on every rank if the run has failed
        if torch.distributed.get_rank() == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state | {"bso": bso.state_dict()}, CHECKPOINT)
        if bso.training_finished:
            break
    torch.distributed.destroy_process_group()


def load_data() -> tuple[TensorDataset, TensorDataset]:
    """Load scikit-learn's digits: 1,297 for training and 500 for tests."""
    images, labels = load_digits(return_X_y=True)
    pixels, numbers = torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(labels)
    return TensorDataset(pixels[:1297], numbers[:1297]), TensorDataset(pixels[1297:], numbers[1297:])


@torch.no_grad()
def accuracy(model: nn.Module, data: TensorDataset, device: torch.device) -> float:
    """The fraction of images that are classified correctly."""
    images, labels = (tensor.to(device) for tensor in data.tensors)
    return float((model(images).argmax(dim=1) == labels).float().mean())


if __name__ == "__main__":
    main()
