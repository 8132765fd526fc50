"""The file of an SQLite database, and what others do to it while a server runs."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from tests.support.server import Server

ASK = ("POST", "/api/v1/trials", {"job_id": "job"})


def _statuses(server: Server) -> tuple[int, int, int]:
    """What an ask, a look at the job and a probe are answered."""
    look = server.call("GET", "/api/v1/job", job_id="job").status_code
    return server.call(*ASK).status_code, look, server.call("GET", "/readyz").status_code


def _trials(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM trial").fetchone()[0])


def _copy(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as file, closing(sqlite3.connect(target)) as copy:
        file.backup(copy)


def test_a_file_that_cannot_be_written_is_not_ready(own_server: Server) -> None:
    own_server.register()
    only_reads = True

    def set_query_only(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA query_only = {only_reads}")

    event.listen(Engine, "begin", set_query_only)
    try:
        assert _statuses(own_server) == (503, 200, 503)
        only_reads = False
        assert _statuses(own_server) == (200, 200, 200)
    finally:
        event.remove(Engine, "begin", set_query_only)


def test_a_probe_writes_nothing_and_waits_for_no_writer(own_server: Server) -> None:
    own_server.register()
    log = own_server.path.with_name(f"{own_server.path.name}-wal")
    before = log.read_bytes()
    with closing(sqlite3.connect(own_server.path, isolation_level=None)) as other:
        for _ in range(3):
            assert own_server.call("GET", "/readyz").status_code == 200
        other.execute("BEGIN IMMEDIATE")
        assert own_server.call("GET", "/readyz").status_code == 200
    assert log.read_bytes() == before


def test_the_server_goes_on_with_a_file_that_takes_the_place_of_its_own(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.register()
    backup = own_server.path.with_name("backup.db")
    _copy(own_server.path, backup)
    assert _statuses(own_server) == (200, 200, 200)

    own_server.path.with_name(f"{own_server.path.name}-wal").unlink()
    own_server.path.with_name(f"{own_server.path.name}-shm").unlink()
    backup.replace(own_server.path)

    assert _statuses(own_server) == (200, 200, 200)
    assert _trials(own_server.path) == 1, "the trial before was in the file that is gone"
    assert "Another file has taken the place" in caplog.text


def test_a_file_that_is_gone_is_not_replaced_by_an_empty_one(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.register()
    aside = own_server.path.with_name("aside.db")
    own_server.path.rename(aside)

    assert _statuses(own_server) == (503, 503, 503)
    assert not own_server.path.exists()
    assert "is gone. Put it back." in caplog.text

    aside.rename(own_server.path)
    assert _statuses(own_server) == (200, 200, 200)


def test_a_lock_file_that_cannot_be_used_costs_only_the_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A folder cannot be opened by anybody, as the file of another user cannot be by this one.
    (tmp_path / "jobs.db-turn").mkdir()
    server = Server(tmp_path / "jobs.db")
    with caplog.at_level(logging.WARNING):
        server.start()
        try:
            server.register()
            assert _statuses(server) == (200, 200, 200)
        finally:
            server.close()
    assert caplog.text.count("take no turns") == 1
