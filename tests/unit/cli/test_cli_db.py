"""``zeus-bso db`` on an SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from zeus_bso.cli.main import main
from zeus_bso.server.database.failures import describe

SCHEMAS = Path(__file__).parents[2] / "data" / "schemas"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def test_an_empty_database_fails_the_check_and_passes_after_an_upgrade(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "check", "--database-url", url]) == 1
    assert "zeus-bso db upgrade" in capsys.readouterr().err

    assert main(["db", "upgrade", "--database-url", url]) == 0
    upgraded = capsys.readouterr().out.strip()
    assert upgraded

    assert main(["db", "check", "--database-url", url]) == 0
    capsys.readouterr()
    assert main(["db", "current", "--database-url", url]) == 0
    assert capsys.readouterr().out.strip() == upgraded


def test_a_downgrade_to_base_empties_the_database(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade", "--database-url", url])
    capsys.readouterr()

    assert main(["db", "downgrade", "base", "--database-url", url]) == 0
    assert capsys.readouterr().out.startswith("empty")


def test_sql_prints_the_statements_and_changes_nothing(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--sql", "--database-url", url]) == 0
    assert "CREATE TABLE" in capsys.readouterr().out

    assert main(["db", "current", "--database-url", url]) == 0
    assert capsys.readouterr().out.startswith("empty")


def test_the_environment_names_the_database(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ZEUS_BSO_DATABASE_URL", url)

    assert main(["db", "upgrade"]) == 0
    assert (tmp_path / "jobs.db").exists()


@pytest.mark.parametrize("revision", ["nonsense", "ffff"])
def test_an_unknown_revision_is_one_line(url: str, revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", revision, "--database-url", url]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/nowhere/jobs.db", "oracle://host/name"])
def test_a_database_that_cannot_be_used_is_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "current", "--database-url", url]) == 1
    message = capsys.readouterr().err
    assert message.startswith("zeus-bso: ")
    assert message.count("\n") == 1


def test_a_downgrade_that_loses_data_asks_first(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade", "--database-url", url])
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
        file.executescript(_a_job())
    capsys.readouterr()

    assert main(["db", "downgrade", "0005", "--database-url", url]) == 2
    assert "what was measured at each power limit" in capsys.readouterr().err
    assert main(["db", "downgrade", "0005", "--yes", "--database-url", url]) == 0
    assert main(["db", "downgrade", "0002", "--database-url", url]) == 0, "nothing gets lost"
    assert main(["db", "downgrade", "base", "--database-url", url]) == 2
    said = capsys.readouterr().err
    assert "all jobs, trials and reports" in said
    assert "--yes" in said
    assert main(["db", "current", "--database-url", url]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0002"

    assert main(["db", "downgrade", "base", "--yes", "--database-url", url]) == 0


def _a_job() -> str:
    lines = (SCHEMAS / "0005.sqlite.sql").read_text().splitlines()
    return next(line for line in lines if line.startswith("INSERT INTO job "))


@pytest.mark.parametrize(
    ("code", "reason", "sentence"),
    [
        (1045, "Access denied for user", "The database refuses the login: Access denied for user"),
        (1142, "ALTER command denied", "The user of the database lacks a right: ALTER command denied"),
        (1050, "Table exists", "The database already has what should be created: Table exists"),
        (1054, "Unknown column", "The tables of the database are not those of this release: Unknown column"),
        (1290, "--read-only", "The database is read-only: --read-only"),
        (2003, "Can't connect", "The database cannot be reached: Can't connect"),
        (1234, "Strange", "The database refused a statement: Strange"),
    ],
)
def test_only_a_failed_connection_is_called_unreachable(code: int, reason: str, sentence: str) -> None:
    assert describe(OperationalError("SELECT 'secret'", {}, Exception(code, reason))) == sentence


def test_a_connection_that_postgresql_itself_refuses_is_not_called_unreachable() -> None:
    refused = Exception('connection failed: FATAL:  password authentication failed for user "me"')
    assert describe(OperationalError("", {}, refused)).startswith("The database refuses the connection: ")
    assert describe(OperationalError("", {}, Exception("timeout"))) == "The database cannot be reached: timeout"


def test_a_restored_database_skips_trial_numbers_as_long_as_there_are_any(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "restored", "--database-url", url]) == 1
    assert "no schema" in capsys.readouterr().err

    main(["db", "upgrade", "--database-url", url])
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
        file.executescript(_a_job())
        before = file.execute("SELECT last_trial_number FROM job").fetchone()[0]
    for times in (1, 2):
        assert main(["db", "restored", "--database-url", url]) == 0
        with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
            numbers = file.execute(
                "SELECT last_trial_number FROM job UNION ALL SELECT last_trial_number FROM job_tombstone"
            )
            assert {number for (number,) in numbers} == {before + times * 10_000}

    with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
        file.execute("UPDATE job SET last_trial_number = 2147483647")
        file.commit()
    capsys.readouterr()
    assert main(["db", "restored", "--database-url", url]) == 1
    assert "has no 10000 left" in capsys.readouterr().err
