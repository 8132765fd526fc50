"""One value for every way in which a run can end."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.protocol.words import FailReason


@dataclass(frozen=True)
class RunEnd:
    """The end of a run.

    ======================================  =====================================  =====  ====================
    what happens                            reason                                 final  wait
    ======================================  =====================================  =====  ====================
    the script ends the run, or leaves it   a recent signal, or the exception's    yes    as for a report
    by an exception                         reason, or by itself
    ``cancel()``                            cancelled                              yes    as for a report
    ``pause()``                             preempted                              no     as for a report
    another run of the job begins           what was noted, or cancelled           no     as for a report
    nobody catches an exception             what was noted                         no     in the background
    a signal ends the process               what was noted                         no     ``SIGNAL_S``
    the process exits                       what was noted, or by itself           yes    ``EXIT_S``
    the optimizer is collected              what was noted, or cancelled           yes    ``EXIT_S``
    ======================================  =====================================  =====  ====================

    :meth:`zeus_bso.client.live_run.LiveRun.end` carries out each of them.

    Attributes:
        reason: The reason why the run ended. None if it ended by itself.
        final: Whether the run sends nothing more. The next evaluation takes back an end that is not final.
        in_background: Whether to return at once. Such an end is not final.
        budget_s: How long to wait for the server [s]. None to wait as long as a report does.
    """

    reason: FailReason | None
    final: bool = True
    in_background: bool = False
    budget_s: float | None = None
