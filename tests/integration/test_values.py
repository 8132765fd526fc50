"""Every database keeps what it is given: to the last bit, and to the last blank."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from tests.support.databases import look
from tests.support.jobs import spec
from tests.support.server import Server

from zeus_bso.server.database.schema import job, trial_report

DOUBLES = [
    0.1 + 0.2,
    1 / 3,
    1e-300,
    5e-324,
    sys.float_info.min,
    1 - sys.float_info.epsilon / 2,
    123456789.12345679,
    999_999_999_999.9999,
]
IDS = ["a", "A", "a ", " a", "ä", "a\u0308", "\N{ROCKET}", "ß", "ss", "ﬀ", "a%b_c'\"\\;--", "x" * 255, "🚀" * 255]


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    server = Server(database_url)
    server.start()
    yield server
    server.close()


def test_doubles_come_back_to_the_last_bit(server: Server) -> None:
    for number, value in enumerate(DOUBLES + [-value for value in DOUBLES]):
        body = spec(job_id=f"job-{number}", target_metric=value, beta_knob=abs(value), mab_prior_precision=abs(value))
        assert server.call("POST", "/jobs", body).status_code == 201
        again = server.call("POST", "/jobs", body)
        assert again.status_code == 200, again.text
        kept = [repr(again.json()[name]) for name in ("target_metric", "beta_knob", "mab_prior_precision")]
        assert kept == [repr(value), repr(abs(value)), repr(abs(value))]
    stored = look(server.url, lambda connection: connection.execute(select(job.c.target_metric)).scalars().all())
    assert sorted(stored) == sorted(DOUBLES + [-value for value in DOUBLES])


def test_what_is_reported_is_stored_to_the_last_bit(server: Server) -> None:
    server.register(target_metric=1e30)
    expected = []
    for value in [*DOUBLES, 2.0**53 + 2, 1e300, sys.float_info.max]:
        trial = server.ask()
        server.report(trial, current_epoch=1, metric=-value, time=min(value, 1e15), energy=min(value, 1e15))
        expected.append((trial.trial_number, -value, min(value, 1e15), min(value, 1e15)))
    columns = trial_report.c.trial_number, trial_report.c.metric, trial_report.c.time, trial_report.c.energy
    query = select(*columns).order_by(trial_report.c.trial_number)
    stored = look(server.url, lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in stored] == expected


def test_seeds_have_63_bits(server: Server) -> None:
    for seed in (0, 2**53 + 1, 2**63 - 1):
        job_id = f"job-{seed}"
        assert server.register(job_id=job_id, mab_seed=seed)["mab_seed"] == seed
        assert server.job(job_id)["spec"]["mab_seed"] == seed


def test_ids_that_differ_in_a_blank_a_case_or_an_accent_are_different_jobs(server: Server) -> None:
    for number, job_id in enumerate(IDS, start=1):
        assert server.call("POST", "/jobs", spec(job_id=job_id, max_epochs=number)).status_code == 201
    for number, job_id in enumerate(IDS, start=1):
        assert server.job(job_id)["spec"]["max_epochs"] == number
        assert server.ask(job_id).trial_number == 1
    assert {summary["job_id"] for summary in server.call("GET", "/api/v1/jobs").json()} == set(IDS)


def test_run_ids_are_compared_byte_by_byte(server: Server) -> None:
    server.register()
    numbers = [server.ask(run_id=run_id).trial_number for run_id in IDS]
    assert numbers == list(range(1, len(IDS) + 1))
    assert [server.ask(run_id=run_id).trial_number for run_id in IDS] == numbers
