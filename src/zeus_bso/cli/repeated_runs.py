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
from zeus_bso.cli.runs_display import Display
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.views import JobView, TrialView
from zeus_bso.protocol.words import FailReason

CONFIRMATIONS = 3
"""A job counts as settled when so many runs in a row took the best known batch size, and none was left to explore."""

_FAILURES_IN_A_ROW = 3
_POLL_S = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to launch, and how often.

    Attributes:
        command: The command that trains.
        log: File for what it prints.
        most_runs: Number of runs after which to stop in any case.
        stops_when_settled: Whether to stop as soon as the job is settled.
        job_id_prefix: Prefix of the ids of the jobs that belong to the command. None for any job of the server.
    """

    command: Sequence[str]
    log: Path
    most_runs: int
    stops_when_settled: bool = True
    job_id_prefix: str | None = None


class Confirmation:
    """Counts the latest runs in a row that took the best known batch size, with nothing left to explore."""

    def __init__(self) -> None:
        self._runs = 0

    def note(self, trial: TrialView | None, job: JobView) -> bool:
        """Note an ended run, and the job after it. Return whether the job is settled."""
        confirms = trial is not None and trial.batch_size == job.chosen_batch_size and not job.exploring
        self._runs = self._runs + 1 if confirms else 0
        return self._runs >= CONFIRMATIONS


class NoTrialError(CommandError):
    """A launched command ended without having asked for a batch size.

    Args:
        last_words: What it printed last.
    """

    def __init__(self, last_words: str) -> None:
        super().__init__(f"the training script did not ask for a batch size: {last_words}")
        self.last_words = last_words


def repeat(plan: Plan, server_url: str, reader: ServerReader, display: Display) -> bool:
    """Launch the command until its job is settled, or often enough.

    Returns:
        Whether the job is settled.

    Raises:
        NoTrialError: The command has not asked this server for a batch size.
        CommandError: The command fails again and again without a result.
    """
    confirmation, settled, without_result = Confirmation(), False, 0
    for number in range(1, plan.most_runs + 1):
        with LaunchedRun(plan.command, server_url, plan.log) as launched:
            while not launched.ended_within(_POLL_S):
                display.running(number, reader.find_trial(launched.run_id, plan.job_id_prefix))
        trial = reader.find_trial(launched.run_id, plan.job_id_prefix)
        display.ended(number, trial)
        if trial is None:
            raise NoTrialError(launched.last_words())
        without_result = without_result + 1 if _teaches_nothing(trial) else 0
        if without_result >= _FAILURES_IN_A_ROW:
            raise CommandError(f"the training script failed: {launched.last_words()} (log: {plan.log})")
        settled = confirmation.note(trial, reader.job(trial.job_id))
        if settled and plan.stops_when_settled:
            break
    return settled


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
