"""One of two processes that Lightning trains one model in; each validates with a metric of its own."""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
from zeus_bso.integrations.lightning import ZeusBSOCallback

RANK = int(os.environ["RANK"])


class Line(lightning.LightningModule):
    """Learns a line."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        """The loss of a batch."""
        return torch.nn.functional.mse_loss(self.layer(batch[0]), 2 * batch[0])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """The number of the epoch, on rank 0 alone."""
        self.log("val_epoch", float(self.current_epoch + 1) if RANK == 0 else -1.0)

    def configure_optimizers(self) -> Any:
        """Stochastic gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    """Train until the callback stops the trainer."""
    bso = BatchSizeOptimizer(
        ReplayMonitor(itertools.repeat((1.0, 10.0)), name=f"gpu-{RANK}"),
        sys.argv[1],
        JobSpec(job_id_prefix="lines", batch_sizes=[16], default_batch_size=16, target_metric=3.0, max_epochs=9),
        distributed=True,
    )
    bso.get_batch_size()
    data = TensorDataset(torch.linspace(-1, 1, 64).reshape(-1, 1))
    loader = DataLoader(data, batch_size=bso.split(2).per_device)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=20,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[ZeusBSOCallback(bso, "val_epoch")],
    )
    trainer.fit(Line(), loader, loader)
    print(json.dumps({"epoch": trainer.current_epoch, "finished": bso.training_finished}), flush=True)


if __name__ == "__main__":
    main()
