"""The recorder's server answers as the server does, but gives the size that it was told to, and bounds nothing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.support.jobs import Json, Trial, spec

from zeus_bso.simulator.recording_server import RecordingServer


class Launched:
    """A recorder with a job, and a client of it."""

    def __init__(self, recorder: RecordingServer, client: httpx.Client) -> None:
        self.recorder = recorder
        self._client = client
        recorder.begin_launch()

    def send(self, method: str, path: str, body: Json) -> httpx.Response:
        return self._client.request(method, path, json=body)

    def ask(self, job_id: str = "job") -> Trial:
        answer = self._client.get("/jobs/batch_size", params={"job_id": job_id})
        assert answer.status_code == 200, answer.text
        return Trial.of(answer.json())

    def report(self, trial: Trial, **told: object) -> Json:
        answer = self.send("POST", "/report", trial.result(**told))
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found


@pytest.fixture
def launched() -> Iterator[Launched]:
    with (
        RecordingServer(lambda spec: max(spec.batch_sizes)).running() as recorder,
        httpx.Client(base_url=recorder.url, timeout=20) as client,
    ):
        assert client.post("/jobs", json=spec()).status_code == 201
        yield Launched(recorder, client)


def epochs(launched: Launched) -> list[tuple[int, float | None]]:
    return [(report.epoch, report.metric) for report in launched.recorder.reports]


def test_a_launch_gets_the_size_that_is_wanted_and_the_same_trial_however_often_it_asks(launched: Launched) -> None:
    first = launched.ask()

    assert first.batch_size == 64
    assert launched.ask() == first


def test_the_first_report_of_an_epoch_is_kept_and_the_others_get_the_same_answer(launched: Launched) -> None:
    trial = launched.ask()
    launched.report(trial, metric=0.1)
    launched.report(trial, metric=0.2)
    launched.report(trial, metric=0.3, current_epoch=2, time=20.0)

    assert epochs(launched) == [(1, 0.1), (2, 0.3)]


def test_a_run_is_stopped_at_its_target_and_never_for_its_cost(launched: Launched) -> None:
    cheap = launched.ask()
    assert launched.report(cheap, metric=1.0, energy=1.0)["converged"]
    launched.recorder.begin_launch()
    dear = launched.ask()

    assert not launched.report(dear, energy=1e9)["stop_train"]
    answer = launched.report(dear, energy=2e9, metric=1.0, current_epoch=2)
    assert (answer["stop_train"], answer["converged"]) == (True, True)
    assert launched.report(dear, metric=0.1, current_epoch=3)["message"].startswith(
        f"Trial {dear.trial_number} is already reported"
    )
    assert epochs(launched) == [(1, 0.5), (2, 1.0)]


def test_a_run_that_ended_and_is_heard_of_again_goes_on(launched: Launched) -> None:
    trial = launched.ask()
    assert launched.send("PATCH", "/trials", trial.body | {"reason": "error"}).status_code == 200
    assert launched.recorder.trial is not None
    assert launched.recorder.trial.reason is not None
    launched.report(trial)

    assert launched.recorder.trial.open


def test_what_ran_out_of_memory_stays_so(launched: Launched) -> None:
    trial = launched.ask()
    launched.send("PATCH", "/trials", trial.body | {"reason": "oom"})

    assert launched.report(trial)["stop_train"]


def test_a_run_that_reached_its_target_at_no_cost_is_refused_as_the_server_refuses_it(launched: Launched) -> None:
    answer = launched.send("POST", "/report", launched.ask().result(metric=1.0, energy=0.0, time=0.0))

    assert answer.status_code == 422
    assert "no cost" in answer.json()["message"]
    assert launched.recorder.reports == []


def test_a_report_of_the_launch_before_is_not_mixed_in(launched: Launched) -> None:
    late = launched.ask()
    launched.recorder.begin_launch()
    now = launched.ask()

    assert launched.send("POST", "/report", late.result()).status_code == 404
    assert launched.recorder.reports == []
    assert now.trial_number == late.trial_number + 1


def test_an_unknown_job_is_404_and_a_body_that_says_nothing_422(launched: Launched) -> None:
    assert launched.send("POST", "/api/v1/trials", {"job_id": "other"}).status_code == 404
    assert launched.send("POST", "/report", {}).status_code == 422
    assert launched.send("POST", "/nowhere", {}).status_code == 404
