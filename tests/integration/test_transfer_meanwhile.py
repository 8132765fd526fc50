"""What others see and do while a job is imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.exports import export, lines_of, lived, rows, send
from tests.support.server import Server

from zeus_bso.server.transfer import check, staging
from zeus_bso.server.transfer.export_format import read_row
from zeus_bso.server.transfer.repository import TABLES, TransferRepository


@pytest.fixture
def other(own_server: Server) -> Iterator[sqlite3.Connection]:
    """Another process' connection, which waits for nobody."""
    with closing(sqlite3.connect(own_server.path, timeout=0, isolation_level=None, check_same_thread=False)) as found:
        yield found


def test_others_can_write_while_a_file_is_read(
    own_server: Server, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lived(own_server)
    own_server.wipe()
    written = 0

    def read(*given: Any) -> dict[str, Any]:
        nonlocal written
        other.execute("BEGIN IMMEDIATE")
        written += 1
        other.execute("ROLLBACK")
        return read_row(*given)

    monkeypatch.setattr(check, read_row.__name__, read)

    assert send(own_server, file).status_code == 201
    assert written >= sum(lines_of(file)[-1]["rows"].values())
    assert export(own_server) == file


def test_a_thread_that_reads_a_file_lets_others_run_every_few_rows(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lived(own_server)
    own_server.wipe()
    breaks: list[float] = []
    monkeypatch.setattr(staging, "_ROWS_IN_A_ROW", 4)
    monkeypatch.setattr(staging, "time", SimpleNamespace(sleep=breaks.append))

    assert send(own_server, file).status_code == 201

    counts = lines_of(file)[-1]["rows"]
    assert len(breaks) == (sum(counts.values()) - counts["job"]) // 4


def test_nothing_is_seen_or_left_of_an_import_that_fails_halfway(
    own_server: Server, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lived(own_server)
    own_server.converge(own_server.ask())
    before, trials = export(own_server), len(own_server.trials())
    assert trials > len(rows(lines_of(file), "trial"))
    # The last rows of all: they follow when everything else is stored.
    own_server.sql("CREATE TRIGGER full BEFORE INSERT ON trial_report BEGIN SELECT RAISE(ABORT, 'full'); END")
    insert, seen = TransferRepository.insert_bound, list[tuple[str, int]]()

    def look(self: TransferRepository, into: Any, values: Any) -> None:
        seen.append((into.name, other.execute("SELECT count(*) FROM trial").fetchone()[0]))
        insert(self, into, values)

    monkeypatch.setattr(TransferRepository, "insert_bound", look)

    assert send(own_server, file, replace=True).status_code == 503
    assert set(seen) == {(table.name, trials) for table in TABLES[1:]}
    assert export(own_server) == before
    own_server.sql("DROP TRIGGER full")
    assert send(own_server, file, replace=True).status_code == 201
    assert len(own_server.trials()) == trials - 1
