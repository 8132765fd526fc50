"""What a database URL says about the connection is kept; what cannot be kept is refused in a sentence."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from sqlalchemy import make_url

from zeus_bso.cli.main import main
from zeus_bso.server.database.engine import parse_url
from zeus_bso.server.database.url_options import connection_of


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{folder}/a.db?mode=ro",
        "mysql://h/n?sslmode=require",
        "mysql://h/n?charset=latin1",
        "mysql://h/n?ssl_mode=MAYBE",
        "mysql://h/n?ssl=perhaps",
        "mysql://h/n?ssl_ca=/nowhere/ca.pem",
        "mysql://h/n?connect_timeout=soon",
        "mysql://h/n?init_command=a&init_command=b",
        "postgresql://h/n?ssl_ca=/ca.pem",
        "postgresql://h/n?prepare_threshold=5",
        "postgresql://h/n?sslmode",
    ],
)
def test_an_option_that_cannot_be_used_is_one_sentence_that_names_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "current", "--database-url", url.format(folder=tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("zeus-bso: ")
    assert said.count("\n") == 1
    assert any(name in said for name in (url.partition("?")[2].partition("=")[0], "wrong value", "name=value"))


@pytest.mark.parametrize("password", ["pässwort", "€uro", "漢字", "s%cret", ""])
def test_a_password_reaches_mysql_as_utf_8(password: str) -> None:
    url = make_url("mysql://me@h/n").set(password=password)

    assert connection_of(url)[1]["password"] == password.encode()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", None),
        ("ssl_mode=DISABLED&ssl_ca={ca}", None),
        ("ssl=false", None),
        ("ssl=true", (ssl.CERT_NONE, False)),
        ("ssl_mode=REQUIRED", (ssl.CERT_NONE, False)),
        ("ssl_mode=VERIFY_CA&ssl_ca={ca}", (ssl.CERT_REQUIRED, False)),
        ("ssl_mode=VERIFY_IDENTITY", (ssl.CERT_REQUIRED, True)),
        ("ssl_ca={ca}", (ssl.CERT_REQUIRED, True)),
        ("ssl_ca={ca}&ssl_check_hostname=false", (ssl.CERT_REQUIRED, False)),
        ("ssl_verify_cert=true&ssl_verify_identity=true", (ssl.CERT_REQUIRED, True)),
    ],
)
def test_the_tls_options_of_every_mysql_driver_are_understood(
    options: str, expected: tuple[ssl.VerifyMode, bool] | None, ca: Path
) -> None:
    url, arguments = connection_of(make_url(f"mysql://h/n?{options.format(ca=ca)}"))

    context = arguments.get("ssl")
    assert (None if context is None else (context.verify_mode, context.check_hostname)) == expected
    assert not url.query


@pytest.mark.parametrize(
    ("ssl_option", "mode"), [("true", "require"), ("false", "disable"), ("verify-full", "verify-full")]
)
def test_the_tls_option_of_another_postgresql_driver_is_understood(ssl_option: str, mode: str) -> None:
    assert connection_of(make_url(f"postgresql://h/n?ssl={ssl_option}"))[0].query == {"sslmode": mode}


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_time_out_in_the_url_goes_before_ours(kind: str) -> None:
    url, arguments = connection_of(make_url(f"{kind}://h/n?connect_timeout=9"))

    assert url.query["connect_timeout"] == "9"
    assert "connect_timeout" not in arguments


@pytest.mark.parametrize("scheme", ["postgres", "postgres+psycopg", "postgresql+asyncpg"])
def test_every_name_of_postgresql_is_understood(scheme: str) -> None:
    assert parse_url(f"{scheme}://me@h/n").get_backend_name() == "postgresql"


def test_a_password_may_look_like_an_option() -> None:
    assert parse_url("mysql://me:a?b&c@h/n").password == "a?b&c"
