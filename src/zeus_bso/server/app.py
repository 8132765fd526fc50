"""Creates the application. This is the only place that connects its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from zeus_bso._version import __version__
from zeus_bso.protocol.urls import IMPORT_URL, MAX_BODY_BYTES
from zeus_bso.server.bulkheads import Bulkheads
from zeus_bso.server.config import Settings
from zeus_bso.server.dashboard.all_jobs import AllJobs
from zeus_bso.server.dashboard.login import login
from zeus_bso.server.dashboard.page_routes import answer_http_error, dashboard
from zeus_bso.server.database.engine import open_database, parse_url
from zeus_bso.server.database.revision import check_encoding, is_current
from zeus_bso.server.dependencies import Transactions
from zeus_bso.server.http.body_limit import BodyLimit
from zeus_bso.server.http.compression import Compression
from zeus_bso.server.http.error_answers import add_error_handlers
from zeus_bso.server.http.request_ids import RequestIds
from zeus_bso.server.instruments import Instruments
from zeus_bso.server.metrics.job_totals import JobTotalsCache
from zeus_bso.server.metrics.metrics import Metrics
from zeus_bso.server.router import router
from zeus_bso.server.security.access import Authenticator
from zeus_bso.server.security.headers import SecurityHeaders
from zeus_bso.server.security.navigation import LOGIN_URL
from zeus_bso.server.security.routes import refuse_unguarded_routes
from zeus_bso.server.security.tokens import read_tokens

_MAX_FORM_BYTES = 16 * 1024
"""Size of the largest form to log in, which everybody may send [bytes]."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application.

    Args:
        settings: The settings. Default: they are read from the environment now.

    Raises:
        ZeusBSOConfigError: The database URL is malformed or names a database that is not supported, or a token is
            malformed.
    """
    settings = settings or Settings()
    guard = Authenticator(read_tokens(settings.api_tokens, settings.api_tokens_file), settings.session_s)
    embedded = parse_url(settings.database_url).get_backend_name() == "sqlite"
    database = open_database(settings.database_url, pool_size=settings.database_pool_size)
    instruments = Instruments(connections=database.connections)
    transactions = Transactions(database, settings, instruments, Bulkheads(database.connections))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await database.start()
        try:
            if embedded:
                await database.write(_upgrade)
            await database.read(_check)
            yield
        finally:
            await database.close()

    app = FastAPI(
        title="zeus-bso",
        version=__version__,
        description="Batch size optimizer for recurring training jobs.",
        lifespan=lifespan,
        openapi_url=None,  # our own route serves it, with access control
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # such a redirect would lead out of a proxy's path prefix
    )
    app.state.authenticator = guard
    app.state.transactions = transactions
    app.state.metrics = Metrics(
        instruments, JobTotalsCache(transactions, settings.metrics_cache_s, settings.metrics_jobs)
    )
    app.state.all_jobs = AllJobs(transactions, settings.dashboard_cache_s)
    # Not included: FastAPI would derive every route again for each application, with its first request.
    for routes in (router, dashboard, login):
        app.router.routes.extend(routes.routes)
    refuse_unguarded_routes(app)
    app.add_middleware(Compression)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, others={IMPORT_URL: None, LOGIN_URL: _MAX_FORM_BYTES})
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestIds, instruments=instruments)
    add_error_handlers(app)
    app.add_exception_handler(HTTPException, answer_http_error)
    return app


def _upgrade(connection: Connection) -> None:
    if not is_current(connection):
        # Loaded where it is needed: Alembic takes a tenth of a server's memory.
        from zeus_bso.server.database import migrate

        migrate.upgrade_connection(connection)


def _check(connection: Connection) -> None:
    check_encoding(connection)
    if not is_current(connection):
        from zeus_bso.server.database import migrate

        migrate.check_connection(connection)
