"""The exit of a child of multiprocessing. Such a child calls the finalizers of multiprocessing, and maybe no others."""

from __future__ import annotations

import sys
from collections.abc import Callable

from zeus_bso.client.end_reasons import reason_of
from zeus_bso.protocol.words import FailReason

_POOLS = frozenset(
    {
        "multiprocessing.pool",
        "concurrent.futures.process",
        "loky.process_executor",
        "joblib.externals.loky.process_executor",
    }
)
"""Modules whose children work off the tasks of others. The end of such a child says nothing about a task."""


def watch_child_exit(end_all: Callable[[FailReason | None], None]) -> Callable[[], object]:
    """Call a function when this child of multiprocessing exits. In any other process, do nothing.

    Python's own exit callbacks are not enough: a forked child calls none, and a spawned one calls them when its
    exception is already gone.

    Args:
        end_all: Ends the runs. It gets the reason why the child exits, or None if its function has returned.

    Returns:
        A function that takes this back.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return _nothing
    from multiprocessing import util

    target = getattr(process.current_process(), "_target", None)
    works_for_others = getattr(target, "__module__", None) in _POOLS

    def on_exit() -> None:
        # multiprocessing calls this while the exception leaves the function of the child.
        error = sys.exc_info()[1]
        end_all(FailReason.CANCELLED if error is None and works_for_others else reason_of(error))

    return util.Finalize(None, on_exit, exitpriority=0).cancel


def _nothing() -> None:
    """Do nothing."""
