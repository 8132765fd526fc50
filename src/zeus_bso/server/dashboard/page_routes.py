"""The addresses of the dashboard. They only read, and answer with pages or with charts for a page's script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timezone
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field
from starlette.exceptions import HTTPException

from zeus_bso.exceptions import UnauthenticatedError, ZeusBSOServerError
from zeus_bso.protocol.words import INT32_MAX, Text
from zeus_bso.server.dashboard import pages, plots, render
from zeus_bso.server.dashboard.all_jobs import AllJobs, ReachableJobs
from zeus_bso.server.dashboard.chart_of_fleet import fleet_savings_chart
from zeus_bso.server.dashboard.chart_of_runs import Quantity
from zeus_bso.server.dashboard.compare import compare, comparison_chart, offer_jobs
from zeus_bso.server.dashboard.queries import state_filter
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.dashboard.trial_page import trial_page
from zeus_bso.server.dependencies import Tx
from zeus_bso.server.http import error_answers
from zeus_bso.server.http.error_answers import headers_of
from zeus_bso.server.security.navigation import is_navigation
from zeus_bso.server.security.routes import GuardedRoute, caller_of, needs, open_to_everybody
from zeus_bso.server.security.tokens import Scope
from zeus_bso.server.unit_of_work import UnitOfWork

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

dashboard = APIRouter(route_class=PageRoute, include_in_schema=False)


@dashboard.get("/")
@needs(Scope.READ)
async def jobs(request: Request, q: Word = "", sort: Word = "", page: Number = None, only: Word = "") -> Response:
    """All jobs."""
    return await _over_all(
        request,
        "jobs.html",
        lambda reachable: pages.jobs_page(
            reachable, search=q, sort=sort, number=page or 1, only_alarmed=only == "alarm"
        ),
    )


@dashboard.get("/job")
@needs(Scope.READ)
async def job(
    request: Request, tx: Tx, job_id: JobId, before: Number = None, size: Number = None, state: Word = ""
) -> Response:
    """One job."""
    shown = await _of_job(
        request,
        tx,
        job_id,
        lambda reader: pages.job_page(reader, job_id, before=before, batch_size=size, state=state_filter(state)),
    )
    return await run_in_threadpool(render.page, request, "job.html", shown)


@dashboard.get("/fleet")
@needs(Scope.READ)
async def fleet(request: Request) -> Response:
    """Totals over all jobs."""
    return await _over_all(request, "fleet.html", pages.fleet_page)


@dashboard.get("/job/trial")
@needs(Scope.READ)
async def trial(request: Request, tx: Tx, job_id: JobId, number: _Number, after: Number = None) -> Response:
    """One trial."""
    shown = await _of_job(request, tx, job_id, lambda reader: trial_page(reader, job_id, number, after=after or 0))
    return await run_in_threadpool(render.page, request, "trial.html", shown)


def wanted(
    name: plots.ChartName,
    span: plots.Span = "200",
    quantity: Quantity = "cost",
    size: Number = None,
    state: Word = "",
    number: Number = None,
) -> plots.Wanted:
    """What a chart is to show. An unknown state means no filter."""
    return plots.Wanted(name, span, quantity, size, state_filter(state), number or 0)


Wanted = Annotated[plots.Wanted, Depends(wanted)]


@dashboard.get("/fleet/chart")
@needs(Scope.READ)
async def fleet_chart(request: Request) -> Response:
    """The savings of all jobs over time, as JSON for the page's script."""
    reachable, used = await _all_jobs(request).with_uses(caller_of(request).reach)
    today = datetime.now(timezone.utc).date()

    def answer() -> Response:
        version = f"{reachable.version} {today}"
        return render.figure(render.fresh(request, version, lambda: fleet_savings_chart(reachable, used, today).figure))

    return await run_in_threadpool(answer)


@dashboard.get("/job/chart")
@needs(Scope.READ)
async def chart(request: Request, tx: Tx, job_id: JobId, wanted: Wanted) -> Response:
    """One chart of a job, as JSON for the page's script."""
    shown = await _of_job(request, tx, job_id, lambda reader: plots.chart(reader, job_id, wanted).figure)
    return await run_in_threadpool(render.figure, shown)


@dashboard.get("/job/data")
@needs(Scope.READ)
async def data(request: Request, tx: Tx, job_id: JobId, wanted: Wanted) -> Response:
    """The data of a chart, as a table."""
    shown = await _of_job(request, tx, job_id, lambda reader: plots.data_page(reader, job_id, wanted))
    return await run_in_threadpool(render.page, request, "data.html", shown)


@dashboard.get("/compare")
@needs(Scope.READ)
async def compare_jobs(request: Request, tx: Tx, job_id: Word = "", other: Word = "", q: Word = "") -> Response:
    """Two jobs side by side, or the jobs to choose from."""
    if not (job_id and other):
        return await _over_all(
            request, "compare_choice.html", lambda reachable: offer_jobs(reachable, job_id=job_id or other, search=q)
        )
    shown = await _of_jobs(request, tx, (job_id, other), lambda reader: compare(reader, job_id, other))
    return await run_in_threadpool(render.page, request, "compare.html", shown)


@dashboard.get("/compare/chart")
@needs(Scope.READ)
async def compare_chart(request: Request, tx: Tx, job_id: JobId, other: JobId) -> Response:
    """The chart of two jobs, as JSON for the page's script."""
    shown = await _of_jobs(
        request, tx, (job_id, other), lambda reader: comparison_chart(compare(reader, job_id, other)).figure
    )
    return await run_in_threadpool(render.figure, shown)


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


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer a path that does not exist with a page, if a person has opened it in a browser."""
    if is_navigation(request) and isinstance(error, HTTPException) and error.status_code == 404:
        return render.error_page(request, 404, "There is no page at this address.")
    return await error_answers.answer_http_error(request, error)


def _all_jobs(request: Request) -> AllJobs:
    all_jobs = request.app.state.all_jobs
    assert isinstance(all_jobs, AllJobs)
    return all_jobs


async def _over_all(request: Request, template: str, build: Callable[[ReachableJobs], Any]) -> Response:
    """A page about all jobs within the caller's reach, made outside the thread that answers reports."""
    reachable = await _all_jobs(request).within(caller_of(request).reach)

    def answer() -> Response:
        return render.page(request, template, render.fresh(request, reachable.version, lambda: build(reachable)))

    return await run_in_threadpool(answer)


async def _of_job(request: Request, tx: Tx, job_id: str, build: Callable[[Reader], T]) -> render.Fresh[T]:
    """Content about one job, read in one transaction."""
    return await _of_jobs(request, tx, (job_id,), build)


async def _of_jobs(request: Request, tx: Tx, job_ids: Sequence[str], build: Callable[[Reader], T]) -> render.Fresh[T]:
    """Content about some jobs, read in one transaction."""

    def work(unit: UnitOfWork) -> render.Fresh[T]:
        reader = Reader.of(unit)
        version = "\n".join(reader.queries.job_version(job_id) for job_id in job_ids)
        return render.fresh(request, version, lambda: build(reader))

    return await tx.read(work, long=True)
