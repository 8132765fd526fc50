"""What holds for a job in the database whatever happened to it, judged from the rows alone."""

from __future__ import annotations

import json
import math
from collections import defaultdict

from tests.support.jobs import Json
from zeus_bso.policy.surrogate.learning import MEMORY_RUNS, OUTLIER_DOF

_ENDS = {"Dispatched": (False, False), "Succeeded": (True, False), "Failed": (False, True)}
"""Whether a trial of each status has an outcome and a reason."""


def assert_sound(job: Json, trials: list[Json], sizes: list[Json], *, numbers_before: int = 0) -> None:
    """Check a job.

    Args:
        job: Its row.
        trials: The rows of its trials, by number.
        sizes: The rows of its batch sizes.
        numbers_before: Number of the last trial of deleted namesakes.
    """
    learnt = [
        row
        for row in sorted(trials, key=lambda row: row["decision"] or 0)
        if row["generation"] == job["generation"] and row["status"] == "Succeeded" and not _foreign(row, job)
    ]
    assert [row["trial_number"] for row in trials] == [numbers_before + n for n in range(1, len(trials) + 1)]
    assert job["last_trial_number"] == numbers_before + len(trials)
    for row in trials:
        _check_trial(row, job)
    for row in learnt:
        _check_observation(row)
    _check_explorations(trials)
    assert job["min_cost"] == _least_cost(learnt)
    _check_arms(learnt, sizes)
    if job["policy"] == "surrogate":
        _check_surrogate(learnt, job, sizes)
    else:
        assert {row["surrogate"] for row in [job, *sizes]} == {None}


def _foreign(row: Json, job: Json) -> bool:
    return row["energy_source"] is not None and row["energy_source"] != job["energy_source"]


def _check_trial(row: Json, job: Json) -> None:
    assert (row["outcome"] is not None, row["reason"] is not None) == _ENDS[row["status"]]
    if row["status"] == "Succeeded":
        cost = job["eta_knob"] * row["energy"] + (1 - job["eta_knob"]) * job["max_power"] * row["time"]
        assert math.isclose(row["cost"], cost, rel_tol=1e-12, abs_tol=1e-12), row


def _check_observation(row: Json) -> None:
    """The reward is the cost; but a run that was cut short is no bargain, and counts at the bound at least."""
    assert row["reward"] is not None, "a decided trial taught nothing"
    if row["outcome"] in ("diverged", "target-missed"):
        assert row["reward"] <= -row["cost"]
    else:
        assert row["reward"] == -row["cost"]


def _check_explorations(trials: list[Json]) -> None:
    open_ones: dict[int, int] = defaultdict(int)
    places: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in trials:
        if row["type"] == "Exploration" and row["status"] != "Failed":
            open_ones[row["generation"]] += row["status"] == "Dispatched"
            places[row["generation"], row["round"], row["batch_size"]] += 1
    assert all(count <= 1 for count in open_ones.values()), "two explorations are open"
    assert all(count <= 1 for count in places.values()), "one place was filled twice"


def _least_cost(learnt: list[Json]) -> float | None:
    """The least since the last run without a bound that converged: its cost replaced what was known."""
    least: float | None = None
    for row in learnt:
        if row["outcome"] == "converged":
            least = row["cost"] if row["uncapped"] or least is None else min(least, row["cost"])
    return least


def _check_surrogate(learnt: list[Json], job: Json, sizes: list[Json]) -> None:
    state = _document(job)
    assert state.get("retries_owed", 0) >= 0
    incumbent = state.get("incumbent")
    converged = {row["batch_size"] for row in learnt if row["outcome"] == "converged"}
    assert incumbent is None or incumbent in converged
    assert (incumbent is None) == (state.get("incumbent_cost") is None)
    spent = math.fsum(row["cost"] for row in learnt) if job["policy"] == "surrogate" else 0.0
    assert math.isclose(state.get("spent", 0.0), spent, rel_tol=1e-9, abs_tol=1e-12)
    assert 0.0 <= state.get("look_spent", 0.0) <= state.get("spent", 0.0) * (1 + 1e-9)
    for size in sizes:
        runs = [row for row in learnt if row["batch_size"] == size["batch_size"]]
        known = _document(size)
        same = state.get("pace_dof", 0) < OUTLIER_DOF and state.get("pace_level", 0.0) == 0.0
        _check_pace(runs, known, exactly=same and len(runs) < MEMORY_RUNS)
        if size["batch_size"] in converged:
            assert known["runs"] >= 1
            assert "guess" not in known
        else:
            assert "runs" not in known


def _check_pace(runs: list[Json], known: Json, *, exactly: bool) -> None:
    """What a size's cost per epoch rests on: all its runs, without what their first reports tell of a warm-up.

    Args:
        runs: The runs of the size that taught.
        known: What is stored of the size.
        exactly: No run is forgotten, the machine is the same, and costs have not drifted.
    """
    cost, epochs = known.get("cost_sum", 0.0), known.get("epoch_sum", 0)
    all_epochs = sum(max(1, row["current_epoch"]) for row in runs)
    assert cost >= 0.0
    assert 0 <= epochs <= all_epochs
    # A run that cost nothing was not measured, and whether it cost anything may depend on the job's eta.
    measured = [row for row in runs if row["energy"] > 0.0 and row["time"] > 0.0]
    if exactly and len(measured) == len(runs):
        assert epochs >= len(runs)
        assert cost <= math.fsum(row["cost"] for row in runs) * (1 + 1e-9)
    if measured:
        assert epochs >= 1
        assert cost > 0.0


def _document(row: Json) -> Json:
    """The state of a policy, in which every number is finite."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is stored")

    document: Json = json.loads(row["surrogate"] or "{}", parse_constant=refuse)
    return document


def _check_arms(learnt: list[Json], sizes: list[Json]) -> None:
    rewards: dict[int, list[float]] = defaultdict(list)
    for row in learnt:
        rewards[row["batch_size"]].append(row["reward"])
    for size in sizes:
        seen = rewards[size["batch_size"]]
        assert size["num_observations"] == len(seen)
        if seen:
            mean = math.fsum(seen) / len(seen)
            m2 = math.fsum((reward - mean) ** 2 for reward in seen)
            scale = max(abs(reward) for reward in seen) ** 2
            assert math.isclose(size["reward_mean"], mean, rel_tol=1e-9, abs_tol=1e-12), size
            assert math.isclose(size["reward_m2"], m2, rel_tol=1e-9, abs_tol=1e-9 * scale), size
