"""The server's endpoints as typed calls, and readable messages for refusals."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from zeus_bso.exceptions import (
    ZeusBSOConfigError,
    ZeusBSORequestError,
    ZeusBSOServerUnreachableError,
    ZeusBSOSpecConflictError,
)
from zeus_bso.protocol.job_spec import JobSpecFromClient, SettingsChange
from zeus_bso.protocol.messages import AskForTrial, Heartbeat, ReportResponse, TrainingResult, TrialEnd, TrialOffer
from zeus_bso.protocol.transport import CALL_S, Answer, Transport, TransportError
from zeus_bso.protocol.urls import (
    ASK_URL,
    HEARTBEAT_URL,
    JOB_URL,
    JOBS_URL,
    REGISTER_JOB_URL,
    REPORT_END_URL,
    REPORT_RESULT_URL,
)
from zeus_bso.protocol.words import Outcome

logger = logging.getLogger("zeus_bso")

_Model = TypeVar("_Model", bound=BaseModel)

_NOT_NOW = (408, 425, 429, 502, 503, 504)
"""Statuses of a server that is not ready yet. A launch waits and tries again."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.125, 2.0

_REMEDIES: Mapping[int, str] = {
    400: "the job or trial is unknown to it; if it was deleted, launch the script again",
    401: "it wants a valid token: the argument token, ZEUS_BSO_TOKEN or ZEUS_BSO_TOKEN_FILE",
    403: "the token does not allow this",
    404: "the job or trial is unknown to it; if it was deleted, launch the script again",
    409: "another process has taken over this trial",
    413: "the request is too large",
    422: "it finds the request invalid; client and server may be of different versions",
}


class Registered(BaseModel):
    """The part of a stored job that a run needs.

    Attributes:
        job_id: The job.
        eta_knob: Weight of energy against time in the cost.
        max_power: Sum of the devices' maximum power limits [W].
        max_epochs: Number of epochs after which a run has missed its target.
        target_metric: The metric at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        power_limit: The power limit of each GPU: ``off``, ``optimize``, or watts. An older server knows none.
        power_goal: How ``optimize`` judges a limit.
        max_slowdown: How many times longer than at full power an epoch may take at most.
        message: A message of the server about the registration.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    job_id: str
    eta_knob: float
    max_power: float
    max_epochs: int
    target_metric: float
    higher_is_better_metric: bool
    power_limit: Literal["off", "optimize"] | float = "off"
    power_goal: Literal["cost", "energy"] | None = None
    max_slowdown: float | None = None
    message: str | None = None


class _Stored(BaseModel):
    model_config = ConfigDict(defer_build=True)

    spec: dict[str, object]


class RunIsAliveError(ZeusBSOConfigError):
    """Another process with the same run id still trains. The client does not raise this to the script."""


class Api:
    """Calls the server. Before training a refusal is raised as an error. During training it is returned.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def register(self, spec: JobSpecFromClient) -> Registered:
        """Register a job.

        Raises:
            ZeusBSOSpecConflictError: Another spec already has this job id.
            ZeusBSORequestError: The server refuses the spec.
            ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
        """
        answer = self._call("POST", REGISTER_JOB_URL, spec)
        if answer.status == 409:
            raise ZeusBSOSpecConflictError(answer.message or "The job exists with another spec.")
        return self._accepted(answer, Registered)

    def spec_of(self, job_id: str) -> dict[str, object]:
        """Read the fields of a job's spec.

        Raises:
            ZeusBSORequestError: The server refuses to show the spec.
            ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
        """
        return self._accepted(self._call("GET", JOB_URL, params={"job_id": job_id}), _Stored).spec

    def change_settings(self, job_id: str, settings: Mapping[str, object]) -> None:
        """Change some of a job's settings.

        Raises:
            ZeusBSORequestError: The server refuses the settings.
            ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
        """
        change = SettingsChange.model_validate(settings)
        self._accepted(self._call("PATCH", JOBS_URL, change, {"job_id": job_id}), _Stored)

    def ask(self, question: AskForTrial) -> TrialOffer:
        """Ask for a trial.

        Raises:
            RunIsAliveError: Another process with this run id still sends heartbeats.
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
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
        answer = self._send("POST", REPORT_RESULT_URL, result, timeout_s)
        return self._own(answer, understood=response(answer) is not None)

    def end(self, end: TrialEnd, timeout_s: float = CALL_S) -> Answer:
        """Report that a run ended without a result.

        Raises:
            TransportError: No answer came.
        """
        answer = self._send("PATCH", REPORT_END_URL, end, timeout_s)
        return self._own(answer, understood="trial_number" in answer.body or "message" in answer.body)

    def beat(self, beat: Heartbeat, timeout_s: float = CALL_S) -> Answer:
        """Send a heartbeat.

        Raises:
            TransportError: No answer came.
        """
        return self._send("POST", HEARTBEAT_URL, beat, timeout_s)

    def _send(self, method: str, path: str, model: BaseModel, timeout_s: float) -> Answer:
        return self.transport.request(method, path, body=model.model_dump(mode="json"), timeout_s=timeout_s)

    def _own(self, answer: Answer, *, understood: bool) -> Answer:
        """Check that an answer is the server's. Another service may answer 200 in its place."""
        if answer.status < 400 and not understood:
            raise TransportError(_stranger(self.transport.address))
        return answer

    def _call(
        self, method: str, path: str, model: BaseModel | None = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """Call the server before training. While it is away, wait for it, because it may be about to start."""
        body = None if model is None else model.model_dump(mode="json", exclude_unset=isinstance(model, SettingsChange))
        patience_s = self.transport.patience_s
        deadline, pause_s, waits = time.monotonic() + patience_s, _FIRST_PAUSE_S, False
        while True:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                return self._ready_answer(method, path, body, params)
            except TransportError as error:
                left_s = deadline - time.monotonic()
                if error.lasting or left_s <= 0:
                    raise ZeusBSOServerUnreachableError(str(error)) from None
                if not waits:
                    logger.warning("%s Waiting for it, up to %g s.", error, patience_s)
                waits = True
                wait_s = min(left_s, max(pause_s, error.retry_after_s))
            time.sleep(wait_s)

    def _ready_answer(
        self, method: str, path: str, body: Mapping[str, object] | None, params: Mapping[str, str] | None
    ) -> Answer:
        """Call the server once.

        Raises:
            TransportError: No answer came, or the server is not ready.
        """
        answer = self.transport.request(method, path, body=body, params=params)
        if answer.status < 500 and not answer.passing:
            return answer
        raise TransportError(
            f"The server at {self.transport.address} is not ready ({answer.status} {answer.message}); look at its log.",
            lasting=answer.status not in _NOT_NOW,
            retry_after_s=answer.retry_after_s or 0.0,
        )

    def _accepted(self, answer: Answer, model: type[_Model]) -> _Model:
        if answer.status >= 400:
            raise ZeusBSORequestError(refusal(answer, self.transport.address))
        try:
            return model.model_validate(answer.body)
        except ValidationError:
            raise ZeusBSOServerUnreachableError(_stranger(self.transport.address)) from None


def _stranger(address: str) -> str:
    return f"What answers at {address} is not a zeus-bso server, or one of another version."


def refusal(answer: Answer, address: str) -> str:
    """A sentence with the server's refusal and what to do about it."""
    remedy = _REMEDIES.get(answer.status, "look at the server's log")
    said = f"{answer.status}: {answer.message}" if answer.message else str(answer.status)
    return f"The server at {address} refused ({said}): {remedy}."


class _LenientResponse(ReportResponse):
    """The answer of a server that may be newer than this client."""

    model_config = ConfigDict(defer_build=True)

    @field_validator("outcome", mode="before")
    @classmethod
    def _known(cls, outcome: object) -> object:
        return outcome if outcome in [known.value for known in Outcome] else None


def response(answer: Answer) -> ReportResponse | None:
    """Read the answer to a report. None if it is a refusal, or no such answer."""
    try:
        return _LenientResponse.model_validate(answer.body) if answer.status < 400 else None
    except ValidationError:
        return None
