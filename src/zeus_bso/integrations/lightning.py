"""A callback for Lightning's trainer, of the package ``lightning`` or ``pytorch_lightning``.

::

    bso = BatchSizeOptimizer(EnergyMonitor(), server_url, JobSpec(...), resume=saved_state("last.ckpt"))
    loader = DataLoader(data, batch_size=bso.get_batch_size())
    trainer = Trainer(callbacks=[ZeusBSOCallback(bso, "val_accuracy")])
    trainer.fit(model, loader, validation_loader)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.client.optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.integrations.fit import Fit

_STATE_KEY = "ZeusBSOCallback"
_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def _callback_classes() -> tuple[type, ...]:
    """The callback classes of the package in use; of both, where both have been imported."""
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

    Sanity checks, and validations outside ``fit``, are not reported. What the optimizer raises is raised at the very
    end of ``fit``, when all checkpoints are written. Checkpoints carry the run's state, see :func:`saved_state`.

    On several devices every process needs the callback, with a ``BatchSizeOptimizer(..., distributed=True)``, launched
    by ``torchrun``; all of them stop together.

    Args:
        bso: Gave the batch size.
        metric: Name of the validation metric, as the module logs it.
    """

    def __init__(self, bso: BatchSizeOptimizer, metric: str) -> None:
        super().__init__()
        self._bso = bso
        self._fit = Fit(bso, metric)

    @property
    def state_key(self) -> str:
        """Where the run's state stands in a checkpoint."""
        return _STATE_KEY

    def state_dict(self) -> dict[str, object]:
        """The run's state, for a checkpoint."""
        return self._bso.state_dict()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to measure; the sanity check is over by now."""
        self._fit.begin()
        self._stop_if_over(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Find out a metric that is never logged as soon as training goes on, not at its end."""
        self._fit.go_on()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._fit.evaluate(trainer.callback_metrics, trainer.current_epoch + bool(trainer.is_last_batch))
        self._stop_if_over(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the run up at Ctrl-C, of which Lightning makes an exit with an error."""
        if isinstance(exception, KeyboardInterrupt):
            self._bso.cancel()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
        """
        self._fit.end()

    def _stop_if_over(self, trainer: Trainer) -> None:
        # A rank that stops alone would leave the others waiting for it.
        if trainer.strategy.reduce_boolean_decision(self._fit.is_over, all=False):
            trainer.should_stop = True


def saved_state(checkpoint: str | Path) -> Mapping[str, object] | None:
    """The run's state in a checkpoint file, for ``BatchSizeOptimizer(..., resume=...)``.

    Returns:
        The state; None where there is no such file, or none was saved in it.

    Raises:
        ZeusBSOConfigError: The file holds more than tensors and plain values.
    """
    import pickle

    import torch

    path = Path(checkpoint)
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError:
        raise ZeusBSOConfigError(
            f"{path} holds objects that are not loaded unasked. If you trust it, give resume="
            f"torch.load(path, weights_only=False)['callbacks'][{_STATE_KEY!r}]."
        ) from None
    state: Mapping[str, object] | None = content.get("callbacks", {}).get(_STATE_KEY)
    return state
