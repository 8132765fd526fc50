"""A recurring training job in Keras: a small network learns to read handwritten digits.

The lines for zeus-bso are marked with ``# <--``. The script runs on each backend of Keras::

    zeus-bso serve &
    KERAS_BACKEND=torch python examples/frameworks/keras_digits.py

If you launch it again with the same run id (``ZEUS_BSO_RUN_ID``) after an interruption, it continues from its last
epoch.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import keras
from sklearn.datasets import load_digits

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.integrations.keras import ZeusBSOCallback, saved_state

MAX_EPOCHS = 30
BACKUP = Path(os.environ.get("CHECKPOINTS", "checkpoints")) / "backup"
STATE = BACKUP.with_name("zeus_bso.json")


def main() -> None:
    """Train once, with the batch size that zeus-bso gives."""
    bso = BatchSizeOptimizer(  # <--
        monitor=EnergyMonitor(),
        server_url=os.environ.get("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000"),
        job=JobSpec(
            job_id_prefix="digits-keras",
            default_batch_size=256,
            batch_sizes=[16, 32, 64, 128, 256, 512],
            target_metric=0.9,
            max_epochs=MAX_EPOCHS,
        ),
        resume=saved_state(STATE),  # <-- before get_batch_size
    )
    batch_size = bso.get_batch_size()  # <-- before fit
    if not bso.resumed:  # <-- a new recurrence starts from zero
        shutil.rmtree(BACKUP, ignore_errors=True)

    images, labels = load_digits(return_X_y=True)
    pixels = images / 16.0
    model = keras.Sequential([keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.SGD(
            bso.scale_learning_rate(0.1, tuned_for=64, rule="square-root"),  # <--
            momentum=0.9,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        pixels[:1297],
        labels[:1297],
        validation_data=(pixels[1297:], labels[1297:]),
        batch_size=batch_size,
        epochs=MAX_EPOCHS,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(BACKUP),
            ZeusBSOCallback(bso, "val_accuracy", state_file=STATE),  # <-- the last callback
        ],
    )


if __name__ == "__main__":
    main()
