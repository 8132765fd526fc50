"""What simulations came to: rows for people and for programs.

Regret is what was paid beyond an oracle that knew the best batch size and power limit from the start, in units of one
run of the oracle, failed tries included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zeus_bso.simulator.experiment import LATER, Simulated
from zeus_bso.simulator.world import World

EARLY = 20
LAST = 5
CLOSE = 1.05
"""A recurrence is close to the oracle when the size it ended with is expected to cost at most so many times it."""

CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one pair of workload and GPU.

    Attributes:
        workload: The workload's name.
        gpu: The GPU.
        policy: Who decided.
        seeds: How many simulations.
        recurrences: T, the length of the experiment.
        regrets: Regret after each recurrence, of each simulation: seeds x recurrences.
        costs: Cost so far over the oracle's, after each recurrence, of each simulation.
        energy_saved_last5: Share of energy saved over the last five recurrences up to T, against the default batch
            size at full power; None: the default never reaches the target.
        settled: Recurrences until a run stays close to the oracle, in the middle of all; None: it does not.
        most_tries: Most tries that one recurrence took.
        unreached: Recurrences that never reached the target.
        late_cost: Mean cost over the oracle's of the last fifth of recurrences up to T.
    """

    workload: str
    gpu: str
    policy: str
    seeds: int
    recurrences: int
    regrets: NDArray[np.float64]
    costs: NDArray[np.float64]
    energy_saved_last5: float | None
    settled: int | None
    most_tries: int
    unreached: int
    late_cost: float

    def mean_regret(self, after: int) -> float | None:
        """Mean regret after so many recurrences."""
        return float(self.regrets[:, after - 1].mean()) if after <= self.regrets.shape[1] else None

    def worst_regret(self, after: int) -> float | None:
        """Regret of the worst simulation after so many recurrences."""
        return float(self.regrets[:, after - 1].max()) if after <= self.regrets.shape[1] else None

    def regret_quantile(self, after: int, share: float) -> float:
        """Regret that so large a share of the simulations does not pass."""
        return float(np.quantile(self.regrets[:, after - 1], share))

    def cost_over_oracle(self, after: int) -> float | None:
        """Mean cost so far over the oracle's."""
        return float(self.costs[:, after - 1].mean()) if after <= self.costs.shape[1] else None

    def confidence_interval(self, after: int) -> tuple[float, float]:
        """95 % bootstrap interval of the mean regret."""
        values = self.regrets[:, after - 1]
        drawn = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values)))
        low, high = np.quantile(drawn.mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return float(low), float(high)

    def as_json(self) -> dict[str, object]:
        """The row as ``zeus-bso simulate --json`` prints it."""
        end = self.recurrences
        three = {str(EARLY): EARLY, str(LATER): LATER, "T": end}
        return {
            "workload": self.workload,
            "gpu": self.gpu,
            "policy": self.policy,
            "seeds": self.seeds,
            "recurrences": end,
            "mean_regret": {name: self.mean_regret(after) for name, after in three.items()},
            "worst_regret": {str(EARLY): self.worst_regret(EARLY), "T": self.worst_regret(end)},
            "cost_over_oracle": {name: self.cost_over_oracle(after) for name, after in three.items()},
            "energy_saved_last5": self.energy_saved_last5,
        }


def rows_of(simulations: Iterable[Simulated]) -> list[Row]:
    """One row for each pair and policy, in the order in which they come."""
    groups: dict[tuple[str, str, str], list[Simulated]] = {}
    for simulated in simulations:
        pair = simulated.task.world.pair
        groups.setdefault((pair.workload.name, pair.gpu, simulated.task.policy), []).append(simulated)
    return [_row(group) for group in groups.values()]


def ratio_to(rows: Sequence[Row], row: Row, after: int, policy: str = "zeus") -> float | None:
    """Mean regret of a row over that of another policy on the same pair; None: there is none to compare with."""
    for other in rows:
        if (other.workload, other.gpu, other.policy) == (row.workload, row.gpu, policy):
            ours, theirs = row.mean_regret(after), other.mean_regret(after)
            return ours / theirs if ours is not None and theirs else None
    return None


def _row(group: Sequence[Simulated]) -> Row:
    task = group[0].task
    world, end = task.world, min(task.world.recurrences, len(group[0].costs_j))
    oracle = np.array([world.oracle(index).cost_j for index in range(len(group[0].costs_j))])
    costs = np.array([each.costs_j for each in group])
    regrets = np.cumsum(costs / oracle - 1.0, axis=1)
    energies = np.array([each.energies_j for each in group])[:, max(0, end - LAST) : end]
    default = world.default
    return Row(
        workload=world.pair.workload.name,
        gpu=world.pair.gpu,
        policy=task.policy,
        seeds=len(group),
        recurrences=end,
        regrets=regrets,
        costs=np.cumsum(costs, axis=1) / np.cumsum(oracle),
        energy_saved_last5=None if default is None else float(1.0 - energies.mean() / default.energy_j),
        settled=_middle([_settled(world, each.batch_sizes[:end]) for each in group]),
        most_tries=max(max(each.tries) for each in group),
        unreached=sum(reached is False for each in group for reached in each.reached),
        late_cost=float((costs / oracle)[:, end - max(1, end // 5) : end].mean()),
    )


def _settled(world: World, batch_sizes: Sequence[int]) -> int | None:
    """Recurrences before all that follow end with a size that is close to the oracle."""
    last_far = 0
    for index, size in enumerate(batch_sizes):
        expected = world.expected(size, world.best_limits_w[size], index)
        if expected is None or expected.cost_j > CLOSE * world.oracle(index).cost_j:
            last_far = index + 1
    return last_far if last_far < len(batch_sizes) else None


def _middle(values: Sequence[int | None]) -> int | None:
    """The upper median, where None is beyond all."""
    ordered = sorted(values, key=lambda value: (value is None, value or 0))
    return ordered[len(ordered) // 2]
