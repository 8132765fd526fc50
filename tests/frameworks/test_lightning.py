"""The callback in Lightning's trainer, of both packages, with a real model on the CPU."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="run by: make test-frameworks")

import lightning.pytorch  # noqa: E402
import pytorch_lightning  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from tests.frameworks.runs import EPOCH_J, count_steps, only_trial, optimizer  # noqa: E402
from zeus_bso import BatchSizeOptimizer, ZeusBSOConfigError, ZeusBSOTrainFailError  # noqa: E402
from zeus_bso.integrations.lightning import ZeusBSOCallback, saved_state  # noqa: E402
from zeus_bso.testing import InMemoryServer  # noqa: E402


@pytest.fixture
def server() -> Iterator[InMemoryServer]:
    server = InMemoryServer()
    yield server
    server.close()


def line(package: Any) -> Any:
    """A module that learns a line; its metric is the number of the epoch."""

    class Line(package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return torch.nn.functional.mse_loss(self.layer(batch[0]), 2 * batch[0])

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("val_epoch", float(self.current_epoch + 1))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Line()


def loader() -> Any:
    return DataLoader(TensorDataset(torch.linspace(-1, 1, 64).reshape(-1, 1)), batch_size=16)


def trainer_for(
    bso: BatchSizeOptimizer,
    folder: Path,
    *callbacks: Any,
    package: Any = lightning.pytorch,
    metric: str = "val_epoch",
    **options: Any,
) -> Any:
    return package.Trainer(
        accelerator="cpu",
        max_epochs=20,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[
            package.callbacks.ModelCheckpoint(folder, save_last=True),
            ZeusBSOCallback(bso, metric),
            *callbacks,
        ],
        **options,
    )


@pytest.mark.parametrize("package", [lightning.pytorch, pytorch_lightning])
def test_a_fit_stops_at_its_target_and_reports_its_own_validations_alone(
    package: Any, server: InMemoryServer, tmp_path: Path
) -> None:
    bso = optimizer(server)
    steps = count_steps(bso)
    trainer = trainer_for(bso, tmp_path, package=package)
    model = line(package)

    trainer.validate(model, loader(), verbose=False)
    trainer.fit(model, loader(), loader())
    trainer.validate(model, loader(), verbose=False)

    assert bso.training_finished
    assert trainer.current_epoch == 3
    assert steps == ["begin", "end"] * 3 * 4
    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 3 * EPOCH_J)


def test_a_run_that_fails_raises_when_all_is_saved(server: InMemoryServer, tmp_path: Path) -> None:
    bso = optimizer(server, max_epochs=2)
    trainer = trainer_for(bso, tmp_path)

    with pytest.raises(ZeusBSOTrainFailError, match="max_epochs"):
        trainer.fit(line(lightning.pytorch), loader(), loader())

    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 1
    assert saved_state(tmp_path / "last.ckpt") == bso.state_dict()
    assert only_trial(server)["outcome"] == "target-missed"


def test_a_fit_at_its_own_last_epoch_has_missed_its_target(server: InMemoryServer, tmp_path: Path) -> None:
    trainer = trainer_for(optimizer(server), tmp_path)
    trainer.fit_loop.max_epochs = 1

    with pytest.raises(ZeusBSOTrainFailError):
        trainer.fit(line(lightning.pytorch), loader(), loader())

    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("target-missed", 1)


def test_a_metric_that_is_never_logged_is_an_error_that_names_those_that_are(
    server: InMemoryServer, tmp_path: Path
) -> None:
    trainer = trainer_for(optimizer(server), tmp_path, metric="val_accuracy")

    with pytest.raises(ZeusBSOConfigError, match=r"'val_accuracy'.*val_epoch"):
        trainer.fit(line(lightning.pytorch), loader(), loader())

    assert trainer.current_epoch == 1
    assert only_trial(server)["reason"] == "cancelled"


def test_validations_within_an_epoch_are_of_the_epochs_that_are_complete(
    server: InMemoryServer, tmp_path: Path
) -> None:
    trainer = trainer_for(optimizer(server, max_epochs=2, target_metric=99.0), tmp_path, val_check_interval=0.5)

    with pytest.raises(ZeusBSOTrainFailError):
        trainer.fit(line(lightning.pytorch), loader(), loader())

    trial = only_trial(server)
    assert (trial["current_epoch"], trial["energy"]) == (2, 4 * EPOCH_J)


@pytest.fixture
def _interrupts_as_before() -> Iterator[None]:
    """Lightning ignores further interrupts after one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("_interrupts_as_before")
def test_an_interrupted_fit_is_cancelled_and_goes_on_from_its_checkpoint(
    server: InMemoryServer, tmp_path: Path
) -> None:
    class CtrlC(lightning.pytorch.Callback):
        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        trainer_for(optimizer(server), tmp_path, CtrlC()).fit(line(lightning.pytorch), loader(), loader())
    assert only_trial(server)["reason"] == "cancelled"
    last = tmp_path / "last.ckpt"

    again = optimizer(server, resume=saved_state(last))
    assert again.resumed
    trainer_for(again, tmp_path).fit(line(lightning.pytorch), loader(), loader(), ckpt_path=last)

    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 3 * EPOCH_J)


def test_a_missing_checkpoint_holds_no_state(tmp_path: Path) -> None:
    assert saved_state(tmp_path / "last.ckpt") is None


def test_a_checkpoint_with_objects_is_not_loaded_unasked(tmp_path: Path) -> None:
    torch.save({"object": tmp_path}, tmp_path / "odd.ckpt")

    with pytest.raises(ZeusBSOConfigError, match=r"torch\.load"):
        saved_state(tmp_path / "odd.ckpt")
