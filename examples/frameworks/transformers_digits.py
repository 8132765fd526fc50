"""A recurring training job in Hugging Face's Trainer: a small vision transformer learns to read handwritten digits.

The lines for zeus-bso are marked with ``# <--``::

    zeus-bso serve &
    python examples/frameworks/transformers_digits.py

If you launch it again with the same run id (``ZEUS_BSO_RUN_ID``) after an interruption, it continues from its last
checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from transformers import EvalPrediction, Trainer, TrainingArguments, ViTConfig, ViTForImageClassification
from transformers.trainer_utils import get_last_checkpoint

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.integrations.transformers import ZeusBSOCallback, saved_state

MAX_EPOCHS = 30
FOLDER = Path(os.environ.get("CHECKPOINTS", "checkpoints"))


def main() -> None:
    """Train once, with the batch size that zeus-bso gives."""
    last = get_last_checkpoint(FOLDER) if FOLDER.is_dir() else None
    bso = BatchSizeOptimizer(  # <--
        monitor=EnergyMonitor(),
        server_url=os.environ.get("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000"),
        job=JobSpec(
            job_id_prefix="digits-vit",
            default_batch_size=32,
            batch_sizes=[8, 16, 32, 64, 128],
            target_metric=0.7,
            max_epochs=MAX_EPOCHS,
        ),
        resume=saved_state(last),  # <-- before get_batch_size
    )
    bso.get_batch_size()
    share = bso.split(world_size=1, max_per_device=64)  # <-- batch sizes are global

    train, test = load_data()
    config = ViTConfig(
        image_size=8, patch_size=2, num_channels=1, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, num_labels=10,
    )  # fmt: skip
    trainer = Trainer(
        model=ViTForImageClassification(config),
        args=TrainingArguments(
            str(FOLDER),
            per_device_train_batch_size=share.per_device,  # <--
            gradient_accumulation_steps=share.accumulation_steps,  # <--
            per_device_eval_batch_size=500,
            learning_rate=bso.scale_learning_rate(3e-3, tuned_for=32, rule="square-root"),  # <--
            lr_scheduler_type="constant",
            num_train_epochs=MAX_EPOCHS,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=train,
        eval_dataset=test,
        compute_metrics=accuracy,
        callbacks=[ZeusBSOCallback(bso, "eval_accuracy")],  # <-- the name that the trainer logs
    )
    trainer.train(resume_from_checkpoint=last if bso.resumed else None)  # <-- a new recurrence starts from zero


def load_data() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Load scikit-learn's digits: 1,297 for training and 500 for tests."""
    images, labels = load_digits(return_X_y=True)
    pixels = (images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8)
    rows: list[dict[str, object]] = [
        {"pixel_values": image, "labels": int(label)} for image, label in zip(pixels, labels, strict=True)
    ]
    return rows[:1297], rows[1297:]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """The fraction of images that are classified correctly."""
    return {"accuracy": float((prediction.predictions.argmax(axis=1) == prediction.label_ids).mean())}


if __name__ == "__main__":
    main()
