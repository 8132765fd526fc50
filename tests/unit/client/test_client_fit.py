"""What the callbacks of all frameworks have in common, without any framework."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.unit.client.tiny_server import CONVERGED, TOO_DEAR, ScriptedTransport

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, ZeusBSOConfigError, ZeusBSOTrainFailError
from zeus_bso.integrations.fit import Fit, fit_call, save_state, state_in, watch_fit
from zeus_bso.protocol.urls import REPORT_RESULT_URL


@pytest.fixture
def server() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def fit(server: ScriptedTransport) -> Fit:
    bso = BatchSizeOptimizer(
        ReplayMonitor([(1.0, 100.0)] * 50),
        job=JobSpec(job_id_prefix="fit", batch_sizes=[64], default_batch_size=64),
        heartbeat_s=None,
        transport=server,
    )
    bso.get_batch_size()
    return Fit(bso, "accuracy")


def test_it_reports_the_named_metric_with_the_epochs_that_are_complete(fit: Fit, server: ScriptedTransport) -> None:
    fit.begin()
    fit.evaluate({"loss": 9.0, "accuracy": 0.25}, epoch=3)

    [report] = server.reports
    assert (report["metric"], report["current_epoch"]) == (0.25, 3)
    assert not fit.is_over


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_evaluation_outside_the_fit_is_not_reported(when: str, fit: Fit, server: ScriptedTransport) -> None:
    if when == "after":
        fit.begin()
        fit.evaluate({"accuracy": 0.1}, epoch=1)
        with pytest.raises(ZeusBSOTrainFailError):
            fit.end()
    before = len(server.reports)

    fit.evaluate({"accuracy": 0.9}, epoch=2)

    assert len(server.reports) == before


def test_a_failure_is_kept_back_until_the_end(fit: Fit, server: ScriptedTransport) -> None:
    server.answers[REPORT_RESULT_URL] = 200, TOO_DEAR
    fit.begin()
    fit.evaluate({"accuracy": 0.1}, epoch=1)
    assert fit.is_over
    fit.go_on()

    with pytest.raises(ZeusBSOTrainFailError, match="over the cost bound"):
        fit.end()


def test_after_the_decision_nothing_is_reported(fit: Fit, server: ScriptedTransport) -> None:
    server.answers[REPORT_RESULT_URL] = 200, CONVERGED
    fit.begin()
    fit.evaluate({"accuracy": 0.9}, epoch=1)
    fit.evaluate({"accuracy": 0.9}, epoch=2)
    fit.end()

    assert len(server.reports) == 1


def test_evaluations_of_other_data_are_passed_over(fit: Fit, server: ScriptedTransport) -> None:
    fit.begin()
    fit.evaluate({"other_accuracy": 0.9}, epoch=1)
    fit.evaluate({"accuracy": 0.5}, epoch=1)
    fit.go_on()

    assert [report["metric"] for report in server.reports] == [0.5]


def test_a_metric_that_is_not_logged_is_an_error_once_training_goes_on(fit: Fit, server: ScriptedTransport) -> None:
    fit.begin()
    fit.go_on()
    fit.evaluate({"val_accuracy": 0.9, "val_loss": 0.1}, epoch=1)

    with pytest.raises(ZeusBSOConfigError, match=r"'accuracy'.*val_accuracy, val_loss"):
        fit.go_on()
    assert server.ends[0]["reason"] == "cancelled"
    fit.end()


def test_a_fit_without_an_evaluation_says_so(
    fit: Fit, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    fit.begin()
    with caplog.at_level(logging.WARNING):
        fit.end()

    assert "without an evaluation" in caplog.text
    assert server.ends[0]["reason"] == "cancelled"


def test_a_fit_within_a_fit_of_other_arrays_is_watched_for_itself() -> None:
    seen: list[int] = []

    @watch_fit
    def fits(data: np.ndarray, then: Callable[[], None] | None = None) -> None:
        if then is not None:
            then()
        call = fit_call()
        assert call is not None
        seen.append(int(np.asarray(call.arguments["data"])[0]))

    fits(np.array([1, 2]), then=lambda: fits(np.array([3, 4]), None))

    assert seen == [3, 1]
    assert fit_call() is None


def test_a_state_that_was_kept_is_found_and_nothing_else(fit: Fit, tmp_path: Path) -> None:
    kept = tmp_path / "run" / "state.json"
    assert state_in(kept) is None

    save_state(fit._bso, kept)

    assert state_in(kept) == fit._bso.state_dict()
    assert list(kept.parent.iterdir()) == [kept]


def test_a_state_that_cannot_be_kept_ends_no_training(
    fit: Fit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    save_state(fit._bso, tmp_path / "file" / "state.json")

    assert "cannot be kept" in caplog.text


def test_without_a_batch_size_or_a_rule_there_is_nothing_to_scale(server: ScriptedTransport) -> None:
    job = JobSpec(job_id_prefix="fit", batch_sizes=[64], default_batch_size=64)
    bso = BatchSizeOptimizer(ReplayMonitor([]), job=job, heartbeat_s=None, transport=server)

    with pytest.raises(Exception, match="get_batch_size first"):
        bso.split(2)
    bso.get_batch_size()
    assert bso.split(2, max_per_device=16).accumulation_steps == 2
    assert bso.scale_learning_rate(0.1, tuned_for=16, rule="square-root") == pytest.approx(0.2)
    bso.cancel()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"distributed": True}, "PyTorch|torchrun"), ({"distributed": True, "distributed_timeout_s": 0.0}, "positive")],
)
def test_processes_that_do_not_know_each_other_cannot_be_joined(
    options: dict[str, bool | float], message: str, server: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    job = JobSpec(job_id_prefix="fit", batch_sizes=[64], default_batch_size=64)

    with pytest.raises(ZeusBSOConfigError, match=message):
        BatchSizeOptimizer(ReplayMonitor([]), job=job, transport=server, **options)  # type: ignore[arg-type]
