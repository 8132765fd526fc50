"""How long a statement waits for a lock, set once in each session of a database server.

A pooler such as PgBouncer gives each transaction any of its sessions, which it shares with other programs. What is set
or prepared in such a session would meet them, and be missed by us. Behind a pooler the limits therefore hold for one
transaction, and nothing is prepared.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from zeus_bso.server.database.url_options import keep_alive

LOCK_TIMEOUT_S = 2

PREPARE_AFTER = 3
"""PostgreSQL plans a statement so often on a connection. From then on it keeps the statement prepared."""

_IS_POOLED = "zeus_bso_is_pooled"


def begin_sessions_with_limits(engine: Engine, url: URL) -> None:
    """Set the limits in every new session of an engine."""
    if engine.dialect.name == "postgresql":
        _limit_postgresql(engine, url)
    else:
        _limit_mysql(engine, url)


def _limit_mysql(engine: Engine, url: URL) -> None:
    @event.listens_for(engine, "connect")
    def _limit_session(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        driver = record.driver_connection
        if (transport := getattr(driver, "_transport", None)) is not None and not url.query.get("unix_socket"):
            keep_alive(transport.get_extra_info("socket"))
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}")
        cursor.close()


def _limit_postgresql(engine: Engine, url: URL) -> None:
    limits = {"lock_timeout": f"{LOCK_TIMEOUT_S}s", "idle_in_transaction_session_timeout": "30s"}
    chosen = str(url.query.get("options", ""))
    missing = {name: value for name, value in limits.items() if name not in chosen}

    def query(of_transaction: bool) -> str:
        settings = (f"set_config('{name}', '{value}', {of_transaction})" for name, value in missing.items())
        return ", ".join(["SELECT pg_backend_pid()", *settings])

    @event.listens_for(engine, "connect")
    def _limit_session(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        driver: Any = record.driver_connection
        cursor = connection.cursor()
        cursor.execute(query(of_transaction=False))
        found = cursor.fetchone()
        cursor.close()
        # A pooler greets with an id of its own; the process that answers has another one.
        record.info[_IS_POOLED] = found is None or found[0] != driver.info.backend_pid
        if record.info[_IS_POOLED]:
            connection.rollback()
        else:
            connection.commit()
            driver.prepare_threshold = PREPARE_AFTER

    @event.listens_for(engine, "begin")
    def _limit_transaction(connection: Connection) -> None:
        if missing and connection.info[_IS_POOLED]:
            connection.exec_driver_sql(query(of_transaction=True))
