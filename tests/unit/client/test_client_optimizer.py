"""What the optimizer sends, decides and raises, over a transport without a network."""

from __future__ import annotations

import gc
import logging
import time
import weakref
from collections.abc import Iterable

import numpy as np
import pytest
from tests.unit.client.tiny_server import CONVERGED, GO_ON, TOO_DEAR, Request, ScriptedTransport, offer

from zeus_bso import (
    BatchSizeOptimizer,
    JobParams,
    JobSpec,
    ReplayMonitor,
    ZeusBSOConfigError,
    ZeusBSOOrderError,
    ZeusBSORequestError,
    ZeusBSOServerUnreachableError,
    ZeusBSOSpecConflictError,
    ZeusBSOTrainFailError,
)
from zeus_bso.monitor import DeviceInfo, Measured, Measurement
from zeus_bso.protocol.job_spec import JobSpecFromClient, derive_job_id
from zeus_bso.protocol.urls import ASK_URL, HEARTBEAT_URL, REGISTER_JOB_URL, REPORT_RESULT_URL

DEVICES = DeviceInfo(max_power_w=1400.0, number_of_gpus=2, gpu_model="H100")
JOB = JobSpec(job_id_prefix="unit", batch_sizes=[32, 64, 128], default_batch_size=128, target_metric=0.9, max_epochs=5)
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _no_run_id_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEUS_BSO_RUN_ID", raising=False)


@pytest.fixture
def server() -> ScriptedTransport:
    return ScriptedTransport()


def windows(count: int = 50) -> list[tuple[float, float]]:
    return [(1.0, 100.0)] * count


def optimizer(
    server: ScriptedTransport,
    replay: Iterable[tuple[float, float] | Measurement] | None = None,
    *,
    rank: int = 0,
    run_id: str | None = None,
    heartbeat_s: float | None = None,
    falls_back: bool = False,
    stops: bool = False,
) -> BatchSizeOptimizer:
    return BatchSizeOptimizer(
        ReplayMonitor(windows() if replay is None else replay, DEVICES),
        job=JOB,
        rank=rank,
        run_id=run_id,
        heartbeat_s=heartbeat_s,
        on_unreachable="default" if falls_back else "raise",
        on_fail="stop" if stops else "raise",
        transport=server,
    )


def training(server: ScriptedTransport, *, stops: bool = False) -> BatchSizeOptimizer:
    """An optimizer whose training has begun."""
    bso = optimizer(server, stops=stops)
    bso.get_batch_size()
    bso.on_train_begin()
    return bso


def train_in_a_block(server: ScriptedTransport, error: BaseException) -> None:
    """One evaluation, then an exception that leaves the block."""
    with optimizer(server) as bso:
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        raise error


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class TestBeforeTraining:
    def test_the_constructor_registers_the_job_with_the_devices(self, server: ScriptedTransport) -> None:
        bso = optimizer(server)
        [body] = server.sent(REGISTER_JOB_URL)
        spec = JobSpecFromClient.model_validate(body)
        assert (spec.max_power, spec.number_of_gpus, spec.gpu_model) == (1400.0, 2, "H100")
        assert JobSpec(**{name: getattr(spec, name) for name in JobSpec.model_fields}) == JOB
        assert bso.job_id == "derived-1"

    def test_job_params_is_another_name_of_the_spec(self) -> None:
        assert JobParams is JobSpec

    def test_the_server_is_asked_for_the_job_that_it_named(self, server: ScriptedTransport) -> None:
        bso = optimizer(server, run_id="night-7", heartbeat_s=20.0)
        assert bso.get_batch_size() == 64
        assert (bso.current_batch_size, bso.trial_number) == (64, 1)
        [question] = server.sent(ASK_URL)
        assert question == {
            "job_id": "derived-1",
            "run_id": "night-7",
            "heartbeat_s": 20.0,
            "instance": bso.instance,
            "checkpoint": None,
            "explore": True,
        }
        bso.cancel()

    def test_asking_again_asks_once(self, server: ScriptedTransport) -> None:
        bso = optimizer(server)
        assert bso.get_batch_size() == bso.get_batch_size()
        assert len(server.sent(ASK_URL)) == 1
        bso.cancel()

    def test_the_environment_names_the_run_where_the_script_does_not(
        self, server: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ZEUS_BSO_RUN_ID", "of-the-environment")
        assert optimizer(server).run_id == "of-the-environment"
        assert optimizer(server, run_id="of-the-script").run_id == "of-the-script"

    def test_every_launch_without_a_run_id_is_a_run_of_its_own(self, server: ScriptedTransport) -> None:
        assert optimizer(server).run_id != optimizer(server).run_id

    def test_a_run_id_that_still_trains_elsewhere_is_replaced_and_that_is_said(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answers[ASK_URL] = lambda request: (
            (409, {"message": "another instance beats"})
            if request.body["run_id"] == "twin"
            else (200, offer("derived-1"))
        )
        bso = optimizer(server, run_id="twin")
        assert bso.get_batch_size() == 64
        assert bso.run_id != "twin"
        assert [text for text in warnings_in(caplog) if "twin" in text and bso.run_id in text]
        bso.cancel()

    def test_a_run_that_converged_before_has_nothing_left_to_train(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answers[ASK_URL] = (200, offer("derived-1", finished=True))
        bso = optimizer(server, run_id="done")
        assert bso.get_batch_size() == 64
        assert bso.training_finished
        assert "converged already" in warnings_in(caplog)[0]
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        assert (server.reports, server.ends) == ([], [])

    def test_what_the_server_says_at_registration_is_passed_on(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answers[REGISTER_JOB_URL] = lambda request: (
            200,
            {**request.body, "job_id": "j", "message": "max_epochs was updated"},
        )
        optimizer(server)
        assert warnings_in(caplog) == ["max_epochs was updated"]


class TestConfigurationErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (409, ZeusBSOSpecConflictError),
            (422, ZeusBSORequestError),
            (401, ZeusBSORequestError),
            (413, ZeusBSORequestError),
            (500, ZeusBSOServerUnreachableError),
            (503, ZeusBSOServerUnreachableError),
        ],
    )
    def test_a_refused_registration_is_its_own_error_with_the_servers_sentence(
        self, server: ScriptedTransport, status: int, error: type[Exception]
    ) -> None:
        server.answers[REGISTER_JOB_URL] = (status, {"message": "eta_knob: 0.5 is not 0.7"})
        with pytest.raises(error, match=r"eta_knob: 0\.5 is not 0\.7"):
            optimizer(server)

    @pytest.mark.parametrize(("status", "error"), [(400, ZeusBSORequestError), (503, ZeusBSOServerUnreachableError)])
    def test_a_refused_ask_is_its_own_error(
        self, server: ScriptedTransport, status: int, error: type[Exception]
    ) -> None:
        server.answers[ASK_URL] = (status, {"message": "no"})
        with pytest.raises(error):
            optimizer(server).get_batch_size()

    def test_an_unreachable_server_is_an_error(self, server: ScriptedTransport) -> None:
        server.away = True
        with pytest.raises(ZeusBSOServerUnreachableError, match="scripted://server cannot be reached"):
            optimizer(server)

    def test_an_answer_that_is_no_answer_is_another_server(self, server: ScriptedTransport) -> None:
        server.answers[ASK_URL] = (200, {"hello": "world"})
        with pytest.raises(ZeusBSOServerUnreachableError, match="not a zeus-bso server"):
            optimizer(server).get_batch_size()

    def test_a_missing_job_is_said(self, server: ScriptedTransport) -> None:
        with pytest.raises(ZeusBSOConfigError, match="job=JobSpec"):
            BatchSizeOptimizer(ReplayMonitor([]), transport=server)

    @pytest.mark.parametrize("run_id", ["x" * 256, "two\nlines"])
    def test_a_run_id_that_the_protocol_does_not_allow_is_refused(self, server: ScriptedTransport, run_id: str) -> None:
        with pytest.raises(ZeusBSOConfigError, match="1 to 255 characters"):
            optimizer(server, run_id=run_id)

    @pytest.mark.parametrize("heartbeat_s", [0.0, -1.0, float("nan"), 1e6])
    def test_a_heartbeat_that_cannot_be_is_refused(self, server: ScriptedTransport, heartbeat_s: float) -> None:
        with pytest.raises(ZeusBSOConfigError, match="heartbeat_s"):
            optimizer(server, heartbeat_s=heartbeat_s)


class TestUnreportedRun:
    @pytest.mark.parametrize("away_from", ["registration", "ask"])
    def test_it_trains_with_the_default_size_and_says_so_once(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture, away_from: str
    ) -> None:
        server.away = away_from == "registration"
        bso = optimizer(server, falls_back=True)
        server.away = True
        assert bso.get_batch_size() == JOB.default_batch_size
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        assert not bso.training_finished
        assert len(warnings_in(caplog)) == 1

    @pytest.mark.parametrize(("metrics", "evaluations"), [([0.1, 0.95], 2), ([0.1] * 10, JOB.max_epochs)])
    def test_it_ends_at_the_target_or_the_last_epoch_without_raising(
        self, server: ScriptedTransport, metrics: list[float], evaluations: int
    ) -> None:
        server.away = True
        bso = optimizer(server, falls_back=True)
        bso.get_batch_size()
        bso.on_train_begin()
        used = 0
        for metric in metrics:
            if bso.training_finished:
                break
            bso.on_evaluate(metric)
            used += 1
        assert used == evaluations
        assert bso.training_finished


class TestReports:
    def test_totals_are_cumulative_and_exact(self, server: ScriptedTransport) -> None:
        bso = optimizer(server, [(1.5, 100.0), (2.0, 50.0), (0.25, 25.0)])
        bso.get_batch_size()
        bso.on_train_begin()
        for metric in (0.1, 0.2, 0.3):
            bso.on_evaluate(metric)
        figures = [(r["time"], r["energy"], r["metric"], r["current_epoch"]) for r in server.reports]
        assert figures == [(1.5, 100.0, 0.1, 1), (3.5, 150.0, 0.2, 2), (3.75, 175.0, 0.3, 3)]
        bso.cancel()

    def test_a_report_names_trial_instance_and_source(self, server: ScriptedTransport) -> None:
        bso = training(server)
        bso.on_evaluate(0.5)
        [report] = server.reports
        assert (report["job_id"], report["batch_size"], report["trial_number"]) == ("derived-1", 64, 1)
        assert (report["instance"], report["energy_source"], report["final"]) == (bso.instance, "counter", False)
        bso.cancel()

    @pytest.mark.parametrize("metric", [float("nan"), float("inf"), -float("inf")])
    def test_a_metric_that_is_not_finite_is_null(self, server: ScriptedTransport, metric: float) -> None:
        bso = training(server)
        bso.on_evaluate(metric)
        assert server.reports[0]["metric"] is None
        bso.cancel()

    @pytest.mark.parametrize("metric", [1, np.float32(1.0), np.array(1.0), np.int64(1)])
    def test_a_metric_may_be_any_scalar(self, server: ScriptedTransport, metric: float) -> None:
        bso = training(server)
        bso.on_evaluate(metric)
        assert server.reports[0]["metric"] == 1.0
        bso.cancel()

    @pytest.mark.parametrize("metric", ["high", 10**400])
    def test_a_metric_that_is_no_number_is_said_and_does_not_end_the_training(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture, metric: float
    ) -> None:
        bso = training(server)
        bso.on_evaluate(metric)
        bso.on_evaluate(0.5)
        assert [(r["current_epoch"], r["time"]) for r in server.reports] == [(1, 2.0)]
        assert len([text for text in warnings_in(caplog) if "not a number" in text]) == 1
        bso.cancel()

    def test_the_window_is_closed_during_the_call_and_open_after_it(self, server: ScriptedTransport) -> None:
        events: list[str] = []

        class Noting(ReplayMonitor):
            def begin_window(self, name: str, /) -> None:
                events.append("open")
                super().begin_window(name)

            def end_window(self, name: str, /) -> Measurement:
                events.append("close")
                return super().end_window(name)

        def note(request: Request) -> tuple[int, dict[str, object]]:
            events.append("call")
            return 500, {}

        server.answers[REPORT_RESULT_URL] = note
        bso = BatchSizeOptimizer(Noting(windows(), DEVICES), job=JOB, heartbeat_s=None, transport=server)
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        assert events == ["open", "close", "call", "open"]
        server.answers.clear()
        bso.cancel()

    def test_a_foreign_monitor_without_a_source_will_do(self, server: ScriptedTransport) -> None:
        class Foreign:
            gpu_indices: list[int] = []

            def begin_window(self, key: str, sync_execution: bool = True) -> None:
                self.key = key

            def end_window(self, key: str, sync_execution: bool = True) -> Measured:
                class Answer:
                    time = np.float64(2.0)
                    total_energy = 40

                return Answer()

        bso = BatchSizeOptimizer(Foreign(), job=JOB, heartbeat_s=None, transport=server)
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        [report] = server.reports
        assert (report["time"], report["energy"], report["energy_source"]) == (2.0, 40.0, None)
        bso.cancel()


class TestDecisions:
    def test_converged_finishes_without_an_error_and_later_calls_are_harmless(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        assert bso.training_finished
        bso.on_evaluate(0.96)
        bso.on_train_end()
        assert (len(server.reports), server.ends) == (1, [])

    def test_a_failed_run_raises_the_servers_message(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (200, TOO_DEAR)
        with pytest.raises(ZeusBSOTrainFailError, match=r"^over the cost bound This is exploring"):
            bso.on_evaluate(0.1)
        assert bso.training_finished
        bso.on_evaluate(0.1)
        assert server.ends == []

    def test_a_failed_run_only_stops_where_that_is_asked_for(self, server: ScriptedTransport) -> None:
        bso = training(server, stops=True)
        server.answers[REPORT_RESULT_URL] = (200, TOO_DEAR)
        bso.on_evaluate(0.1)
        assert bso.training_finished

    def test_a_failed_run_that_reached_its_target_is_warned_about(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (200, {**TOO_DEAR, "target_reached": True})
        bso.on_evaluate(0.95)
        assert bso.training_finished
        assert warnings_in(caplog) == ["over the cost bound"]


class TestOrder:
    def test_training_does_not_begin_before_the_size_is_known(self, server: ScriptedTransport) -> None:
        with pytest.raises(ZeusBSOOrderError, match="get_batch_size"):
            optimizer(server).on_train_begin()

    def test_training_does_not_begin_twice(self, server: ScriptedTransport) -> None:
        bso = training(server)
        with pytest.raises(ZeusBSOOrderError, match="twice"):
            bso.on_train_begin()
        bso.cancel()

    def test_a_finished_run_does_not_begin_again(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        with pytest.raises(ZeusBSOOrderError, match="own BatchSizeOptimizer"):
            bso.on_train_begin()

    def test_nothing_is_evaluated_or_ended_before_training_begins(self, server: ScriptedTransport) -> None:
        bso = optimizer(server)
        bso.get_batch_size()
        with pytest.raises(ZeusBSOOrderError, match="on_evaluate"):
            bso.on_evaluate(0.1)
        with pytest.raises(ZeusBSOOrderError, match="on_train_end"):
            bso.on_train_end()
        bso.cancel()


class TestTroubleInMidRun:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500, 503])
    def test_no_refusal_ends_a_training_and_each_is_said_once(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (status, {"message": "no"})
        for _ in range(3):
            bso.on_evaluate(0.1)
        assert len([text for text in warnings_in(caplog) if str(status) in text]) == 1
        assert not bso.training_finished
        server.answers.clear()
        bso.cancel()

    @pytest.mark.parametrize("outcome", ["of-a-later-release", ["converged"], 3])
    def test_an_outcome_that_is_not_known_is_no_outcome(self, server: ScriptedTransport, outcome: object) -> None:
        bso = training(server, stops=True)
        server.answers[REPORT_RESULT_URL] = (200, {**TOO_DEAR, "outcome": outcome})
        bso.on_evaluate(0.1)
        assert bso.training_finished

    def test_the_next_report_heals_a_refused_one(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (422, {"message": "no"})
        bso.on_evaluate(0.1)
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        assert bso.training_finished
        assert (server.reports[-1]["time"], server.reports[-1]["current_epoch"]) == (2.0, 2)

    def test_a_trial_taken_over_by_another_process_is_reported_no_more(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (409, {"message": "superseded"})
        bso.on_evaluate(0.1)
        bso.on_evaluate(0.1)
        bso.on_train_end()
        assert (len(server.reports), server.ends) == (1, [])
        assert "goes on unreported" in warnings_in(caplog)[0]

    def test_while_the_server_is_away_a_call_takes_50_ms_at_most(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.away = True
        bso.on_evaluate(0.1)
        began = time.monotonic()
        for _ in range(3):
            bso.on_evaluate(0.1)
        # Each call that waited for an answer would take 5 s.
        assert time.monotonic() - began < 12
        server.away = False
        bso.cancel()

    def test_the_latest_report_arrives_by_itself_when_the_server_is_back(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.away = True
        for _ in range(3):
            bso.on_evaluate(0.1)
        server.away = False
        deadline = time.monotonic() + PATIENCE_S
        while not server.reports and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [(report["current_epoch"], report["time"]) for report in server.reports] == [(3, 3.0)]
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        assert bso.training_finished

    def test_a_report_that_the_server_could_not_take_is_tried_again_by_itself(self, server: ScriptedTransport) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (503, {"message": "the database is busy"})
        bso.on_evaluate(0.1)
        tried = len(server.reports)
        del server.answers[REPORT_RESULT_URL]
        deadline = time.monotonic() + PATIENCE_S
        while len(server.reports) == tried and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.reports[-1] == server.reports[0]
        assert len(server.reports) > tried
        bso.cancel()

    def test_an_outage_and_its_end_are_said_once_each(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso = training(server)
        server.away = True
        for _ in range(3):
            bso.on_evaluate(0.1)
        server.away = False
        deadline = time.monotonic() + PATIENCE_S
        while not server.reports and time.monotonic() < deadline:
            time.sleep(0.01)
        bso.on_evaluate(0.1)
        said = warnings_in(caplog)
        assert len(said) == 2
        assert "Training goes on" in said[0]
        assert "answers again" in said[1]
        bso.cancel()

    def test_a_monitor_that_fails_costs_the_run_nothing_but_what_it_measured(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso = optimizer(server, windows(1))
        bso.get_batch_size()
        bso.on_train_begin()
        for metric in (0.1, 0.1):
            bso.on_evaluate(metric)
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        assert [report["current_epoch"] for report in server.reports] == [1, 2, 3]
        assert bso.training_finished
        assert len([text for text in warnings_in(caplog) if "Energy could not be measured" in text]) == 1

    @pytest.mark.parametrize("window", [(1.0, -5.0), (float("nan"), 5.0), (1.0, 1e30)])
    def test_a_figure_that_cannot_be_is_not_reported_as_measured(
        self, server: ScriptedTransport, window: tuple[float, float]
    ) -> None:
        bso = optimizer(server, [window])
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        [report] = server.reports
        assert (report["energy"], report["energy_source"]) == (0.0, "partial")
        bso.cancel()


class TestOtherRanks:
    def test_they_neither_register_nor_ask(self, server: ScriptedTransport) -> None:
        bso = optimizer(server, rank=1)
        with pytest.raises(ZeusBSOOrderError, match="rank 0"):
            bso.get_batch_size()
        assert server.requests == []

    def test_they_report_for_the_trial_that_the_script_sets_and_claim_no_instance(
        self, server: ScriptedTransport
    ) -> None:
        bso = optimizer(server, rank=1)
        bso.current_batch_size, bso.trial_number = 32, 7
        bso.on_train_begin()
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        bso.on_evaluate(0.95)
        [report] = server.reports
        spec = JobSpecFromClient(**JOB.model_dump(), max_power=1400.0, number_of_gpus=2, gpu_model="H100")
        assert (report["job_id"], report["batch_size"], report["trial_number"]) == (derive_job_id(spec), 32, 7)
        assert report["instance"] is None
        assert bso.training_finished

    def test_they_do_not_begin_before_the_script_has_told_them(self, server: ScriptedTransport) -> None:
        with pytest.raises(ZeusBSOOrderError, match="other ranks"):
            optimizer(server, rank=1).on_train_begin()

    @pytest.mark.parametrize(
        ("error", "reasons"), [(MemoryError(), ["oom"]), (ValueError(), []), (KeyboardInterrupt(), [])]
    )
    def test_they_tell_of_their_end_only_when_memory_ran_out(
        self, server: ScriptedTransport, error: BaseException, reasons: list[str]
    ) -> None:
        bso = optimizer(server, rank=1)
        bso.current_batch_size, bso.trial_number = 32, 7
        bso.on_train_begin()
        bso.__exit__(type(error), error, None)
        assert [end["reason"] for end in server.ends] == reasons


class TestHeartbeats:
    def test_they_carry_the_totals_and_stop_at_the_end(self, server: ScriptedTransport) -> None:
        bso = optimizer(server, heartbeat_s=0.02)
        bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.1)
        deadline = time.monotonic() + PATIENCE_S
        while len(server.sent(HEARTBEAT_URL)) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        bso.cancel()
        beats = server.sent(HEARTBEAT_URL)
        time.sleep(0.1)
        assert len(server.sent(HEARTBEAT_URL)) == len(beats)
        assert beats[-1] == {
            "job_id": "derived-1",
            "batch_size": 64,
            "trial_number": 1,
            "time": 1.0,
            "energy": 100.0,
            "current_epoch": 1,
            "instance": bso.instance,
            "power_profile": None,
        }

    def test_they_fail_quietly_and_go_on(self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture) -> None:
        bso = optimizer(server, heartbeat_s=0.02)
        bso.get_batch_size()
        server.away = True
        attempts = server.attempts
        deadline = time.monotonic() + PATIENCE_S
        while server.attempts < attempts + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.attempts >= attempts + 2
        assert warnings_in(caplog) == []
        server.away = False
        bso.cancel()


class TestEnds:
    def test_a_clean_end_sends_the_last_report_again_as_final_and_raises_what_it_means(
        self, server: ScriptedTransport
    ) -> None:
        bso = training(server)
        bso.on_evaluate(0.1)
        with pytest.raises(ZeusBSOTrainFailError, match="target missed"):
            bso.on_train_end()
        assert [report["final"] for report in server.reports] == [False, True]
        assert {**server.reports[1], "final": False} == server.reports[0]
        assert server.ends == []

    def test_leaving_the_block_is_a_clean_end(self, server: ScriptedTransport) -> None:
        with optimizer(server, stops=True) as bso:
            bso.get_batch_size()
            bso.on_train_begin()
            bso.on_evaluate(0.1)
        assert [report["final"] for report in server.reports] == [False, True]
        assert bso.training_finished

    def test_a_run_without_an_evaluation_is_cancelled(self, server: ScriptedTransport) -> None:
        bso = training(server)
        bso.on_train_end()
        assert [end["reason"] for end in server.ends] == ["cancelled"]

    def test_a_block_left_before_asking_ends_nothing(self, server: ScriptedTransport) -> None:
        with optimizer(server):
            pass
        assert (server.reports, server.ends) == ([], [])

    @pytest.mark.parametrize(("status", "ends"), [(422, ["cancelled"]), (401, [])])
    def test_a_report_that_is_refused_does_not_keep_the_end_from_being_told(
        self, server: ScriptedTransport, status: int, ends: list[str]
    ) -> None:
        bso = training(server)
        server.answers[REPORT_RESULT_URL] = (status, {"message": "no"})
        bso.on_evaluate(0.1)
        server.away = True
        bso.on_evaluate(0.1)
        server.away = False
        bso.cancel()
        deadline = time.monotonic() + PATIENCE_S
        while len(server.reports) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        bso.cancel()
        assert [end["reason"] for end in server.ends] == ends
        server.answers.clear()

    def test_cancel_tells_once(self, server: ScriptedTransport) -> None:
        bso = training(server)
        bso.on_evaluate(0.1)
        bso.cancel()
        bso.cancel()
        bso.on_train_end()
        [end] = server.ends
        assert (end["reason"], end["instance"], end["trial_number"]) == ("cancelled", bso.instance, 1)
        assert len(server.reports) == 1

    def test_a_process_that_trains_again_and_again_keeps_nothing_of_its_runs(self, server: ScriptedTransport) -> None:
        bso = training(server)
        bso.on_evaluate(0.1)
        bso.cancel()
        gone, run_gone = weakref.ref(bso), weakref.ref(bso._live)
        del bso
        gc.collect()
        assert gone() is None
        deadline = time.monotonic() + 60
        while run_gone() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
            gc.collect()
        assert run_gone() is None

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (ValueError("bad data"), "error"),
            (KeyboardInterrupt(), "cancelled"),
            (MemoryError(), "oom"),
            (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
            (SystemExit(3), "error"),
        ],
    )
    def test_an_exception_that_leaves_the_block_gives_the_reason(
        self, server: ScriptedTransport, error: BaseException, reason: str
    ) -> None:
        with pytest.raises(type(error)):
            train_in_a_block(server, error)
        assert [end["reason"] for end in server.ends] == [reason]

    def test_an_exit_without_an_error_is_a_clean_end(self, server: ScriptedTransport) -> None:
        with pytest.raises(SystemExit):
            train_in_a_block(server, SystemExit(0))
        assert [report["final"] for report in server.reports] == [False, True]

    def test_a_train_fail_error_that_leaves_the_block_ends_nothing_again(self, server: ScriptedTransport) -> None:
        server.answers[REPORT_RESULT_URL] = (200, TOO_DEAR)
        with pytest.raises(ZeusBSOTrainFailError):
            train_in_a_block(server, AssertionError("on_evaluate raises before"))
        assert (len(server.reports), server.ends) == (1, [])

    def test_a_server_that_is_away_at_the_end_leaves_it_to_the_rules(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso = training(server)
        bso.on_evaluate(0.1)
        server.away = True
        with pytest.raises(ZeusBSOTrainFailError, match="ended at epoch 1 of at most 5"):
            bso.on_train_end()
        server.away = False
        assert "cannot be reached" in warnings_in(caplog)[0]

    def test_the_final_report_reaches_a_server_that_missed_the_last_one(self, server: ScriptedTransport) -> None:
        bso = training(server, stops=True)
        server.answers[REPORT_RESULT_URL] = (503, {})
        bso.on_evaluate(0.1)
        server.answers[REPORT_RESULT_URL] = lambda request: (200, TOO_DEAR if request.body["final"] else GO_ON)
        bso.on_train_end()
        assert server.reports[-1]["final"]
        assert bso.training_finished
