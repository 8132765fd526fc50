"""The line at the launch of a run and the one at its end, and what a failure says."""

from __future__ import annotations

import contextlib
import logging

import pytest

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, ZeusBSOConfigError, ZeusBSOTrainFailError
from zeus_bso.protocol.transport import Transport
from zeus_bso.testing import InMemoryServer


def optimizer(server: Transport, epoch_s: float = 1.0) -> BatchSizeOptimizer:
    job = JobSpec(
        job_id_prefix="said",
        batch_sizes=[16, 32],
        default_batch_size=32,
        target_metric=0.9,
        max_epochs=3,
        beta_knob=2.0,
    )
    return BatchSizeOptimizer(ReplayMonitor([(epoch_s, 100.0 * epoch_s)] * 9), job=job, transport=server)


def train(bso: BatchSizeOptimizer, *metrics: float) -> None:
    bso.get_batch_size()
    bso.on_train_begin()
    for metric in metrics:
        bso.on_evaluate(metric)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "zeus_bso.run")
    return caplog


def test_a_run_says_what_it_trains_with_and_why_and_what_it_came_to(lines: pytest.LogCaptureFixture) -> None:
    server = InMemoryServer()
    train(optimizer(server), 0.1, 0.95)
    train(optimizer(server, epoch_s=0.4), 0.1, 0.95)

    first, end, second, last = lines.messages
    assert ", trial 1. This run tries 32, the default: " in first
    assert ", trial 1, batch size 32: converged; 200 J in 2.00 s. So far: " in end
    assert ", trial 2. This run explores 16: it is believed to cost " in second
    assert "(" not in second
    assert ", trial 2, batch size 16: converged; 80.0 J in 0.800 s; its cost is 60 % less than with " in last
    assert "saved" in last


@pytest.mark.parametrize(
    ("error", "said"), [(RuntimeError("boom"), "crashed"), (MemoryError("out of memory"), "out of memory")]
)
def test_a_run_without_an_outcome_says_its_end_as_well(
    lines: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    bso = optimizer(InMemoryServer())
    with contextlib.suppress(type(error)), bso:
        train(bso, 0.1)
        raise error

    assert lines.messages[-1].endswith(f", trial 1, batch size 32: {said}; 100 J in 1.00 s.")


def test_what_the_launch_line_says_is_not_a_warning_as_well(
    lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sentence = InMemoryServer(), "The run before did not converge"

    def said_after_a_failure() -> list[str]:
        lines.clear()
        with pytest.raises(ZeusBSOTrainFailError):
            train(optimizer(server, epoch_s=50.0), 0.1)
        train(optimizer(server), 0.95)
        return [record.levelname for record in lines.records if sentence in record.getMessage()]

    train(optimizer(server), 0.95)
    assert said_after_a_failure() == ["INFO"]
    monkeypatch.setenv("ZEUS_BSO_QUIET", "1")
    assert said_after_a_failure() == ["WARNING"]


def test_one_switch_silences_both_lines(lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_QUIET", "1")
    train(optimizer(InMemoryServer()), 0.95)

    assert lines.messages == []


def test_the_level_of_the_logger_silences_them_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "zeus_bso.run")
    train(optimizer(InMemoryServer()), 0.95)

    assert caplog.messages == []


def test_a_run_that_was_too_dear_is_called_exploring_and_names_the_next_size() -> None:
    server = InMemoryServer()
    train(optimizer(server), 0.95)

    with pytest.raises(ZeusBSOTrainFailError) as failure:
        train(optimizer(server, epoch_s=50.0), 0.1)

    said = "This is exploring, not a fault: launch the script again; the next run takes 32."
    assert str(failure.value).endswith(said)


def test_a_default_size_that_misses_the_target_is_not_called_exploring() -> None:
    with pytest.raises(ZeusBSOTrainFailError) as failure:
        train(optimizer(InMemoryServer()), 0.1, 0.1, 0.1)

    assert "Launch the script again; the next run takes " in str(failure.value)
    assert "exploring" not in str(failure.value)


def test_an_optimizer_shows_its_job_trial_and_size() -> None:
    bso = optimizer(InMemoryServer())
    before = repr(bso)
    train(bso, 0.1)

    assert before.endswith(", no batch size yet, not trained yet>")
    assert before.startswith("<BatchSizeOptimizer of said-")
    assert repr(bso).endswith(", trial 1, batch size 32, 1 epochs trained>")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"default_batch_size": 3}, "JobSpec: default_batch_size must be one of batch_sizes."),
        ({"batch_size": 8}, "batch_size: Extra inputs are not permitted"),
        ({"batch_sizes": []}, "batch_sizes: List should have at least 1 item"),
    ],
)
def test_an_invalid_spec_is_a_configuration_error_that_names_the_field(changes: dict[str, object], said: str) -> None:
    fields: dict[str, object] = {"job_id_prefix": "x", "batch_sizes": [8], "default_batch_size": 8}

    with pytest.raises(ZeusBSOConfigError) as error:
        JobSpec(**fields | changes)

    assert said in str(error.value)
    assert isinstance(error.value, ValueError)
