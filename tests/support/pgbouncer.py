"""A private PgBouncer, which gives each transaction any of few connections to PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from tests.support.databases import look
from tests.support.private_servers import PATIENCE_S, free_port

_IN_CI = bool(os.environ.get("CI"))

_SETTINGS = """\
[databases]
* = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
auth_type = any
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
unix_socket_dir =
"""


@contextmanager
def pooled(base: URL) -> Iterator[URL]:
    """PgBouncer in transaction mode in front of a database; yields the URL that leads through it.

    Without PgBouncer the test is skipped, in CI it fails.
    """
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        message = "NO PGBOUNCER: nothing is tried behind a pooler"
        if _IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="zeus-bso-test-"))
    user = "nobody" if os.geteuid() == 0 else None
    port = free_port()
    password = f" password={base.password}" if base.password else ""
    (folder / "users").write_text(f'"{base.username}" ""\n')
    settings = _SETTINGS.format(
        host=base.host, port=base.port or 5432, user=base.username, password=password, own_port=port, folder=folder
    )
    (folder / "pgbouncer.ini").write_text(settings)
    folder.chmod(0o755)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, str(folder / "pgbouncer.ini")], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user
        )
    try:
        url = base.set(host="127.0.0.1", port=port)
        _wait_until_it_answers(url.render_as_string(hide_password=False), process)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "PgBouncer ended"
        with suppress(SQLAlchemyError, OSError):
            look(url, lambda connection: connection.exec_driver_sql("SELECT 1"))
            return
        time.sleep(0.05)
    raise AssertionError("PgBouncer does not answer")
