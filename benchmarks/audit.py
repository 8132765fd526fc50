"""Is what a database holds consistent? Everything that can be worked out from the trials is worked out again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from zeus_bso.server.database.engine import open_database
from zeus_bso.server.database.restored import SKIPPED
from zeus_bso.server.database.schema import batch_size_state, job, observation, trial, trial_report


def audit(url: str, acknowledged: Iterable[tuple[str, int, int]] = ()) -> list[str]:
    """Find what is wrong; an empty list: nothing is.

    Checked are: trial numbers run from 1 without a gap, except the one that the restoration of a backup leaves; at
    most one exploration is open per job; the least cost is that of the trials since it was last replaced; every arm is
    what its rewards, those of past runs too, make it (1e-9); every acknowledged report (job, trial, epoch) is stored;
    every trial with a decision has a cost.
    """

    async def read() -> list[str]:
        database = open_database(url, pool_size=1)
        await database.start()
        try:
            return await database.read(lambda connection: _faults(connection, set(acknowledged)))
        finally:
            await database.close()

    return asyncio.run(read())


def _faults(connection: Connection, acknowledged: set[tuple[str, int, int]]) -> list[str]:
    faults: list[str] = []
    trials: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(trial).order_by(trial.c.job_id, trial.c.trial_number)).mappings():
        trials.setdefault(row["job_id"], []).append(dict(row))
    past: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(observation).where(observation.c.reward.is_not(None))).mappings():
        past.setdefault(row["job_id"], []).append(dict(row))
    for row in connection.execute(select(job)).mappings():
        faults += _job_faults(connection, dict(row), trials.get(row["job_id"], []), past.get(row["job_id"], []))
    keys = select(trial_report.c.job_id, trial_report.c.trial_number, trial_report.c.epoch)
    stored = {(row.job_id, row.trial_number, row.epoch) for row in connection.execute(keys)}
    lost = acknowledged - stored
    if lost:
        faults.append(f"{len(lost)} acknowledged reports are not stored, for example {sorted(lost)[0]}")
    return faults


def _job_faults(
    connection: Connection, row: dict[str, Any], trials: list[dict[str, Any]], past: list[dict[str, Any]]
) -> list[str]:
    name, faults = row["job_id"], []
    numbers = [found["trial_number"] for found in trials]
    last = row["last_trial_number"]
    before = [number for number in numbers if number <= SKIPPED]
    after = [number - last + len(numbers) for number in numbers if number > SKIPPED]
    if before + after != list(range(1, len(numbers) + 1)) or last - len(numbers) not in (0, SKIPPED):
        faults.append(f"{name}: trial numbers are not 1 to {row['last_trial_number']}")
    now = [found for found in trials if found["generation"] == row["generation"]]
    exploring = [found for found in now if found["type"] == "Exploration" and found["status"] == "Dispatched"]
    if len(exploring) > 1:
        faults.append(f"{name}: {len(exploring)} explorations are open")
    decided = sorted((found for found in now if found["reward"] is not None), key=lambda found: found["decision"])
    learnt = [found for found in past if found["generation"] == row["generation"]]
    least = _least_cost(sorted((*decided, *learnt), key=lambda found: found["decision"]))
    if row["min_cost"] != least:
        faults.append(f"{name}: min_cost is {row['min_cost']}, the trials say {least}")
    states = connection.execute(select(batch_size_state).where(batch_size_state.c.job_id == name)).mappings()
    for state in states:
        rewards = [found["reward"] for found in (*decided, *learnt) if found["batch_size"] == state["batch_size"]]
        mean = math.fsum(rewards) / len(rewards) if rewards else 0.0
        m2 = math.fsum((reward - mean) ** 2 for reward in rewards)
        scale = max((reward**2 for reward in rewards), default=1.0)
        if (
            state["num_observations"] != len(rewards)
            or not math.isclose(state["reward_mean"], mean, rel_tol=1e-9)
            or abs(state["reward_m2"] - m2) > 1e-9 * max(1, len(rewards)) * scale
        ):
            faults.append(f"{name}: the arm of {state['batch_size']} is not what its {len(rewards)} rewards make it")
    return faults


def _least_cost(decided: list[dict[str, Any]]) -> float | None:
    """The least since the last run without a bound that converged: its cost replaced what was known."""
    least: float | None = None
    for found in decided:
        if found["outcome"] == "converged":
            least = found["cost"] if found.get("uncapped") or least is None else min(least, found["cost"])
    return least
