"""What chance decides about a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import RecordedRun

_NOISE_POINTS = 200
_TAIL_POINTS = 50


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What chance has decided about one run.

    Attributes:
        run: The recorded run that it takes.
        crashes: It dies of an error.
        preempted: It is preempted once.
        moment: When, as a share of its epochs to the target.
        epochs_factor: Its epochs are multiplied by it.
        pace_factor: What its epochs cost is multiplied by it.
    """

    run: RecordedRun
    crashes: bool = False
    preempted: bool = False
    moment: float = 0.0
    epochs_factor: float = 1.0
    pace_factor: float = 1.0


class Draws:
    """Common random numbers: the n-th run of a batch size under a seed is the same, whatever was run before.

    Args:
        runs: The runs to draw from, by batch size.
        scenario: What befalls them.
        seed: The seed.
    """

    def __init__(self, runs: Mapping[int, tuple[RecordedRun, ...]], scenario: Scenario, seed: int) -> None:
        self._runs = runs
        self._scenario = scenario
        self._streams = {size: np.random.default_rng([seed, 0x7A657573, size]) for size in runs}
        # Apart, so that the recorded runs are the same with noise and without.
        self._noises = {size: np.random.default_rng([seed, 0x6E6F6973, size]) for size in runs}

    def next_run(self, batch_size: int) -> RunOutcome:
        """The next run of a size: a recorded one, and what befalls it."""
        rng, scenario = self._streams[batch_size], self._scenario
        runs = self._runs[batch_size]
        run = runs[int(rng.integers(len(runs)))]
        # Always drawn, so that the recorded runs are the same with accidents and without.
        crash, preemption, moment = rng.random(3)
        epochs, pace = self._noises[batch_size].standard_normal(2)
        rank = self._noises[batch_size].random()
        tail = scenario.tail.factor_at(batch_size, rank) if scenario.tail else 1.0
        return RunOutcome(
            run,
            crashes=bool(crash < scenario.crash_rate),
            preempted=bool(preemption < scenario.preempt_rate),
            moment=float(moment),
            epochs_factor=math.exp(scenario.noise * epochs) * tail,
            pace_factor=math.exp(scenario.pace_noise * pace),
        )


def epochs_factors(scenario: Scenario, batch_size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What :attr:`RunOutcome.epochs_factor` may be, on a grid of its quantiles: the factors, and how likely each is."""
    noises, weights = np.ones(1), np.ones(1)
    if scenario.noise:
        ranks = (np.arange(_NOISE_POINTS) + 0.5) / _NOISE_POINTS
        noises = np.exp(scenario.noise * np.array([NormalDist().inv_cdf(rank) for rank in ranks]))
        weights = np.full(_NOISE_POINTS, 1 / _NOISE_POINTS)
    tail = scenario.tail
    if tail is None or not tail.share:
        return noises, weights
    ranks = (np.arange(_TAIL_POINTS) + 0.5) / _TAIL_POINTS * tail.share
    tails = np.array([tail.factor_at(batch_size, rank) for rank in ranks] + [1.0])
    shares = np.array([tail.share / _TAIL_POINTS] * _TAIL_POINTS + [1.0 - tail.share])
    return np.outer(noises, tails).ravel(), np.outer(weights, shares).ravel()
