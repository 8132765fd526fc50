"""``zeus-bso serve``: the server in the foreground."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from zeus_bso.cli.errors import BAD_USE, FAILED, CommandError
from zeus_bso.cli.loading import loading_code
from zeus_bso.cli.parser import whole_number
from zeus_bso.cli.settings import is_loopback, read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

_EPILOG = """\
You can also set host, port and database in the environment or in a .env file: ZEUS_BSO_HOST, ZEUS_BSO_PORT,
ZEUS_BSO_DATABASE_URL. You can set API tokens only there: ZEUS_BSO_API_TOKENS or ZEUS_BSO_API_TOKENS_FILE.
The server creates and migrates an SQLite database by itself. For other databases, see `zeus-bso db --help`.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (default: 8000)")
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="the database, for example sqlite:///zeus-bso.db (default: a file in your data directory)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="allow a --host other than 127.0.0.1 without tokens, so that everyone who can reach it has full access",
    )
    parser.add_argument(
        "--workers", type=whole_number(1), default=1, metavar="N", help="worker processes behind the port (default: 1)"
    )
    parser.add_argument(
        "--root-path", metavar="PATH", help="path prefix under which a proxy shows the server, such as /team/zeus"
    )
    parser.add_argument("--access-log", action="store_true", help="log every request")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    with loading_code():
        from zeus_bso.cli.database_errors import database_errors_in_one_line
        from zeus_bso.cli.draining import drain_when_told_to_end
        from zeus_bso.cli.proxies import refuse_own_paths, stand_behind_proxies
        from zeus_bso.cli.workers import answer_to_local_names, log_decisions, serve_with_workers
        from zeus_bso.server.app import create_app
        from zeus_bso.server.security.tokens import read_tokens

    settings = read_settings(host=args.host, port=args.port, database_url=args.database_url, root_path=args.root_path)
    refuse_own_paths(settings.root_path)
    guarded = len(read_tokens(settings.api_tokens, settings.api_tokens_file)) > 0
    if not guarded and not args.insecure and not is_loopback(settings.host):
        raise CommandError(
            f"on {settings.host} the server would be open to everyone who can reach it. Set ZEUS_BSO_API_TOKENS, "
            "listen on 127.0.0.1, or add --insecure if the network itself is protected.",
            BAD_USE,
        )
    with listen(settings.host, settings.port) as listener:
        url = url_of(listener)
        public_url = settings.public_url or url
        announcement = (
            f"zeus-bso serves {public_url} from {_without_password(settings.database_url)}; "
            f'give your training script server_url="{public_url}" (Ctrl-C stops the server)'
        )
        if args.workers > 1:
            return serve_with_workers(
                settings, listener, url, announcement, workers=args.workers, access_log=args.access_log
            )
        log_decisions(settings)
        with database_errors_in_one_line():
            app = create_app(settings)
        answer_to_local_names(app, settings)
        drain_when_told_to_end(app, settings.drain_s)
        stand_behind_proxies(app, settings.root_path)
        return _serve(app, listener, announcement, args.access_log)


def listen(host: str, port: int) -> socket.socket:
    """Bind the port before anything else starts, so that a busy port gives one sentence instead of a log.

    Raises:
        CommandError: The address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"port {port} is in use; choose another with --port.") from None
        raise CommandError(f"cannot listen on {host}, port {port}: {error.strerror}.") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(app: FastAPI, listener: socket.socket, announcement: str, access_log: bool) -> int:
    import uvicorn

    from zeus_bso.cli.connections import LimitedProtocol, allow_open_files
    from zeus_bso.cli.database_errors import database_errors_in_one_line
    from zeus_bso.cli.draining import GRACE_S, KEEP_ALIVE_S

    class Server(uvicorn.Server):
        """Prints its address as soon as it answers requests."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(announcement, flush=True)

    allow_open_files()
    server = Server(
        uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            proxy_headers=False,
            log_config=None,
            log_level="info" if access_log else "warning",
            access_log=access_log,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    failure = _StartupFailure(app)
    # uvicorn drains and then raises the signal again for the previous handler. A server that ended on request has not
    # failed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # the user stopped the server
    except SystemExit:
        if failure.error is None:
            raise
    if failure.error is not None:
        with database_errors_in_one_line():
            raise failure.error
    return 0 if server.started else FAILED


class _StartupFailure:
    """Keeps the error that kept an app from starting, so that uvicorn logs no traceback.

    Attributes:
        error: The error, or None if there was none.
    """

    def __init__(self, app: FastAPI) -> None:
        self.error: Exception | None = None
        self._lifespan = app.router.lifespan_context
        app.router.lifespan_context = self._watched  # type: ignore[assignment]
        logging.getLogger("uvicorn.error").addFilter(lambda record: self.error is None)

    @asynccontextmanager
    async def _watched(self, app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        try:
            async with self._lifespan(app) as state:
                yield state
        except Exception as error:
            self.error = error
            raise


def _without_password(database_url: str) -> str:
    from zeus_bso.server.database.engine import parse_url

    return parse_url(database_url).render_as_string(hide_password=True)
