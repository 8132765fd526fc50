"""An import is stored in parts that nobody sees before the last one, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event
from tests.support.contract import ANY_DATABASE
from tests.support.exports import export, lived, rows, send
from tests.support.exports import lines_of as read
from tests.support.jobs import Json, spec
from tests.support.server import Server

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.transfer import importing, repository, staging
from zeus_bso.server.transfer.check import Row
from zeus_bso.server.transfer.transfer import Transfer

PART = 3
TABLES = tuple(table.name for table in repository.TABLES)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (repository, staging):
        monkeypatch.setattr(module, "PART", PART)
    monkeypatch.setattr(importing, "PAUSE_S", 0.0)


@pytest.fixture
def file(server: Server) -> bytes:
    """An exported job, which the database then has no more."""
    found = lived(server)
    assert len(rows(read(found), "trial")) > 2 * PART
    server.wipe()
    return found


def test_no_transaction_of_an_import_stores_more_than_a_part(server: Server, file: bytes) -> None:
    with _rows_by_transaction() as stored:
        assert send(server, file).status_code == 201

    assert max(stored) == PART
    assert sum(stored) == sum(read(file)[-1]["rows"].values())
    assert export(server) == file


def test_a_job_is_not_seen_before_its_last_part(server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave_unfinished(server, file, monkeypatch)

    assert len(server.sql("SELECT * FROM trial")) == 8
    for path in ("/api/v1/job", "/api/v1/trials", "/api/v1/savings", "/api/v1/savings/history", "/api/v1/jobs/export"):
        assert server.call("GET", path, job_id="job").status_code == 404, path
    assert server.call("GET", "/api/v1/trials/reports", job_id="job", trial_number=1).status_code == 404
    assert server.call("GET", "/job", job_id="job").status_code == 404
    for name in ("cost", "belief", "plane", "curves", "savings"):
        assert server.call("GET", "/job/chart", job_id="job", name=name, span="all").status_code == 404, name
    assert server.call("GET", "/jobs/batch_size", job_id="job").status_code == 400
    assert server.call("DELETE", "/jobs", job_id="job").status_code in (400, 404)
    assert server.call("GET", "/api/v1/jobs").json() == []
    for path in ("/", "/fleet", "/metrics"):
        answer = server.call("GET", path)
        assert answer.status_code == 200, path
        assert "Importing" not in answer.text
        assert "Ünï" not in answer.text


@ANY_DATABASE
def test_an_import_tells_how_far_it_is(server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = read(file)[-1]["rows"]
    every = sum(counts.values()) - counts["job"]
    insert, told = repository.TransferRepository.insert_bound, list[tuple[int, int]]()

    def note(self: repository.TransferRepository, into: repository.JobTable, values: list[Row]) -> None:
        told.append(self.progress("job"))
        insert(self, into, values)

    monkeypatch.setattr(repository.TransferRepository, "insert_bound", note)
    _leave_unfinished(server, file, monkeypatch)

    assert {total for _, total in told} == {every}
    assert [stored for stored, _ in told] == sorted({stored for stored, _ in told})
    assert _progress(server) == {"stored": every, "rows": every}
    assert _progress(server, "another") == {"stored": 0, "rows": 0}
    _long_ago(server)
    assert send(server, file).status_code == 201
    assert _progress(server) == {"stored": 0, "rows": 0}


def test_an_id_that_is_being_imported_is_not_given_to_another_job(
    server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_unfinished(server, file, monkeypatch)

    again = send(server, file)
    assert (again.status_code, "imported already" in again.json()["message"]) == (409, True)
    registration = server.call("POST", "/jobs", spec())
    assert (registration.status_code, "being imported" in registration.json()["message"]) == (503, True)
    assert send(server, file, **{"as": "another"}).status_code == 201
    assert server.register(job_id="third")["job_id"] == "third"


def test_nothing_is_left_of_an_import_that_fails(server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Transfer, "end_import", _refuse)
        assert send(server, file).status_code == 503

    assert [row for table in TABLES for row in server.sql(f"SELECT * FROM {table}")] == []
    assert send(server, file).status_code == 201
    assert export(server) == file


def test_numbers_of_a_deleted_job_outlive_an_import_that_fails(
    server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.register()
    for _ in range(9):
        server.ask()
    server.delete()
    with monkeypatch.context() as patch:
        patch.setattr(Transfer, "end_import", _refuse)
        assert send(server, file).status_code == 503
    assert send(server, file).status_code == 201

    assert server.ask().trial_number == 10


def test_another_import_deletes_what_one_has_left_whose_server_has_ended(
    server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_unfinished(server, file, monkeypatch)
    _long_ago(server)

    with _rows_by_transaction() as stored:
        assert send(server, file, **{"as": "another"}).status_code == 201

    assert max(stored) == PART
    assert {row["job_id"] for table in TABLES for row in server.sql(f"SELECT job_id FROM {table}")} == {"another"}


def test_a_registration_deletes_what_an_import_has_left_whose_server_has_ended(
    server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_unfinished(server, file, monkeypatch)
    _long_ago(server)

    server.register()

    assert server.trials() == []
    assert server.ask().trial_number == 1


def test_an_import_that_was_given_up_stores_nothing_more(
    server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Transfer.end_import

    def given_up(self: Transfer, staged: staging.StagedJob, token: str) -> object:
        return end(self, staged, "another token")

    with monkeypatch.context() as patch:
        patch.setattr(Transfer, "end_import", given_up)
        refused = send(server, file)

    assert (refused.status_code, "given up" in refused.json()["message"]) == (503, True)
    assert server.call("GET", "/api/v1/job", job_id="job").status_code == 404


def _leave_unfinished(server: Server, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what a server leaves that ends before the last part."""

    async def nothing(self: object) -> None:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(Transfer, "end_import", _refuse)
        patch.setattr(importing._Import, "_discard_own", nothing)
        assert send(server, file).status_code == 503


def _progress(server: Server, job_id: str = "job") -> Json:
    answer = server.call("GET", "/api/v1/jobs/import", job_id=job_id)
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


def _refuse(*_: object) -> None:
    raise DatabaseUnavailableError("The database is not available.")


def _long_ago(server: Server) -> None:
    server.sql("UPDATE job SET updated_at = '2026-01-01 00:00:00.000000' WHERE stage = 'Importing'")


@contextmanager
def _rows_by_transaction() -> Iterator[list[int]]:
    """How many rows of jobs each transaction stores that stores any."""
    found, stored = list[int](), 0

    def note(
        connection: Connection, cursor: object, statement: str, parameters: object, context: object, executemany: bool
    ) -> None:
        nonlocal stored
        if statement.startswith("INSERT INTO"):
            stored += len(parameters) if executemany and isinstance(parameters, list) else 1

    def committed(connection: Connection) -> None:
        nonlocal stored
        if stored:
            found.append(stored)
        stored = 0

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "commit", committed)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "commit", committed)
