"""A server is killed with SIGKILL under load: nothing acknowledged is lost or half there, every job goes on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from benchmarks.audit import audit
from sqlalchemy import Connection, func, or_, select
from tests.support.databases import look
from tests.support.load import acknowledged_of, drive_during, drive_until
from tests.support.process import ServerProcess

from zeus_bso.server.database.schema import trial, trial_report

ROUNDS = 3
CONNECTIONS = 16
JOBS = [f"job-{i}" for i in range(8)]


def test_a_killed_server_loses_nothing_acknowledged_and_every_job_goes_on(database_url: str, tmp_path: Path) -> None:
    moments = random.Random(1)
    acknowledged: set[tuple[str, int, int]] = set()
    cut_off = 0
    with ServerProcess(database_url, tmp_path) as server:
        for round_ in range(ROUNDS):
            before = moments.randrange(30, 200)
            load = drive_during(lambda _: server.kill(), [server.port], JOBS, CONNECTIONS, before=before, after=0)
            tally = asyncio.run(load)
            assert set(tally.statuses) <= {0, 200, 201, 503}, tally.unexpected
            cut_off += tally.statuses[0]
            acknowledged.update(tally.acknowledged)
            assert audit(database_url, acknowledged) == [], f"after kill {round_ + 1}"
            assert look(database_url, _half_written) == []
            server.start()
        # Every job goes on.
        tally = asyncio.run(drive_until(acknowledged_of(JOBS), [server.port], JOBS, CONNECTIONS))
        acknowledged.update(tally.acknowledged)
    assert set(tally.statuses) <= {200, 201, 503}, tally.unexpected
    assert audit(database_url, acknowledged) == []
    assert cut_off >= ROUNDS, "no request was under way when the server was killed"


def _half_written(connection: Connection) -> list[tuple[str, int]]:
    """Trials whose own row and whose reports do not tell the same."""
    reports = (
        select(trial_report.c.job_id, trial_report.c.trial_number, func.max(trial_report.c.epoch).label("epoch"))
        .group_by(trial_report.c.job_id, trial_report.c.trial_number)
        .subquery()
    )
    same = (reports.c.job_id == trial.c.job_id) & (reports.c.trial_number == trial.c.trial_number)
    wrong = or_(
        trial.c.current_epoch != func.coalesce(reports.c.epoch, 0),
        (trial.c.status == "Dispatched") != trial.c.ended_at.is_(None),
        (trial.c.outcome.is_(None)) != trial.c.cost.is_(None),
    )
    found = select(trial.c.job_id, trial.c.trial_number).outerjoin(reports, same).where(wrong)
    return [(row.job_id, row.trial_number) for row in connection.execute(found)]
