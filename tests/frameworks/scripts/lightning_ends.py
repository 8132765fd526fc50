"""Trains with Lightning until something ends it: ``lightning_ends.py URL FOLDER [slurm]``."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import OnExceptionCheckpoint
from lightning.pytorch.plugins.environments import SLURMEnvironment
from torch.utils.data import DataLoader, TensorDataset

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.integrations.lightning import ZeusBSOCallback, saved_state
from zeus_bso.testing import ReplayMonitor

url, folder, slurm = sys.argv[1], Path(sys.argv[2]), "slurm" in sys.argv[3:]


class Line(lightning.LightningModule):  # type: ignore[misc, unused-ignore]
    """Learns a line; its metric is the number of the epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        time.sleep(0.05)
        return torch.nn.functional.mse_loss(self.layer(batch[0]), 2 * batch[0])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_epoch", float(self.current_epoch + 1))

    def on_validation_end(self) -> None:
        if not self.trainer.sanity_checking and self.current_epoch == 1:
            print("trained", flush=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


data = DataLoader(TensorDataset(torch.linspace(-1, 1, 64).reshape(-1, 1)), batch_size=16)
kept = sorted(folder.glob("hpc_ckpt_*.ckpt"))
bso = BatchSizeOptimizer(
    ReplayMonitor(itertools.repeat((1.0, 10.0))),
    url,
    JobSpec(job_id="lightning", job_id_prefix="x", batch_sizes=[16], default_batch_size=16, target_metric=90.0),
    run_id="slurm" if slurm else "night",
    resume=saved_state(kept[-1]) if kept else None,
    heartbeat_s=0.2,
)
bso.get_batch_size()
print(bso.trial_number, bso.resumed, bso.state_dict()["current_epoch"], flush=True)
if bso.resumed:
    bso.pause()
    sys.exit(0)
trainer = lightning.Trainer(
    accelerator="cpu",
    max_epochs=90,
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    default_root_dir=folder,
    callbacks=[ZeusBSOCallback(bso, "val_epoch"), OnExceptionCheckpoint(folder)],
    plugins=[SLURMEnvironment(auto_requeue=True)] if slurm else [],
)
trainer.fit(Line(), data, data)
