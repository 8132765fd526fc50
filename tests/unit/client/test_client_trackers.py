"""What ``log_to`` tells a tracker, and that no tracker ends or delays a training."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest
from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, ZeusBSOTrainFailError
from zeus_bso.client.tracking import feed
from zeus_bso.protocol.transport import Transport
from zeus_bso.testing import InMemoryServer

JOB = JobSpec(
    job_id="mine", job_id_prefix="unit", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9, max_epochs=5
)
Event = tuple[str, dict[str, Any]]


class Recorder:
    """A function that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, kind: str, values: dict[str, Any]) -> None:
        self.events.append((kind, values))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def last(self, kind: str) -> dict[str, Any]:
        return next(values for told, values in reversed(self.events) if told == kind)


def optimizer(transport: Transport, **arguments: Any) -> BatchSizeOptimizer:
    job = arguments.pop("job", JOB)
    return BatchSizeOptimizer(
        ReplayMonitor(repeat((1.0, 100.0))), job=job, heartbeat_s=None, transport=transport, **arguments
    )


def train(bso: BatchSizeOptimizer, *metrics: float) -> None:
    bso.on_train_begin()
    for metric in metrics:
        bso.on_evaluate(metric)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class TestWhatIsLogged:
    def test_a_run_from_the_ask_to_its_end(self) -> None:
        server, told = InMemoryServer(), Recorder()
        bso = optimizer(server)
        bso.log_to(told)
        bso.get_batch_size()
        train(bso, 0.5, 0.95)

        assert told.kinds == ["config", "evaluation", "evaluation", "summary"]
        config = told.last("config")
        assert config.pop("why").startswith("This run tries 64, the default")
        assert config == {
            "job_id": "mine",
            "run_id": bso.run_id,
            "trial_number": 1,
            "batch_size": 64,
            "default_batch_size": 64,
            "type": "MAB",
        }
        energy = {"epoch": 2, "energy_j": 200.0, "time_s": 2.0}
        assert told.last("evaluation").items() >= (energy | {"metric": 0.95}).items()
        summary = told.last("summary")
        assert summary.items() >= (energy | {"outcome": "converged"}).items()
        trial = server.request("GET", "/api/v1/trials", params={"job_id": "mine"}).items[0]
        assert isinstance(trial, dict)
        assert summary["cost_j"] == trial["cost"]

    def test_the_saving_so_far_is_in_the_summary(self) -> None:
        server, told = InMemoryServer(), Recorder()
        for _ in range(3):
            bso = optimizer(server, on_fail="stop")
            bso.log_to(told)
            bso.get_batch_size()
            train(bso, *[0.95] * (bso.current_batch_size == 64), *[0.1] * 4)
            bso.on_train_end()

        savings = server.request("GET", "/api/v1/savings", params={"job_id": "mine"}).body
        assert isinstance(savings["energy"], dict)
        assert told.last("summary")["saved_energy_j"] == savings["energy"]["saved"]
        assert {"saved_time_s", "saved_cost_j"} <= set(told.last("summary"))

    def test_after_the_ask_it_is_logged_too_but_not_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZEUS_BSO_QUIET", "1")
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.get_batch_size()
        bso.log_to(told)
        train(bso, 0.95)

        assert told.kinds == ["config", "evaluation", "summary"]
        assert told.last("config")["type"] == "MAB"
        assert "why" not in told.last("config")

    def test_a_run_that_does_not_explore_has_no_reason_of_exploration(self) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.log_to(told)
        bso.get_batch_size(explore=False)
        bso.cancel()
        assert "why" not in told.last("config")

    @pytest.mark.parametrize(
        ("end", "outcome"),
        [
            (lambda bso: bso.cancel(), "cancelled"),
            (lambda bso: bso.pause(), "preempted"),
            (lambda bso: bso.__exit__(MemoryError, MemoryError("out of memory"), None), "oom"),
            (lambda bso: bso.__exit__(ValueError, ValueError(), None), "error"),
        ],
        ids=["cancel", "pause", "oom", "error"],
    )
    def test_every_end_has_a_summary(self, end: Callable[[BatchSizeOptimizer], None], outcome: str) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.log_to(told)
        bso.get_batch_size()
        train(bso, 0.1)
        end(bso)
        assert told.last("summary")["outcome"] == outcome
        bso.cancel()

    def test_a_run_that_failed_is_logged_before_the_error(self) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.log_to(told)
        bso.get_batch_size()
        with pytest.raises(ZeusBSOTrainFailError):
            train(bso, *[0.1] * 5)
        assert told.last("summary")["outcome"] == "target-missed"
        assert told.kinds.count("evaluation") == 5

    def test_a_run_that_goes_on_after_a_pause_has_a_later_summary(self) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.log_to(told)
        bso.get_batch_size()
        train(bso, 0.1)
        bso.pause()
        bso.on_evaluate(0.95)
        outcomes = [values["outcome"] for kind, values in told.events if kind == "summary"]
        assert outcomes == ["preempted", "converged"]

    def test_a_metric_that_is_not_finite_is_left_out(self) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer())
        bso.log_to(told)
        bso.get_batch_size()
        train(bso, float("nan"))
        bso.cancel()
        assert "metric" not in told.last("evaluation")

    def test_several_trackers_are_told_and_none_twice(self) -> None:
        first, second = Recorder(), Recorder()
        bso = optimizer(InMemoryServer())
        for target in (first, second, first):
            bso.log_to(target)
        bso.get_batch_size()
        train(bso, 0.95)
        assert first.kinds == second.kinds == ["config", "evaluation", "summary"]

    def test_a_run_that_no_server_knows_is_logged_without_a_saving(self) -> None:
        server, told = ScriptedTransport(), Recorder()
        server.away = True
        bso = optimizer(server, on_unreachable="default")
        bso.log_to(told)
        bso.get_batch_size()
        train(bso, 0.95)
        assert told.last("config")["batch_size"] == 64
        assert "trial_number" not in told.last("config")
        assert told.last("summary")["outcome"] == "converged"
        assert "saved_energy_j" not in told.last("summary")


class TestNothingIsEnded:
    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt(), ZeusBSOTrainFailError()])
    def test_an_error_is_logged_once(self, error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
        calls: list[str] = []

        def fail(kind: str, values: dict[str, Any]) -> None:
            calls.append(kind)
            raise type(error)(f"{error} {len(calls)}")

        bso = optimizer(InMemoryServer())
        bso.log_to(fail)
        bso.get_batch_size()
        train(bso, 0.1, 0.2, 0.95)

        assert bso.training_finished
        assert calls == ["config", *["evaluation"] * 3, "summary"]
        assert len([said for said in warnings_in(caplog) if "Could not log the run to function" in said]) == 1

    def test_a_tracker_that_hangs_delays_nothing_but_the_end_a_little(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("zeus_bso.client.batch_size_optimizer.RESULT_S", 0.2)
        monkeypatch.setattr(feed, "_MOST_WAITING", 2)
        go_on = threading.Event()
        bso = optimizer(InMemoryServer())
        bso.log_to(lambda kind, values: go_on.wait(60))
        bso.get_batch_size()
        began = time.monotonic()
        train(bso, 0.1, 0.1, 0.1, 0.95)
        taken_s = time.monotonic() - began
        go_on.set()

        assert bso.training_finished
        assert taken_s < 30
        assert "function does not keep up: a part of the run is not logged there." in warnings_in(caplog)

    @pytest.mark.parametrize("target", [None, 3, "wandb", logging])
    def test_what_is_no_tracker_is_said(self, target: object, caplog: pytest.LogCaptureFixture) -> None:
        bso = optimizer(InMemoryServer())
        bso.log_to(target)
        bso.get_batch_size()
        train(bso, 0.95)

        [said] = [said for said in warnings_in(caplog) if said.startswith("log_to()")]
        assert "a run of W&B, the module mlflow, a SummaryWriter or a function" in said

    def test_no_thread_outlives_the_run(self) -> None:
        bso = optimizer(InMemoryServer())
        bso.log_to(Recorder())
        bso.get_batch_size()
        train(bso, 0.95)
        deadline = time.monotonic() + 60
        while any(thread.name == "zeus-bso-tracker" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_only_rank_0_logs(self) -> None:
        told = Recorder()
        bso = optimizer(InMemoryServer(), rank=1)
        bso.log_to(told)
        bso.log_to(None)
        bso.current_batch_size, bso.trial_number = 64, 1
        train(bso, 0.1)
        bso.cancel()
        assert told.events == []

    def test_an_optimizer_that_is_out_of_use_is_still_collected(self) -> None:
        bso = optimizer(InMemoryServer())
        bso.log_to(Recorder())
        bso.get_batch_size()
        gone = weakref.ref(bso)
        del bso
        gc.collect()
        assert gone() is None
