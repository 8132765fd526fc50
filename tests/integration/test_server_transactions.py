"""One request is one transaction, committed before the answer is sent, re-run as a whole after a lost race."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from tests.support.jobs import Json, Trial, spec
from tests.support.refusals import assert_refused
from tests.support.server import TABLES, Server
from tests.support.soundness import assert_sound

from zeus_bso.server.database.sqlite import BUSY_TIMEOUT_S
from zeus_bso.server.database.write_queue_lock import WriteQueueLock

ATTEMPTS = 5
"""A busy machine may be slow once; not so often."""


def stored(server: Server) -> list[list[Json]]:
    """All that the database holds."""
    return [server.sql(f"SELECT * FROM {table}") for table in TABLES]


@pytest.fixture
def trial(own_server: Server) -> Trial:
    """An open trial of a registered job."""
    own_server.register()
    return own_server.ask()


@contextmanager
def failing_commit(message: str, times: int = 10**9) -> Iterator[list[str]]:
    """Let commits fail in the database driver, as they do on a broken disk; tells how often they did."""
    failed: list[str] = []

    def do_commit(dialect: SQLiteDialect_pysqlite, connection: Any) -> None:
        if len(failed) < times:
            failed.append(message)
            raise sqlite3.OperationalError(message)
        connection.commit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLiteDialect_pysqlite, "do_commit", do_commit, raising=False)
        yield failed


REQUESTS: dict[str, Callable[[Trial], tuple[str, str, object]]] = {
    "register": lambda trial: ("POST", "/jobs", spec(job_id="new")),
    "ask": lambda trial: ("GET", "/jobs/batch_size?job_id=job", None),
    "report": lambda trial: ("POST", "/report", trial.result()),
    "converge": lambda trial: ("POST", "/report", trial.result(metric=1.0)),
    "end": lambda trial: ("PATCH", "/trials", trial.body),
    "beat": lambda trial: ("POST", "/api/v1/trials/heartbeat", trial.body | {"time": 1.0}),
    "settings": lambda trial: ("PATCH", "/api/v1/jobs?job_id=job", {"eta_knob": 0.25}),
    "reset": lambda trial: ("POST", "/api/v1/jobs/reset?job_id=job", None),
    "delete": lambda trial: ("DELETE", "/jobs?job_id=job", None),
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_commit_that_fails_is_503_and_nothing_is_stored(own_server: Server, trial: Trial, request_: str) -> None:
    before = stored(own_server)
    with failing_commit("disk I/O error") as failed:
        response = own_server.call(*REQUESTS[request_](trial))

    assert_refused(response, 503)
    assert "Retry-After" in response.headers
    assert failed
    assert stored(own_server) == before


@pytest.mark.parametrize("request_", REQUESTS)
def test_after_a_commit_that_failed_the_same_request_succeeds(own_server: Server, trial: Trial, request_: str) -> None:
    with failing_commit("disk I/O error"):
        own_server.call(*REQUESTS[request_](trial))

    assert own_server.call(*REQUESTS[request_](trial)).status_code in (200, 201)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_that_loses_a_race_is_run_again_as_a_whole(own_server: Server, trial: Trial, request_: str) -> None:
    with failing_commit("database is locked", times=2) as failed:
        response = own_server.call(*REQUESTS[request_](trial))

    assert response.status_code in (200, 201)
    assert len(failed) == 2


def test_a_request_that_loses_every_race_is_503_in_the_end(own_server: Server, trial: Trial) -> None:
    before = stored(own_server)
    with failing_commit("database is locked") as failed:
        response = own_server.call("POST", "/report", trial.result())

    assert_refused(response, 503)
    assert 3 <= len(failed) <= 4
    assert stored(own_server) == before


@contextmanager
def locked(server: Server, seconds: float) -> Iterator[None]:
    """Hold the file's write lock as another program would: for so long, or until the body has ended."""
    taken, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(server.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            taken.set()
            ended.wait(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_file_that_is_locked_for_a_while_is_waited_for(own_server: Server, trial: Trial) -> None:
    with locked(own_server, 1.5):
        assert not own_server.report(trial)["stop_train"]

    assert own_server.trial(trial)["current_epoch"] == 1


def test_a_file_that_stays_locked_is_503_before_a_client_gives_up(own_server: Server, trial: Trial) -> None:
    before, quickest = stored(own_server), float("inf")
    with locked(own_server, 300):
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            response = own_server.call("POST", "/report", trial.result())
            quickest = min(quickest, time.monotonic() - began)
            assert_refused(response, 503)
            if quickest < 5.0:
                break

    assert quickest < 5.0
    assert stored(own_server) == before
    assert not own_server.report(trial)["stop_train"]


def test_a_server_that_starts_waits_while_another_makes_the_file_for_longer_than_sqlite_waits(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    turn, made = WriteQueueLock(file), sqlite3.connect(file, isolation_level=None, check_same_thread=False)

    def hold() -> None:
        with turn:
            made.execute("BEGIN EXCLUSIVE")
            held.set()
            time.sleep(BUSY_TIMEOUT_S + 0.5)
            made.execute("ROLLBACK")
        made.close()
        turn.close()

    held, server = threading.Event(), Server(file)
    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    try:
        server.start()
        server.close()
    finally:
        other.join()


def test_reading_goes_on_while_the_file_is_locked(own_server: Server, trial: Trial) -> None:
    with locked(own_server, 300):
        assert own_server.job()["trials"] == 1


class TestRequestsThatShareACommit:
    def test_those_that_are_refused_do_no_harm_to_the_others(self, own_server: Server) -> None:
        trials = []
        for number in range(8):
            own_server.register(job_id=f"job-{number}")
            trials.append(own_server.ask(f"job-{number}"))
        requests: list[tuple[str, str, object]] = []
        for trial in trials:
            requests += [
                ("POST", "/report", trial.result(metric=1.0, energy=0.0)),
                ("POST", "/report", trial.result(metric=0.5, energy=50.0)),
                ("POST", "/report", trial.result(trial_number=99)),
                ("GET", f"/jobs/batch_size?job_id={trial.job_id}", None),
                ("POST", "/jobs", spec(job_id=trial.job_id, max_epochs=99)),
            ]
        codes = [response.status_code for response in own_server.gather(requests)]

        assert codes == [422, 200, 400, 200, 409] * 8
        for trial in trials:
            assert own_server.trial(trial)["energy"] == 50.0
            assert [view["trial_number"] for view in own_server.trials(trial.job_id)] == [1, 2]

    def test_a_commit_that_fails_fails_them_all(self, own_server: Server, trial: Trial) -> None:
        before = stored(own_server)
        with failing_commit("disk I/O error"):
            responses = own_server.gather([("GET", "/jobs/batch_size?job_id=job", None)] * 20)

        assert {response.status_code for response in responses} == {503}
        assert stored(own_server) == before

    def test_a_commit_that_lost_a_race_is_made_up_for_one_by_one(self, own_server: Server, trial: Trial) -> None:
        with failing_commit("database is locked", times=1) as failed:
            responses = own_server.gather([("GET", "/jobs/batch_size?job_id=job", None)] * 20)

        assert failed
        assert sorted(response.json()["trial_number"] for response in responses) == list(range(2, 22))
        assert len(own_server.trials()) == 21

    def test_many_at_once_leave_a_sound_state(self, own_server: Server) -> None:
        own_server.register(beta_knob=None)
        for round_ in range(10):
            asks = own_server.gather([("GET", "/jobs/batch_size?job_id=job", None)] * 12)
            given = [Trial.of(response.json()) for response in asks]
            assert len({trial.trial_number for trial in given}) == 12
            own_server.gather(
                [
                    ("POST", "/report", trial.result(metric=1.0 if number % 3 else 0.1, energy=50.0 + number + round_))
                    for number, trial in enumerate(given)
                ]
                + [("PATCH", "/trials", trial.body | {"reason": "cancelled"}) for trial in given[::5]]
            )
        assert_sound(
            own_server.sql("SELECT * FROM job")[0],
            own_server.sql("SELECT * FROM trial ORDER BY trial_number"),
            own_server.sql("SELECT * FROM batch_size_state"),
        )


def test_an_error_of_ours_is_500_without_a_word_about_the_inside(own_server: Server, trial: Trial) -> None:
    """No input gives a 5xx; should the server have a bug all the same, its answer gives nothing away."""

    def broken(*_: object) -> NoReturn:
        raise RuntimeError("ECHO: /secret/place.py SELECT")

    before = stored(own_server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeus_bso.server.optimizer.ZeusBatchSizeOptimizer.decide", broken)
        response = own_server.call("POST", "/report", trial.result())

    assert_refused(response, 500)
    assert stored(own_server) == before
    assert not own_server.report(trial)["stop_train"]
