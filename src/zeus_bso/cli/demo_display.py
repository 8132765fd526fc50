"""How the demo shows its progress: a live table on a terminal, one line per recurrence elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from zeus_bso.protocol.views import JobSummary, TrialView
from zeus_bso.protocol.words import Outcome

_SHOWN = 8


class Display(Protocol):
    """Shows the progress of the demo."""

    def started(self, server_url: str, job: JobSummary | None) -> None:
        """The server answers. The job is None if it has never run before."""

    def running(self, number: int, trial: TrialView | None) -> None:
        """A recurrence is running. Its trial is None until the recurrence has asked for one."""

    def ended(self, number: int, trial: TrialView | None) -> None:
        """A recurrence is over."""

    def finished(self) -> None:
        """All recurrences are over."""


@contextmanager
def open_display(recurrences: int, *, to_stderr: bool) -> Iterator[Display]:
    """Choose the display that fits the output: a terminal or anything else."""
    console = Console(stderr=to_stderr, highlight=False)
    if console.is_terminal:
        with LiveDisplay(console, recurrences) as display:
            yield display
    else:
        yield PlainDisplay(recurrences, sys.stderr if to_stderr else sys.stdout)


def greeting(server_url: str, job: JobSummary | None) -> str:
    """The address of the server, and the job that the demo continues."""
    known = "a new job" if job is None else f"continuing {job.job_id} (trials so far: {job.trials})"
    return f"Server at {server_url}; {known}."


def outcome_of(trial: TrialView | None) -> str:
    """How a run ended, in a word or two."""
    if trial is None:
        return "no trial"
    if trial.outcome is not None:
        return trial.outcome.value
    return trial.reason.value if trial.reason is not None else "open"


class PlainDisplay:
    """A line for each recurrence.

    Args:
        recurrences: Number of recurrences to run.
        stream: Output for the lines.
    """

    def __init__(self, recurrences: int, stream: TextIO) -> None:
        self._recurrences = recurrences
        self._stream = stream

    def started(self, server_url: str, job: JobSummary | None) -> None:
        """Say where the demo runs."""
        self._print(greeting(server_url, job))

    def running(self, number: int, trial: TrialView | None) -> None:
        """Say nothing before the end."""

    def ended(self, number: int, trial: TrialView | None) -> None:
        """Print the result of the recurrence."""
        line = f"{number:>4}/{self._recurrences}"
        if trial is not None:
            line += f"  {trial.type.value:<11}  batch size {trial.batch_size:>4}  {outcome_of(trial):<13}"
            line += f"  {trial.current_epoch:>3} epochs  {trial.time:6.2f} s  {trial.energy:8.1f} J"
            line += "" if trial.cost is None else f"  cost {trial.cost:8.1f} J"
        self._print(line.rstrip())

    def finished(self) -> None:
        """Say nothing."""

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class LiveDisplay:
    """The latest recurrences in a table that changes in place, above a progress bar.

    Args:
        console: The terminal.
        recurrences: Number of recurrences to run.
    """

    def __init__(self, console: Console, recurrences: int) -> None:
        self._console = console
        self._ended: deque[tuple[int, TrialView | None]] = deque(maxlen=_SHOWN)
        self._running: tuple[int, TrialView | None] | None = None
        self._progress = Progress(
            TextColumn("recurrence"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("", total=recurrences)
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4)

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, server_url: str, job: JobSummary | None) -> None:
        """Say where the demo runs, and start to draw."""
        self._console.print(greeting(server_url, job), markup=False)
        self._live.start()

    def running(self, number: int, trial: TrialView | None) -> None:
        """Draw the row of the running recurrence."""
        self._running = (number, trial)

    def ended(self, number: int, trial: TrialView | None) -> None:
        """Move on to the next row."""
        self._running = None
        self._ended.append((number, trial))
        self._progress.advance(self._task)

    def finished(self) -> None:
        """Draw the final state."""
        self._running = None
        self._live.stop()

    def _render(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for title in ("", "trial", "batch size", "epochs", "time (s)", "energy (J)", "cost (J)", "outcome"):
            table.add_column(title, justify="left" if title in ("trial", "outcome") else "right")
        for number, trial in self._ended:
            table.add_row(str(number), *_cells(trial), _coloured(outcome_of(trial)))
        if self._running is not None:
            number, trial = self._running
            table.add_row(str(number), *_cells(trial), "starting" if trial is None else "training", style="cyan")
        return Group(table, self._progress)


def _cells(trial: TrialView | None) -> list[str]:
    if trial is None:
        return [""] * 6
    return [
        trial.type.value,
        str(trial.batch_size),
        str(trial.current_epoch),
        f"{trial.time:.2f}",
        f"{trial.energy:.1f}",
        "" if trial.cost is None else f"{trial.cost:.1f}",
    ]


def _coloured(outcome: str) -> str:
    return f"[green]{outcome}[/]" if outcome == Outcome.CONVERGED.value else f"[yellow]{outcome}[/]"
