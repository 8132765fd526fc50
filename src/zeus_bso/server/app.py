"""The application: the only place that wires things."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from zeus_bso import __version__
from zeus_bso.common import IMPORT_URL, MAX_BODY_BYTES
from zeus_bso.server.config import Settings
from zeus_bso.server.dashboard.login import login
from zeus_bso.server.dashboard.views import dashboard
from zeus_bso.server.database.engine import open_database, parse_url
from zeus_bso.server.database.revision import check_connection, upgrade_connection
from zeus_bso.server.dependencies import Transactions
from zeus_bso.server.errors import add_error_handlers
from zeus_bso.server.limits import BodyLimit
from zeus_bso.server.metrics.instruments import Instruments
from zeus_bso.server.metrics.ledger import Ledger
from zeus_bso.server.metrics.metrics import Metrics
from zeus_bso.server.router import router
from zeus_bso.server.security.access import Guard
from zeus_bso.server.security.headers import SecurityHeaders
from zeus_bso.server.security.routes import refuse_unguarded_routes
from zeus_bso.server.security.tokens import read_tokens
from zeus_bso.server.watch import Watch


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application.

    Args:
        settings: The settings; left out, they are read from the environment now.

    Raises:
        ZeusBSOConfigError: The database URL is malformed or names a database that is not supported, or the tokens
            make no sense.
    """
    settings = settings or Settings()
    guard = Guard(read_tokens(settings.api_tokens, settings.api_tokens_file), settings.session_s)
    embedded = parse_url(settings.database_url).get_backend_name() == "sqlite"
    database = open_database(settings.database_url, pool_size=settings.database_pool_size)
    instruments = Instruments(connections=database.connections)
    transactions = Transactions(database, settings, instruments)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await database.start()
        try:
            if embedded:
                await database.write(upgrade_connection)
            await database.read(check_connection)
            yield
        finally:
            await database.close()

    app = FastAPI(
        title="zeus-bso",
        version=__version__,
        description="Batch size optimizer for recurring training jobs.",
        lifespan=lifespan,
        openapi_url=None,  # a route of ours, which asks who wants to know
        docs_url=None,
        redoc_url=None,
        strict_content_type=False,
    )
    app.state.guard = guard
    app.state.transactions = transactions
    app.state.metrics = Metrics(instruments, Ledger(transactions, settings.metrics_cache_s, settings.metrics_jobs))
    app.include_router(router)
    app.include_router(dashboard)
    app.include_router(login)
    refuse_unguarded_routes(app)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, exempt=frozenset({IMPORT_URL}))
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Watch, instruments=instruments)
    add_error_handlers(app)
    return app
