"""Interrupts the run of a notebook cell that fails. The kernel lives on, so no exit tells the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol, cast
from weakref import WeakKeyDictionary

from zeus_bso.client.exit_hooks import notebook


class TrainedInCells(Protocol):
    """A run that a notebook cell may train.

    Attributes:
        activity: Number of calls by which the script has shown that it trains.
    """

    activity: int

    def note_error(self, error: BaseException) -> None:
        """Note the exception that ended the cell."""

    def end_as_noted(self) -> None:
        """End the run for the noted reason. The next evaluation takes that back."""


class _CellResult(Protocol):
    error_in_exec: BaseException | None


class _Events(Protocol):
    def register(self, event: str, function: Callable[..., None]) -> None: ...


class _Shell(Protocol):
    events: _Events

    def __hash__(self) -> int: ...


class _Cells:
    """At the end of each cell, finds the runs that the cell has trained."""

    def __init__(self, shell: _Shell) -> None:
        self._before: WeakKeyDictionary[TrainedInCells, int] = WeakKeyDictionary()
        shell.events.register("pre_run_cell", self._begins)
        shell.events.register("post_run_cell", self._ends)

    def watch(self, run: TrainedInCells) -> None:
        """Watch a run that the current cell has started."""
        self._before[run] = -1

    def _begins(self, info: object = None) -> None:
        for run in tuple(self._before):
            self._before[run] = run.activity

    def _ends(self, result: _CellResult) -> None:
        if result.error_in_exec is None:
            return
        for run, activity in tuple(self._before.items()):
            if run.activity != activity:
                run.note_error(result.error_in_exec)
                run.end_as_noted()


def watch_cells(run: TrainedInCells) -> None:
    """Watch a run in the following cells, if this process is a notebook kernel."""
    shell = notebook()
    if shell is not None:
        _cells_of(cast("_Shell", shell)).watch(run)


@cache
def _cells_of(shell: _Shell) -> _Cells:
    """The one observer of a shell, for all runs."""
    return _Cells(shell)
