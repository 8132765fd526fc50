"""The addresses of the dashboard. They only read, and answer with pages or with charts for a page's script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field

from zeus_bso.exceptions import UnauthenticatedError, ZeusBSOServerError
from zeus_bso.protocol.words import INT32_MAX, Text
from zeus_bso.server.dashboard import pages, plots, render
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.dependencies import Tx
from zeus_bso.server.http.error_answers import headers_of
from zeus_bso.server.security.navigation import is_navigation
from zeus_bso.server.security.routes import GuardedRoute, needs, open_to_everybody
from zeus_bso.server.security.tokens import Scope

JobId = Annotated[Text, Query()]
_Number = Annotated[int, Field(ge=1, le=INT32_MAX)]
Number = Annotated[_Number | None, BeforeValidator(lambda text: text or None), Query()]
"""A number from a form, which sends an empty value for a choice that was not made."""
Word = Annotated[str, Query(max_length=255)]


class PageRoute(GuardedRoute):
    """Answers errors as pages for people, and redirects people who must log in to the login page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Create the handler."""
        handle = super().get_route_handler()

        async def readably(request: Request) -> Response:
            try:
                return await handle(request)
            except UnauthenticatedError as error:
                if is_navigation(request):
                    raise
                return render.error_page(request, 401, "You are not logged in. Reload the page.", headers_of(error))
            except ZeusBSOServerError as error:
                return render.error_page(request, error.status_code, error.message, headers_of(error))
            except RequestValidationError:
                return render.error_page(request, 422, "This address has an invalid parameter.")

        return readably


T = TypeVar("T")


async def _read(tx: Tx, work: Callable[[Reader], T]) -> T:
    return await tx.read(lambda unit: work(Reader.of(unit)), long=True)


dashboard = APIRouter(route_class=PageRoute, include_in_schema=False)


@dashboard.get("/")
@needs(Scope.READ)
async def jobs(request: Request, tx: Tx, q: Word = "", sort: Word = "", page: Number = None) -> Response:
    """All jobs."""
    shown = await _read(
        tx,
        lambda reader: render.fresh(
            request,
            reader.queries.fleet_version(),
            lambda: pages.jobs_page(reader, search=q, sort=sort, number=page or 1),
        ),
    )
    return render.page(request, "jobs.html", shown)


@dashboard.get("/job")
@needs(Scope.READ)
async def job(
    request: Request, tx: Tx, job_id: JobId, before: Number = None, size: Number = None, state: Word = ""
) -> Response:
    """One job."""
    shown = await _read(
        tx,
        lambda reader: render.fresh(
            request,
            reader.queries.job_version(job_id),
            lambda: pages.job_page(reader, job_id, before=before, batch_size=size, state=state),
        ),
    )
    return render.page(request, "job.html", shown)


@dashboard.get("/fleet")
@needs(Scope.READ)
async def fleet(request: Request, tx: Tx) -> Response:
    """Totals over all jobs."""
    shown = await _read(
        tx, lambda reader: render.fresh(request, reader.queries.fleet_version(), lambda: pages.fleet_page(reader))
    )
    return render.page(request, "fleet.html", shown)


@dashboard.get("/job/chart")
@needs(Scope.READ)
async def chart(request: Request, tx: Tx, job_id: JobId, name: plots.ChartName, span: plots.Span = "200") -> Response:
    """One chart of a job, as JSON for the page's script."""
    shown = await _read(
        tx,
        lambda reader: render.fresh(
            request, reader.queries.job_version(job_id), lambda: plots.chart(reader, job_id, name, span).figure
        ),
    )
    return render.figure(shown)


@dashboard.get("/job/data")
@needs(Scope.READ)
async def data(request: Request, tx: Tx, job_id: JobId, name: plots.ChartName, span: plots.Span = "200") -> Response:
    """The data of a chart, as a table."""
    shown = await _read(
        tx,
        lambda reader: render.fresh(
            request, reader.queries.job_version(job_id), lambda: plots.data_page(reader, job_id, name, span)
        ),
    )
    return render.page(request, "data.html", shown)


@dashboard.get("/dashboard/static/{version}/{name}")
@open_to_everybody
def static_file(request: Request, version: str, name: str) -> Response:
    """A style sheet, script or picture of the dashboard."""
    return render.static_file(name) or render.error_page(request, 404, "There is no such file.")


@dashboard.get("/dashboard/plotly/{version}/plotly.min.js")
@needs(Scope.READ)
def plotly(request: Request, version: str) -> Response:
    """Plotly's script, from the installed plotly package."""
    script = render.plotly_script(request.headers.get("accept-encoding", ""))
    return script or render.error_page(request, 404, "The plotly package is not installed.")
