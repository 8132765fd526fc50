"""A callback for Keras 3, whatever its backend.

::

    bso = BatchSizeOptimizer(EnergyMonitor(), server_url, JobSpec(...), resume=saved_state("backup/zeus_bso.json"))
    model.fit(
        x, y, batch_size=bso.get_batch_size(), validation_data=..., callbacks=[
            keras.callbacks.BackupAndRestore("backup/model"),
            ZeusBSOCallback(bso, "val_accuracy", state_file="backup/zeus_bso.json"),  # last
        ]
    )
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import SupportsFloat

from zeus_bso.client.optimizer import BatchSizeOptimizer
from zeus_bso.integrations.fit import Fit, save_state, state_in

try:
    from keras.callbacks import Callback
except ImportError as error:
    raise ImportError("zeus_bso.integrations.keras needs Keras 3: pip install 'zeus-bso[keras]'") from error


class ZeusBSOCallback(Callback):
    """Reports the validation of every epoch of a fit, and stops the model when the run is over.

    Give it as the last callback: it then runs when the others have saved, and what the optimizer raises at the end of
    ``fit`` keeps no other callback from ending tidily. ``evaluate`` by itself is not reported.

    Args:
        bso: Gave the batch size.
        metric: Name of the metric, as Keras logs it: ``val_accuracy``. Epochs without it, with ``validation_freq``, are
            passed over.
        state_file: Where to keep the run's state after every epoch, see :func:`saved_state`; None: nowhere.
    """

    def __init__(
        self, bso: BatchSizeOptimizer, metric: str, *, state_file: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        self._bso = bso
        self._fit = Fit(bso, metric)
        self._metric = metric
        self._state_file = None if state_file is None else Path(state_file)

    def on_train_begin(self, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Begin to measure."""
        self._fit.begin()
        self._stop_if_over()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Find out a metric that is never logged as soon as training goes on, not at its end."""
        self._fit.go_on()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Report, and keep the run's state."""
        logged = logs or {}
        if any(name.startswith("val_") for name in logged) or not self._metric.startswith("val_"):
            self._fit.evaluate(logged, epoch + 1)
            self._stop_if_over()
        if self._state_file is not None:
            save_state(self._bso, self._state_file)

    def on_train_end(self, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
        """
        self._fit.end()

    def _stop_if_over(self) -> None:
        if self._fit.is_over:
            self.model.stop_training = True


def saved_state(state_file: str | os.PathLike[str]) -> Mapping[str, object] | None:
    """The run's state in a file, for ``BatchSizeOptimizer(..., resume=...)``; None where there is no such file."""
    return state_in(Path(state_file))
