"""A recurring training job in Lightning: a small network learns to read handwritten digits.

The lines for zeus-bso are marked with ``# <--``::

    zeus-bso serve &
    python examples/frameworks/lightning_digits.py

If you launch it again with the same run id (``ZEUS_BSO_RUN_ID``) after an interruption, it continues from its last
checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.integrations.lightning import ZeusBSOCallback, saved_state

MAX_EPOCHS = 30
FOLDER = Path(os.environ.get("CHECKPOINTS", "checkpoints"))


class Digits(lightning.LightningModule):
    """One hidden layer of rectified units."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """The loss of a batch."""
        images, labels = batch
        return nn.functional.cross_entropy(self.network(images), labels)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        """The fraction of images that are classified correctly."""
        images, labels = batch
        self.log("val_accuracy", (self.network(images).argmax(dim=1) == labels).float().mean(), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Stochastic gradient descent with momentum."""
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=0.9)


def main() -> None:
    """Train once, with the batch size that zeus-bso gives."""
    last = FOLDER / "last.ckpt"
    bso = BatchSizeOptimizer(  # <--
        monitor=EnergyMonitor(),
        server_url=os.environ.get("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000"),
        job=JobSpec(
            job_id_prefix="digits-lightning",
            default_batch_size=256,
            batch_sizes=[16, 32, 64, 128, 256, 512],
            target_metric=0.9,
            max_epochs=MAX_EPOCHS,
        ),
        resume=saved_state(last),  # <-- before get_batch_size
    )
    batch_size = bso.get_batch_size()  # <-- before the loaders are built
    train, test = load_data()

    trainer = lightning.Trainer(
        max_epochs=MAX_EPOCHS,
        logger=False,
        enable_progress_bar=False,
        callbacks=[
            ZeusBSOCallback(bso, "val_accuracy"),  # <-- the name that the module logs
            ModelCheckpoint(FOLDER, save_last=True),
        ],
    )
    trainer.fit(
        Digits(bso.scale_learning_rate(0.1, tuned_for=64, rule="square-root")),  # <--
        DataLoader(train, batch_size=batch_size, shuffle=True),
        DataLoader(test, batch_size=500),
        ckpt_path=last if bso.resumed else None,  # <-- a new recurrence starts from zero
    )


def load_data() -> tuple[TensorDataset, TensorDataset]:
    """Load scikit-learn's digits: 1,297 for training and 500 for tests."""
    images, labels = load_digits(return_X_y=True)
    pixels, numbers = torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(labels)
    return TensorDataset(pixels[:1297], numbers[:1297]), TensorDataset(pixels[1297:], numbers[1297:])


if __name__ == "__main__":
    main()
