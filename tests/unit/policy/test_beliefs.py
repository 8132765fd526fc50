from __future__ import annotations

import math
from dataclasses import replace

import pytest

from zeus_bso.policy.state import Knobs, Progress, SizeState, SurrogateArmState, SurrogateState
from zeus_bso.policy.surrogate.beliefs import beliefs_of, knowledge_gradient, noise_variance, pace_variance

SIZES = (8, 16, 32, 64, 128, 256)
KNOBS = Knobs(SIZES, 64)
BEGUN = Progress.begin(SIZES, 64)


def states(**runs: tuple[int, float, float]) -> dict[int, SizeState]:
    """Sizes with runs: how many, epochs each, cost per epoch."""
    arms = {
        int(name[1:]): SurrogateArmState(
            runs=count, mean_log_epochs=math.log(epochs), cost_sum=count * epochs * pace, epoch_sum=int(count * epochs)
        )
        for name, (count, epochs, pace) in runs.items()
    }
    return {size: SizeState(size, surrogate=arms.get(size, SurrogateArmState())) for size in SIZES}


def test_before_the_first_run_nothing_is_believed() -> None:
    assert beliefs_of(KNOBS, BEGUN, states()) == {}


def test_a_tried_size_is_believed_to_cost_what_it_cost() -> None:
    beliefs = beliefs_of(KNOBS, BEGUN, states(b64=(20, 10, 7.0)))

    assert math.exp(beliefs[64].mean) == pytest.approx(70.0, rel=0.01)


def test_a_run_teaches_about_its_neighbours_most() -> None:
    before = beliefs_of(KNOBS, BEGUN, states(b64=(5, 10, 7.0)))

    spreads = [before[size].epochs.variance for size in (64, 32, 16, 8)]
    assert spreads == sorted(spreads)
    assert before[128].epochs.variance < before[256].epochs.variance


def test_a_trend_is_carried_on() -> None:
    beliefs = beliefs_of(KNOBS, BEGUN, states(b64=(9, 20, 10.0), b32=(9, 20, 14.0), b128=(9, 20, 7.1)))

    assert beliefs[256].mean < beliefs[128].mean < beliefs[64].mean < beliefs[32].mean < beliefs[16].mean


def test_one_run_tells_the_cost_per_epoch_but_not_the_epochs() -> None:
    belief = beliefs_of(KNOBS, BEGUN, states(b64=(1, 10, 7.0)))[64]

    assert math.sqrt(belief.pace.variance) < 0.05
    assert math.sqrt(belief.epochs.variance) > 0.2


def test_where_a_smaller_batch_takes_more_epochs_one_smaller_still_takes_more_again() -> None:
    beliefs = beliefs_of(KNOBS, BEGUN, states(b256=(9, 20, 5.0), b128=(9, 22, 5.5), b64=(9, 30, 6.0)))

    assert math.exp(beliefs[16].epochs.mean) > 48


def test_where_sizes_have_epochs_of_their_own_an_untried_one_is_known_less() -> None:
    alike = {"b256": (15, 20, 5.0), "b128": (15, 20, 5.5), "b64": (15, 20, 6.0), "b32": (15, 20, 7.0)}
    smooth = beliefs_of(KNOBS, BEGUN, states(**alike))
    uneven = beliefs_of(KNOBS, BEGUN, states(**{**alike, "b128": (15, 14, 5.5)}))

    assert uneven[16].epochs.variance > 1.5 * smooth[16].epochs.variance
    assert math.exp(uneven[128].epochs.mean) < 15


def test_sizes_that_deviate_by_a_few_per_cent_do_not_make_an_untried_one_look_as_if_it_could_cost_anything() -> None:
    """Paces lie off a smooth course by 2 % to either side, and hardly vary from run to run."""
    every = (16, 24, 32, 48, 64, 96, 128, 192, 256)
    progress = replace(Progress.begin(every, 64), surrogate=SurrogateState(pace_dof=100))
    sizes = {16: SizeState(16)}
    for place, size in enumerate(every[1:]):
        pace = 10.0 * size**-0.3 * (1.02 if place % 2 else 0.98)
        arm = SurrogateArmState(runs=9, mean_log_epochs=math.log(20), cost_sum=180 * pace, epoch_sum=180)
        sizes[size] = SizeState(size, surrogate=arm)

    assert math.sqrt(beliefs_of(Knobs(every, 64), progress, sizes)[16].pace.variance) < 0.15


def test_a_guess_counts_until_there_is_a_run() -> None:
    sizes = states(b64=(5, 10, 7.0))
    sizes[128] = SizeState(128, surrogate=SurrogateArmState(guess=math.log(80), cost_sum=70.0, epoch_sum=10))

    assert math.exp(beliefs_of(KNOBS, BEGUN, sizes)[128].epochs.mean) > 30


def test_noise_is_believed_large_until_runs_agree() -> None:
    assert noise_variance(SurrogateState()) == pytest.approx(0.25**2)
    assert noise_variance(SurrogateState(noise_ss=0.0, noise_dof=36)) == pytest.approx(0.1 * 0.25**2)


def test_open_trials_count_as_if_they_were_reported() -> None:
    belief = beliefs_of(KNOBS, BEGUN, states(b64=(2, 10, 7.0)))[32]

    spreads = [belief.spread_after(1, 0.09, 0.03**2, open_trials) for open_trials in (0, 1, 2, 8)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < spreads[0] / 4


def test_many_runs_move_a_mean_as_far_as_it_may_be_wrong() -> None:
    belief = beliefs_of(KNOBS, BEGUN, states(b64=(2, 10, 7.0)))[32]

    spreads = [belief.spread_after(runs, 0.09, 0.03**2) for runs in (1, 2, 8, 10_000)]
    assert spreads == sorted(spreads)
    assert spreads[-1] == pytest.approx(math.sqrt(belief.variance), rel=1e-3)


@pytest.mark.parametrize(("mean", "other"), [(1.0, 1.0), (1.0, 1.4), (1.4, 1.0)])
def test_the_knowledge_gradient_is_what_one_run_is_expected_to_gain(mean: float, other: float) -> None:
    import numpy as np

    spread = 0.3
    moved = np.random.default_rng(0).normal(mean, spread, 400_000)
    gained = min(mean, other) - np.minimum(moved, other).mean()

    assert knowledge_gradient(mean, other, spread) == pytest.approx(gained, abs=2e-3)


def test_nothing_is_gained_by_what_is_known() -> None:
    assert knowledge_gradient(1.0, 1.0, 0.0) == 0.0
    assert knowledge_gradient(50.0, 1.0, 0.1) == pytest.approx(0.0)


def test_the_cost_per_epoch_is_believed_less_where_it_has_been_seen_to_vary() -> None:
    noisy = replace(BEGUN, surrogate=SurrogateState(pace_ss=20 * 0.2**2, pace_dof=20))
    sizes = states(b64=(2, 10, 7.0))

    steady, varying = (beliefs_of(KNOBS, progress, sizes)[64].pace.variance for progress in (BEGUN, noisy))
    assert pace_variance(SurrogateState()) == pytest.approx(0.03**2)
    assert math.sqrt(pace_variance(noisy.surrogate)) == pytest.approx(0.2, rel=0.1)
    assert varying > 5 * steady
