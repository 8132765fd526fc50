"""The dashboard's addresses. They read only, and answer with pages, or with charts for a page's script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field

from zeus_bso.common import INT32_MAX, Text
from zeus_bso.exceptions import UnauthenticatedError, ZeusBSOServerError
from zeus_bso.server.dashboard import pages, plots, ui
from zeus_bso.server.dependencies import Zeus
from zeus_bso.server.errors import headers_of
from zeus_bso.server.security.navigation import is_navigation
from zeus_bso.server.security.routes import GuardedRoute, needs, open_to_everybody
from zeus_bso.server.security.tokens import Scope

JobId = Annotated[Text, Query()]
_Number = Annotated[int, Field(ge=1, le=INT32_MAX)]
Number = Annotated[_Number | None, BeforeValidator(lambda text: text or None), Query()]
"""A form sends what was not chosen as an empty value."""
Word = Annotated[str, Query(max_length=255)]


class PageRoute(GuardedRoute):
    """Answers errors as pages, since people read them; who has to log in first is sent there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Make the handler."""
        handle = super().get_route_handler()

        async def readably(request: Request) -> Response:
            try:
                return await handle(request)
            except UnauthenticatedError as error:
                if is_navigation(request):
                    raise
                return ui.error_page(request, 401, "You are not logged in: reload the page.", headers_of(error))
            except ZeusBSOServerError as error:
                return ui.error_page(request, error.status_code, error.message, headers_of(error))
            except RequestValidationError:
                return ui.error_page(request, 422, "This address has a parameter that cannot be right.")

        return readably


dashboard = APIRouter(route_class=PageRoute, include_in_schema=False)


@dashboard.get("/")
@needs(Scope.READ)
async def jobs(request: Request, zeus: Zeus, q: Word = "", sort: Word = "", page: Number = None) -> Response:
    """All jobs."""
    shown = await zeus.show(
        lambda reader: ui.fresh(
            request,
            reader.queries.fleet_version(),
            lambda: pages.jobs_page(reader, search=q, sort=sort, number=page or 1),
        )
    )
    return ui.page(request, "jobs.html", shown)


@dashboard.get("/job")
@needs(Scope.READ)
async def job(
    request: Request, zeus: Zeus, job_id: JobId, before: Number = None, size: Number = None, state: Word = ""
) -> Response:
    """One job."""
    shown = await zeus.show(
        lambda reader: ui.fresh(
            request,
            reader.queries.job_version(job_id),
            lambda: pages.job_page(reader, job_id, before=before, batch_size=size, state=state),
        )
    )
    return ui.page(request, "job.html", shown)


@dashboard.get("/fleet")
@needs(Scope.READ)
async def fleet(request: Request, zeus: Zeus) -> Response:
    """Totals over all jobs."""
    shown = await zeus.show(
        lambda reader: ui.fresh(request, reader.queries.fleet_version(), lambda: pages.fleet_page(reader))
    )
    return ui.page(request, "fleet.html", shown)


@dashboard.get("/job/chart")
@needs(Scope.READ)
async def chart(
    request: Request, zeus: Zeus, job_id: JobId, name: plots.ChartName, span: plots.Span = "200"
) -> Response:
    """One chart of a job, as its page's script draws it."""
    shown = await zeus.show(
        lambda reader: ui.fresh(
            request, reader.queries.job_version(job_id), lambda: plots.chart(reader, job_id, name, span).figure
        )
    )
    return ui.figure(shown)


@dashboard.get("/job/data")
@needs(Scope.READ)
async def data(
    request: Request, zeus: Zeus, job_id: JobId, name: plots.ChartName, span: plots.Span = "200"
) -> Response:
    """The data of a chart, as a table."""
    shown = await zeus.show(
        lambda reader: ui.fresh(
            request, reader.queries.job_version(job_id), lambda: plots.data_page(reader, job_id, name, span)
        )
    )
    return ui.page(request, "data.html", shown)


@dashboard.get("/dashboard/static/{version}/{name}")
@open_to_everybody
def static_file(request: Request, version: str, name: str) -> Response:
    """A style sheet, script or picture of the dashboard."""
    return ui.static_file(name) or ui.error_page(request, 404, "There is no such file.")


@dashboard.get("/dashboard/plotly/{version}/plotly.min.js")
@needs(Scope.READ)
def plotly(request: Request, version: str) -> Response:
    """Plotly's script, from the installed plotly package."""
    script = ui.plotly_script(request.headers.get("accept-encoding", ""))
    return script or ui.error_page(request, 404, "The plotly package is not installed.")
