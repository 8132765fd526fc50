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

import urllib3

from zeus_bso.cli.database_errors import database_errors_in_one_line
from zeus_bso.cli.draining import GRACE_S, KEEP_ALIVE_S, drain_when_told_to_end
from zeus_bso.cli.settings import is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI

    from zeus_bso.server.config import Settings


def serve_with_workers(
    settings: Settings, listener: socket.socket, url: str, announcement: str, *, workers: int, access_log: bool
) -> int:
    """Serve with worker processes until interrupted; one that dies is replaced.

    The workers share nothing but the port and the database.

    Args:
        settings: The settings, handed to the workers through the environment.
        listener: The port, bound: it is known to be free, and is let go for the workers.
        url: Where the server is reached from this machine.
        announcement: What to print once it answers.
        workers: How many.
        access_log: Log every request.
    """
    import uvicorn

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
    with common_counts():
        uvicorn.run(
            "zeus_bso.cli.workers:worker",
            factory=True,
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
    """Make the application of one worker process, from the environment."""
    from zeus_bso.server.app import create_app
    from zeus_bso.server.config import Settings

    settings = Settings()
    log_decisions(settings)
    app = create_app(settings)
    answer_to_local_names(app, settings)
    drain_when_told_to_end(app, settings.drain_s)
    return app


def answer_to_local_names(app: FastAPI, settings: Settings) -> None:
    """Let an app that asks for no token, and listens on loopback, answer to no other name than this machine's own."""
    from zeus_bso.server.security.hosts import LocalNames

    if not app.state.guard.tokens and is_loopback(settings.host):
        app.add_middleware(LocalNames)


def log_decisions(settings: Settings) -> None:
    """Write the server's log to the standard error: a line per decision."""
    from zeus_bso.server.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)


@contextmanager
def common_counts() -> Iterator[None]:
    """Give the workers a folder in which they keep what they count, so that each can answer for all."""
    from zeus_bso.server.metrics.instruments import FOLDER_VARIABLE

    if FOLDER_VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="zeus-bso-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield


def _announce(url: str, announcement: str) -> None:
    """Say where the server is once it answers, not before."""
    http = urllib3.PoolManager(retries=False, timeout=1.0)
    while True:
        try:
            if http.request("GET", f"{url}/readyz").status == 200:
                break
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    print(announcement, flush=True)
