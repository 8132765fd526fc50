"""The status of a trial at the time of reading, by the database's clock.

A trial whose lease has ended is given up. The next ask of its job writes that down. Until then its row still says
*Dispatched*, so every query for people uses these conditions and columns instead of the stored ones. They show the
trial as the next ask will write it: *Failed*, with the reason *expired*.
"""

from __future__ import annotations

from sqlalchemy import and_, case, or_

from zeus_bso.protocol.words import FailReason, TrialStatus
from zeus_bso.server.database.schema import trial
from zeus_bso.server.database.types import statement_begin

_IS_OPEN = trial.c.status == TrialStatus.DISPATCHED.value

IS_OVERDUE = and_(_IS_OPEN, trial.c.lease_expires_at < statement_begin())
"""True of a trial that is open in its row, and whose lease has ended."""

IS_RUNNING = and_(_IS_OPEN, trial.c.lease_expires_at >= statement_begin())

HAS_ENDED = or_(trial.c.status != TrialStatus.DISPATCHED.value, trial.c.lease_expires_at < statement_begin())

HAS_FAILED = and_(
    # For an index, which the second condition alone cannot use.
    trial.c.status.in_((TrialStatus.FAILED.value, TrialStatus.DISPATCHED.value)),
    or_(trial.c.status == TrialStatus.FAILED.value, trial.c.lease_expires_at < statement_begin()),
)

STATUS = case((IS_OVERDUE, TrialStatus.FAILED.value), else_=trial.c.status)

REASON = case((IS_OVERDUE, FailReason.EXPIRED.value), else_=trial.c.reason)

ENDED_AT = case((IS_OVERDUE, trial.c.lease_expires_at), else_=trial.c.ended_at)
"""The end of the lease for a trial that is overdue."""

CONDITIONS = {
    TrialStatus.DISPATCHED: IS_RUNNING,
    TrialStatus.SUCCEEDED: trial.c.status == TrialStatus.SUCCEEDED.value,
    TrialStatus.FAILED: HAS_FAILED,
}
"""The condition for each status."""
