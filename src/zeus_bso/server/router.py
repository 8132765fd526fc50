"""The HTTP layer: parse, call the optimizer, answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse

from zeus_bso.common import (
    ASK_URL,
    DELETE_JOB_URL,
    EXPORT_URL,
    FLEET_SAVINGS_URL,
    GET_NEXT_BATCH_SIZE_URL,
    HEARTBEAT_URL,
    IMPORT_URL,
    JOB_URL,
    JOBS_URL,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
    REPORTS_URL,
    RESET_URL,
    SAVINGS_HISTORY_URL,
    SAVINGS_URL,
    TRIALS_URL,
    AskForTrial,
    Heartbeat,
    JobSpecFromClient,
    Message,
    RegisteredJob,
    ReportResponse,
    SettingsChange,
    Text,
    TrainingResult,
    TrialEnd,
    TrialId,
    TrialOffer,
)
from zeus_bso.server import presenter
from zeus_bso.server.apidocs.page import render
from zeus_bso.server.audit import audit
from zeus_bso.server.batch_size_state.commands import ReadTrials
from zeus_bso.server.dependencies import Zeus
from zeus_bso.server.errors import StrictJsonRequest
from zeus_bso.server.metrics.metrics import CONTENT_TYPE, Metrics
from zeus_bso.server.overview.commands import ListJobs, ReadReports
from zeus_bso.server.registration import register
from zeus_bso.server.security.routes import GuardedRoute, needs, open_to_everybody
from zeus_bso.server.security.tokens import Scope
from zeus_bso.server.transfer.check import check
from zeus_bso.server.transfer.format import MEDIA_TYPE
from zeus_bso.server.transfer.receive import receive_file, send_file
from zeus_bso.server.transfer.transfer import ImportJob
from zeus_bso.views import (
    FleetSavings,
    ImportedJob,
    JobSavings,
    JobSummary,
    JobView,
    ReportView,
    SavingsPoint,
    TrialView,
)

JobId = Annotated[Text, Query(description="The job.")]


class _StrictJsonRoute(GuardedRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictJsonRequest(request.scope, request.receive))

        return strictly


_MESSAGE = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Message.__name__}"}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"content": _MESSAGE, "description": "Refused; the message says why"},
    "5XX": {"content": _MESSAGE, "description": "The database is busy or away; try again"},
}
_NDJSON_BODY = {"requestBody": {"required": True, "content": {MEDIA_TYPE: {}}}}

router = APIRouter(route_class=_StrictJsonRoute, responses=_ERRORS)


@router.post(REGISTER_JOB_URL, status_code=201, tags=["protocol"])
@needs(Scope.REPORT)
async def register_job(spec: JobSpecFromClient, zeus: Zeus, response: Response) -> RegisteredJob:
    """Register a job: 201 if it is new, 200 if it exists, 409 if its id exists with another spec."""
    registration = await zeus.write(lambda service: register(service, spec))
    response.status_code = 201 if registration.created else 200
    if registration.changed:
        audit("settings", registration.job.job_id)
    return registration.answer()


@router.get(GET_NEXT_BATCH_SIZE_URL, tags=["protocol"])
@needs(Scope.REPORT)
async def get_batch_size(job_id: JobId, zeus: Zeus, run_id: Text | None = None) -> TrialId:
    """Ask for a trial; with a run id, asking again gives the same one. 400 if there is no such job."""
    offer = await zeus.optimize(lambda optimizer: optimizer.ask(AskForTrial(job_id=job_id, run_id=run_id)))
    return TrialId(**offer.model_dump())


@router.post(REPORT_RESULT_URL, tags=["protocol"])
@needs(Scope.REPORT)
async def report(result: TrainingResult, zeus: Zeus) -> ReportResponse:
    """Report after an evaluation; the answer says whether to stop. 400 if there is no such job or trial."""
    return await zeus.optimize(lambda optimizer: optimizer.report(result))


@router.patch(REPORT_END_URL, tags=["protocol"])
@needs(Scope.REPORT)
async def end_trial(end: TrialEnd, zeus: Zeus) -> TrialView:
    """End a trial without a result. 404 if there is no such job or trial."""
    return presenter.show_trial(await zeus.optimize(lambda optimizer: optimizer.end(end)))


@router.delete(DELETE_JOB_URL, tags=["protocol"])
@needs(Scope.ADMIN)
async def delete_job(job_id: JobId, zeus: Zeus) -> Message:
    """Delete a job with all its trials. 404 if there is no such job."""
    await zeus.optimize(lambda optimizer: optimizer.delete(job_id))
    audit("delete", job_id)
    return Message(message="Deleted.")


@router.post(ASK_URL, tags=["v1"])
@needs(Scope.REPORT)
async def ask(request: AskForTrial, zeus: Zeus) -> TrialOffer:
    """Ask for a trial, with everything our client wants to know."""
    return await zeus.optimize(lambda optimizer: optimizer.ask(request))


@router.post(HEARTBEAT_URL, tags=["v1"])
@needs(Scope.REPORT)
async def heartbeat(beat: Heartbeat, zeus: Zeus) -> TrialOffer:
    """Renew a trial's lease."""
    return await zeus.optimize(lambda optimizer: optimizer.heartbeat(beat))


@router.get(TRIALS_URL, tags=["v1"])
@needs(Scope.READ)
async def list_trials(page: Annotated[ReadTrials, Query()], zeus: Zeus) -> list[TrialView]:
    """Trials of a job by number, a page at a time, of one status or batch size if so asked."""
    return await zeus.read(lambda service: presenter.list_trials(service, page))


@router.get(REPORTS_URL, tags=["v1"])
@needs(Scope.READ)
async def list_reports(page: Annotated[ReadReports, Query()], zeus: Zeus) -> list[ReportView]:
    """The learning curve of a trial: its reports by epoch, a page at a time."""
    return await zeus.look(lambda overview: overview.reports(page))


@router.get(JOBS_URL, tags=["v1"])
@needs(Scope.READ)
async def list_jobs(page: Annotated[ListJobs, Query()], zeus: Zeus, response: Response) -> list[JobSummary]:
    """Jobs, a page at a time; the header ``X-Total-Count`` says how many there are."""
    found = await zeus.look(lambda overview: overview.jobs(page))
    response.headers["X-Total-Count"] = str(found.total)
    return found.jobs


@router.patch(JOBS_URL, tags=["v1"])
@needs(Scope.REPORT)
async def change_settings(job_id: JobId, changes: SettingsChange, zeus: Zeus) -> JobView:
    """Change settings of a job; those left out stay. A new eta_knob recomputes costs; the policy is no setting."""
    await zeus.optimize(lambda optimizer: optimizer.change_settings(job_id, changes))
    audit("settings", job_id)
    return await zeus.look(lambda overview: overview.job(job_id))


@router.post(RESET_URL, tags=["v1"])
@needs(Scope.ADMIN)
async def reset_job(job_id: JobId, zeus: Zeus) -> JobView:
    """Forget what was learnt about a job and explore again; its trials stay on record."""
    await zeus.optimize(lambda optimizer: optimizer.reset(job_id))
    audit("reset", job_id)
    return await zeus.look(lambda overview: overview.job(job_id))


@router.get(JOB_URL, tags=["v1"])
@needs(Scope.READ)
async def show_job(job_id: JobId, zeus: Zeus) -> JobView:
    """One job with its spec and what is known about each batch size."""
    return await zeus.look(lambda overview: overview.job(job_id))


@router.get(EXPORT_URL, tags=["v1"], response_class=StreamingResponse, responses={200: {"content": {MEDIA_TYPE: {}}}})
@needs(Scope.READ)
async def export_job(job_id: JobId, zeus: Zeus) -> StreamingResponse:
    """A whole job as NDJSON, for another server or a backup."""
    return send_file(await zeus.export(lambda transfer: transfer.export(job_id)), job_id)


@router.post(IMPORT_URL, status_code=201, tags=["v1"], openapi_extra=_NDJSON_BODY)
@needs(Scope.ADMIN)
async def import_job(
    request: Request,
    zeus: Zeus,
    new_id: Annotated[Text | None, Query(alias="as", description="Import under this id.")] = None,
    replace: Annotated[bool, Query(description="Replace the job that has this id.")] = False,
) -> ImportedJob:
    """Take in a job that was exported: all of it or nothing. 409 if its id is taken, 422 if it is not sound."""
    with await receive_file(request, zeus.settings.import_max_bytes) as file:
        job_id = await run_in_threadpool(check, file)
        command = ImportJob(job_id=new_id or job_id, replace=replace)
        imported = await zeus.import_(lambda transfer: transfer.import_job(command, file))
    audit("import", imported.job_id, trials=imported.trials, replaced=imported.replaced)
    return ImportedJob(**asdict(imported))


@router.get(SAVINGS_URL, tags=["v1"])
@needs(Scope.READ)
async def show_savings(job_id: JobId, zeus: Zeus) -> JobSavings:
    """What a job has saved against its default batch size."""
    return await zeus.look(lambda overview: overview.savings(job_id))


@router.get(SAVINGS_HISTORY_URL, tags=["v1"])
@needs(Scope.READ)
async def show_savings_history(job_id: JobId, zeus: Zeus) -> list[SavingsPoint]:
    """What a job had saved after each run, in the light of today's baseline: at most 500 points."""
    return await zeus.look(lambda overview: overview.savings_over_time(job_id))


@router.get(FLEET_SAVINGS_URL, tags=["v1"])
@needs(Scope.READ)
async def show_fleet_savings(zeus: Zeus) -> FleetSavings:
    """What all jobs have saved together."""
    return await zeus.look(lambda overview: overview.fleet())


@router.get("/healthz", tags=["health"])
@open_to_everybody
async def healthz() -> Message:
    """The process is alive."""
    return Message(message="alive")


@router.get("/readyz", tags=["health"])
@open_to_everybody
async def readyz(zeus: Zeus) -> Message:
    """The database answers. 503 if it does not."""
    await zeus.check()
    return Message(message="ready")


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
@needs(Scope.READ, every_job=True)
async def show_metrics(request: Request) -> Response:
    """What a monitoring system wants to know, in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(await metrics.text(), media_type=CONTENT_TYPE)


@router.get("/docs", include_in_schema=False)
@needs(Scope.READ)
async def show_docs(request: Request) -> HTMLResponse:
    """The description of this API, as a page."""
    page = render(request.app.openapi())
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.content_security_policy})


@router.get("/openapi.json", include_in_schema=False)
@needs(Scope.READ)
async def show_openapi(request: Request) -> Response:
    """The description of this API, for programs."""
    return JSONResponse(request.app.openapi())
