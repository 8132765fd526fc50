"""When a run is stopped: each rule, and the order of the rules."""

from __future__ import annotations

import math

import pytest

from zeus_bso.policy.state import Knobs, Target
from zeus_bso.policy.stop import Verdict, cost_bound, judge, target_reached
from zeus_bso.protocol.words import Outcome

ACCURACY = Target(0.9, higher_is_better=True, max_epochs=10)
LOSS = Target(0.1, higher_is_better=False, max_epochs=10)

SHORT, ENOUGH = 0.5, 0.95


def report(
    target: Target = ACCURACY,
    *,
    cost: float = 50.0,
    metric: float | None = SHORT,
    epoch: int = 3,
    bound: float | None = 100.0,
    non_finite_before: int = 0,
    final: bool = False,
) -> Verdict:
    return judge(
        target,
        cost=cost,
        metric=metric,
        epoch=epoch,
        bound=bound,
        non_finite_before=non_finite_before,
        final=final,
    )


def test_a_run_below_every_limit_goes_on() -> None:
    verdict = report()

    assert (verdict.outcome, verdict.target_reached, verdict.non_finite_in_row) == (None, False, 0)


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"cost": 100.1}, Outcome.COST_BOUND),
        ({"metric": ENOUGH}, Outcome.CONVERGED),
        ({"epoch": 10}, Outcome.TARGET_MISSED),
        ({"metric": None, "non_finite_before": 2}, Outcome.DIVERGED),
        ({"final": True}, Outcome.TARGET_MISSED),
    ],
)
def test_each_rule_ends_a_run_by_itself(facts: dict[str, float], outcome: Outcome) -> None:
    assert report(**facts).outcome is outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"cost": 101.0, "metric": ENOUGH}, Outcome.COST_BOUND),
        ({"cost": 101.0, "epoch": 10}, Outcome.COST_BOUND),
        ({"cost": 101.0, "metric": None, "non_finite_before": 2}, Outcome.COST_BOUND),
        ({"cost": 101.0, "final": True}, Outcome.COST_BOUND),
        ({"metric": ENOUGH, "epoch": 10}, Outcome.CONVERGED),
        ({"metric": ENOUGH, "final": True}, Outcome.CONVERGED),
        ({"epoch": 10, "metric": None, "non_finite_before": 2}, Outcome.TARGET_MISSED),
        ({"final": True, "metric": None, "non_finite_before": 2}, Outcome.DIVERGED),
    ],
)
def test_of_two_rules_the_earlier_one_decides(facts: dict[str, float], outcome: Outcome) -> None:
    assert report(**facts).outcome is outcome  # type: ignore[arg-type]


def test_a_target_reached_over_the_bound_is_still_told() -> None:
    verdict = report(cost=101.0, metric=ENOUGH)

    assert (verdict.outcome, verdict.target_reached) == (Outcome.COST_BOUND, True)


def test_a_cost_at_the_bound_is_not_over_it() -> None:
    assert report(cost=100.0).outcome is None


def test_a_run_without_a_bound_is_never_stopped_by_its_cost() -> None:
    assert report(cost=1e24, bound=None).outcome is None


def test_a_run_past_max_epochs_has_missed_its_target() -> None:
    assert report(epoch=11).outcome is Outcome.TARGET_MISSED


def test_the_epoch_before_the_last_is_not_the_last() -> None:
    assert report(epoch=9).outcome is None


@pytest.mark.parametrize(("metric", "reached"), [(0.9, True), (0.91, True), (0.89, False)])
def test_an_accuracy_reaches_its_target_from_below(metric: float, reached: bool) -> None:
    assert target_reached(ACCURACY, metric) is reached


@pytest.mark.parametrize(("metric", "reached"), [(0.1, True), (0.09, True), (0.11, False)])
def test_a_loss_reaches_its_target_from_above(metric: float, reached: bool) -> None:
    assert target_reached(LOSS, metric) is reached


def test_a_metric_that_was_rounded_below_its_target_has_reached_it() -> None:
    assert ACCURACY.metric > 0.03 * 30
    assert target_reached(ACCURACY, 0.03 * 30)


def test_a_metric_that_is_lower_by_more_than_rounding_has_not_reached_it() -> None:
    assert not target_reached(ACCURACY, 0.8999999999)
    assert not target_reached(LOSS, 0.1000000001)


@pytest.mark.parametrize("target", [ACCURACY, LOSS], ids=["accuracy", "loss"])
@pytest.mark.parametrize("metric", [None, math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_has_not_reached_the_target(target: Target, metric: float | None) -> None:
    verdict = report(target, metric=metric)

    assert (verdict.outcome, verdict.target_reached) == (None, False)


@pytest.mark.parametrize("metric", [None, math.nan, math.inf, -math.inf])
def test_metrics_that_are_not_finite_are_counted(metric: float | None) -> None:
    assert [report(metric=metric, non_finite_before=before).non_finite_in_row for before in (0, 1, 2)] == [1, 2, 3]


def test_the_second_metric_in_a_row_that_is_not_finite_does_not_end_the_run() -> None:
    assert report(metric=None, non_finite_before=1).outcome is None


def test_a_finite_metric_ends_the_row_of_those_that_are_not() -> None:
    verdict = report(metric=SHORT, non_finite_before=2)

    assert (verdict.outcome, verdict.non_finite_in_row) == (None, 0)


def test_every_verdict_has_a_sentence_of_its_own() -> None:
    verdicts = [
        report(),
        report(cost=101.0),
        report(cost=101.0, metric=ENOUGH),
        report(metric=ENOUGH),
        report(epoch=10),
        report(metric=None, non_finite_before=2),
        report(final=True),
    ]

    assert len({verdict.message for verdict in verdicts}) == len(verdicts)


@pytest.mark.parametrize(("beta", "bound"), [(2.0, 200.0), (1.0, 100.0), (0.5, 50.0)])
def test_the_bound_is_beta_times_the_least_cost(beta: float, bound: float) -> None:
    assert cost_bound(Knobs((32,), 32, beta_knob=beta), 100.0, uncapped=False) == bound


def test_before_a_trial_has_converged_there_is_no_bound() -> None:
    assert cost_bound(Knobs((32,), 32), None, uncapped=False) is None


def test_without_beta_there_is_no_bound() -> None:
    assert cost_bound(Knobs((32,), 32, beta_knob=None), 100.0, uncapped=False) is None


def test_an_uncapped_trial_has_no_bound() -> None:
    assert cost_bound(Knobs((32,), 32), 100.0, uncapped=True) is None


def test_a_bound_too_large_for_a_float_is_none() -> None:
    assert cost_bound(Knobs((32,), 32, beta_knob=1e308), 1e24, uncapped=False) is None
