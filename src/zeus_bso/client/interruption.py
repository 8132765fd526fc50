"""The methods of the optimizer by which a script gives a run up or interrupts it."""

from __future__ import annotations

import os

from zeus_bso.client.live_run import LiveRun
from zeus_bso.client.run_end import RunEnd
from zeus_bso.protocol.words import FailReason


class Interruptible:
    """A run that the script can give up or interrupt."""

    _live: LiveRun
    _imported_by_child: bool
    _over: bool
    _pid: int

    def cancel(self) -> None:
        """Give the run up. The server learns nothing about its batch size."""
        if not self._is_silent:
            self._over = True
            self._live.end(RunEnd(FailReason.CANCELLED))

    def pause(self) -> None:
        """Interrupt the run. Call this when the script has saved and will be launched again.

        The trial waits for a launch with the same run id. After this call the run counts as interrupted, however the
        script ends. The next evaluation makes the run go on.
        """
        if not self._is_silent and not self._over:
            self._live.note_signal(FailReason.PREEMPTED)
            self._live.end(RunEnd(FailReason.PREEMPTED, final=False))

    @property
    def interrupted(self) -> bool:
        """Whether a signal (SIGTERM, SIGHUP, SIGINT, SIGUSR1 or SIGUSR2) or :meth:`pause` has interrupted the run."""
        return self._live.interrupted

    @property
    def _is_silent(self) -> bool:
        """Whether this is a forked child, or a spawned child that imports the script. Such a process does nothing."""
        return self._imported_by_child or os.getpid() != self._pid
