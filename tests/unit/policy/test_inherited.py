"""What a job believes because of its ancestor: against another way of working it out, and how soon it is unlearnt."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_bso.policy.ancestor import Ancestor, AncestorSize, Kinship
from zeus_bso.policy.state import Knobs, Progress, SizeState, SurrogateArmState
from zeus_bso.policy.surrogate import hypotheses
from zeus_bso.policy.surrogate.beliefs import beliefs_of
from zeus_bso.policy.surrogate.gaussian_process import Hypothesis, Matrix, Mean, Observation, Vector, fit, octaves_of
from zeus_bso.policy.surrogate.inherited import EPOCHS_DOUBT, PACE_DOUBT, epochs_hypotheses, first_run, pace_hypotheses
from zeus_bso.protocol.words import Stage

SIZES = (8, 16, 32, 64, 128, 256)
PACES = {8: 5.0, 16: 4.5, 32: 4.1, 64: 3.7, 128: 3.6, 256: 3.6}
EPOCHS = {8: 2.0, 16: 2.0, 32: 2.1, 64: 2.3, 128: 2.8, 256: 3.4}


def ancestor(kinship: Kinship = Kinship.IDENTICAL, **epochs: float) -> Ancestor:
    """One that has run every size five times."""
    needed = EPOCHS | {int(size[1:]): value for size, value in epochs.items()}
    return Ancestor(
        job_id="ancestor",
        kinship=kinship,
        default_batch_size=32,
        noise_variance=0.01,
        pace_variance=0.001,
        sizes=tuple(AncestorSize(size, 5, PACES[size], needed[size]) for size in SIZES),
    )


def known(runs: dict[int, float], of: Ancestor | None) -> dict[int, float]:
    """Mean believed log epochs of every size, after one run at some sizes that needed so many log epochs."""
    knobs = Knobs(batch_sizes=SIZES, default_batch_size=16, ancestor=of)
    progress = replace(Progress.begin(SIZES, 16), stage=Stage.MAB)
    sizes = {size: SizeState(size) for size in SIZES}
    for size, log_epochs in runs.items():
        arm = SurrogateArmState(
            runs=1, mean_log_epochs=log_epochs, cost_sum=math.exp(PACES[size]) * 10, epoch_sum=10, seen=1
        )
        sizes[size] = SizeState(size, surrogate=arm, converged=1, is_arm=True)
    return {size: belief.epochs.mean for size, belief in beliefs_of(knobs, progress, sizes).items()}


@pytest.mark.parametrize("hypothesis", [hypotheses.PACE, hypotheses.EPOCHS])
def test_a_fit_is_the_mixture_of_each_supposition_with_each_kernel(hypothesis: Hypothesis) -> None:
    """Each fitted by itself as a hypothesis of its own, and added up by the textbook."""
    observed = {size: Observation(EPOCHS[size], 0.01) for size in (16, 64, 128)}
    places = octaves_of(SIZES, 16)
    fitted = fit(hypothesis, 16, observed, -1.0, 4.0)
    alone = [
        fit(Hypothesis(partial(only, hypothesis.mean, index), (kernel,)), 16, observed, -1.0, 4.0)
        for index in range(len(hypothesis.mean(places, -1.0, 4.0)[0]))
        for kernel in hypothesis.kernels
    ]
    evidence = np.array([each.log_evidence for each in alone])
    weights = np.exp(evidence - np.logaddexp.reduce(evidence))
    means = np.array([each.mean(places) for each in alone])
    mean = weights @ means
    within = np.einsum("h,hlr->lr", weights, [each.covariances(places, places) for each in alone])

    assert fitted.log_evidence == pytest.approx(np.logaddexp.reduce(evidence))
    assert fitted.mean(places) == pytest.approx(mean)
    covariances = fitted.covariances(places, places)
    assert covariances == pytest.approx(within + np.einsum("h,hl,hr->lr", weights, means - mean, means - mean))
    assert np.diag(covariances) == pytest.approx(fitted.variances(places))
    assert np.linalg.eigvalsh(covariances).min() > -1e-9


def only(mean: Mean, index: int, places: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """One supposition of several, as probable as it is among them."""
    suppositions, probable = mean(places, least, most)
    return suppositions[[index]], probable[[index]]


def test_without_an_ancestor_there_is_one_hypothesis() -> None:
    assert pace_hypotheses(None, 16, SIZES) == (hypotheses.PACE,)
    assert epochs_hypotheses(None, 16, SIZES) == (hypotheses.EPOCHS,)


@pytest.mark.parametrize("kinship", Kinship)
def test_an_ancestor_is_doubted_in_the_cost_of_an_epoch_as_its_kinship_says(kinship: Kinship) -> None:
    scratch, inherited = pace_hypotheses(ancestor(kinship), 16, SIZES)

    assert scratch.weight == PACE_DOUBT[kinship]
    assert inherited.weight == pytest.approx(1 - PACE_DOUBT[kinship])


@pytest.mark.parametrize("kinship", Kinship)
def test_the_epochs_that_an_ancestor_has_seen_may_be_luck_whatever_its_kinship(kinship: Kinship) -> None:
    scratch, inherited = epochs_hypotheses(ancestor(kinship), 16, SIZES)

    assert scratch.weight == inherited.weight == EPOCHS_DOUBT


def test_one_run_tells_all_sizes_of_a_job_that_is_like_its_ancestor() -> None:
    own = {size: value + 1.0 for size, value in EPOCHS.items()}
    told = known({16: own[16]}, ancestor())

    assert told == pytest.approx(own, abs=0.12)
    assert known({16: own[16]}, None) != pytest.approx(own, abs=0.12)


def test_an_ancestor_that_misleads_is_unlearnt_within_a_few_runs() -> None:
    misleading = ancestor(Kinship.SIMILAR, s8=5.0, s16=4.0, s32=3.0, s64=2.0, s128=1.0, s256=0.0)
    told = [
        known({size: EPOCHS[size] for size in tried}, misleading)
        for tried in ((16,), (16, 32), (8, 16, 32), (8, 16, 32, 64))
    ]

    assert told[0][256] < EPOCHS[256] - 1.0
    assert abs(told[-1][128] - EPOCHS[128]) < 0.7
    assert abs(told[-1][128] - known({size: EPOCHS[size] for size in (8, 16, 32, 64)}, None)[128]) < 0.05


class TestTheFirstRun:
    def test_is_at_the_cheapest_size_and_bound_to_twice_its_epochs(self) -> None:
        costs = {size: PACES[size] + EPOCHS[size] for size in SIZES}
        first = first_run(ancestor(), 16, SIZES, SIZES)

        assert first is not None
        assert first.batch_size == min(costs, key=lambda size: costs[size]) == 64
        assert first.epoch_bound == pytest.approx(2 * math.exp(EPOCHS[64]), rel=0.15)

    def test_has_no_bound_at_the_default(self) -> None:
        first = first_run(ancestor(), 64, SIZES, SIZES)

        assert first is not None
        assert (first.batch_size, first.epoch_bound) == (64, None)

    def test_is_at_a_size_within_those_that_the_ancestor_has_tried(self) -> None:
        narrow = replace(ancestor(), sizes=ancestor().sizes[:2])
        first = first_run(narrow, 16, SIZES, SIZES)

        assert first is not None
        assert first.batch_size == 16

    def test_is_at_a_size_that_is_live(self) -> None:
        first = first_run(ancestor(), 16, SIZES, (8, 16, 32, 256))

        assert first is not None
        assert first.batch_size == 32

    def test_is_not_advised_by_a_similar_task_or_where_nothing_is_known(self) -> None:
        unknown = replace(ancestor(), sizes=(AncestorSize(16, 1, None, 2.0), AncestorSize(32, 1, None, 2.0)))

        assert first_run(ancestor(Kinship.SIMILAR), 16, SIZES, SIZES) is None
        assert first_run(unknown, 16, SIZES, SIZES) is None
        assert first_run(ancestor(), 2048, (1024, 2048), (1024, 2048)) is None


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**31 - 1),
            st.integers(1, 2**31 - 1),
            st.none() | st.floats(-100, 100),
            st.none() | st.floats(-100, 100),
        ),
        min_size=1,
        max_size=60,
        unique_by=lambda size: size[0],
    ),
    st.sampled_from(Kinship),
    st.floats(1e-12, 1e12),
    st.floats(-20, 20),
)
def test_whatever_an_ancestor_says_beliefs_are_finite(
    sizes: list[tuple[int, int, float | None, float | None]], kinship: Kinship, variance: float, log_epochs: float
) -> None:
    odd = Ancestor("odd", kinship, 7, variance, variance, tuple(AncestorSize(*size) for size in sorted(sizes)))
    told = known({16: log_epochs}, odd)

    assert all(math.isfinite(mean) for mean in told.values())
    first = first_run(odd, 16, SIZES, SIZES)
    assert first is None or first.batch_size in SIZES
