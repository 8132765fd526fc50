"""The simulator against figures reckoned by hand from the tiny traces."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from tests.support.traces import tiny_pair
from tests.unit.simulator.scripted import Scripted

from zeus_bso.protocol.words import Outcome
from zeus_bso.simulator.draws import Draws
from zeus_bso.simulator.runner import MAX_ATTEMPTS, metrics, simulate
from zeus_bso.simulator.scenario import Drift, Scenario
from zeus_bso.simulator.traces import Pair, RecordedRun
from zeus_bso.simulator.world import SimulatedWorkload


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


def test_runs_train_at_full_power(pair: Pair) -> None:
    (first, second) = simulate(SimulatedWorkload(pair), Scripted(64), seed=0, recurrences=2)

    assert (first.time_s, first.energy_j) == (second.time_s, second.energy_j) == (8 * 8, 8 * 1440)


def test_reports_are_cumulative_and_tell_the_hardest_level_reached(pair: Pair) -> None:
    decider = Scripted(16)

    simulate(SimulatedWorkload(pair), decider, seed=0, recurrences=1)

    reports = decider.reports[1]
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert [report.metric for report in reports] == pytest.approx([0.1, 0.5, 0.5, 0.9])
    assert [report.time_s for report in reports] == [16, 32, 48, 64]
    assert [report.energy_j for report in reports] == [1920, 3840, 5760, 7680]


def test_a_failed_try_is_paid_for_and_tried_again(pair: Pair) -> None:
    (only,) = simulate(SimulatedWorkload(pair), Scripted(128, 16), seed=0, recurrences=1)

    assert [(one.batch_size, one.epochs, one.outcome) for one in only.attempts] == [
        (128, 10, Outcome.TARGET_MISSED),
        (16, 4, Outcome.CONVERGED),
    ]
    assert only.time_s == 10 * 7 + 4 * 16
    assert only.reached


def test_a_try_that_is_stopped_at_once_costs_an_epoch(pair: Pair) -> None:
    decider = Scripted(64, 16, stops=lambda report: report.epoch == 1 and report.time_s == 8)

    (only,) = simulate(SimulatedWorkload(pair), decider, seed=0, recurrences=1)

    assert [one.epochs for one in only.attempts] == [1, 4]
    assert only.time_s == 8 + 4 * 16


def test_a_policy_that_is_stuck_does_not_hang_the_simulation(pair: Pair) -> None:
    (only,) = simulate(SimulatedWorkload(pair), Scripted(128), seed=0, recurrences=1)

    assert len(only.attempts) == MAX_ATTEMPTS
    assert not only.reached


def test_the_nth_run_of_a_size_is_the_same_whatever_was_run_before(pair: Pair) -> None:
    alone = simulate(SimulatedWorkload(pair), Scripted(32), seed=7, recurrences=30)
    mixed = simulate(SimulatedWorkload(pair), Scripted(*[64, 32, 16] * 30), seed=7, recurrences=90)

    ours = [each.attempts[0].epochs for each in alone]
    assert set(ours) == {3, 5}
    assert ours == [each.attempts[0].epochs for each in mixed if each.attempts[0].batch_size == 32]


def test_another_seed_takes_other_runs(pair: Pair) -> None:
    epochs = {
        tuple(each.attempts[0].epochs for each in simulate(SimulatedWorkload(pair), Scripted(32), s, 30))
        for s in range(4)
    }

    assert len(epochs) == 4


def test_accidents_leave_the_recorded_runs_as_they_are(pair: Pair) -> None:
    calm, wild = (
        Draws(pair.runs, scenario, 3) for scenario in (Scenario(), Scenario(crash_rate=0.5, preempt_rate=0.5))
    )

    drawn = [(calm.next_run(32), wild.next_run(32)) for _ in range(50)]

    assert all(one.run == other.run for one, other in drawn)
    assert not any(one.crashes or one.preempted for one, _ in drawn)
    assert 10 < sum(other.crashes for _, other in drawn) < 40


def test_results_come_late_when_recurrences_overlap(pair: Pair) -> None:
    decider = Scripted(16)

    simulate(SimulatedWorkload(pair, Scenario(overlap=2)), decider, seed=0, recurrences=4)

    assert decider.events == ["ask 1", "ask 2", "ask 3", "end 1", "ask 4", "end 2", "end 3", "end 4"]


def test_a_retry_of_an_overlapping_recurrence_belongs_to_it(pair: Pair) -> None:
    done = simulate(SimulatedWorkload(pair, Scenario(overlap=1)), Scripted(128, 16), seed=0, recurrences=3)

    assert [[one.batch_size for one in each.attempts] for each in done] == [[128, 16], [16], [16]]


def test_a_crash_is_paid_for_up_to_the_end_of_its_epoch_and_tried_again(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(crash_rate=0.4))
    decider = Scripted(16)

    done = simulate(world, decider, seed=1, recurrences=40)

    crashed = [one for each in done for one in each.attempts if one.outcome is None]
    assert crashed
    assert all(1 <= one.epochs <= 4 for one in crashed)
    assert all(len(decider.reports[one.trial_number]) == one.epochs - 1 for one in crashed)
    assert all(each.reached for each in done)


def test_a_preempted_run_pays_one_epoch_twice_and_reports_it_once(pair: Pair) -> None:
    decider = Scripted(16)

    (first, second) = simulate(SimulatedWorkload(pair, Scenario(preempt_rate=1.0)), decider, seed=0, recurrences=2)

    assert [one.epochs for one in (*first.attempts, *second.attempts)] == [5, 5]
    assert decider.reports[2][-1].time_s == 4 * 16
    assert second.time_s == 5 * 16


def test_drift_multiplies_the_epochs_from_its_recurrence_on(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(drift=Drift(at=1, factor=2.5)))

    done = simulate(world, Scripted(16, max_epochs=40), seed=0, recurrences=3)

    assert [each.attempts[0].epochs for each in done] == [4, 10, 10]
    assert world.max_epochs == 40


def test_tilted_drift_moves_the_optimum(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(drift=Drift(at=1, factor=1.0, tilt=1.0)))

    assert world.oracle(0).batch_size == 32
    assert world.oracle(1).batch_size == 16


def test_the_oracle_expects_to_pay_for_failed_tries(tmp_path: Path) -> None:
    pair = tiny_pair(tmp_path)
    world = SimulatedWorkload(pair)

    # 32: 3 or 5 epochs, 4 in the mean, each 0.5 x 1,500 + 0.5 x 200 x 10 = 1,750 J.
    assert (world.oracle().batch_size, world.oracle().power_limit_w) == (32, 200)
    assert world.oracle().cost_j == 4 * 1750
    assert world.expected(128, 200.0) is None


def test_a_size_that_fails_now_and_then_costs_its_failures(tmp_path: Path) -> None:
    from tests.support.traces import TRAIN

    pair = tiny_pair(tmp_path, train=TRAIN.replace("2,0.9,5", "2,0.9,nan"))

    expected = SimulatedWorkload(pair).expected(32, 200.0)

    # Every other try takes all 10 epochs in vain: (3 + 10) epochs for each success.
    assert expected is not None
    assert expected.time_s == 13 * 10


def test_the_clock_runs_with_the_tries(pair: Pair) -> None:
    done = simulate(SimulatedWorkload(pair), Scripted(16), seed=0, recurrences=3)

    assert [each.attempts[0].began_s for each in done] == [0, 64, 128]


def test_levels_that_were_passed_out_of_order_do_not_fall_back() -> None:
    run = RecordedRun(levels=(0.1, 0.2, 0.3), epochs=(1, 4, 3), target_epoch=3, floor=0.0)

    assert list(islice(metrics(run), 5)) == [0.1, 0.1, 0.3, 0.3, 0.3]
