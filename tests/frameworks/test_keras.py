"""The callback in Keras, on its PyTorch backend, with a real model on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="run by: make test-frameworks")
os.environ["KERAS_BACKEND"] = "torch"

import keras

from tests.frameworks.runs import EPOCH_J, count_steps, only_trial, optimizer
from zeus_bso import ZeusBSOConfigError, ZeusBSOTrainFailError
from zeus_bso.integrations.keras import ZeusBSOCallback, saved_state
from zeus_bso.testing import InMemoryServer

X = np.linspace(-1, 1, 64).reshape(-1, 1)
LOSS: dict[str, Any] = {"higher_is_better_metric": False, "target_metric": 1e-9, "max_epochs": 50}


@pytest.fixture
def server() -> Iterator[InMemoryServer]:
    server = InMemoryServer()
    yield server
    server.close()


def line() -> Any:
    """A model that learns a line; every epoch brings it nearer."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mse")
    return model


def fit(model: Any, *callbacks: Any, **options: Any) -> list[float]:
    """Train, and give the validation losses."""
    data: dict[str, Any] = {"validation_data": (X, 2 * X), "batch_size": 16, "verbose": 0, "epochs": 20}
    history = model.fit(X, 2 * X, callbacks=list(callbacks), **(data | options))
    losses: list[float] = history.history["val_loss"]
    return losses


def test_a_fit_stops_at_its_target_and_reports_its_own_validations_alone(server: InMemoryServer) -> None:
    bso = optimizer(server, **LOSS | {"target_metric": 0.02})
    steps = count_steps(bso)
    callback = ZeusBSOCallback(bso, "val_loss")
    model = line()

    model.evaluate(X, 2 * X, verbose=0, callbacks=[callback])
    losses = fit(model, callback)
    model.evaluate(X, 2 * X, verbose=0, callbacks=[callback])

    assert [loss <= 0.02 for loss in losses] == [False] * (len(losses) - 1) + [True]
    assert steps == ["begin", "end"] * 4 * len(losses)
    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("converged", len(losses))
    assert trial["energy"] == len(losses) * EPOCH_J


def test_a_run_that_fails_raises_when_all_is_saved(server: InMemoryServer, tmp_path: Path) -> None:
    bso = optimizer(server, **LOSS | {"max_epochs": 2})
    checkpoints = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")

    with pytest.raises(ZeusBSOTrainFailError, match="max_epochs"):
        fit(line(), checkpoints, ZeusBSOCallback(bso, "val_loss", state_file=tmp_path / "state.json"))

    assert sorted(path.name for path in tmp_path.glob("*.keras")) == ["1.keras", "2.keras"]
    assert saved_state(tmp_path / "state.json") == bso.state_dict()
    assert only_trial(server)["outcome"] == "target-missed"


def test_a_fit_that_ends_by_itself_has_missed_its_target(server: InMemoryServer) -> None:
    with pytest.raises(ZeusBSOTrainFailError):
        fit(line(), ZeusBSOCallback(optimizer(server, **LOSS), "val_loss"), epochs=1)

    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("target-missed", 1)


def test_a_metric_that_is_never_logged_is_an_error_that_names_those_that_are(server: InMemoryServer) -> None:
    with pytest.raises(ZeusBSOConfigError, match=r"'val_accuracy'.*loss, val_loss"):
        fit(line(), ZeusBSOCallback(optimizer(server), "val_accuracy"))

    assert only_trial(server)["reason"] == "cancelled"


def test_epochs_without_a_validation_are_passed_over(server: InMemoryServer) -> None:
    with pytest.raises(ZeusBSOTrainFailError):
        fit(line(), ZeusBSOCallback(optimizer(server, **LOSS | {"max_epochs": 4}), "val_loss"), validation_freq=2)

    trial = only_trial(server)
    assert (trial["current_epoch"], trial["energy"]) == (4, 2 * EPOCH_J)


def test_a_fit_goes_on_from_its_backup(server: InMemoryServer, tmp_path: Path) -> None:
    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    job = LOSS | {"max_epochs": 3}
    state = tmp_path / "state.json"

    def callbacks(bso: Any) -> list[Any]:
        return [
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            ZeusBSOCallback(bso, "val_loss", state_file=state),
        ]

    with pytest.raises(KeyboardInterrupt), optimizer(server, **job) as bso:
        fit(line(), *callbacks(bso), Crash())

    again = optimizer(server, resume=saved_state(state), **job)
    assert again.resumed
    with pytest.raises(ZeusBSOTrainFailError):
        fit(line(), *callbacks(again))

    trial = only_trial(server)
    assert (trial["current_epoch"], trial["energy"], trial["wasted_energy"]) == (3, 3 * EPOCH_J, 0.0)


def test_a_missing_file_holds_no_state(tmp_path: Path) -> None:
    assert saved_state(tmp_path / "state.json") is None
