"""Sends what dead runs have left in the spool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from zeus_bso.client.api import Api, refusal, response
from zeus_bso.client.courier import send
from zeus_bso.client.spool import SpooledLetter, SpoolFile, left_over, spool_folder, spooled_files
from zeus_bso.client.transport import Answer, TransportError
from zeus_bso.common import Outcome
from zeus_bso.exceptions import ZeusBSOConfigError

logger = logging.getLogger("zeus_bso")

_FOR_GOOD = (400, 404, 409, 413, 422)
"""Refusals that another try would meet again."""


class Fate(str, Enum):
    """What became of a spooled letter."""

    SENT = "sent"
    REFUSED = "refused"
    KEPT = "kept"


class Flushed(BaseModel):
    """One spooled letter after a flush.

    Attributes:
        path: Where it lay; of a refused one, where it lies now.
        address: The server that it is for.
        job_id: The job.
        trial_number: The trial.
        fate: What became of it.
        outcome: What the server decided about the trial; None: it did not say.
        message: What it said, or why the letter is kept.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    address: str
    job_id: str
    trial_number: int
    fate: Fate
    outcome: Outcome | None = None
    message: str


def flush(
    api_for: Callable[[str], Api], *, wanted: Callable[[SpooledLetter], bool] = lambda letter: True
) -> Iterator[Flushed]:
    """Send what is left of runs that are over; files whose owner lives are passed over.

    Args:
        api_for: Gives the server of an address.
        wanted: Which letters to send.

    Raises:
        OSError: The spool cannot be read.
    """
    for path in spooled_files(spool_folder()):
        with left_over(path) as file:
            letter = file.read() if file is not None else None
            if file is not None and letter is not None and wanted(letter):
                yield _flush_one(file, letter, api_for)


def flush_run(api: Api, run_id: str) -> None:
    """Send what a dead process of this run has left, before the run goes on.

    Raises:
        OSError: The spool cannot be read.
    """
    address = api.transport.address
    for flushed in flush(lambda _: api, wanted=lambda letter: (letter.address, letter.run_id) == (address, run_id)):
        _log(flushed)


def flush_in_background(api: Api) -> None:
    """Send what dead runs have left for this server, from a thread."""
    if spooled_files(spool_folder()):
        threading.Thread(target=_flush_quietly, args=(api,), name="zeus-bso-flush", daemon=True).start()


def _flush_quietly(api: Api) -> None:
    address = api.transport.address
    try:
        for flushed in flush(lambda _: api, wanted=lambda letter: letter.address == address):
            _log(flushed)
            if flushed.fate is Fate.KEPT:
                return
    except OSError as error:
        logger.debug("The spool cannot be read: %s", error)


def _flush_one(file: SpoolFile, letter: SpooledLetter, api_for: Callable[[str], Api]) -> Flushed:
    try:
        api = api_for(letter.address)
        answer = send(api, letter)
    except (TransportError, ZeusBSOConfigError) as error:
        return _flushed(file.path, letter, Fate.KEPT, str(error))
    if answer.status < 400:
        file.remove()
        return _flushed(file.path, letter, Fate.SENT, _said(answer), answer)
    if answer.status in _FOR_GOOD:
        return _flushed(file.set_aside(), letter, Fate.REFUSED, refusal(answer, letter.address))
    return _flushed(file.path, letter, Fate.KEPT, refusal(answer, letter.address))


def _said(answer: Answer) -> str:
    message = answer.body.get("message")
    return message if isinstance(message, str) else ""


def _flushed(path: Path, letter: SpooledLetter, fate: Fate, message: str, answer: Answer | None = None) -> Flushed:
    decided = response(answer) if answer is not None else None
    return Flushed(
        path=str(path),
        address=letter.address,
        job_id=letter.trial.job_id,
        trial_number=letter.trial.trial_number,
        fate=fate,
        outcome=decided.outcome if decided is not None else None,
        message=message,
    )


def _log(flushed: Flushed) -> None:
    if flushed.fate is not Fate.KEPT:
        logger.warning(
            "What an earlier run had left of trial %d of %s was %s: %s",
            flushed.trial_number,
            flushed.job_id,
            flushed.fate.value,
            flushed.message,
        )
