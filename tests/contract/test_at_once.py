"""Requests about many jobs that come at once: they may share a transaction, and nobody notices."""

from __future__ import annotations

from tests.support.jobs import Trial
from tests.support.server import Server

JOBS = [f"job-{number}" for number in range(12)]


def _asked(server: Server) -> list[Trial]:
    for job_id in JOBS:
        server.register(job_id=job_id)
    answers = server.gather([("GET", f"/jobs/batch_size?job_id={job_id}", None) for job_id in JOBS])
    return [Trial.of(answer.json()) for answer in answers]


def test_each_is_answered_as_if_it_were_alone(server: Server) -> None:
    trials = _asked(server)
    assert [(trial.job_id, trial.trial_number) for trial in trials] == [(job_id, 1) for job_id in JOBS]

    unknown = {"job_id": "unknown", "batch_size": 8, "trial_number": 1}
    answers = server.gather(
        [("POST", "/report", trial.result(energy=50.0 + number)) for number, trial in enumerate(trials)]
        + [("POST", "/report", trials[0].result(trial_number=99)), ("PATCH", "/trials", unknown)]
        + [("GET", "/jobs/batch_size?job_id=unknown", None)]
    )

    assert [answer.status_code for answer in answers] == [200] * len(JOBS) + [400, 404, 400]
    assert [server.trial(trial)["energy"] for trial in trials] == [50.0 + number for number in range(len(JOBS))]


def test_each_kind_of_request_takes_effect(server: Server) -> None:
    trials = _asked(server)
    converging, ending, beating, asking = trials[:3], trials[3:6], trials[6:9], trials[9:]
    server.gather(
        [("POST", "/report", trial.result(metric=1.0)) for trial in converging]
        + [("PATCH", "/trials", trial.body | {"reason": "oom"}) for trial in ending]
        + [("POST", "/api/v1/trials/heartbeat", trial.body | {"time": 7.0}) for trial in beating]
        + [("POST", "/api/v1/trials", {"job_id": trial.job_id, "run_id": "r"}) for trial in asking]
    )

    assert {server.trial(trial)["outcome"] for trial in converging} == {"converged"}
    assert {server.size(trial.batch_size, trial.job_id)["observations"] for trial in converging} == {1}
    assert {server.trial(trial)["reason"] for trial in ending} == {"oom"}
    assert {server.trial(trial)["time"] for trial in beating} == {7.0}
    assert {server.trials(trial.job_id)[1]["run_id"] for trial in asking} == {"r"}


def test_the_first_of_the_same_reports_decides(server: Server) -> None:
    trials = _asked(server)
    answers = server.gather([("POST", "/report", trial.result(metric=1.0)) for trial in trials for _ in range(3)])

    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["converged"] for answer in answers)
    assert {server.size(trial.batch_size, trial.job_id)["observations"] for trial in trials} == {1}
