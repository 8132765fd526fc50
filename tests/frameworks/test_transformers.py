"""The callback in Hugging Face's Trainer, with a real model on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="run by: make test-frameworks")

from transformers import Trainer, TrainerCallback, TrainingArguments  # noqa: E402
from transformers.trainer_utils import get_last_checkpoint  # noqa: E402

from tests.frameworks.runs import EPOCH_J, count_steps, only_trial, optimizer  # noqa: E402
from zeus_bso import BatchSizeOptimizer, ZeusBSOConfigError, ZeusBSOTrainFailError  # noqa: E402
from zeus_bso.integrations.transformers import ZeusBSOCallback, saved_state  # noqa: E402
from zeus_bso.testing import InMemoryServer  # noqa: E402

DATA = [{"x": torch.tensor([x / 32 - 1]), "labels": torch.tensor([x / 16 - 2])} for x in range(64)]


@pytest.fixture
def server() -> Iterator[InMemoryServer]:
    server = InMemoryServer()
    yield server
    server.close()


class Line(torch.nn.Module):  # type: ignore[name-defined, unused-ignore]
    """Learns a line."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: Any, labels: Any) -> Any:
        """The loss, and what is predicted."""
        predicted = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(predicted, labels), "predicted": predicted}


class EpochAsMetric(Trainer):
    """A trainer whose metric is the number of the epoch."""

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Evaluate; the callbacks hear of the metric as they hear of others."""
        self.compute_metrics = lambda _: {"epoch_number": float(self.state.epoch or 0)}
        return super().evaluate(*arguments, **options)


def trainer_for(
    bso: BatchSizeOptimizer, folder: Path, *callbacks: Any, metric: str = "eval_epoch_number", **options: Any
) -> Any:
    given: dict[str, Any] = {
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 2,
        "num_train_epochs": 20,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
    }
    return EpochAsMetric(
        model=Line(),
        args=TrainingArguments(str(folder), **(given | options)),
        train_dataset=DATA,
        eval_dataset=DATA,
        callbacks=[ZeusBSOCallback(bso, metric), *callbacks],
    )


def test_a_training_stops_at_its_target_and_reports_its_own_evaluations_alone(
    server: InMemoryServer, tmp_path: Path
) -> None:
    bso = optimizer(server)
    steps = count_steps(bso)
    trainer = trainer_for(bso, tmp_path, eval_on_start=True)

    trainer.evaluate()
    trainer.train()
    trainer.evaluate()

    assert bso.training_finished
    assert trainer.state.epoch == 3
    assert steps == ["begin", "end"] * trainer.state.global_step
    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 3 * EPOCH_J)


def test_a_run_that_fails_raises_when_all_is_saved(server: InMemoryServer, tmp_path: Path) -> None:
    bso = optimizer(server, max_epochs=2)

    with pytest.raises(ZeusBSOTrainFailError, match="max_epochs"):
        trainer_for(bso, tmp_path).train()

    last = get_last_checkpoint(str(tmp_path))
    assert last is not None
    assert Path(last).name == "checkpoint-8"
    assert saved_state(last) == bso.state_dict()
    assert only_trial(server)["outcome"] == "target-missed"


def test_a_training_that_ends_by_itself_has_missed_its_target(server: InMemoryServer, tmp_path: Path) -> None:
    with pytest.raises(ZeusBSOTrainFailError):
        trainer_for(optimizer(server), tmp_path, num_train_epochs=1).train()

    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("target-missed", 1)


def test_a_metric_that_is_never_logged_is_an_error_that_names_those_that_are(
    server: InMemoryServer, tmp_path: Path
) -> None:
    trainer = trainer_for(optimizer(server), tmp_path, metric="eval_accuracy")

    with pytest.raises(ZeusBSOConfigError, match=r"'eval_accuracy'.*eval_epoch_number, eval_loss"):
        trainer.train()

    assert trainer.state.epoch == 1
    assert get_last_checkpoint(str(tmp_path)) is not None
    assert only_trial(server)["reason"] == "cancelled"


def test_evaluations_within_an_epoch_are_of_the_epochs_that_are_complete(
    server: InMemoryServer, tmp_path: Path
) -> None:
    bso = optimizer(server, max_epochs=2, target_metric=99.0)

    with pytest.raises(ZeusBSOTrainFailError):
        trainer_for(bso, tmp_path, eval_strategy="steps", eval_steps=2, save_strategy="no").train()

    trial = only_trial(server)
    assert (trial["current_epoch"], trial["energy"]) == (2, 4 * EPOCH_J)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_device_train_batch_size": 4}, "batch size of 8 .*, but 16 was given"),
        ({"auto_find_batch_size": True}, "auto_find_batch_size"),
    ],
)
def test_another_batch_size_than_was_given_is_an_error(
    options: dict[str, Any], message: str, server: InMemoryServer, tmp_path: Path
) -> None:
    with pytest.raises(ZeusBSOConfigError, match=message):
        trainer_for(optimizer(server), tmp_path, **options).train()


def test_a_training_goes_on_from_its_checkpoint(server: InMemoryServer, tmp_path: Path) -> None:
    class Crash(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), optimizer(server) as bso:
        trainer_for(bso, tmp_path, Crash()).train()
    last = get_last_checkpoint(str(tmp_path))

    again = optimizer(server, resume=saved_state(last))
    assert again.resumed
    trainer_for(again, tmp_path).train(resume_from_checkpoint=last)

    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 3 * EPOCH_J)


def test_a_missing_checkpoint_holds_no_state(tmp_path: Path) -> None:
    assert saved_state(None) is None
    assert saved_state(tmp_path) is None
