"""Several worker processes behind one port."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zeus_bso.cli.database_errors import database_errors_in_one_line
from zeus_bso.cli.draining import GRACE_S, KEEP_ALIVE_S, drain_when_told_to_end
from zeus_bso.cli.loading import loading_code

if TYPE_CHECKING:
    from fastapi import FastAPI

    from zeus_bso.server.config import Settings


def serve_with_workers(
    settings: Settings, listener: socket.socket, url: str, announcement: str, *, workers: int, access_log: bool
) -> int:
    """Serve with worker processes until interrupted. A worker that dies is replaced.

    The workers share nothing but the port and the database.

    Args:
        settings: The settings, which the workers get through the environment.
        listener: The bound port. Binding has shown that it is free; it is closed before the workers start.
        url: The URL of the server on this machine.
        announcement: The line to print as soon as the server answers.
        workers: The number of worker processes.
        access_log: Whether to log every request.
    """
    import uvicorn

    from zeus_bso.cli.connections import LimitedProtocol, allow_open_files
    from zeus_bso.server.database import migrate
    from zeus_bso.server.database.engine import parse_url

    with database_errors_in_one_line():
        if parse_url(settings.database_url).get_backend_name() == "sqlite":
            migrate.upgrade(settings.database_url)
        migrate.check(settings.database_url)
    for name, value in settings.model_dump(exclude_none=True).items():
        os.environ[f"ZEUS_BSO_{name.upper()}"] = str(value)
    host, port = listener.getsockname()[:2]
    listener.close()
    threading.Thread(target=_announce, args=(url, announcement), daemon=True).start()
    allow_open_files()
    with common_counts():
        uvicorn.run(
            "zeus_bso.cli.workers:worker",
            factory=True,
            http=LimitedProtocol,
            ws="none",
            proxy_headers=False,
            host=host,
            port=port,
            workers=workers,
            log_config=None,
            log_level="info" if access_log else "warning",
            access_log=access_log,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    return 0


def worker() -> FastAPI:
    """Create the application of one worker process, with settings from the environment."""
    with loading_code():
        from zeus_bso.cli.proxies import stand_behind_proxies
        from zeus_bso.server.app import create_app
        from zeus_bso.server.config import Settings

    settings = Settings()
    log_decisions(settings)
    app = create_app(settings)
    answer_to_local_names(app, settings)
    drain_when_told_to_end(app, settings.drain_s)
    stand_behind_proxies(app, settings.root_path)
    return app


def answer_to_local_names(app: FastAPI, settings: Settings) -> None:
    """Make an app answer only to names of this machine and to allowed ones, if it has no tokens."""
    from zeus_bso.server.security.hosts import LocalNames

    if not app.state.authenticator.tokens:
        app.add_middleware(LocalNames, allowed=settings.allowed_hosts)


def log_decisions(settings: Settings) -> None:
    """Write the server's log to standard error, one line per decision."""
    from zeus_bso.server.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)


@contextmanager
def common_counts() -> Iterator[None]:
    """Give the workers a folder for their counts, so that each worker can report the totals of all."""
    from zeus_bso.server.instruments import FOLDER_VARIABLE

    if FOLDER_VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="zeus-bso-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield


def _announce(url: str, announcement: str) -> None:
    """Print the address of the server as soon as it answers."""
    import urllib3

    http = urllib3.PoolManager(retries=False, timeout=1.0)
    while True:
        try:
            if http.request("GET", f"{url}/readyz").status == 200:
                break
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    print(announcement, flush=True)
