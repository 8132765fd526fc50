"""Sends the spooled messages of dead runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from zeus_bso.client.connection.api import Api, refusal, response
from zeus_bso.client.delivery.sender import send
from zeus_bso.client.delivery.spool import (
    SpooledMessage,
    SpoolFile,
    clear_remains,
    left_over,
    spool_folder,
    spooled_files,
)
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import Answer, TransportError
from zeus_bso.protocol.words import Outcome

logger = logging.getLogger("zeus_bso")


class DeliveryStatus(str, Enum):
    """The result of sending a spooled message."""

    SENT = "sent"
    REFUSED = "refused"
    KEPT = "kept"


class FlushSummary(BaseModel):
    """One spooled message after a flush.

    Attributes:
        path: The file of the message. For a refused message, its new path.
        address: The server that it is for.
        job_id: The job.
        trial_number: The trial.
        status: The result of sending it.
        outcome: The server's decision about the trial. None if the server did not state it.
        message: The server's answer, or the reason why the message is kept.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: str
    address: str
    job_id: str
    trial_number: int
    status: DeliveryStatus
    outcome: Outcome | None = None
    message: str


def flush(
    api_for: Callable[[str], Api], *, wanted: Callable[[SpooledMessage], bool] = lambda spooled: True
) -> Iterator[FlushSummary]:
    """Send the spooled messages of runs that are over. Files whose owner lives are skipped.

    Args:
        api_for: Returns the server for an address.
        wanted: Which messages to send.

    Raises:
        OSError: The spool cannot be read.
    """
    folder = spool_folder()
    clear_remains(folder)
    for path in spooled_files(folder):
        with left_over(path) as file:
            spooled = file.read() if file is not None else None
            if file is not None and spooled is not None and wanted(spooled):
                yield _flush_one(file, spooled, api_for)


def flush_run(api: Api, run_id: str) -> None:
    """Send the spooled messages of this run before it goes on.

    Raises:
        OSError: The spool cannot be read.
    """
    address = api.transport.address
    for flushed in flush(lambda _: api, wanted=lambda spooled: (spooled.address, spooled.run_id) == (address, run_id)):
        _log(flushed)


def flush_in_background(api: Api) -> None:
    """Send the spooled messages for this server from a thread."""
    if spooled_files(spool_folder()):
        threading.Thread(target=_flush_quietly, args=(api,), name="zeus-bso-flush", daemon=True).start()


def _flush_quietly(api: Api) -> None:
    address = api.transport.address
    try:
        for flushed in flush(lambda _: api, wanted=lambda spooled: spooled.address == address):
            _log(flushed)
            if flushed.status is DeliveryStatus.KEPT:
                return
    except OSError as error:
        logger.debug("The spool cannot be read: %s", error)


def _flush_one(file: SpoolFile, spooled: SpooledMessage, api_for: Callable[[str], Api]) -> FlushSummary:
    try:
        api = api_for(spooled.address)
        answer = send(api, spooled)
    except (TransportError, ZeusBSOConfigError) as error:
        return _flushed(file.path, spooled, DeliveryStatus.KEPT, str(error))
    if answer.status < 400:
        file.remove()
        return _flushed(file.path, spooled, DeliveryStatus.SENT, _said(answer), answer)
    if answer.for_good:
        return _flushed(file.set_aside(), spooled, DeliveryStatus.REFUSED, refusal(answer, spooled.address))
    return _flushed(file.path, spooled, DeliveryStatus.KEPT, refusal(answer, spooled.address))


def _said(answer: Answer) -> str:
    message = answer.body.get("message")
    return message if isinstance(message, str) else ""


def _flushed(
    path: Path, spooled: SpooledMessage, status: DeliveryStatus, message: str, answer: Answer | None = None
) -> FlushSummary:
    decided = response(answer) if answer is not None else None
    return FlushSummary(
        path=str(path),
        address=spooled.address,
        job_id=spooled.trial.job_id,
        trial_number=spooled.trial.trial_number,
        status=status,
        outcome=decided.outcome if decided is not None else None,
        message=message,
    )


def _log(flushed: FlushSummary) -> None:
    if flushed.status is not DeliveryStatus.KEPT:
        logger.warning(
            "A kept message of an earlier run, about trial %d of %s, was %s: %s",
            flushed.trial_number,
            flushed.job_id,
            flushed.status.value,
            flushed.message,
        )
