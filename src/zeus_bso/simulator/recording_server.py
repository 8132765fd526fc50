"""A small server that hands out given batch sizes, bounds nothing, and remembers what is reported."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError

from zeus_bso.common import (
    ASK_URL,
    GET_NEXT_BATCH_SIZE_URL,
    HEARTBEAT_URL,
    MAX_BODY_BYTES,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
    Heartbeat,
    JobSpecFromClient,
    Message,
    Outcome,
    RegisteredJob,
    ReportResponse,
    TrainingResult,
    TrialEnd,
    TrialId,
    TrialOffer,
    derive_job_id,
)
from zeus_bso.policy.early_stop import judge
from zeus_bso.policy.values import Knobs
from zeus_bso.simulator.recording import RecordedReport

_LEASE_S = 86_400.0


class RecordingServer:
    """Gives every launch the size that it was told to give; judges by target and epochs alone.

    Args:
        choose: Says which size the launch under way gets, once its job is known; None: it gets none, and fails.

    Attributes:
        url: Where it listens.
        batch_size: The size that was given; None: none yet.
        spec: The job that was registered; None: none yet.
        asked: Whether the launch under way has asked for its size.
        reports: What that launch has reported.
        outcome: What was decided about it; None: nothing.
        failure: Why it ended without a decision, as it said itself.
    """

    def __init__(self, choose: Callable[[JobSpecFromClient], int | None]) -> None:
        self._choose = choose
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.recorder = self
        self._lock = threading.Lock()
        self._trial_number = 0
        self._non_finite_in_row = 0
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.batch_size: int | None = None
        self.spec: JobSpecFromClient | None = None
        self.asked = False
        self.reports: list[RecordedReport] = []
        self.outcome: Outcome | None = None
        self.failure: str | None = None

    @contextmanager
    def running(self) -> Iterator[RecordingServer]:
        """Answer requests, in a thread of its own."""
        thread = threading.Thread(target=self._http.serve_forever, name="zeus-bso-recorder", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def begin_launch(self) -> None:
        """Forget the launch before."""
        with self._lock:
            self._trial_number += 1
            self._non_finite_in_row = 0
            self.batch_size, self.asked = None, False
            self.reports, self.outcome, self.failure = [], None, None

    def register(self, spec: JobSpecFromClient) -> RegisteredJob:
        """Take the job's spec."""
        with self._lock:
            self.spec = spec.model_copy(update={"job_id": spec.job_id or derive_job_id(spec)})
            return RegisteredJob(**self.spec.model_dump())

    def ask(self, job_id: str) -> TrialOffer | None:
        """Give the size; None: the job is unknown, or no size is wanted."""
        with self._lock:
            if self.spec is None or self.spec.job_id != job_id:
                return None
            self.asked = True
            if self.batch_size is None:
                self.batch_size = self._choose(self.spec)
            if self.batch_size is None:
                return None
            return TrialOffer(
                job_id=job_id, batch_size=self.batch_size, trial_number=self._trial_number, lease_s=_LEASE_S
            )

    def report(self, result: TrainingResult) -> ReportResponse | None:
        """Remember a report, the first of each epoch; None: its trial is not the one under way."""
        with self._lock:
            if self.spec is None or not self._is_under_way(result):
                return None
            if self.outcome is None and (not self.reports or result.current_epoch > self.reports[-1].epoch):
                self.reports.append(
                    RecordedReport(
                        epoch=result.current_epoch, metric=result.metric, time_s=result.time, energy_j=result.energy
                    )
                )
                self._judge(self.spec, result)
            elif self.outcome is None and result.final:
                self._judge(self.spec, result)
            return ReportResponse(
                stop_train=self.outcome is not None,
                converged=self.outcome is Outcome.CONVERGED,
                target_reached=self.outcome is Outcome.CONVERGED,
                outcome=self.outcome,
                message="Recorded.",
            )

    def end(self, end: TrialEnd) -> bool:
        """Hear of a run that ended without a decision; False: it is not the one under way."""
        with self._lock:
            if not self._is_under_way(end):
                return False
            self.failure = end.reason.value
            return True

    def beat(self, beat: Heartbeat) -> TrialOffer | None:
        """Hear that a run is alive; None: it is not the one under way."""
        with self._lock:
            if not self._is_under_way(beat):
                return None
            trial = TrialId.model_validate(beat.model_dump()).model_dump()
            return TrialOffer(**trial, lease_s=_LEASE_S, resumed=True)

    def _is_under_way(self, trial: TrialId) -> bool:
        return (trial.trial_number, trial.batch_size) == (self._trial_number, self.batch_size)

    def _judge(self, spec: JobSpecFromClient, result: TrainingResult) -> None:
        verdict = judge(
            Knobs(
                batch_sizes=tuple(sorted(spec.batch_sizes)),
                default_batch_size=spec.default_batch_size,
                target_metric=spec.target_metric,
                higher_is_better_metric=spec.higher_is_better_metric,
                max_epochs=spec.max_epochs,
            ),
            cost=result.energy,
            metric=result.metric,
            epoch=result.current_epoch,
            bound=None,
            non_finite_before=self._non_finite_in_row,
            final=result.final,
        )
        self._non_finite_in_row = verdict.non_finite_in_row
        self.outcome = verdict.outcome


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    recorder: RecordingServer


class _Handler(BaseHTTPRequestHandler):
    """The calls of the wire protocol that a training script makes."""

    protocol_version = "HTTP/1.1"
    # The framework's default makes every small answer wait for the other side's acknowledgement.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        recorder, path = cast("_Http", self.server).recorder, urlsplit(self.path).path
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
        try:
            if path == REGISTER_JOB_URL:
                self._answer(recorder.register(JobSpecFromClient.model_validate_json(body)), status=201)
            elif path == ASK_URL:
                self._answer(recorder.ask(_JobId.model_validate_json(body).job_id))
            elif path == REPORT_RESULT_URL:
                self._answer(recorder.report(TrainingResult.model_validate_json(body)))
            elif path == HEARTBEAT_URL:
                self._answer(recorder.beat(Heartbeat.model_validate_json(body)))
            else:
                self._answer(None)
        except ValidationError as error:
            self._answer(Message(message=f"The request is invalid: {error.error_count()} fields."), status=422)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        job_id = parse_qs(url.query).get("job_id", [""])[0]
        recorder = cast("_Http", self.server).recorder
        self._answer(recorder.ask(job_id) if url.path == GET_NEXT_BATCH_SIZE_URL else None)

    def do_PATCH(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
        recorder = cast("_Http", self.server).recorder
        try:
            known = urlsplit(self.path).path == REPORT_END_URL and recorder.end(TrialEnd.model_validate_json(body))
        except ValidationError:
            known = False
        self._answer(Message(message="Recorded.") if known else None)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the framework's name
        """Say nothing: the terminal shows the progress."""

    def _answer(self, model: BaseModel | None, status: int = 200) -> None:
        if model is None:
            model, status = Message(message="The recording server does not know this job or trial."), 404
        data = model.model_dump_json().encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _JobId(BaseModel):
    job_id: str
