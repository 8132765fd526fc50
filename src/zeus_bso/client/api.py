"""The server's calls, typed, and what their refusals mean for the person who reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from zeus_bso.client.transport import CALL_S, Answer, Transport, TransportError
from zeus_bso.common import (
    ASK_URL,
    HEARTBEAT_URL,
    JOB_URL,
    JOBS_URL,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
    AskForTrial,
    Heartbeat,
    JobSettings,
    JobSpecFromClient,
    Outcome,
    ReportResponse,
    TrainingResult,
    TrialEnd,
    TrialOffer,
)
from zeus_bso.exceptions import (
    ZeusBSOConfigError,
    ZeusBSORequestError,
    ZeusBSOServerUnreachableError,
    ZeusBSOSpecConflictError,
)

_Model = TypeVar("_Model", bound=BaseModel)

_REMEDIES: Mapping[int, str] = {
    400: "the job or trial is unknown to it; if it was deleted, launch the script again",
    401: "it wants a valid token: the argument token, ZEUS_BSO_TOKEN or ZEUS_BSO_TOKEN_FILE",
    403: "the token does not allow this",
    404: "the job or trial is unknown to it, or the URL is not a zeus-bso server's",
    409: "another process has taken over this trial",
    413: "the request is too large",
    422: "it finds the request invalid; client and server may be of different versions",
}


class Registered(BaseModel):
    """What a run needs to know of its job as the server stores it.

    Attributes:
        job_id: The job.
        eta_knob: Weight of energy against time in its cost.
        max_power: Summed maximum power limit of the devices [W].
        max_epochs: Epochs after which a run has missed its target.
        target_metric: The metric at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        message: What the server has to say about the registration.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    eta_knob: float
    max_power: float
    max_epochs: int
    target_metric: float
    higher_is_better_metric: bool
    message: str | None = None


class _Stored(BaseModel):
    spec: dict[str, object]


class RunIsAliveError(ZeusBSOConfigError):
    """Another process with the same run id still trains. It never leaves the client."""


class Api:
    """Calls the server before training, when a refusal is an error, and during it, when it is news.

    Args:
        transport: How requests reach the server.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def register(self, spec: JobSpecFromClient) -> Registered:
        """Register a job.

        Raises:
            ZeusBSOSpecConflictError: The job id is taken by another spec.
            ZeusBSORequestError: The server refuses the spec.
            ZeusBSOServerUnreachableError: No server answers, or it is not ready.
        """
        answer = self._call("POST", REGISTER_JOB_URL, spec)
        if answer.status == 409:
            raise ZeusBSOSpecConflictError(answer.message or "The job exists with another spec.")
        return self._accepted(answer, Registered)

    def spec_of(self, job_id: str) -> dict[str, object]:
        """Read the fields of a job's spec.

        Raises:
            ZeusBSORequestError: The server refuses to show it.
            ZeusBSOServerUnreachableError: No server answers, or it is not ready.
        """
        return self._accepted(self._call("GET", JOB_URL, params={"job_id": job_id}), _Stored).spec

    def change_settings(self, job_id: str, settings: JobSettings) -> None:
        """Change a job's settings.

        Raises:
            ZeusBSORequestError: The server refuses them.
            ZeusBSOServerUnreachableError: No server answers, or it is not ready.
        """
        self._accepted(self._call("PATCH", JOBS_URL, settings, {"job_id": job_id}), _Stored)

    def ask(self, question: AskForTrial) -> TrialOffer:
        """Ask for a trial.

        Raises:
            RunIsAliveError: Another process with this run id still beats.
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOServerUnreachableError: No server answers, or it is not ready.
        """
        answer = self._call("POST", ASK_URL, question)
        if answer.status == 409:
            raise RunIsAliveError(answer.message)
        return self._accepted(answer, TrialOffer)

    def report(self, result: TrainingResult, timeout_s: float = CALL_S) -> Answer:
        """Report an evaluation.

        Raises:
            TransportError: No answer came.
        """
        return self._send("POST", REPORT_RESULT_URL, result, timeout_s)

    def end(self, end: TrialEnd, timeout_s: float = CALL_S) -> Answer:
        """Tell that a run ended without a result.

        Raises:
            TransportError: No answer came.
        """
        return self._send("PATCH", REPORT_END_URL, end, timeout_s)

    def beat(self, beat: Heartbeat, timeout_s: float = CALL_S) -> Answer:
        """Tell that a run is alive.

        Raises:
            TransportError: No answer came.
        """
        return self._send("POST", HEARTBEAT_URL, beat, timeout_s)

    def _send(self, method: str, path: str, model: BaseModel, timeout_s: float) -> Answer:
        return self.transport.request(method, path, body=model.model_dump(mode="json"), timeout_s=timeout_s)

    def _call(
        self, method: str, path: str, model: BaseModel | None = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        body = None if model is None else model.model_dump(mode="json")
        try:
            answer = self.transport.request(method, path, body=body, params=params)
        except TransportError as error:
            raise ZeusBSOServerUnreachableError(f"{error} Start a server with: zeus-bso serve") from error
        if answer.status >= 500:
            raise ZeusBSOServerUnreachableError(
                f"The server at {self.transport.address} is not ready ({answer.status} {answer.message}); "
                "look at its log."
            )
        return answer

    def _accepted(self, answer: Answer, model: type[_Model]) -> _Model:
        if answer.status >= 400:
            raise ZeusBSORequestError(refusal(answer, self.transport.address))
        try:
            return model.model_validate(answer.body)
        except ValidationError:
            raise ZeusBSOServerUnreachableError(
                f"What answers at {self.transport.address} is not a zeus-bso server, or one of another version."
            ) from None


def refusal(answer: Answer, address: str) -> str:
    """Say in a sentence what the server refused, and what to do about it."""
    remedy = _REMEDIES.get(answer.status, "look at the server's log")
    said = f"{answer.status}: {answer.message}" if answer.message else str(answer.status)
    return f"The server at {address} refused ({said}): {remedy}."


class _LenientResponse(ReportResponse):
    """An answer of a server that may know more than this client."""

    @field_validator("outcome", mode="before")
    @classmethod
    def _known(cls, outcome: object) -> object:
        return outcome if outcome in [known.value for known in Outcome] else None


def response(answer: Answer) -> ReportResponse | None:
    """Read the answer to a report; None: it is none."""
    try:
        return _LenientResponse.model_validate(answer.body) if answer.status < 400 else None
    except ValidationError:
        return None
