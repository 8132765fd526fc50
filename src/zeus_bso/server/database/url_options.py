"""What a database URL says about the connection, and our defaults for what it leaves open."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL

from zeus_bso.exceptions import ZeusBSOConfigError

CONNECT_TIMEOUT_S = 2

# A network in between forgets silent connections. The system of this machine finds out and tells the driver.
KEEPALIVE_IDLE_S = 30
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3
UNANSWERED_MS = 15_000

_MYSQL_TLS = frozenset(
    {
        *("ssl", "ssl_mode", "ssl_disabled", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher"),
        *("ssl_check_hostname", "ssl_verify_cert", "ssl_verify_identity"),
    }
)
_MYSQL = frozenset(
    {
        *("charset", "init_command", "sql_mode", "connect_timeout", "read_timeout", "unix_socket", "client_flag"),
        *("program_name", "read_default_file", "read_default_group", "server_public_key"),
    }
)
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_SQLITE = frozenset({"timeout", "cached_statements"})


def connection_of(url: URL) -> tuple[URL, dict[str, Any]]:
    """Split a URL into the one that SQLAlchemy reads and the driver's further arguments.

    Raises:
        ZeusBSOConfigError: The URL has an option that the driver does not know, or a value that it cannot read.
    """
    return {"mysql": _mysql, "mariadb": _mysql, "postgresql": _postgresql, "sqlite": _sqlite}[url.get_backend_name()](
        url
    )


def _sqlite(url: URL) -> tuple[URL, dict[str, Any]]:
    _check_names(_options(url), _SQLITE)
    return url, {}


def _mysql(url: URL) -> tuple[URL, dict[str, Any]]:
    options = _options(url)
    _check_names(options, _MYSQL | _MYSQL_TLS)
    if options.get("charset", "utf8mb4").lower() != "utf8mb4":
        raise ZeusBSOConfigError(
            "The option 'charset' of the database URL must be utf8mb4, because ids may hold any text"
        )
    arguments: dict[str, Any] = {"charset": "utf8mb4"}
    if "connect_timeout" not in options:
        arguments["connect_timeout"] = CONNECT_TIMEOUT_S
    if url.password is not None:
        # The driver encodes text as Latin-1, but MySQL stores the password as UTF-8.
        arguments["password"] = url.password.encode()
    if (context := _tls({name: options[name] for name in options if name in _MYSQL_TLS})) is not None:
        arguments["ssl"] = context
    return url.difference_update_query([*_MYSQL_TLS, "charset"]), arguments


def _tls(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """The TLS of a connection to MySQL, by the options of MySQL's own clients and of its drivers for Python."""
    files = {name: options[name] for name in ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key") if name in options}
    mode = options.get("ssl_mode", "").upper()
    if mode and mode not in _MODES:
        raise ZeusBSOConfigError(f"The option 'ssl_mode' of the database URL must be one of {', '.join(_MODES)}")
    wanted = (
        bool(files)
        or mode in _MODES[2:]
        or any(
            _truth(options, name) for name in ("ssl", "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname")
        )
    )
    if not wanted or mode in _MODES[:2] or _truth(options, "ssl_disabled"):
        return None
    checks_host = _truth(
        options, "ssl_check_hostname", _truth(options, "ssl_verify_identity", mode not in ("REQUIRED", "VERIFY_CA"))
    )
    has_authority = "ssl_ca" in files or "ssl_capath" in files
    verifies = _truth(
        options, "ssl_verify_cert", has_authority or mode in _MODES[3:] or "ssl_verify_identity" in options
    )
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca"), capath=files.get("ssl_capath"))
        context.check_hostname = checks_host and verifies
        context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
        if "ssl_cert" in files:
            context.load_cert_chain(files["ssl_cert"], files.get("ssl_key"))
        if "ssl_cipher" in options:
            context.set_ciphers(options["ssl_cipher"])
    except (OSError, ValueError) as error:
        named = ", ".join(sorted(files)) or "ssl_cipher"
        raise ZeusBSOConfigError(f"The TLS options of the database URL ({named}) cannot be used: {error}") from error
    return context


def _truth(options: Mapping[str, str], name: str, default: bool = False) -> bool:
    if name not in options:
        return default
    try:
        return _TRUTHS[options[name].lower()]
    except KeyError:
        raise ZeusBSOConfigError(f"The option '{name}' of the database URL must be true or false") from None


_POSTGRESQL_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "client_encoding": "utf8",
    "keepalives_idle": KEEPALIVE_IDLE_S,
    "keepalives_interval": KEEPALIVE_INTERVAL_S,
    "keepalives_count": KEEPALIVE_COUNT,
    "tcp_user_timeout": UNANSWERED_MS,
}


def _postgresql(url: URL) -> tuple[URL, dict[str, Any]]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    if "ssl" in url.query:  # asyncpg's name
        value = str(url.query["ssl"])
        mode = {True: "require", False: "disable"}.get(_TRUTHS[value.lower()]) if value.lower() in _TRUTHS else value
        url = url.difference_update_query(["ssl"]).update_query_dict({"sslmode": str(mode)})
    options = _options(url, may_repeat=("host", "port"))
    try:
        make_conninfo(**{name: value for name, value in options.items() if name not in ("host", "port")})
    except ProgrammingError as error:
        reason = next(iter(str(error).splitlines()), "")
        raise ZeusBSOConfigError(f"PostgreSQL's driver cannot use the options of the database URL: {reason}") from error
    arguments = {name: value for name, value in _POSTGRESQL_DEFAULTS.items() if name not in options}
    # Nothing is prepared until it is known that no pooler gives each transaction another session.
    return url, arguments | {"prepare_threshold": None}


def keep_alive(connection: socket.socket) -> None:
    """Let the system watch a connection whose driver has no options for that."""
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", UNANSWERED_MS),
    ):
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _options(url: URL, may_repeat: tuple[str, ...] = ()) -> dict[str, str]:
    for name, value in url.query.items():
        if not isinstance(value, str) and name not in may_repeat:
            raise ZeusBSOConfigError(f"The option '{name}' of the database URL is given more than once")
    return {name: str(value) for name, value in url.query.items()}


def _check_names(options: Mapping[str, str], known: frozenset[str]) -> None:
    if unknown := sorted(set(options) - known):
        raise ZeusBSOConfigError(
            f"The option '{unknown[0]}' of the database URL is unknown. Known are: {', '.join(sorted(known))}"
        )
