"""Epochs that drift steadily: all sizes are followed, and what was learnt of them long ago counts for less."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from tests.unit.policy.policy_job import Job, fresh

from zeus_bso.policy.state import Knobs, SurrogateArmState, SurrogateState
from zeus_bso.policy.surrogate.beliefs import beliefs_of, noise_variance, runs_remembered
from zeus_bso.policy.surrogate.learning import add_epochs, add_epochs_noise

COST_PER_EPOCH = 10.0
DEAR = {16: 1.3, 32: 1.0}
"""Epochs of each size, as a multiple of the least."""


def job_after(least_epochs: Iterable[float]) -> Job:
    """A job of two sizes after runs of which each has a least number of epochs of its own."""
    job = fresh(Knobs((16, 32), 16, target_metric=1.0, max_epochs=10_000, beta_knob=None), policy="surrogate")
    for least in least_epochs:
        run = job.ask()
        epochs = round(DEAR[run.batch_size] * least)
        curve = [(epoch, epoch / epochs) for epoch in range(1, epochs + 1)]
        job.end(run, COST_PER_EPOCH * epochs, curve=curve)
    return job


def test_where_each_run_takes_more_epochs_all_sizes_are_followed() -> None:
    job = job_after(200 * 1.02**number for number in range(80))

    for size, belief in beliefs_of(job.knobs, job.progress, job.sizes).items():
        assert math.exp(belief.epochs.mean) == pytest.approx(DEAR[size] * 200 * 1.02**79, rel=0.25), size


@pytest.mark.parametrize("growth", [1.02, 0.98])
def test_a_steady_drift_is_not_taken_for_noise(growth: float) -> None:
    state = job_after(200 * growth**number for number in range(80)).progress.surrogate

    assert math.sqrt(noise_variance(state)) < 0.15


@pytest.mark.parametrize("seed", range(4))
def test_chance_alone_is_no_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = job_after(100 * math.exp(rng.normal(0.0, 0.3)) for _ in range(60)).progress.surrogate

    assert state.epochs_moved == 0.0
    assert abs(state.epochs_level) < 0.3


def test_what_was_learnt_before_a_drift_counts_for_less() -> None:
    """Worked out by hand: 1 / (1 / 20 + 10 x 0.095) = 1, so that the new run is half of the mean."""
    arm, state = SurrogateArmState(runs=20, mean_log_epochs=1.0, moved=1.0), SurrogateState(epochs_moved=1.095)

    assert runs_remembered(SurrogateState(epochs_moved=1.0), arm) == pytest.approx(20)
    assert runs_remembered(SurrogateState(epochs_moved=0.905), arm) == pytest.approx(1), "down as up"
    assert runs_remembered(state, arm) == pytest.approx(1)
    assert add_epochs(state, arm, 2.0) == SurrogateArmState(runs=2, mean_log_epochs=1.5, moved=1.095)
    assert add_epochs_noise(state, arm, 2.0).noise_ss == pytest.approx(0.5)


def test_what_was_learnt_long_before_a_drift_counts_for_nothing() -> None:
    arm = SurrogateArmState(runs=20, mean_log_epochs=1.0)

    assert add_epochs(SurrogateState(epochs_moved=1.0), arm, 2.0) == SurrogateArmState(1, 2.0, moved=1.0)
