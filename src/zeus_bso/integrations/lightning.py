"""A callback for Lightning's trainer, of the package ``lightning`` or ``pytorch_lightning``.

::

    bso = BatchSizeOptimizer(EnergyMonitor(), server_url, JobSpec(...), resume=saved_state("last.ckpt"))
    loader = DataLoader(data, batch_size=bso.get_batch_size())
    trainer = Trainer(callbacks=[ZeusBSOCallback(bso, "val_accuracy")])
    trainer.fit(model, loader, validation_loader)
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.integrations.fit import Fit, unreadable

logger = logging.getLogger("zeus_bso")

_STATE_KEY = "ZeusBSOCallback"
_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def _callback_classes() -> tuple[type, ...]:
    """The callback class of the package in use, or of both packages if both are imported."""
    names = [name for name in _PACKAGES if name in sys.modules]
    if not names:
        names = [name for name in _PACKAGES if find_spec(name.partition(".")[0])][:1]
    if not names:
        raise ImportError("zeus_bso.integrations.lightning needs Lightning: pip install 'zeus-bso[lightning]'")
    return tuple(import_module(name).Callback for name in names)


if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    Callback = type("Callback", _callback_classes(), {})


class ZeusBSOCallback(Callback):
    """Reports every validation of a fit, and stops the trainer when the run is over.

    Sanity checks, and validations outside ``fit``, are not reported. An error of the optimizer is raised at the very
    end of ``fit``, after all checkpoints are written. Checkpoints contain the state of the run, see
    :func:`saved_state`.

    On several devices, launch the script with ``torchrun``. Every process needs the callback with a
    ``BatchSizeOptimizer(..., distributed=True)``. All processes stop together.

    Args:
        bso: The optimizer that gave the batch size.
        metric: Name of the validation metric, as the module logs it.

    Examples:
        >>> import torch
        >>> from itertools import repeat
        >>> from lightning.pytorch import LightningModule, Trainer
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
        >>> from zeus_bso.integrations.lightning import ZeusBSOCallback
        >>> class Line(LightningModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(2, 1)
        ...     def training_step(self, batch, number):
        ...         return ((self.layer(batch) - 1) ** 2).mean()
        ...     def validation_step(self, batch, number):
        ...         self.log("val_loss", self.training_step(batch, number))
        ...     def configure_optimizers(self):
        ...         return torch.optim.SGD(self.parameters(), 0.1)
        >>> job = JobSpec(job_id_prefix="l", batch_sizes=[32], default_batch_size=32, target_metric=0.0)
        >>> bso = BatchSizeOptimizer(ReplayMonitor(repeat((10.0, 500.0))), "sqlite:///jobs.db", job)
        >>> loader = torch.utils.data.DataLoader(torch.ones(64, 2), batch_size=bso.get_batch_size())
        >>> trainer = Trainer(
        ...     max_epochs=5, callbacks=[ZeusBSOCallback(bso, "val_loss")], accelerator="cpu", logger=False,
        ...     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        ... )
        >>> trainer.fit(Line(), loader, loader)
        >>> bso.training_finished, bso.state_dict()["current_epoch"]
        (True, 1)
    """

    def __init__(self, bso: BatchSizeOptimizer, metric: str) -> None:
        super().__init__()
        self._bso = bso
        self._fit = Fit(bso, metric)

    @property
    def state_key(self) -> str:
        """The key of the run's state in a checkpoint."""
        return _STATE_KEY

    def state_dict(self) -> dict[str, object]:
        """The state of the run, for a checkpoint."""
        return self._bso.state_dict()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to measure, after the sanity check.

        Raises:
            ZeusBSOConfigError: The trainer trains with another batch size than the given one.
        """
        if trainer.fast_dev_run or trainer.overfit_batches:
            logger.warning("A dry run (fast_dev_run, overfit_batches) is not reported.")
            return
        self._check_batch_size(trainer, pl_module)
        self._fit.begin()
        self._stop_if_over(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Begin a step. Raise an error for a metric that is never logged, as soon as training goes on."""
        self._fit.begin_step()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """End a step."""
        self._fit.end_step()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the validation."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._fit.evaluate(trainer.callback_metrics, trainer.current_epoch + bool(trainer.is_last_batch))
        self._stop_if_over(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the run with the fit, even if the script catches the exception."""
        self._fit.break_off(exception)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge. Launch the script again.
        """
        self._fit.end(cut_short=_is_cut_short(trainer, interrupted=self._bso.interrupted))

    def _check_batch_size(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loader = trainer.train_dataloader
        share = getattr(loader, "batch_size", None) or getattr(
            getattr(loader, "batch_sampler", None), "batch_size", None
        )
        if not isinstance(share, int) or not pl_module.automatic_optimization:
            return
        steps, processes = trainer.accumulate_grad_batches, trainer.world_size
        self._fit.check_batch_size(
            share * steps * processes,
            f"{share} per process, {steps} accumulation steps, {processes} processes",
            "Set the data loader's batch_size and accumulate_grad_batches to what split() says.",
        )

    def _stop_if_over(self, trainer: Trainer) -> None:
        # If one rank stopped alone, the others would wait for it.
        if trainer.strategy.reduce_boolean_decision(self._fit.is_over, all=False):
            trainer.should_stop = True


def saved_state(checkpoint: str | Path) -> Mapping[str, object] | None:
    """The state of the run in a checkpoint file, for ``BatchSizeOptimizer(..., resume=...)``.

    Returns:
        The state. None if there is no such file, or no state in it.

    Raises:
        ZeusBSOConfigError: The file is broken, or contains more than tensors and plain values.

    Examples:
        >>> from zeus_bso.integrations.lightning import saved_state
        >>> saved_state("no-such-file.ckpt") is None  # the first launch
        True
    """
    import pickle
    import zipfile

    import torch

    path = Path(checkpoint)
    if not path.is_file():
        return None
    try:
        # A file in PyTorch's older format cannot be mapped.
        content = torch.load(path, map_location="cpu", mmap=zipfile.is_zipfile(path), weights_only=True)
        state: Mapping[str, object] | None = content.get("callbacks", {}).get(_STATE_KEY)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower():
            raise unreadable(path, error) from None
        raise ZeusBSOConfigError(
            f"{path} holds objects that are not loaded unasked. If you trust it, give resume="
            f"torch.load(path, weights_only=False)['callbacks'][{_STATE_KEY!r}]."
        ) from None
    except Exception as error:  # noqa: BLE001 - unpickling a broken file may raise anything
        raise unreadable(path, error) from None
    return state


def _is_cut_short(trainer: Trainer, *, interrupted: bool) -> bool:
    """Whether the fit ended for another reason than its number of epochs or early stopping."""
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch:
        return False
    timers = [getattr(callback, "time_remaining", None) for callback in getattr(trainer, "callbacks", ())]
    left_s = [timer() for timer in timers if callable(timer)]
    steps_are_over = 0 <= trainer.max_steps <= trainer.global_step
    return interrupted or steps_are_over or any(left is not None and left <= 0 for left in left_s)
