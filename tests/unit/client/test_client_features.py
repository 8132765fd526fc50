"""Asking without exploring, epochs that are evaluated more than once, states, changed settings, newer servers."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from tests.unit.client.tiny_server import CONVERGED, GO_ON, ScriptedTransport, TinyServer, offer

from zeus_bso import (
    BatchSizeOptimizer,
    JobSpec,
    ReplayMonitor,
    ZeusBSOConfigError,
    ZeusBSOSpecConflictError,
    ZeusBSOTrainFailError,
)
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.protocol.urls import ASK_URL, JOB_URL, JOBS_URL, REGISTER_JOB_URL, REPORT_RESULT_URL

JOB = JobSpec(
    job_id="mine", job_id_prefix="unit", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9, max_epochs=5
)


@pytest.fixture
def server() -> ScriptedTransport:
    return ScriptedTransport()


def optimizer(server: ScriptedTransport, **arguments: Any) -> BatchSizeOptimizer:
    return BatchSizeOptimizer(
        ReplayMonitor([(1.0, 100.0)] * 50), job=JOB, heartbeat_s=None, transport=server, **arguments
    )


def begun(server: ScriptedTransport, **arguments: Any) -> BatchSizeOptimizer:
    """An optimizer whose training has begun."""
    bso = optimizer(server, **arguments)
    bso.get_batch_size()
    bso.on_train_begin()
    return bso


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class TestExplore:
    def test_the_ask_says_whether_to_explore(self, server: ScriptedTransport) -> None:
        for explore in (True, False):
            bso = optimizer(server)
            bso.get_batch_size(explore=explore)
            bso.cancel()
        assert [body["explore"] for body in server.sent(ASK_URL)] == [True, False]


class TestEpochs:
    def test_evaluations_are_counted_where_no_epoch_is_given(self, server: ScriptedTransport) -> None:
        bso = begun(server)
        for _ in range(3):
            bso.on_evaluate(0.1)
        assert [(r["current_epoch"], r["within_epoch"]) for r in server.reports] == [(1, False), (2, False), (3, False)]
        bso.cancel()

    def test_a_given_epoch_is_reported_and_further_evaluations_of_it_are_told_as_such(
        self, server: ScriptedTransport
    ) -> None:
        bso = begun(server)
        for epoch in (0, 0, 1, 1, 0):
            bso.on_evaluate(0.1, epoch=epoch)
        told = [(r["current_epoch"], r["within_epoch"]) for r in server.reports]
        assert told == [(0, False), (0, True), (1, False), (1, True), (1, True)]
        bso.cancel()

    def test_max_epochs_is_judged_on_it(self, server: ScriptedTransport) -> None:
        bso = begun(server)
        server.away = True
        for _ in range(9):
            bso.on_evaluate(0.1, epoch=4)
        with pytest.raises(ZeusBSOTrainFailError, match=r"max_epochs \(5\)"):
            bso.on_evaluate(0.1, epoch=5)
        server.away = False


class TestState:
    def test_it_is_plain_and_tells_the_run(self, server: ScriptedTransport) -> None:
        bso = begun(server, run_id="night")
        bso.on_evaluate(0.1)
        state = json.loads(json.dumps(bso.state_dict()))
        assert state == {
            "version": 1,
            "job_id": "mine",
            "run_id": "night",
            "trial_number": 1,
            "time": 1.0,
            "energy": 100.0,
            "missing_s": 0.0,
            "profiling_time": 0.0,
            "profiling_energy": 0.0,
            "current_epoch": 1,
            "finished": False,
        }
        bso.cancel()

    def test_a_run_that_resumes_asks_with_its_checkpoint_and_counts_on(self, server: ScriptedTransport) -> None:
        state = self.saved(server)
        bso = begun(server, resume=state)
        question = server.sent(ASK_URL)[-1]
        assert question["run_id"] == "night"
        start = {"time": 1.0, "energy": 100.0, "current_epoch": 1, "trial_number": 1}
        assert question["checkpoint"] == start | {"profiling_time": 0.0, "profiling_energy": 0.0}
        assert bso.resumed
        bso.on_evaluate(0.1)
        assert (server.reports[-1]["time"], server.reports[-1]["current_epoch"]) == (2.0, 2)
        bso.cancel()

    @pytest.mark.parametrize(
        ("change", "source"),
        [({"missing_s": 1.0}, "partial"), ({"missing_s": 0.2}, "counter"), ({"missing_s": None}, "counter")],
    )
    def test_a_run_that_resumes_remembers_what_could_not_be_measured(
        self, server: ScriptedTransport, change: dict[str, float | None], source: str
    ) -> None:
        # Files of earlier versions do not say.
        state = {name: value for name, value in (self.saved(server) | change).items() if value is not None}
        bso = begun(server, resume=state)
        bso.on_evaluate(0.1)
        assert server.reports[-1]["energy_source"] == source
        bso.cancel()

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"finished": True}, "its trial 1 has ended"),
            ({"job_id": "other"}, "of the job other"),
            ({"trial_number": 9}, "its trial 9 has ended"),
        ],
    )
    def test_one_that_does_not_fit_is_ignored_with_one_line(
        self,
        server: ScriptedTransport,
        caplog: pytest.LogCaptureFixture,
        changes: dict[str, object],
        said: str,
    ) -> None:
        state = self.saved(server)
        caplog.clear()
        bso = begun(server, resume=state | changes)
        [line] = warnings_in(caplog)
        assert "ignored" in line
        assert said in line
        assert not bso.resumed
        bso.on_evaluate(0.1)
        assert (server.reports[-1]["time"], server.reports[-1]["current_epoch"]) == (1.0, 1)
        bso.cancel()

    def test_one_of_another_run_is_ignored_where_the_script_names_the_run(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        state = self.saved(server)
        caplog.clear()
        bso = begun(server, resume=state, run_id="day")
        assert "of the run night, and this is day" in warnings_in(caplog)[0]
        assert server.sent(ASK_URL)[-1]["checkpoint"] is None
        bso.cancel()

    def test_one_whose_run_has_converged_since_is_ignored_and_a_new_run_begins(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        state = self.saved(server)
        caplog.clear()
        server.answers[ASK_URL] = lambda request: (
            200,
            offer("mine", finished=request.body["run_id"] == "night", trial_number=1),
        )
        bso = begun(server, resume=state)
        assert bso.run_id != "night"
        assert not bso.training_finished
        assert "has converged" in warnings_in(caplog)[0]
        bso.cancel()

    @pytest.mark.parametrize("state", [{}, {"version": 2}, {"version": 1, "run_id": ""}, [1]])
    def test_what_is_no_state_is_refused(self, server: ScriptedTransport, state: Any) -> None:
        with pytest.raises(ZeusBSOConfigError, match="state_dict"):
            optimizer(server, resume=state)

    def saved(self, server: ScriptedTransport) -> dict[str, object]:
        bso = begun(server, run_id="night")
        bso.on_evaluate(0.1)
        state = bso.state_dict()
        bso.cancel()
        return state


class TestChangedSettings:
    def stored(self, server: ScriptedTransport, **changes: object) -> None:
        """The server has the job with other fields, and takes new settings."""
        spec = JOB.model_dump() | {"max_power": 300.0, "number_of_gpus": 1, "gpu_model": "Replayed GPU"} | changes
        conflict = (409, {"message": "Job 'mine' exists with another spec."})
        registrations = iter([conflict, (200, spec)])
        server.answers[REGISTER_JOB_URL] = lambda request: next(registrations)
        server.answers[JOB_URL] = (200, {"spec": spec | {"policy": "of-tomorrow", "unknown": 1}})
        server.answers[JOBS_URL] = (200, {"spec": spec})

    def test_by_default_they_are_an_error(self, server: ScriptedTransport) -> None:
        self.stored(server, max_epochs=7)
        with pytest.raises(ZeusBSOSpecConflictError, match='With on_spec_change="update", a launch changes them'):
            optimizer(server)

    def test_they_are_updated_where_that_is_asked_for(
        self, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.stored(server, max_epochs=7, eta_knob=0.1)
        optimizer(server, on_spec_change="update")
        [settings] = server.sent(JOBS_URL, method="PATCH")
        assert (settings["max_epochs"], settings["eta_knob"]) == (5, 0.5)
        assert warnings_in(caplog) == ["The job mine was updated: eta_knob, max_epochs."]

    def test_another_identity_is_an_error_all_the_same_and_changes_nothing(self, server: ScriptedTransport) -> None:
        self.stored(server, max_epochs=7, target_metric=0.5)
        with pytest.raises(ZeusBSOSpecConflictError):
            optimizer(server, on_spec_change="update")
        assert server.sent(JOBS_URL) == []

    def test_another_word_is_refused(self, server: ScriptedTransport) -> None:
        with pytest.raises(ZeusBSOConfigError, match="on_spec_change must be 'raise' or 'update', not 'ask'"):
            optimizer(server, on_spec_change="ask")


class TestNewerServers:
    def test_fields_and_outcomes_that_are_unknown_break_nothing(self, server: ScriptedTransport) -> None:
        server.answers[REGISTER_JOB_URL] = lambda request: (
            201,
            {**request.body, "policy": "of-tomorrow", "policy_options": {"new": True}},
        )
        server.answers[ASK_URL] = (200, offer("mine", hints=[1, 2]))
        bso = begun(server)
        server.answers[REPORT_RESULT_URL] = (200, {**GO_ON, "savings": {"energy": 1.0}})
        bso.on_evaluate(0.1)
        assert not bso.training_finished
        server.answers[REPORT_RESULT_URL] = (200, {**CONVERGED, "outcome": "of-tomorrow", "more": []})
        bso.on_evaluate(0.95)
        assert bso.training_finished

    def test_a_list_is_an_answer_too(self) -> None:
        with TinyServer() as server:
            server.raw = b'[{"trial_number": 1}, 2]'
            transport = HttpTransport(server.url)
            answer = transport.request("GET", "/x")
            transport.close()
        assert (answer.status, answer.body, answer.items) == (200, {}, ({"trial_number": 1}, 2))


class TestWindow:
    def test_it_is_open_again_after_an_interrupt_that_the_script_catches(self, server: ScriptedTransport) -> None:
        bso = begun(server)

        class Interrupting:
            def __float__(self) -> float:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bso.on_evaluate(Interrupting())
        bso.on_evaluate(0.1)
        assert [report["current_epoch"] for report in server.reports] == [1]
        bso.cancel()
