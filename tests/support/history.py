"""A long history of a job, written at once: what thousands of requests would have left in the database."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, update

from tests.support.jobs import Json
from tests.support.power import searched
from zeus_bso.cost import zeus_cost
from zeus_bso.policy.state import GaussianTsArmState
from zeus_bso.power.goal import PowerGoal
from zeus_bso.server.database.schema import (
    batch_size_state,
    job,
    power_point,
    power_profile,
    trial,
    trial_report,
)

SIZES = [8 * n for n in range(1, 21)] + [192 * n for n in range(1, 21)]
"""Forty batch sizes."""

MAX_POWER_W = 300.0
LIMIT_W = 200.0
GOAL = PowerGoal("energy", 0.5, MAX_POWER_W, max_slowdown=1.3)
EPOCHS = 12
REPORTED_TRIALS = 60
AT_ONCE = 10_000
"""So many rows are written by one statement."""

STOPPED, FAILED = 17, 41
"""Every so many-th trial is stopped by its cost, or fails."""


@dataclass
class History:
    """A job in stage MAB that has played so many trials; the last two still run.

    Attributes:
        job_id: The job; it is registered already, with ``spec``.
        trials: How many.
        batch_sizes: Its batch sizes, of which the default must be tried.
        default_batch_size: Its default.
        message: What trials that did not converge were told.
        limited: Whether it looks for the best power limits, and has found those of all but the last batch size.
        older_reports: How many reports each trial has that is not among the latest, which have one of each epoch.
    """

    job_id: str
    trials: int
    batch_sizes: list[int] = field(default_factory=lambda: list(SIZES))
    default_batch_size: int = 1152
    message: str = "Stopped: it cost too much."
    limited: bool = False
    older_reports: int = 0
    began: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)

    @property
    def spec(self) -> Json:
        """The fields of its spec that matter here."""
        return {
            "job_id": self.job_id,
            "batch_sizes": self.batch_sizes,
            "default_batch_size": self.default_batch_size,
            "eta_knob": 0.5,
            "max_epochs": 2 * EPOCHS,
            "max_power": MAX_POWER_W,
            "mab_seed": None,
            **(
                {"power_limit": "optimize", "power_goal": "energy", "max_slowdown": GOAL.max_slowdown}
                if self.limited
                else {}
            ),
        }

    def write(self, connection: Connection) -> None:
        """Write it."""
        rng = np.random.default_rng(3)
        arms = dict.fromkeys(self.batch_sizes, GaussianTsArmState())
        rows: list[dict[str, Any]] = []
        for number in range(1, self.trials + 1):
            row = self._trial(number, rng)
            rows.append(row)
            if row["reward"] is not None:
                arms[row["batch_size"]] = arms[row["batch_size"]].observe(row["reward"])
        for start in range(0, len(rows), AT_ONCE):
            part = rows[start : start + AT_ONCE]
            connection.execute(insert(trial), part)
            if reports := [report for row in part for report in self._reports(row)]:
                connection.execute(insert(trial_report), reports)
        for size, arm in arms.items():
            connection.execute(
                update(batch_size_state)
                .where(batch_size_state.c.job_id == self.job_id, batch_size_state.c.batch_size == size)
                .values(
                    num_observations=arm.num_observations,
                    reward_mean=arm.reward_mean,
                    reward_m2=arm.reward_m2,
                    is_arm=True,
                    converged=arm.num_observations,
                    ever_converged=True,
                    best_cost=min(row["cost"] for row in rows if row["batch_size"] == size and row["cost"]),
                )
            )
        if self.limited:
            self._write_profiles(connection)
        connection.execute(
            update(job)
            .where(job.c.job_id == self.job_id)
            .values(
                stage="MAB",
                last_trial_number=self.trials,
                last_decision=self.trials,
                min_cost=min(row["cost"] for row in rows if row["cost"]),
                energy_source="counter",
            )
        )

    def _trial(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        # Every size three times, then mostly those near the best.
        tries = 3 * len(self.batch_sizes)
        best = len(self.batch_sizes) // 3
        place = (number - 1) % len(self.batch_sizes) if number <= tries else best + round(2 * rng.normal())
        place = min(max(place, 0), len(self.batch_sizes) - 1)
        time = 600.0 * (1 + ((place - best) / 12) ** 2) * math.exp(0.12 * rng.normal())
        share = LIMIT_W / MAX_POWER_W if self.limited and number > len(self.batch_sizes) else 0.8
        energy = share * MAX_POWER_W * time * math.exp(0.05 * rng.normal())
        running = number > self.trials - 2
        stopped, failed = number % STOPPED == 0 and number > tries, number % FAILED == 0 and number > tries
        decided = not running and not failed
        cost = zeus_cost(energy, time, 0.5, MAX_POWER_W) if decided else None
        outcome = None if not decided else "cost-bound" if stopped else "converged"
        started = self.began + timedelta(hours=number)
        ended = None if running else started + timedelta(seconds=time)
        return {
            "job_id": self.job_id,
            "trial_number": number,
            "batch_size": self.batch_sizes[place],
            "generation": 1,
            "type": "MAB",
            "round": None,
            "uncapped": False,
            "status": "Dispatched" if running else "Failed" if failed else "Succeeded",
            "outcome": outcome,
            "reason": "error" if failed and not running else None,
            "message": "" if running else "Converged." if outcome == "converged" else self.message,
            "run_id": f"run-{number}",
            "instance": None,
            "heartbeat_s": None,
            "reported": True,
            "start_reported": True,
            "started_at": started,
            "last_report_at": ended or started,
            "last_seen_at": ended or started,
            "lease_expires_at": datetime(2100, 1, 1, tzinfo=timezone.utc),
            "ended_at": ended,
            "current_epoch": EPOCHS,
            "time": time,
            "energy": energy,
            "metric": 0.95 if outcome == "converged" else 0.6,
            "non_finite_in_row": 0,
            "target_reached": outcome == "converged",
            "energy_source": "counter",
            "wasted_time": 0.0,
            "wasted_energy": 0.0,
            "cost": cost,
            "reward": None if cost is None else -cost,
            "decision": number if decided else None,
            "power_limit": LIMIT_W if self.limited and number > len(self.batch_sizes) else None,
            "profiling_time": 0.0,
            "profiling_energy": 5e3 if self.limited and len(self.batch_sizes) < number <= tries else 0.0,
        }

    def _write_profiles(self, connection: Connection) -> None:
        for place, size in enumerate(self.batch_sizes):
            last = place == len(self.batch_sizes) - 1
            idle_w = 110.0 - 80.0 * place / len(self.batch_sizes)
            found = searched(2 if last else 1000, goal=GOAL, idle_w=idle_w)
            key = {"job_id": self.job_id, "batch_size": size}
            head = {name: found[name] for name in ("unit", "lowest", "highest", "revision")}
            points = [key | one | {"power_limit": one["limit"]} for one in found["points"]]
            connection.execute(insert(power_profile), key | head)
            connection.execute(insert(power_point), [{k: v for k, v in one.items() if k != "limit"} for one in points])

    def _reports(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "job_id": self.job_id,
                "trial_number": row["trial_number"],
                "epoch": epoch,
                "time": row["time"] * epoch / EPOCHS,
                "energy": row["energy"] * epoch / EPOCHS,
                "metric": row["metric"] * (1 - math.exp(-epoch / 3)),
                "reported_at": row["started_at"],
            }
            for epoch in range(1, self._reported_epochs(row["trial_number"]) + 1)
        ]

    def _reported_epochs(self, number: int) -> int:
        return EPOCHS if number > self.trials - REPORTED_TRIALS else self.older_reports

    def shorter(self, job_id: str, trials: int, **changes: Any) -> History:
        """The same for another job."""
        return replace(self, job_id=job_id, trials=trials, **changes)
