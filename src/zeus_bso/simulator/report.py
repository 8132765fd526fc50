"""What simulations came to: rows for people and for programs.

Regret is what was paid beyond an oracle that knew the best batch size (and the best power limits, where they are
chosen) from the start, in units of one run of the oracle, failed tries included.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from zeus_bso.simulator.experiment import LATER, Simulated
from zeus_bso.simulator.scenario import Power
from zeus_bso.simulator.world import SimulatedWorkload

EARLY = 20
LAST = 5
CLOSE = 1.05
"""A size is close to the oracle when it is expected to cost at most so many times what the oracle costs."""

CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class SavedShares:
    """Shares saved against the default batch size at full power; below 0 where more was used.

    None: the default never reaches the target.

    Attributes:
        energy: Energy, as it was paid, with measuring power limits.
        time: Time, likewise.
        full_power_energy: Energy, if the same epochs had run at full power: what the batch size alone saves.
        full_power_time: Time, likewise.
    """

    energy: float | None = None
    time: float | None = None
    full_power_energy: float | None = None
    full_power_time: float | None = None


@dataclass(frozen=True, slots=True)
class Profiling:
    """What measuring power limits has cost beyond the same training at the best limits, in the mean of simulations.

    Attributes:
        energy_j: Energy [J].
        time_s: Time [s].
        energy_share: The energy as a share of all that was used.
    """

    energy_j: float
    time_s: float
    energy_share: float


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One policy on one pair of workload and GPU, in one scenario.

    Attributes:
        scenario: The scenario's name; empty where it has none.
        workload: The workload's name.
        gpu: The GPU.
        policy: Who decided.
        power: How power limits were chosen.
        seeds: How many simulations.
        seed_numbers: The seed of each.
        recurrences: T, the length of the experiment.
        regrets: Regret after each recurrence, of each simulation: seeds x recurrences.
        costs: Cost so far over the oracle's, after each recurrence, of each simulation.
        savings: Energy and time of the last five recurrences up to T.
        profiling: What measuring power limits has cost up to T.
        settled: Recurrences until a run stays close to the oracle, in the middle of all; None: it does not.
        most_tries: Most tries that one recurrence took.
        unreached: Recurrences that never reached the target.
        astray: Simulations that mostly ran, in that last fifth, a size that is not close to the oracle.
        left_default: Recurrences until one ended with another size than the default, in the slowest simulation; None:
            in some, none did.
        late_costs: Cost over the oracle's of the last fifth of recurrences up to T, of each simulation.
    """

    scenario: str
    workload: str
    gpu: str
    policy: str
    power: Power
    seeds: int
    seed_numbers: tuple[int, ...]
    recurrences: int
    regrets: NDArray[np.float64]
    costs: NDArray[np.float64]
    savings: SavedShares
    profiling: Profiling
    settled: int | None
    most_tries: int
    unreached: int
    astray: int
    left_default: int | None
    late_costs: NDArray[np.float64]

    @property
    def world(self) -> tuple[str, str, str]:
        """What rows of several policies are compared on."""
        return self.scenario, self.workload, self.gpu

    @property
    def late_cost(self) -> float:
        """Mean cost over the oracle's of the last fifth of recurrences up to T."""
        return float(self.late_costs.mean())

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
        simulated = {name: after if after <= self.regrets.shape[1] else None for name, after in three.items()}
        return {
            "scenario": self.scenario or None,
            "workload": self.workload,
            "gpu": self.gpu,
            "policy": self.policy,
            "seeds": self.seeds,
            "recurrences": end,
            "mean_regret": {name: self.mean_regret(after) for name, after in three.items()},
            "worst_regret": {str(EARLY): self.worst_regret(EARLY), "T": self.worst_regret(end)},
            "cost_over_oracle": {name: self.cost_over_oracle(after) for name, after in three.items()},
            "energy_saved_last5": self.savings.energy,
            "interval": {name: after and self.confidence_interval(after) for name, after in simulated.items()},
            "p99_regret": {name: after and self.regret_quantile(after, 0.99) for name, after in simulated.items()},
            "late_cost": self.late_cost,
            "settled": self.settled,
            "astray": self.astray,
            "left_default": self.left_default,
            "most_tries": self.most_tries,
            "unreached": self.unreached,
            "power": self.power,
            "energy_saved_last5_full_power": self.savings.full_power_energy,
            "time_saved_last5": self.savings.time,
            "time_saved_last5_full_power": self.savings.full_power_time,
            "profiling": {
                "energy": self.profiling.energy_j,
                "time": self.profiling.time_s,
                "energy_share": self.profiling.energy_share,
            },
            "runs": [
                {
                    "seed": seed,
                    "regret": {name: after and float(regrets[after - 1]) for name, after in simulated.items()},
                    "late_cost": float(late_cost),
                }
                for seed, regrets, late_cost in zip(self.seed_numbers, self.regrets, self.late_costs, strict=True)
            ],
        }


def rows_of(simulations: Iterable[Simulated]) -> list[ReportRow]:
    """One row for each pair and policy, in the order in which they come."""
    groups: dict[tuple[str, str, str, str], list[Simulated]] = {}
    for simulated in simulations:
        world, policy = simulated.task.world, simulated.task.policy
        key = (world.scenario.name, world.pair.workload.name, world.pair.gpu, policy)
        groups.setdefault(key, []).append(simulated)
    return [_row(group) for group in groups.values()]


def ratio_to(rows: Sequence[ReportRow], row: ReportRow, after: int, policy: str = "zeus") -> float | None:
    """Mean regret of a row over that of another policy in the same world; None: there is none to compare with."""
    for other in rows:
        if (other.world, other.policy) == (row.world, policy):
            ours, theirs = row.mean_regret(after), other.mean_regret(after)
            return ours / theirs if ours is not None and theirs else None
    return None


def _row(group: Sequence[Simulated]) -> ReportRow:
    task = group[0].task
    world, end = task.world, min(task.world.recurrences, len(group[0].costs_j))
    oracle = np.array([world.oracle(index).cost_j for index in range(len(group[0].costs_j))])
    costs = np.array([each.costs_j for each in group])
    regrets = np.cumsum(costs / oracle - 1.0, axis=1)
    return ReportRow(
        scenario=world.scenario.name,
        workload=world.pair.workload.name,
        gpu=world.pair.gpu,
        policy=task.policy,
        power=world.scenario.power,
        seeds=len(group),
        seed_numbers=tuple(each.task.seed for each in group),
        recurrences=end,
        regrets=regrets,
        costs=np.cumsum(costs, axis=1) / np.cumsum(oracle),
        savings=_savings(group, end),
        profiling=_profiling(group, end),
        settled=_middle([_settled(world, each.batch_sizes[:end]) for each in group]),
        most_tries=max(max(each.tries) for each in group),
        unreached=sum(reached is False for each in group for reached in each.reached),
        astray=sum(_is_astray(world, each.batch_sizes[:end]) for each in group),
        left_default=max((_left_default(world, each.batch_sizes) for each in group), key=_or_never),
        late_costs=(costs / oracle)[:, end - _fifth(end) : end].mean(axis=1),
    )


def _savings(group: Sequence[Simulated], end: int) -> SavedShares:
    default = group[0].task.world.default(end - 1)
    if default is None:
        return SavedShares()

    def saved(paid: Sequence[tuple[float, ...]], by_default: float) -> float:
        return float(1.0 - np.array(paid)[:, max(0, end - LAST) : end].mean() / by_default)

    return SavedShares(
        energy=saved([each.energies_j for each in group], default.energy_j),
        time=saved([each.times_s for each in group], default.time_s),
        full_power_energy=saved([each.full_power_energies_j for each in group], default.energy_j),
        full_power_time=saved([each.full_power_times_s for each in group], default.time_s),
    )


def _profiling(group: Sequence[Simulated], end: int) -> Profiling:
    energies = [sum(each.profiling_energies_j[:end]) for each in group]
    return Profiling(
        energy_j=fmean(energies),
        time_s=fmean(sum(each.profiling_times_s[:end]) for each in group),
        energy_share=sum(energies) / sum(sum(each.energies_j[:end]) for each in group),
    )


def _fifth(recurrences: int) -> int:
    return max(1, recurrences // 5)


def _is_close(world: SimulatedWorkload, batch_size: int, recurrence: int) -> bool:
    expected = world.expected(batch_size, world.best_limits_w[batch_size], recurrence)
    return expected is not None and expected.cost_j <= CLOSE * world.oracle(recurrence).cost_j


def _is_astray(world: SimulatedWorkload, batch_sizes: Sequence[int]) -> bool:
    ((most_often, _),) = Counter(batch_sizes[-_fifth(len(batch_sizes)) :]).most_common(1)
    return not _is_close(world, most_often, len(batch_sizes) - 1)


def _left_default(world: SimulatedWorkload, batch_sizes: Sequence[int]) -> int | None:
    default = world.pair.default_batch_size
    return next((index + 1 for index, size in enumerate(batch_sizes) if size != default), None)


def _settled(world: SimulatedWorkload, batch_sizes: Sequence[int]) -> int | None:
    """Recurrences before all that follow end with a size that is close to the oracle."""
    far = [index for index, size in enumerate(batch_sizes) if not _is_close(world, size, index)]
    last_far = far[-1] + 1 if far else 0
    return last_far if last_far < len(batch_sizes) else None


def _middle(values: Sequence[int | None]) -> int | None:
    """The upper median, where None is beyond all."""
    ordered = sorted(values, key=_or_never)
    return ordered[len(ordered) // 2]


def _or_never(value: int | None) -> float:
    return math.inf if value is None else value
