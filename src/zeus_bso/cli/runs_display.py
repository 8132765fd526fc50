"""How commands show repeated runs: a live table on a terminal, one line per run elsewhere."""

from __future__ import annotations

import sys
import textwrap
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from zeus_bso.cli.fitted_table import Column, FittedTable
from zeus_bso.protocol.views import TrialView
from zeus_bso.protocol.wording import state_of
from zeus_bso.protocol.words import Outcome
from zeus_bso.units import counted, duration, energy, plain

_SHOWN = 10

_WIDTH_OF_A_FILE = 80
"""Width of sentences where there is no terminal [characters]."""

_COLUMNS = (
    Column("run", right=True),
    Column("batch size", right=True),
    Column("result"),
    Column("epochs", right=True, drop=2),
    Column("time", right=True, drop=4),
    Column("energy", right=True, drop=1),
    Column("cost", right=True, drop=3),
)


class Display(Protocol):
    """Shows the progress of repeated runs."""

    def say(self, sentence: str) -> None:
        """Print a sentence."""

    def running(self, number: int, trial: TrialView | None) -> None:
        """A run is under way. Its trial is None until it has asked for one."""

    def ended(self, number: int, trial: TrialView | None) -> None:
        """A run is over."""


@contextmanager
def open_display(most_runs: int, *, to_stderr: bool) -> Iterator[Display]:
    """Choose the display that fits the output: a terminal or anything else."""
    console = Console(stderr=to_stderr, highlight=False)
    if console.is_terminal:
        with LiveDisplay(console, most_runs) as display:
            yield display
    else:
        yield PlainDisplay(most_runs, sys.stderr if to_stderr else sys.stdout)


def result_of(trial: TrialView | None) -> str:
    """How a run ended, in a word or two."""
    return "no batch size asked for" if trial is None else state_of(trial.outcome, trial.reason)


class PlainDisplay:
    """A line for each run.

    Args:
        most_runs: Number of runs at most.
        stream: Output for the lines.
    """

    def __init__(self, most_runs: int, stream: TextIO) -> None:
        self._most_runs = most_runs
        self._stream = stream

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        wrapped = textwrap.fill(sentence, _WIDTH_OF_A_FILE, break_long_words=False, break_on_hyphens=False)
        print(wrapped, file=self._stream, flush=True)

    def running(self, number: int, trial: TrialView | None) -> None:
        """Say nothing before the end."""

    def ended(self, number: int, trial: TrialView | None) -> None:
        """Print the result of the run."""
        line = f"{number:>3}/{self._most_runs}"
        if trial is None:
            line += f"  {result_of(trial)}"
        else:
            _, size, result, epochs, *figures = _cells(number, trial)
            line += f"  batch size {size:>4}  {result}, {counted(int(epochs), 'epoch')}, {figures[0]}, {figures[1]}"
        print(plain(line), file=self._stream, flush=True)


class LiveDisplay:
    """The latest runs in a table that changes in place.

    Args:
        console: The terminal.
        most_runs: Number of runs at most.
    """

    def __init__(self, console: Console, most_runs: int) -> None:
        self._console = console
        self._most_runs = most_runs
        self._ended: deque[tuple[int, TrialView | None]] = deque(maxlen=_SHOWN)
        self._running: tuple[int, TrialView | None] | None = None
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4)

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw the final state."""
        self._running = None
        self._live.stop()

    def say(self, sentence: str) -> None:
        """Print a sentence above the table."""
        self._console.print(sentence, markup=False)

    def running(self, number: int, trial: TrialView | None) -> None:
        """Draw the row of the run under way."""
        self._live.start()
        self._running = (number, trial)

    def ended(self, number: int, trial: TrialView | None) -> None:
        """Move on to the next row."""
        self._live.start()
        self._running = None
        self._ended.append((number, trial))

    def _render(self) -> Group:
        table = FittedTable(*_COLUMNS)
        for number, trial in self._ended:
            table.add_row(*_cells(number, trial), style=None if _is_converged(trial) else "yellow")
        footer = Text(style="dim")
        if self._running is not None:
            number, trial = self._running
            table.add_row(*_cells(number, trial, "starting" if trial is None else "training"), style="cyan")
            footer.append(f"run {number}/{self._most_runs}")
        return Group(table.fitted(self._console), footer)


def _cells(number: int, trial: TrialView | None, result: str | None = None) -> list[str]:
    if trial is None:
        return [str(number), "", result or result_of(trial), "", "", "", ""]
    return [
        str(number),
        str(trial.batch_size),
        result or result_of(trial),
        str(trial.current_epoch),
        plain(duration(trial.time)),
        plain(energy(trial.energy)),
        "" if trial.cost is None else plain(energy(trial.cost)),
    ]


def _is_converged(trial: TrialView | None) -> bool:
    return trial is not None and trial.outcome is Outcome.CONVERGED
