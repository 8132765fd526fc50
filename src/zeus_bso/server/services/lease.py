"""How long a trial may stay silent before it is given up, so that no lost client can block a job."""

from __future__ import annotations

from datetime import datetime, timedelta

from zeus_bso.server.batch_size_state.models import Trial

LEASE_IN_BEATS = 10
SHORTEST_LEASE_S = 300.0
LEASE_IN_EPOCHS = 10
BEATS_ALONE_S = 6 * 3600.0
"""Heartbeats alone keep a trial for so long at least; then a hung run is given up."""

LONGEST_LEASE_S = 365 * 86_400.0
"""No silence is waited for longer, whatever epochs are reported: beyond, the calendar ends."""

STILL_BEATS = 2.5
"""A client that was heard of within so many of its beats is alive."""


def lease_s(heartbeat_s: float | None, trial_lease_s: float, longest_epoch_s: float) -> float:
    """Length of a lease [s].

    Args:
        heartbeat_s: The client beats every so many seconds; None: it does not beat.
        trial_lease_s: Lease of a client that does not beat, unless epochs are long [s].
        longest_epoch_s: The longest epoch that the job has seen [s].
    """
    if heartbeat_s is not None:
        return max(LEASE_IN_BEATS * heartbeat_s, SHORTEST_LEASE_S)
    return min(LONGEST_LEASE_S, max(trial_lease_s, LEASE_IN_EPOCHS * longest_epoch_s))


def expiry_after_beat(trial: Trial, now: datetime, length_s: float, longest_epoch_s: float) -> datetime:
    """When the lease ends after a heartbeat: beats alone do not keep a run that never reports."""
    beats_alone_s = min(LONGEST_LEASE_S, max(BEATS_ALONE_S, LEASE_IN_EPOCHS * longest_epoch_s))
    return min(now + timedelta(seconds=length_s), trial.last_report_at + timedelta(seconds=beats_alone_s))


def silence_left_s(trial: Trial, now: datetime) -> float:
    """For how long the trial's process still counts as alive [s]; 0: it does not, or it does not beat."""
    if trial.heartbeat_s is None:
        return 0.0
    return max(0.0, STILL_BEATS * trial.heartbeat_s - (now - trial.last_seen_at).total_seconds())
