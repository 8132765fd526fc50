"""The database is busy, slow, hanging or gone: what a request sees of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select, text, true
from sqlalchemy.exc import OperationalError
from tests.support.databases import KINDS, DatabaseServers, fresh_database, look
from tests.support.jobs import Trial, spec
from tests.support.private_servers import started_server
from tests.support.process import PATIENCE_S, ServerProcess

from zeus_bso.server.database import migrate
from zeus_bso.server.database.schema import job

TRIES = 10

SERVERS = pytest.mark.parametrize("served", ["mariadb", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, str]]:
    """A server that has one connection to its database, a job of some trials, and the database's URL."""
    folder = tmp_path_factory.mktemp("pool")
    with databases.migrated(request.param, folder) as url, _server(url, folder, pool_size=1) as client:
        yield client, url


@pytest.fixture
def server(served: tuple[httpx.Client, str]) -> httpx.Client:
    return served[0]


@pytest.fixture
def database_url(served: tuple[httpx.Client, str]) -> str:
    return served[1]


@SERVERS
def test_an_exhausted_pool_answers_503_in_time_and_recovers(server: httpx.Client, database_url: str) -> None:
    assert server.post("/jobs", json=spec(job_id="other")).status_code == 201
    with _job_held(database_url) as release, ThreadPoolExecutor(2) as pool:
        # Each waits 2 s for the lock of its job, one after the other: there is one connection.
        blocked = [pool.submit(_change, server, job_id) for job_id in ("job", "other")]
        _wait_until_one_waits(database_url)
        refused, elapsed = _timed(lambda: server.get("/readyz"))
        release()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json() == {"message": "All database connections are in use; nothing was stored. Try again."}
    assert elapsed < 20.0
    assert [request.result().status_code for request in blocked] == [200, 200]
    assert server.get("/readyz").status_code == 200


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_many_requests_of_a_locked_job_leave_connections_to_others(
    kind: str, databases: DatabaseServers, tmp_path: Path
) -> None:
    with (
        databases.migrated(kind, tmp_path) as url,
        _server(url, tmp_path, pool_size=3) as server,
        ThreadPoolExecutor(12) as pool,
    ):
        assert server.post("/jobs", json=spec(job_id="other")).status_code == 201
        with _job_held(url, "job") as release:
            locked = [pool.submit(_report, server, number) for number in range(1, 13)]
            _wait_until_one_waits(url)
            others = [server.get("/jobs/batch_size", params={"job_id": "other"}) for _ in range(5)]
            probe = server.get("/readyz")
            still = look(url, _that_wait)
            release()
        answers = [request.result() for request in locked]
    assert [answer.status_code for answer in [*others, probe]] == [200] * 6
    assert still <= 2
    assert {answer.status_code for answer in answers} <= {200, 503}


def test_a_lock_that_is_held_too_long_answers_503_in_time_and_recovers(server: httpx.Client, database_url: str) -> None:
    with _job_held(database_url):
        refused, elapsed = _timed(lambda: _report(server, 1))
    assert refused.status_code == 503, refused.text
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["message"].endswith("again.")
    assert elapsed < 20.0
    assert _report(server, 1).status_code == 200


def test_a_lock_that_is_held_for_a_while_is_waited_for(server: httpx.Client, database_url: str) -> None:
    # That is longer than one attempt waits: the lock's time-out is met and the request runs again.
    with _job_held(database_url) as release:
        timer = threading.Timer(2.5, release)
        timer.start()
        answer = _report(server, 1)
        timer.join()
    assert answer.status_code == 200, answer.text


@SERVERS
def test_a_deadlock_is_not_surfaced(server: httpx.Client, database_url: str) -> None:
    def lock_crosswise(connection: Connection) -> Future[httpx.Response]:
        # The server locks the job and then wants the trial; we lock trials, and then want the job. The database ends
        # who waited first (PostgreSQL) or has written less (MariaDB): the server.
        connection.execute(text("UPDATE trial SET message = 'ours'"))
        asked = pool.submit(_report, server, 1)
        pool.submit(_wait_until_one_waits, database_url).result()
        connection.execute(text("SELECT job_id FROM job FOR UPDATE"))
        return asked

    def the_server_loses() -> bool:
        try:
            answer = look(database_url, lock_crosswise).result()
        except OperationalError:
            return False  # PostgreSQL looks once, a second after a wait begins; on a busy machine we may begin later.
        assert answer.status_code == 200, answer.text
        return True

    before = look(database_url, _deadlocks)
    with ThreadPoolExecutor(2) as pool:
        assert any(the_server_loses() for _ in range(TRIES))
    _wait_for(lambda: look(database_url, _deadlocks) > before, "there was no deadlock")


@SERVERS
def test_a_lost_connection_is_not_surfaced(server: httpx.Client, database_url: str) -> None:
    for epoch in (1, 2, 3):
        assert look(database_url, _end_other_connections) == 1
        answer = _report(server, 1, epoch=epoch)
        assert answer.status_code == 200, answer.text


@SERVERS
def test_a_connection_lost_in_the_middle_of_a_request_is_not_surfaced(server: httpx.Client, database_url: str) -> None:
    with _job_held(database_url) as release, ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(_report, server, 1)
        _wait_until_one_waits(database_url)
        ended = look(database_url, lambda connection: _end_other_connections(connection, that_wait=True))
        release()
        answer = blocked.result()
    assert ended == 1
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_a_database_that_hangs_answers_503_in_time_and_recovers(kind: str, tmp_path: Path) -> None:
    with started_server(kind) as server, fresh_database(server.url) as url:
        migrate.upgrade(url)
        with _server(url, tmp_path, pool_size=3) as client, ThreadPoolExecutor(5) as pool:
            server.pause()
            try:
                # Some of them meet a hanging statement, others a hanging connection or an empty pool.
                answers = list(pool.map(lambda number: _timed(lambda: _report(client, number)), [1, 2, 1, 2, 1]))
                answers.append(_timed(lambda: _report(client, 1)))
            finally:
                server.resume()
            after = [_timed(lambda: _report(client, 1)) for _ in range(2)]
    assert [answer.status_code for answer, _ in answers] == [503] * 6
    assert {answer.headers["Retry-After"] for answer, _ in answers} == {"1"}
    assert max(elapsed for _, elapsed in answers) < 20.0
    assert [answer.status_code for answer, _ in after] == [200, 200]


@contextmanager
def _server(url: str, folder: Path, pool_size: int) -> Iterator[httpx.Client]:
    size = {"ZEUS_BSO_DATABASE_POOL_SIZE": str(pool_size)}
    with (
        ServerProcess(url, folder, environment=size) as server,
        httpx.Client(base_url=server.url, timeout=240) as client,
    ):
        assert client.post("/jobs", json=spec()).status_code == 201
        for _ in range(24):
            assert client.get("/jobs/batch_size", params={"job_id": "job"}).status_code == 200
        yield client


def _report(client: httpx.Client, trial_number: int, *, epoch: int = 1) -> httpx.Response:
    return client.post("/report", json=Trial("job", 16, trial_number).result(current_epoch=epoch))


def _change(client: httpx.Client, job_id: str) -> httpx.Response:
    return client.patch("/api/v1/jobs", params={"job_id": job_id}, json={"max_epochs": 50})


def _timed(request: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return request(), time.monotonic() - started


@contextmanager
def _job_held(url: str, job_id: str | None = None) -> Iterator[Callable[[], None]]:
    """Hold the lock of a job, or of all, in another process's stead, until the end or until released."""
    held, released = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("UPDATE job SET try_all_sizes = try_all_sizes")
        these = job.c.job_id == job_id if job_id else true()
        connection.execute(select(job.c.job_id).where(these).with_for_update())
        held.set()
        released.wait(240)

    thread = threading.Thread(target=look, args=(url, hold))
    thread.start()
    assert held.wait(240)
    try:
        yield released.set
    finally:
        released.set()
        thread.join()


def _deadlocks(connection: Connection) -> int:
    """Deadlocks that the database has ended so far."""
    if connection.dialect.name == "postgresql":
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    else:
        query = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'INNODB_DEADLOCKS'"
    return int(connection.execute(text(query)).scalar_one())


def _wait_until_one_waits(url: str) -> None:
    """Wait until a statement of another connection waits for a lock."""
    _wait_for(lambda: look(url, _that_wait) > 0, "no statement waits")


def _that_wait(connection: Connection) -> int:
    """Statements on the database that wait for a lock."""
    if connection.dialect.name == "postgresql":
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    else:
        query = (
            "SELECT count(*) FROM information_schema.innodb_trx JOIN information_schema.processlist "
            "ON id = trx_mysql_thread_id WHERE db = database() AND trx_state = 'LOCK WAIT'"
        )
    return int(connection.execute(text(query)).scalar_one())


def _wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, otherwise
        # InnoDB's view of transactions stays as it is while somebody reads it more often than every 0.1 s.
        time.sleep(0.2)


def _end_other_connections(connection: Connection, *, that_wait: bool = False) -> int:
    """End the other connections to the database, or those that wait for the job; returns how many."""
    if connection.dialect.name == "postgresql":
        query, waits = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()", "wait_event_type = 'Lock'"
        own, end = "pid <> pg_backend_pid()", "SELECT pg_terminate_backend({})"
    else:
        query = "SELECT id FROM information_schema.processlist WHERE db = database()"
        waits = "info LIKE '%JOIN trial%FOR UPDATE'"
        own, end = "id <> connection_id()", "KILL {}"
    these = f"{own} AND {waits}" if that_wait else own
    found = list(connection.execute(text(f"{query} AND {these}")).scalars())
    for identifier in found:
        connection.execute(text(end.format(identifier)))
    return len(found)
