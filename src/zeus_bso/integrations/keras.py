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

from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
from zeus_bso.integrations.fit import Fit, fit_call, save_state, state_in, watch_fit

try:
    from keras import Model
    from keras.callbacks import Callback
except ImportError as error:
    raise ImportError("zeus_bso.integrations.keras needs Keras 3: pip install 'zeus-bso[keras]'") from error


_DEFAULT_BATCH_SIZE = 32
"""The batch size that Keras uses for arrays by default."""

# Keras does not tell callbacks that an exception leaves the fit. A hyperparameter search may catch it.
setattr(Model, "fit", watch_fit(Model.fit))  # noqa: B010


class ZeusBSOCallback(Callback):
    """Reports the validation of every epoch of a fit, and stops the model when the run is over.

    Give it as the last callback. Then it runs after the others have saved, and an error of the optimizer at the end of
    ``fit`` does not stop other callbacks from ending properly. A call of ``evaluate`` outside ``fit`` is not reported.

    Args:
        bso: The optimizer that gave the batch size.
        metric: Name of the metric, as Keras logs it: ``val_accuracy``. Epochs without it (``validation_freq``) are
            skipped.
        state_file: File for the state of the run after every epoch, see :func:`saved_state`. None to keep none.

    Examples:
        >>> import keras
        >>> import numpy
        >>> from itertools import repeat
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
        >>> from zeus_bso.integrations.keras import ZeusBSOCallback
        >>> job = JobSpec(job_id_prefix="k", batch_sizes=[32], default_batch_size=32, target_metric=0.0)
        >>> bso = BatchSizeOptimizer(ReplayMonitor(repeat((10.0, 500.0))), "sqlite:///jobs.db", job)
        >>> x, y = numpy.ones((64, 2)), numpy.ones(64)
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        >>> history = model.fit(
        ...     x, y, validation_data=(x, y), epochs=5, verbose=0,
        ...     batch_size=bso.get_batch_size(), callbacks=[ZeusBSOCallback(bso, "val_mae")],
        ... )
        >>> bso.training_finished, len(history.epoch)
        (True, 1)
    """

    def __init__(
        self, bso: BatchSizeOptimizer, metric: str, *, state_file: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        self._bso = bso
        self._fit = Fit(bso, metric)
        self._metric = metric
        self._epochs = 0
        self._state_file = None if state_file is None else Path(state_file)

    def on_train_begin(self, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Start to measure.

        Raises:
            ZeusBSOConfigError: The model is trained with another batch size than the given one.
        """
        self._check_batch_size()
        self._fit.begin()
        self._stop_if_over()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Raise an error for a metric that is never logged as soon as training goes on, not at its end."""
        self._fit.go_on()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Begin a step."""
        self._fit.begin_step()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """End a step."""
        self._fit.end_step()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """Report the epoch, and save the state of the run."""
        self._epochs = epoch + 1
        logged = logs or {}
        if any(name.startswith("val_") for name in logged) or not self._metric.startswith("val_"):
            self._fit.evaluate(logged, epoch + 1)
            self._stop_if_over()
        if self._state_file is not None:
            save_state(self._bso, self._state_file)

    def on_train_end(self, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge. Launch the script again.
        """
        self._fit.end(cut_short=self._bso.interrupted and self._epochs < self.params.get("epochs", 0))

    def _check_batch_size(self) -> None:
        call = fit_call()
        share = _batch_size_of(call.arguments) if call is not None else None
        if share is None:
            return
        steps = getattr(getattr(self.model, "optimizer", None), "gradient_accumulation_steps", None) or 1
        self._fit.check_batch_size(
            share * steps,
            f"{share} per batch, {steps} accumulation steps",
            "Give fit, or the data set, the batch size that get_batch_size() returned.",
        )

    def _stop_if_over(self) -> None:
        if self._fit.is_over:
            self.model.stop_training = True


def _batch_size_of(arguments: Mapping[str, object]) -> int | None:
    """The batch size of a fit. None if the data decides it and does not state it."""
    data, given = arguments.get("x"), arguments.get("batch_size")
    if not hasattr(data, "shape"):
        given = given if given is not None else getattr(data, "batch_size", None)
        return given if isinstance(given, int) else None
    return given if isinstance(given, int) else _DEFAULT_BATCH_SIZE


def saved_state(state_file: str | os.PathLike[str]) -> Mapping[str, object] | None:
    """The state of the run in a file, for ``BatchSizeOptimizer(..., resume=...)``. None if there is no such file.

    Raises:
        ZeusBSOConfigError: The file is broken.

    Examples:
        >>> from zeus_bso.integrations.keras import saved_state
        >>> saved_state("no-such-file.json") is None  # the first launch
        True
    """
    return state_in(Path(state_file))
