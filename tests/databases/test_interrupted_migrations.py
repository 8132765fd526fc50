"""A migration is killed after any of its statements, in a database that commits each change of the schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from tests.support.databases import look, run_script
from tests.support.forked import start_python

from zeus_bso.cli.main import main
from zeus_bso.server.database import migrate
from zeus_bso.server.database.migrate import SchemaError
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.schema import metadata

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
REVISIONS = ["base", "0001", "0002", "0003", "0004", "0005", "0006", "0007"]
KILLED = 9

MIGRATOR = """\
import contextlib, os, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from zeus_bso.server.database import migrate

# Before the fork, so that no child does it anew.
with contextlib.suppress(migrate.SchemaError):
    migrate.check(sys.argv[1])

def count(connection, cursor, statement, *_):
    global left
    if statement.split()[0].upper() not in ("SELECT", "SHOW", "SET", "DESCRIBE"):
        left -= 1
        if left == 0:
            os._exit(9)

event.listen(Engine, "after_cursor_execute", count)
for line in sys.stdin:
    action, revision, left = line.split()
    left = int(left)
    if os.fork() == 0:
        getattr(migrate, action)(sys.argv[1], revision)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
"""Migrates as each line says, in a process that dies after so many statements that change something."""

pytestmark = pytest.mark.parametrize("kind", ["mariadb"])


class Migrator:
    """The process that runs :data:`MIGRATOR`."""

    def __init__(self, url: str) -> None:
        read, requests = os.pipe()
        answers, write = os.pipe()
        self._process = start_python(["-c", MIGRATOR, url], Path.cwd(), os.environ, read, write, 2)
        os.close(read)
        os.close(write)
        self._requests, self._answers = os.fdopen(requests, "w"), os.fdopen(answers)

    def migrate(self, action: str, revision: str, statements: int) -> bool:
        """Begin a migration; returns whether it was killed after so many statements."""
        print(action, revision, statements, file=self._requests, flush=True)
        code = int(self._answers.readline())
        assert code in (0, KILLED)
        return code == KILLED

    def end(self) -> None:
        """End the process."""
        self._requests.close()
        self._process.wait()
        self._answers.close()


@pytest.fixture
def migrator(empty_url: str) -> Iterator[Migrator]:
    found = Migrator(empty_url)
    yield found
    found.end()


def _stored(connection: Connection) -> dict[str, Any]:
    """The columns, indexes and number of rows of each table."""
    inspector = inspect(connection)
    return {
        table: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)},
            {index["name"] for index in inspector.get_indexes(table)},
            connection.scalar(text(f"SELECT count(*) FROM {table}")),
        )
        for table in inspector.get_table_names()
        if table != VERSION_TABLE
    }


@pytest.mark.parametrize(("older", "newer"), list(pairwise(REVISIONS)))
def test_a_migration_that_is_killed_anywhere_can_be_run_again(
    empty_url: str, migrator: Migrator, older: str, newer: str
) -> None:
    run_script(empty_url, (SCHEMAS / f"{newer}.mariadb.sql").read_text())
    migrate.upgrade(empty_url)
    ends = {}
    for revision in (newer, older):
        migrate.downgrade(empty_url, revision)
        ends[revision] = look(empty_url, _stored)
    kills = 0
    for action, goal, start in (("upgrade", newer, older), ("downgrade", older, newer)):
        back = "downgrade" if action == "upgrade" else "upgrade"
        before = kills
        for statements in range(1, 100):
            if not migrator.migrate(action, goal, statements):
                break
            kills += 1
            current = migrate.current(empty_url)
            assert current != goal
            if current != REVISIONS[-1]:
                with pytest.raises(SchemaError, match="zeus-bso db upgrade"):
                    migrate.check(empty_url)
            # Whoever goes on may go either way: where it is back, the interrupted migration ends first.
            for towards, way in ((goal, action), (start, back))[statements % 2 :]:
                getattr(migrate, way)(empty_url, towards)
                found = look(empty_url, _stored)
                assert {name: found[name][:2] for name in found} == {
                    name: ends[towards][name][:2] for name in ends[towards]
                }
                # Tables that the newer one has made come back empty.
                assert {name: found[name] for name in ends[older]} == {
                    name: ends[towards][name] for name in ends[older]
                }
        assert kills > before
    migrate.upgrade(empty_url)
    migrate.check(empty_url)


def test_what_an_older_release_left_half_done_is_finished(empty_url: str) -> None:
    """It set no mark: an empty table of the revision and some tables, or a column of the next revision."""
    migrate.upgrade(empty_url, "0001")

    def undo_half(connection: Connection) -> None:
        connection.exec_driver_sql(f"DELETE FROM {VERSION_TABLE}")
        connection.exec_driver_sql("DROP TABLE trial_report")
        connection.exec_driver_sql("ALTER TABLE job ADD COLUMN policy_options TEXT NULL")

    look(empty_url, undo_half)
    migrate.upgrade(empty_url)
    migrate.check(empty_url)
    assert set(look(empty_url, _stored)) == set(metadata.tables)


def test_tables_of_another_program_are_refused(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    look(empty_url, lambda connection: connection.exec_driver_sql("CREATE TABLE trial (mine INTEGER)"))
    assert main(["db", "upgrade", "--database-url", empty_url]) == 1
    assert capsys.readouterr().err == (
        "zeus-bso: The database already has a table 'trial', and zeus-bso did not create it. "
        "Give zeus-bso a database of its own.\n"
    )
    assert list(look(empty_url, _stored)) == ["trial"]
