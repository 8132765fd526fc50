"""Launches a training script again and again, as a recurring job would be, until its batch size is settled."""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.launched_run import LaunchedRun
from zeus_bso.cli.own_command import shown_path
from zeus_bso.cli.runs_display import Display
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.cli.settling import CONFIRMATIONS, is_confirmed, none_converges
from zeus_bso.protocol.views import TrialView
from zeus_bso.protocol.words import FailReason

_FAILURES_IN_A_ROW = 3
_POLL_S = 0.3
_NOTHING = "it printed nothing"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to launch, and how often.

    Attributes:
        command: The command that trains.
        log: File for what it prints.
        most_runs: Number of runs after which to stop in any case.
        stops_when_settled: Whether to stop as soon as the batch size is confirmed, or none can reach the target.
        job_id_prefix: Prefix of the ids of the jobs that belong to the command. None for any job of the server.
    """

    command: Sequence[str]
    log: Path
    most_runs: int
    stops_when_settled: bool = True
    job_id_prefix: str | None = None


class NoTrialError(CommandError):
    """A launched command ended well, but without having asked for a batch size.

    Args:
        last_words: What it printed last, or None if it printed nothing.
    """

    def __init__(self, last_words: str | None) -> None:
        super().__init__(f"the training script did not ask for a batch size: {last_words or _NOTHING}")
        self.last_words = last_words


def repeat(plan: Plan, server_url: str, reader: ServerReader, display: Display) -> None:
    """Launch the command until its job's batch size is confirmed, or none can reach the target, or often enough.

    Raises:
        NoTrialError: The command has not asked this server for a batch size.
        CommandError: The command fails before it asks, or again and again without a result.
    """
    without_result = 0
    for number in range(1, plan.most_runs + 1):
        with LaunchedRun(plan.command, server_url, plan.log) as launched:
            while not launched.ended_within(_POLL_S):
                display.running(number, reader.find_trial(launched.run_id, plan.job_id_prefix))
        trial = reader.find_trial(launched.run_id, plan.job_id_prefix)
        display.ended(number, trial)
        if trial is None and launched.status == 0:
            raise NoTrialError(launched.last_words())
        without_result = without_result + 1 if trial and _teaches_nothing(trial) else 0
        if trial is None or without_result >= _FAILURES_IN_A_ROW:
            why = f"the script failed (status {launched.status}): {launched.last_words() or _NOTHING}"
            raise CommandError(f"{why} (log: {shown_path(plan.log)})")
        if plan.stops_when_settled and _is_done(reader, trial.job_id):
            break


def _is_done(reader: ServerReader, job_id: str) -> bool:
    job = reader.job(job_id)
    # Runs of earlier launches count as well, so that a confirmed job is not confirmed once more.
    latest = reader.trials(job_id, after=max(0, job.trials - CONFIRMATIONS))
    return none_converges(job) or is_confirmed(job, latest)


def _teaches_nothing(trial: TrialView) -> bool:
    return trial.outcome is None and trial.reason is not FailReason.OOM


def open_browser(url: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Open a page in the user's browser, if one is likely to be on this very screen. Return whether it was opened.

    Args:
        url: Address of the page.
        environment: The environment variables.
        is_terminal: Whether a person looks at the output.
    """
    remote = any(environment.get(name) for name in ("CI", "SSH_CONNECTION", "SSH_TTY"))
    screen = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not is_terminal or remote or not screen:
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as an interrupt. Server and training have their own sessions, so this process must end them."""
    signals = [signal.SIGTERM, signal.SIGHUP]
    previous = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
