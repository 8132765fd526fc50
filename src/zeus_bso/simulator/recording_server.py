"""A small server that assigns given batch sizes, sets no cost bound, and stores the reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import numpy as np
from pydantic import BaseModel, ValidationError

from zeus_bso.exceptions import UnknownJobError, UnknownTrialError, ZeusBSOServerError
from zeus_bso.policy.policy import ZeusPolicy
from zeus_bso.policy.state import Choice, ChoiceInput, Knobs, Lesson, Progress, RunState, Sizes
from zeus_bso.protocol.job_spec import JobSpecFromClient, RegisteredJob, derive_job_id
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
from zeus_bso.protocol.urls import (
    ASK_URL,
    GET_NEXT_BATCH_SIZE_URL,
    HEARTBEAT_URL,
    MARK_HEADER,
    MAX_BODY_BYTES,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
)
from zeus_bso.protocol.words import Outcome, TrialType
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services import trial_rules
from zeus_bso.server.services.answers import answer, offer
from zeus_bso.server.services.locked_job import LockedJob
from zeus_bso.server.services.trial_rules import Decision, Step
from zeus_bso.simulator.job_in_memory import JobInMemory
from zeus_bso.simulator.recording import RecordedReport

_NOTHING_HERE = Message(message="The recording server has nothing here.")

_WITHOUT_CHOICE = np.random.default_rng(0)
"""Nothing is drawn here."""


Body = TypeVar("Body", bound=BaseModel)


class _JobId(BaseModel):
    job_id: str


class GivenSize(ZeusPolicy):
    """Gives a chosen size, sets no cost bound, and learns nothing.

    Attributes:
        batch_size: The size, or None if no size is left.
    """

    batch_size: int | None = None

    def choose(self, choice_input: ChoiceInput, rng: np.random.Generator) -> Choice:
        """Choose that size."""
        assert self.batch_size is not None
        return Choice(self.batch_size, TrialType.CONCURRENT, choice_input.progress, choice_input.sizes)

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Return None, because a run is recorded to its target or to ``max_epochs``."""
        return None

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> Lesson:
        """Learn nothing."""
        return Lesson(progress, sizes, -run.cost)


class RecordingServer:
    """Gives every launch a chosen size. Its trials follow the rules of the server.

    Args:
        choose: Returns the size of the current launch, given its job. With None the launch gets no size and fails.

    Attributes:
        url: URL of the server.
        asked: Whether the current launch has asked for its size.
    """

    def __init__(self, choose: Callable[[JobSpecFromClient], int | None]) -> None:
        self._choose = choose
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.recorder = self
        self._lock = threading.Lock()
        self._policy = GivenSize()
        self._rows: JobInMemory | None = None
        self._under_way: int | None = None
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.asked = False

    @property
    def trial(self) -> Trial | None:
        """The trial of the current launch, or None before it has one."""
        return self._rows.trials[self._under_way] if self._rows and self._under_way else None

    @property
    def reports(self) -> list[RecordedReport]:
        """The reports of the current launch, the first of each epoch."""
        if self._rows is None or self._under_way is None:
            return []
        return [
            RecordedReport(epoch=epoch, metric=told.metric, time_s=told.time, energy_j=told.energy)
            for epoch, told in sorted(self._rows.reports.get(self._under_way, {}).items())
        ]

    @contextmanager
    def running(self) -> Iterator[RecordingServer]:
        """Answer requests in a separate thread."""
        thread = threading.Thread(target=self._http.serve_forever, name="zeus-bso-recorder", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def begin_launch(self) -> None:
        """Forget the previous launch."""
        with self._lock:
            self._under_way, self.asked = None, False

    def register(self, spec: JobSpecFromClient) -> RegisteredJob:
        """Store the job's spec."""
        with self._lock:
            named = spec.model_copy(update={"job_id": spec.job_id or derive_job_id(spec)})
            if self._rows is None or self._rows.state.spec != named:
                self._rows, self._under_way = JobInMemory(named, self._policy), None
            return RegisteredJob(**named.model_dump())

    def ask(self, job_id: str) -> TrialOffer:
        """Give the launch its size. Further asks of the same launch get the same trial.

        Raises:
            UnknownJobError: The job is unknown, or no size is left.
        """
        with self._lock:
            rows = self._job(job_id)
            self.asked = True
            if self.trial is not None:
                return offer(Decision(rows.load(), self.trial, Step.KEEP))
            self._policy.batch_size = self._choose(rows.state.spec)
            if self._policy.batch_size is None:
                raise UnknownJobError("No batch size is left to record.", status_code=404)
            decision = self._saved(trial_rules.ask(rows.load(), AskForTrial(job_id=job_id), _WITHOUT_CHOICE))
            self._under_way = decision.trial.trial_number
            return offer(decision)

    def report(self, result: TrainingResult) -> ReportResponse:
        """Store a report, and decide whether the run ends.

        Raises:
            UnknownTrialError: The trial is not that of the current launch.
        """
        with self._lock:
            job, trial = self._load(result)
            return answer(self._saved(trial_rules.report(job, trial, result)))

    def end(self, end: TrialEnd) -> None:
        """Record that a run ended without a decision.

        Raises:
            UnknownTrialError: The trial is not that of the current launch.
        """
        with self._lock:
            job, trial = self._load(end)
            self._saved(trial_rules.end(job, trial, end))

    def beat(self, beat: Heartbeat) -> TrialOffer:
        """Answer a heartbeat.

        Raises:
            UnknownTrialError: The trial is not that of the current launch.
        """
        with self._lock:
            job, trial = self._load(beat)
            return offer(self._saved(trial_rules.heartbeat(job, trial, beat)))

    def _job(self, job_id: str) -> JobInMemory:
        if self._rows is None or self._rows.state.job_id != job_id:
            raise UnknownJobError(f"The recording server does not know job {job_id!r}.", status_code=404)
        return self._rows

    def _load(self, trial_id: TrialId) -> tuple[LockedJob, Trial]:
        job = self._job(trial_id.job_id).load()
        trial = job.trial(trial_id, status_code=404)
        if trial.trial_number != self._under_way:
            raise UnknownTrialError(f"Trial {trial.trial_number} belongs to a launch that has ended.", status_code=404)
        return job, trial

    def _saved(self, decision: Decision) -> Decision:
        assert self._rows is not None
        self._rows.save(decision.job)
        return decision


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    recorder: RecordingServer


class _Handler(BaseHTTPRequestHandler):
    """The calls of the wire protocol that a training script makes."""

    protocol_version = "HTTP/1.1"
    # By default every small answer would wait for an acknowledgement from the other side.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if path == REGISTER_JOB_URL:
            self._take(JobSpecFromClient, self._recorder.register, status=201)
        elif path == ASK_URL:
            self._take(_JobId, lambda asked: self._recorder.ask(asked.job_id))
        elif path == REPORT_RESULT_URL:
            self._take(TrainingResult, self._recorder.report)
        elif path == HEARTBEAT_URL:
            self._take(Heartbeat, self._recorder.beat)
        else:
            self._answer(_NOTHING_HERE, status=404)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        job_id = parse_qs(url.query).get("job_id", [""])[0]
        if url.path == GET_NEXT_BATCH_SIZE_URL:
            self._try(lambda: self._recorder.ask(job_id))
        else:
            self._answer(_NOTHING_HERE, status=404)

    def do_PATCH(self) -> None:
        if urlsplit(self.path).path == REPORT_END_URL:
            self._take(TrialEnd, self._end)
        else:
            self._answer(_NOTHING_HERE, status=404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the framework's name
        """Log nothing, because the terminal shows the progress."""

    @property
    def _recorder(self) -> RecordingServer:
        return cast("_Http", self.server).recorder

    def _end(self, end: TrialEnd) -> Message:
        self._recorder.end(end)
        return Message(message="Recorded.")

    def _take(self, kind: type[Body], work: Callable[[Body], BaseModel], status: int = 200) -> None:
        """Answer a request with a body."""
        data = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
        try:
            body = kind.model_validate_json(data)
        except ValidationError as error:
            self._answer(Message(message=f"The request is invalid: {error.error_count()} fields."), status=422)
        else:
            self._try(lambda: work(body), status)

    def _try(self, work: Callable[[], BaseModel], status: int = 200) -> None:
        try:
            answered = work()
        except ZeusBSOServerError as error:
            answered, status = Message(message=str(error)), error.status_code
        self._answer(answered, status)

    def _answer(self, model: BaseModel, status: int = 200) -> None:
        data = model.model_dump_json().encode()
        self.send_response(status)
        self.send_header(MARK_HEADER, "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
