"""The HTTP layer: it parses requests, calls the optimizer and answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from zeus_bso.protocol.import_views import ImportedJob, ImportProgress
from zeus_bso.protocol.job_spec import JobSpecFromClient, RegisteredJob, SettingsChange
from zeus_bso.protocol.messages import (
    AskForTrial,
    Heartbeat,
    Message,
    ReportResponse,
    TrainingResult,
    TrialEnd,
    TrialId,
    TrialOffer,
)
from zeus_bso.protocol.past_runs import PastRuns, PastRunsTaken
from zeus_bso.protocol.savings_views import FleetSavings, JobSavings, SavingsPoint
from zeus_bso.protocol.urls import (
    ASK_URL,
    DELETE_JOB_URL,
    EXPORT_URL,
    FLEET_SAVINGS_URL,
    GET_NEXT_BATCH_SIZE_URL,
    HEARTBEAT_URL,
    IMPORT_URL,
    JOB_URL,
    JOBS_URL,
    OBSERVATIONS_URL,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
    REPORTS_URL,
    RESET_URL,
    SAVINGS_HISTORY_URL,
    SAVINGS_URL,
    TRIALS_URL,
)
from zeus_bso.protocol.views import JobSummary, JobView, ReportView, TrialView
from zeus_bso.protocol.words import Text
from zeus_bso.server import presenter
from zeus_bso.server.audit import audit
from zeus_bso.server.batch_size_state.commands import ReadTrials
from zeus_bso.server.dashboard import render
from zeus_bso.server.dashboard.api_docs import api_page
from zeus_bso.server.dependencies import Tx
from zeus_bso.server.http.error_answers import StrictJsonRequest
from zeus_bso.server.metrics.metrics import CONTENT_TYPE, Metrics
from zeus_bso.server.optimizer import ZeusBatchSizeOptimizer
from zeus_bso.server.overview.commands import ListJobs, ReadReports
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.registration import first_job_id, register
from zeus_bso.server.security.navigation import prefix_of
from zeus_bso.server.security.routes import SECURITY_SCHEMES, GuardedRoute, needs, open_to_everybody
from zeus_bso.server.security.tokens import Scope
from zeus_bso.server.services import trial_requests
from zeus_bso.server.transfer.export_format import MEDIA_TYPE
from zeus_bso.server.transfer.importing import store
from zeus_bso.server.transfer.receive import receive_file, send_file
from zeus_bso.server.transfer.staging import stage
from zeus_bso.server.transfer.transfer import Transfer
from zeus_bso.server.unit_of_work import UnitOfWork

JobId = Annotated[Text, Query(description="The job.")]
RunId = Annotated[
    Text | None, Query(description="Name of the launch that asks. Without one, each ask gets a new trial.")
]


class _StrictJsonRoute(GuardedRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictJsonRequest(request.scope, request.receive))

        return strictly


_MESSAGE = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Message.__name__}"}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"content": _MESSAGE, "description": "The request was refused. The message says why."},
    "5XX": {"content": _MESSAGE, "description": "The database is busy or unreachable. Try again."},
}
_NDJSON_BODY = {"requestBody": {"required": True, "content": {MEDIA_TYPE: {}}}}

router = APIRouter(
    route_class=_StrictJsonRoute,
    responses=_ERRORS,
    strict_content_type=False,
    generate_unique_id_function=lambda route: route.name,
)


@router.post(
    REGISTER_JOB_URL,
    status_code=201,
    tags=["protocol"],
    response_description="The job is new.",
    responses={
        200: {"model": RegisteredJob, "description": "The job exists with this spec. Its settings may have changed."}
    },
)
@needs(Scope.REPORT)
async def register_job(spec: JobSpecFromClient, tx: Tx, response: Response) -> RegisteredJob:
    """Register a job. 201 if it is new, 200 if it exists, 409 if its id exists with another spec."""
    registration = await tx.write(lambda unit: register(unit.service, spec), job_id=first_job_id(spec))
    response.status_code = 201 if registration.created else 200
    if registration.changed:
        audit("settings", registration.job.job_id)
    return registration.answer()


@router.get(
    GET_NEXT_BATCH_SIZE_URL, tags=["protocol"], response_description="The trial, with the batch size to train with."
)
@needs(Scope.REPORT)
async def get_batch_size(job_id: JobId, tx: Tx, run_id: RunId = None) -> TrialId:
    """Ask for a trial. Asking again with the same run id gives the same trial. 400 if there is no such job."""
    offer = await tx.decide(trial_requests.ask(AskForTrial(job_id=job_id, run_id=run_id)))
    return TrialId(**offer.model_dump())


@router.post(REPORT_RESULT_URL, tags=["protocol"], response_description="Whether to stop.")
@needs(Scope.REPORT)
async def report(result: TrainingResult, tx: Tx) -> ReportResponse:
    """Report after an evaluation. The answer says whether to stop. 400 if there is no such job or trial."""
    return await tx.decide(trial_requests.report(result))


@router.patch(REPORT_END_URL, tags=["protocol"], response_description="The trial as it ended.")
@needs(Scope.REPORT)
async def end_trial(end: TrialEnd, tx: Tx) -> TrialView:
    """End a trial without a result. 404 if there is no such job or trial."""
    return presenter.show_trial(await tx.decide(trial_requests.end(end)))


@router.delete(DELETE_JOB_URL, tags=["protocol"], response_description="The job is deleted.")
@needs(Scope.ADMIN)
async def delete_job(job_id: JobId, tx: Tx) -> Message:
    """Delete a job with all its trials. 404 if there is no such job."""
    await tx.write(lambda unit: ZeusBatchSizeOptimizer.of(unit).delete(job_id), job_id=job_id)
    audit("delete", job_id)
    return Message(message="Deleted.")


@router.post(
    ASK_URL, tags=["v1"], response_description="The trial, with the batch size to train with and the rules of the run."
)
@needs(Scope.REPORT)
async def ask(request: AskForTrial, tx: Tx) -> TrialOffer:
    """Ask for a trial. The answer has everything that our client needs."""
    return await tx.decide(trial_requests.ask(request))


@router.post(HEARTBEAT_URL, tags=["v1"], response_description="The trial, with its new lease.")
@needs(Scope.REPORT)
async def heartbeat(beat: Heartbeat, tx: Tx) -> TrialOffer:
    """Renew a trial's lease."""
    return await tx.decide(trial_requests.heartbeat(beat))


@router.post(OBSERVATIONS_URL, tags=["v1"], response_description="How many of the runs are new, and what was left out.")
@needs(Scope.REPORT)
async def tell_past_runs(told: PastRuns, tx: Tx) -> PastRunsTaken:
    """Tell a job of past runs, all of them or none. A run that is known already changes nothing."""

    def take(unit: UnitOfWork) -> PastRunsTaken:
        return ZeusBatchSizeOptimizer.of(unit).take_past_runs(told)

    taken = await (tx.read(take) if told.dry_run else tx.write(take, job_id=told.job_id))
    if taken.added and not taken.dry_run:
        audit("past runs", told.job_id, added=taken.added)
    return taken


@router.get(TRIALS_URL, tags=["v1"], response_description="The trials of the page.")
@needs(Scope.READ)
async def list_trials(page: Annotated[ReadTrials, Query()], tx: Tx) -> list[TrialView]:
    """A page of a job's trials by number, optionally of one status or batch size."""
    return await tx.read(lambda unit: presenter.list_trials(unit.service, page))


@router.get(REPORTS_URL, tags=["v1"], response_description="The reports of the page.")
@needs(Scope.READ)
async def list_reports(page: Annotated[ReadReports, Query()], tx: Tx) -> list[ReportView]:
    """A page of a trial's learning curve: its reports by epoch."""
    return await tx.read(lambda unit: Overview.of(unit).reports(page), long=True)


@router.get(JOBS_URL, tags=["v1"], response_description="The jobs of the page.")
@needs(Scope.READ)
async def list_jobs(page: Annotated[ListJobs, Query()], tx: Tx, response: Response) -> list[JobSummary]:
    """A page of jobs. The header ``X-Total-Count`` gives the number of all jobs found."""
    found = await tx.read(lambda unit: Overview.of(unit).jobs(page), long=True)
    response.headers["X-Total-Count"] = str(found.total)
    return found.jobs


@router.patch(JOBS_URL, tags=["v1"], response_description="The job with its new settings.")
@needs(Scope.REPORT)
async def change_settings(job_id: JobId, changes: SettingsChange, tx: Tx) -> JobView:
    """Change settings of a job. Omitted settings stay. A new eta_knob recomputes costs. The policy cannot change."""
    await tx.write(lambda unit: ZeusBatchSizeOptimizer.of(unit).change_settings(job_id, changes), job_id=job_id)
    audit("settings", job_id)
    return await tx.read(lambda unit: Overview.of(unit).job(job_id), long=True)


@router.post(RESET_URL, tags=["v1"], response_description="The job in its new generation.")
@needs(Scope.ADMIN)
async def reset_job(job_id: JobId, tx: Tx) -> JobView:
    """Forget what a job has learned and explore again. Its trials stay on record."""
    await tx.write(lambda unit: ZeusBatchSizeOptimizer.of(unit).reset(job_id), job_id=job_id)
    audit("reset", job_id)
    return await tx.read(lambda unit: Overview.of(unit).job(job_id), long=True)


@router.get(JOB_URL, tags=["v1"], response_description="The job.")
@needs(Scope.READ)
async def show_job(job_id: JobId, tx: Tx) -> JobView:
    """One job with its spec and the results for each batch size."""
    return await tx.read(lambda unit: Overview.of(unit).job(job_id), long=True)


@router.get(
    EXPORT_URL,
    tags=["v1"],
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}}},
    response_description="The job with all its trials, one row a line.",
)
@needs(Scope.READ)
async def export_job(job_id: JobId, tx: Tx) -> StreamingResponse:
    """Export a whole job as NDJSON, for another server or a backup."""
    return send_file(await tx.snapshot(lambda unit: Transfer.of(unit).export(job_id)), job_id)


@router.post(
    IMPORT_URL, status_code=201, tags=["v1"], openapi_extra=_NDJSON_BODY, response_description="The job is imported."
)
@needs(Scope.ADMIN)
async def import_job(
    request: Request,
    tx: Tx,
    new_id: Annotated[Text | None, Query(alias="as", description="Import under this id.")] = None,
    replace: Annotated[bool, Query(description="Replace the job that has this id.")] = False,
) -> ImportedJob:
    """Import an exported job, as a whole or not at all. 409 if its id is taken, 422 if the file is invalid."""
    with await receive_file(request, tx.settings.import_max_bytes) as file:
        dialect = await tx.read(lambda unit: unit.connection.dialect)
        staged = await run_in_threadpool(stage, file, dialect, new_id=new_id)
    with staged:
        imported = await store(tx, staged, replace=replace)
    audit("import", imported.job_id, trials=imported.trials, replaced=imported.replaced)
    return ImportedJob(**asdict(imported))


@router.get(IMPORT_URL, tags=["v1"], response_description="The rows that are stored, and all rows.")
@needs(Scope.READ)
async def show_import(job_id: JobId, tx: Tx) -> ImportProgress:
    """How far the import of a job is."""
    stored, rows = await tx.read(lambda unit: Transfer.of(unit).progress(job_id))
    return ImportProgress(stored=stored, rows=rows)


@router.get(SAVINGS_URL, tags=["v1"], response_description="The savings.")
@needs(Scope.READ)
async def show_savings(job_id: JobId, tx: Tx) -> JobSavings:
    """The savings of a job against its default batch size."""
    return await tx.read(lambda unit: Overview.of(unit).savings(job_id), long=True)


@router.get(SAVINGS_HISTORY_URL, tags=["v1"], response_description="The points, by time.")
@needs(Scope.READ)
async def show_savings_history(job_id: JobId, tx: Tx) -> list[SavingsPoint]:
    """The savings of a job after each run, against the current baseline. At most 500 points."""
    return await tx.read(lambda unit: Overview.of(unit).savings_over_time(job_id), long=True)


@router.get(FLEET_SAVINGS_URL, tags=["v1"], response_description="The savings.")
@needs(Scope.READ)
async def show_fleet_savings(tx: Tx) -> FleetSavings:
    """The savings of all jobs together."""
    return await tx.read(lambda unit: Overview.of(unit).fleet(), long=True)


@router.get("/healthz", tags=["health"], response_description="The process is alive.")
@open_to_everybody
async def healthz() -> Message:
    """Answers while the process is alive."""
    return Message(message="alive")


@router.get("/readyz", tags=["health"], response_description="The database can be written.")
@open_to_everybody
async def readyz(tx: Tx) -> Message:
    """Answers 200 if the database can be written, else 503."""
    await tx.check()
    return Message(message="ready")


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse, response_description="The metrics.")
@needs(Scope.READ, every_job=True)
async def show_metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(await metrics.text(), media_type=CONTENT_TYPE)


@router.get("/docs", include_in_schema=False)
@needs(Scope.READ)
async def show_docs(request: Request) -> Response:
    """The description of this API as a page."""
    return render.page(request, "docs.html", render.fresh(request, "", lambda: api_page(_description(request))))


@router.get("/openapi.json", include_in_schema=False)
@needs(Scope.READ)
async def show_openapi(request: Request) -> Response:
    """The description of this API as an OpenAPI document."""
    return JSONResponse(_description(request))


def _description(request: Request) -> dict[str, Any]:
    api: dict[str, Any] = request.app.openapi()
    components = api["components"] | {"securitySchemes": SECURITY_SCHEMES}
    return api | {"components": components, "servers": [{"url": prefix_of(request) or "/"}]}
