"""Trains with Transformers, which saves when it gets SIGTERM: ``transformers_ends.py URL FOLDER``."""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.integrations.transformers import ZeusBSOCallback
from zeus_bso.testing import ReplayMonitor

url, folder = sys.argv[1:]


class Data(torch.utils.data.Dataset):  # type: ignore[misc, type-arg, unused-ignore]
    """A line."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.tensor([index / 64]), "labels": torch.tensor([index / 32])}


class Line(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Learns it, slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: Any, labels: Any) -> dict[str, Any]:
        time.sleep(0.05)
        said = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(said, labels), "logits": said}


class Callback(ZeusBSOCallback):
    """Says that it has evaluated."""

    def on_evaluate(self, *args: Any, **kwargs: Any) -> None:
        super().on_evaluate(*args, **kwargs)
        print("trained", flush=True)


bso = BatchSizeOptimizer(
    ReplayMonitor(itertools.repeat((1.0, 10.0))),
    url,
    JobSpec(job_id="transformers", job_id_prefix="x", batch_sizes=[16], default_batch_size=16, target_metric=90.0),
    run_id="night",
)
bso.get_batch_size()
arguments = TrainingArguments(
    folder,
    per_device_train_batch_size=16,
    num_train_epochs=90,
    eval_strategy="epoch",
    save_strategy="no",
    enable_jit_checkpoint=True,
    use_cpu=True,
    report_to=[],
    disable_tqdm=True,
)
trainer = Trainer(
    Line(),
    arguments,
    train_dataset=Data(),
    eval_dataset=Data(),
    compute_metrics=lambda _: {"score": 0.1},
    callbacks=[Callback(bso, "eval_score")],
)
trainer.train()
print("left tidily", flush=True)
