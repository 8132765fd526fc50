"""A run as its process sees it: what ends the run, and whether the run goes on all the same."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from functools import cache
from queue import SimpleQueue

from zeus_bso.client.end_reasons import reason_of
from zeus_bso.client.exit_hooks import EXIT_S, HOOKS
from zeus_bso.client.notebook import watch_cells
from zeus_bso.client.run_end import RunEnd
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.client.training_run import TrainingRun, UnreportedRun
from zeus_bso.protocol.messages import ReportResponse
from zeus_bso.protocol.words import FailReason, Outcome

logger = logging.getLogger("zeus_bso")

EPOCHS_TO_GO_ON = 2
"""After a signal, a run goes on if it trains this many epochs. The first of them was already under way."""

RESULT_S = 5.0
"""How long the end of a run waits until its result is logged [s]."""

GRACE_S = 1.0
"""How long a run waits after its optimizer is gone [s]. The process may be about to exit, which is another end."""


Completion = Callable[[ReportResponse | None], ReportResponse | None]
"""What is added to a decision before people are told of it."""


def _unchanged(said: ReportResponse | None) -> ReportResponse | None:
    return said


class LiveRun:
    """The run of one optimizer, from its ask to its end.

    The optimizer and the hooks of the process hold this object. It holds no reference to the optimizer. Python can
    therefore collect an optimizer that is out of use, and then its run ends.

    A sign of an interruption does not end the run. If the server was told of an interruption, the next evaluation takes
    it back.

    Args:
        guard: Logs errors.

    Attributes:
        place: The job and its server. A process has at most one run per place.
        run: The run that talks to the server. None before the ask and after the end.
        reported: Whether the run is reported to a server.
        epoch: Number of trained epochs.
        activity: Number of calls by which the script has shown that it trains.
        in_block: Whether the script is in a ``with`` block, whose end ends the run.
        on_end: Called at every end, before the server is told. The run may go on.
        on_final_end: Called when the run has ended for good.
        on_result: Called with how the run ended, and for how long it may wait [s].
        on_close: Called when nothing of the run is logged any more.
        on_release: Called when there is nothing left to send.
    """

    def __init__(self, guard: TrainingGuard) -> None:
        self.place: Hashable = None
        self.run: TrainingRun | UnreportedRun | None = None
        self.reported = False
        self.epoch = 0
        self.activity = 0
        self.in_block = False
        self.on_end: Callable[[], None] = _nothing
        self.on_final_end: Callable[[], None] = _nothing
        self.on_result: Callable[[Outcome | FailReason, float], None] = _nothing
        self.on_close: Callable[[], None] = _nothing
        self.on_release: Callable[[], None] = _nothing
        self._guard = guard
        self._pid = os.getpid()
        self._thread = threading.current_thread()
        self._signal: tuple[FailReason, int] | None = None
        self._error: FailReason | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal or a pause has interrupted the run."""
        return self._signal is not None

    def join(self, run: TrainingRun, owner: object) -> None:
        """Start to take part in a trial. The run ends when its owner is collected."""
        self.run, self.reported = run, True
        self._note_activity()
        HOOKS.add(self)
        watch_cells(self)
        _collector(os.getpid())
        weakref.finalize(owner, _orphans.put, self).atexit = False

    def note_training(self) -> None:
        """Note that training starts or evaluates. So the script has caught any exception that was noted before."""
        self._note_activity()
        self._error = None
        if self.run is not None and self.reported:
            HOOKS.refresh()

    def end_others(self) -> None:
        """End other runs at this place that have not ended."""
        for other in HOOKS:
            if other is self or not isinstance(other, LiveRun) or other.place != self.place or other.run is None:
                continue
            reason = other._interruption() or FailReason.CANCELLED
            other._guard.log_once(
                f"Another run of the job starts in this process, and {other.run.name} has not ended. It counts as "
                f"{reason.value}. End a run with on_train_end() or cancel(), or use `with BatchSizeOptimizer(...)`."
            )
            other.end(RunEnd(reason, final=False))

    def end(self, end: RunEnd, complete: Completion = _unchanged) -> ReportResponse | None:
        """End the run. Every end comes through here. A final end releases the trial.

        Args:
            end: How it ends.
            complete: Completes the decision while the server can still be asked.

        Returns:
            The decision. None if there is none.
        """
        said = None
        with self._guard("restore the power limit"):
            self.on_end()
        if self.run is not None:
            with self._guard("tell how the run ended"):
                said = complete(self.run.end(end))
            self._tell_result(said, end)
            if end.final:
                self.release(at_once=end.budget_s is not None)
        return said

    def finish(self, error: BaseException | None = None, complete: Completion = _unchanged) -> ReportResponse | None:
        """End the run because the script has left it. After a recent signal, the run counts as interrupted.

        Args:
            error: The exception by which the script has left the run. None if it has ended the run itself.
            complete: Completes the decision while the server can still be asked.
        """
        reason = reason_of(error)
        if reason is not FailReason.OOM:
            reason = self._recent_signal() or reason
        return self.end(RunEnd(reason), complete)

    def end_as_noted(self, *, exits: bool = False, budget_s: float | None = None) -> None:
        """End the run for the noted reason. Without one, the run goes on, or ends by itself if the process exits.

        Args:
            exits: Whether the process exits.
            budget_s: How long to wait until the server knows [s]. None to tell it in the background.
        """
        reason, in_background = self._interruption(), budget_s is None
        if exits or reason is not None:
            warn_of_failure(self.end(RunEnd(reason, exits and not in_background, in_background, budget_s)))

    def abandon(self) -> None:
        """End the run because its optimizer is gone while the process goes on."""
        if os.getpid() == self._pid:
            self.end(RunEnd(self._interruption() or FailReason.CANCELLED, budget_s=EXIT_S))

    def release(self, *, at_once: bool = False) -> None:
        """Let go of the trial. If something is left to send, this waits for the process to exit, unless ``at_once``."""
        with self._guard("restore the power limit"):
            self.on_final_end()
        if self.run is not None and self.run.unfinished and not at_once:
            return
        run, self.run = self.run, None
        HOOKS.remove(self)
        if run is not None:
            run.stop_threads()
            self.on_close()
            self.on_release()

    def note_signal(self, reason: FailReason) -> None:
        """Note a signal that asks the process to end."""
        self._signal = (reason, self.epoch)

    def note_error(self, error: BaseException, thread: threading.Thread | None = None) -> None:
        """Note an exception that nobody caught. In the thread that trains, it ends the training.

        In another thread it says nothing about the training, unless memory ran out.
        """
        reason = reason_of(error)
        if reason is None or self._error is FailReason.OOM:
            return
        if thread not in (None, self._thread) and reason is not FailReason.OOM:
            return
        self._error = reason
        if thread is self._thread:
            self.end_as_noted()

    def note_exit(self, evidence: FailReason | None) -> None:
        """Note that the process exits."""
        if self._error is None:
            # The block is still open, in a generator or a thread, so training has not come to its end.
            self._error = evidence or (FailReason.CANCELLED if self.in_block else None)

    def _tell_result(self, said: ReportResponse | None, end: RunEnd) -> None:
        """Tell how the run ended, unless this is still open, or there is no time."""
        result = end.reason if said is None else said.outcome
        if result is not None and not end.in_background:
            self.on_result(result, RESULT_S if end.budget_s is None else end.budget_s / 4)

    def _note_activity(self) -> None:
        self.activity += 1
        self._thread = threading.current_thread()

    def _recent_signal(self) -> FailReason | None:
        if self._signal is None or self.epoch - self._signal[1] >= EPOCHS_TO_GO_ON:
            return None
        return self._signal[0]

    def _interruption(self) -> FailReason | None:
        """The reason why the run ends if its process ends now. None if it ends by itself.

        Out of memory goes first, because it is about the batch size. A recent signal comes next, then an error that may
        follow from it. An exit after a signal is never an end by itself, however old the signal is.
        """
        if self._error is FailReason.OOM:
            return self._error
        return self._recent_signal() or self._error or (self._signal[0] if self._signal is not None else None)


def warn_of_failure(said: ReportResponse | None) -> None:
    """Log the decision about a run that failed, where no error can be raised any more."""
    if said is not None and said.stop_train and not said.converged:
        logger.warning("%s", said.message)


def _nothing(*values: object) -> None:
    """Do nothing."""


_orphans: SimpleQueue[LiveRun] = SimpleQueue()
"""Runs whose optimizer is gone. Python may collect objects at any point, where code must not wait."""


@cache
def _collector(pid: int) -> threading.Thread:
    """The thread that ends such runs in this process: a forked child has none of its parent's threads."""
    thread = threading.Thread(target=_end_orphans, name="zeus-bso-orphans", daemon=True)
    thread.start()
    return thread


def _end_orphans() -> None:
    while True:
        run = _orphans.get()
        if run.run is not None:
            time.sleep(GRACE_S)
            run.abandon()
        del run  # The next one may never come.
