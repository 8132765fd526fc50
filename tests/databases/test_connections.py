"""What lies between a server and its database: failovers, networks that forget, poolers, and options of the URL."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from benchmarks.audit import audit
from sqlalchemy import Connection, create_engine, make_url, text
from tests.support.databases import DatabaseServers, fresh_database, look
from tests.support.forked import run_python
from tests.support.load import acknowledged, drive_until
from tests.support.network import forwarding
from tests.support.pgbouncer import pooled
from tests.support.private_servers import execute, private_server
from tests.support.process import ServerProcess
from tests.support.server import Server
from tests.support.statements import sent_statements

from zeus_bso.server.database import migrate, networked, session_limits

SERVERS = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])


@contextmanager
def serving(url: str) -> Iterator[Server]:
    """A server in this process, with a job."""
    server = Server(url, database_pool_size=2)
    server.start()
    try:
        server.register()
        yield server
    finally:
        server.close()


def ask(server: Server, run_id: str) -> httpx.Response:
    return server.call("POST", "/api/v1/trials", {"job_id": "job", "run_id": run_id})


def ready(server: Server) -> int:
    return server.call("GET", "/readyz").status_code


@pytest.mark.parametrize("kind", ["postgresql"])
def test_connections_to_a_postgresql_that_cannot_write_are_replaced(
    database_url: str, databases: DatabaseServers
) -> None:
    name = make_url(database_url).database

    def set_read_only(value: str) -> None:
        beside = databases.url("postgresql")
        asyncio.run(execute(beside, f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"))

    with serving(database_url) as server:
        # The connections that are opened now lead to what will be the old, read-only server.
        set_read_only("on")
        server.restart()
        assert (ask(server, "a").status_code, ready(server)) == (503, 503)
        set_read_only("off")
        assert (ask(server, "a").status_code, ready(server)) == (200, 200)


def test_connections_to_a_mariadb_that_cannot_write_are_replaced(databases: DatabaseServers) -> None:
    old = private_server("mariadb", durable=False)
    try:
        old.start()
        with fresh_database(databases.url("mariadb")) as new:
            name, user = str(make_url(new).database), "failing_over"
            ports = [base.port or 0 for base in (old.url, make_url(new))]
            asyncio.run(execute(old.url, f"CREATE DATABASE {name}"))
            for base in (old.url, make_url(new)):
                # Who may do everything may also write to a read-only server.
                asyncio.run(execute(base, f"GRANT ALL ON {name}.* TO {user}@localhost IDENTIFIED BY 'x'"))
                migrate.upgrade(base.set(database=name).render_as_string(hide_password=False))
            with (
                forwarding(ports[0]) as way,
                serving(f"mysql://{user}:x@127.0.0.1:{way.port}/{name}") as server,
            ):
                assert (ask(server, "a").status_code, ready(server)) == (200, 200)
                asyncio.run(execute(old.url, "SET GLOBAL read_only = 1"))
                assert (ask(server, "b").status_code, ready(server)) == (503, 503)
                way.target = ports[1]
                assert ready(server) == 200
                server.register()
                assert ask(server, "b").status_code == 200
            asyncio.run(execute(make_url(new), f"DROP USER {user}@localhost"))
    finally:
        old.remove()


@SERVERS
def test_a_network_that_has_forgotten_idle_connections_costs_no_request(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networked, "PING_AFTER_S", 0.0)
    url = make_url(database_url)
    with forwarding(url.port or 0) as way:
        through = url.set(host="127.0.0.1", port=way.port).render_as_string(hide_password=False)
        with serving(through) as server:
            both = server.gather([("GET", "/api/v1/job?job_id=job", None)] * 2)
            assert [answer.status_code for answer in both] == [200, 200]
            way.forget()
            assert [ask(server, f"run-{number}").status_code for number in range(3)] == [200] * 3


@SERVERS
def test_the_system_watches_every_connection(database_url: str) -> None:
    def options(connection: Connection) -> tuple[int, int]:
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "postgresql":
            watched = socket.socket(fileno=os.dup(driver.fileno()))
        else:
            watched = socket.socket(fileno=os.dup(driver._transport.get_extra_info("socket").fileno()))
        with watched:
            return (
                watched.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            )

    assert look(database_url, options) == (1, 30)


@SERVERS
def test_a_statement_that_is_never_answered_makes_the_server_doubt_its_other_connections(database_url: str) -> None:
    url = make_url(database_url)
    with forwarding(url.port or 0) as way:
        through = url.set(host="127.0.0.1", port=way.port).render_as_string(hide_password=False)
        with serving(through) as server:
            server.gather([("GET", "/api/v1/job?job_id=job", None)] * 2)
            way.forget()  # too soon for a ping
            assert [ask(server, f"run-{number}").status_code for number in range(2)] == [503, 200]


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_pooler_is_migrated_through_and_served_through(empty_url: str, tmp_path: Path) -> None:
    with pooled(make_url(empty_url)) as pooler:
        url = pooler.render_as_string(hide_password=False)
        upgraded = run_python("-m", "zeus_bso", "db", "upgrade", "--database-url", url)
        assert (upgraded.returncode, upgraded.stderr) == (0, "")
        with ServerProcess(url, tmp_path) as server:
            # More connections than the pooler has, so that it mixes them.
            tally = asyncio.run(drive_until(acknowledged(200), [server.port], ["a", "b"], 8))
        assert set(tally.statuses) <= {200, 201}, server.said
        assert audit(empty_url, set(tally.acknowledged)) == []
        limit = look(url, lambda connection: connection.scalar(text("SHOW lock_timeout")))
        assert limit == "2s"


@pytest.mark.parametrize("kind", ["postgresql"])
def test_sessions_keep_limits_and_statements_unless_a_pooler_shares_them(database_url: str) -> None:
    def prepared(url: str) -> int:
        with serving(url) as server:
            for number in range(session_limits.PREPARE_AFTER + 3):
                assert ask(server, f"run-{number}").status_code == 200
            assert server.sql("SHOW lock_timeout") == [{"lock_timeout": f"{session_limits.LOCK_TIMEOUT_S}s"}]
            [found] = server.sql("SELECT count(*) AS number FROM pg_prepared_statements")
            count: int = found["number"]
            return count

    assert prepared(database_url) > 0
    with pooled(make_url(database_url)) as pooler:
        through = pooler.render_as_string(hide_password=False)
        assert prepared(through) == 0
        # Another program's transaction in the sessions that we have used.
        plain = create_engine(pooler.set(drivername="postgresql+psycopg"))
        with plain.connect() as connection:
            assert connection.scalar(text("SHOW lock_timeout")) == "0"
        plain.dispose()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_no_statement_of_a_request_sets_a_limit_in_a_session_of_its_own(database_url: str) -> None:
    with serving(database_url) as server:
        ask(server, "first")
        with sent_statements() as sent:
            ask(server, "second")
    assert sent
    assert [statement for statement in sent if "set_config" in statement.text] == []


@pytest.mark.parametrize("kind", ["postgresql"])
def test_the_schema_that_a_url_names_is_used(empty_url: str) -> None:
    asyncio.run(execute(make_url(empty_url), "CREATE SCHEMA mine"))
    url = empty_url.replace("postgresql+psycopg", "postgres") + "?options=-csearch_path%3Dmine"
    migrate.upgrade(url)
    found = look(empty_url, lambda connection: connection.scalar(text("SELECT count(*) FROM mine.job")))
    assert found == 0
    with serving(url) as server:
        assert ask(server, "a").status_code == 200


@pytest.mark.parametrize("kind", ["mariadb"])
def test_the_first_command_that_a_url_names_runs_beside_ours(empty_url: str) -> None:
    url = f"{empty_url}?init_command=SET+%40mine+%3D+7"
    found = look(url, lambda connection: connection.execute(text("SELECT @mine, @@innodb_lock_wait_timeout")).one())
    assert tuple(found) == (7, session_limits.LOCK_TIMEOUT_S)


@SERVERS
def test_the_options_of_a_url_encrypt(kind: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    server = private_server(kind, durable=False)
    ca, cert, key = (server.folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    for path in (ca, cert, key):
        path.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody")
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    if kind == "mariadb":
        server.command += [f"--ssl-ca={ca}", f"--ssl-cert={cert}", f"--ssl-key={key}"]
        options, query = f"ssl_ca={tmp_path / 'ca.pem'}", "SHOW STATUS LIKE 'Ssl_cipher'"
    else:
        server.command += ["-c", "ssl=on", "-c", f"ssl_cert_file={cert}", "-c", f"ssl_key_file={key}"]
        options = f"sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}"
        query = "SELECT 1, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    try:
        server.start()
        plain = server.url.set(host="localhost")
        url = plain.update_query_string(options).render_as_string(hide_password=False)
        assert look(url, lambda connection: connection.execute(text(query)).one()[1])
        elsewhere = server.url.set(host="127.0.0.1").update_query_string(options)
        with pytest.raises(Exception, match=r"(?i)certificate"):
            look(elsewhere.render_as_string(hide_password=False), lambda connection: None)
    finally:
        server.remove()
