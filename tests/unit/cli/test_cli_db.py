"""``zeus-bso db`` on an SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeus_bso.cli.main import main


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
