"""The server's settings: the database may be given in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.settings import read_settings
from zeus_bso.server.config import Settings


@pytest.mark.parametrize("password", ["secret", "secret*", "a@b:c/d?e#f%20g", "'\" \\ $HOME ${X} ü漢", " "])
def test_a_password_may_hold_any_character(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("ZEUS_BSO_DB_HOST", "db")
    monkeypatch.setenv("ZEUS_BSO_DB_USER", "me@here")
    monkeypatch.setenv("ZEUS_BSO_DB_PASSWORD", password)

    url = make_url(Settings(_env_file=None).database_url)

    assert (url.username, url.password) == ("me@here", password)
    assert (url.get_backend_name(), url.host, url.port, url.database) == ("mysql", "db", None, "zeus_bso")


def test_every_part_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"KIND": "postgresql", "HOST": "10.0.0.1", "PORT": "5433", "USER": "me", "PASSWORD": "p", "NAME": "jobs"}
    for name, value in parts.items():
        monkeypatch.setenv(f"ZEUS_BSO_DB_{name}", value)

    assert Settings(_env_file=None).database_url == "postgresql://me:p@10.0.0.1:5433/jobs"


def test_the_parts_have_options_too(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"KIND": "postgresql", "HOST": "db", "OPTIONS": "sslmode=verify-full&options=-csearch_path%3Dmine"}
    for name, value in parts.items():
        monkeypatch.setenv(f"ZEUS_BSO_DB_{name}", value)

    url = make_url(Settings(_env_file=None).database_url)

    assert url.query == {"sslmode": "verify-full", "options": "-csearch_path=mine"}


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("ZEUS_BSO_CURRENCY=€\n", encoding="utf-8-sig")

    assert read_settings().currency == "€"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_of_settings_in_another_encoding_is_refused_in_a_sentence(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("ZEUS_BSO_CURRENCY=£\n", encoding=encoding)

    with pytest.raises(CommandError, match="UTF-8"):
        read_settings()


def test_a_whole_url_goes_before_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DB_HOST", "db")
    monkeypatch.setenv("ZEUS_BSO_DATABASE_URL", "sqlite:///here.db")

    assert Settings(_env_file=None).database_url == "sqlite:///here.db"


def test_without_a_host_the_other_parts_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the compose file may stand in a shell where a server is tried without a database server."""
    monkeypatch.setenv("ZEUS_BSO_DB_USER", "me")
    monkeypatch.setenv("ZEUS_BSO_DB_PASSWORD", "secret")

    assert Settings(_env_file=None).database_url.startswith("sqlite:///")


def test_a_port_that_kubernetes_sets_beside_a_service_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DB_HOST", "db")
    monkeypatch.setenv("ZEUS_BSO_DB_PORT", "tcp://10.3.2.1:3306")
    monkeypatch.setenv("ZEUS_BSO_PORT", "tcp://10.3.2.2:8000")

    settings = Settings(_env_file=None)

    assert (settings.db_port, settings.port) == (None, 8000)


def test_an_unknown_kind_of_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DB_KIND", "oracle")

    with pytest.raises(ValidationError, match="db_kind"):
        Settings(_env_file=None)


def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DB_HOST", "db")
    monkeypatch.setenv("ZEUS_BSO_DB_PASSWORD", "top-secret")

    assert "top-secret" not in repr(Settings(_env_file=None))
