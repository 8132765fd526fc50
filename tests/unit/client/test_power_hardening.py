"""Power limits under odd conditions: ends in the midst of calls, other users of the GPU, broken cards and counters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.power_card import PowerCard, insert_card
from tests.support.power_training import GOAL, OPTIMIZE, Training, gpu_of, is_best

from zeus_bso.client.power.claims import GpuClaim, records_here
from zeus_bso.client.power.limiter import PowerLimiter, PowerLimitError, restore_left_over
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.monitor.interface import Measurement
from zeus_bso.monitor.sensors.gpu import PowerLimits
from zeus_bso.power.goal import PowerGoal, PowerPlan
from zeus_bso.power.search import merged, next_limit
from zeus_bso.protocol.power import PowerPoint, PowerProfile

FIXED = PowerPlan(300.0, GOAL)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PowerCard:
    return insert_card(monkeypatch, tmp_path)


class TestEnds:
    def test_a_run_that_has_ended_never_takes_the_gpu_again(self, card: PowerCard) -> None:
        training = Training(card, FIXED)
        training.control.close()
        training.control.end_evaluation(training.meter)
        training.control.begin()
        assert card.limit_w == 700
        assert not training.control.is_on

    def test_a_run_that_goes_on_after_an_interruption_measures_on(self, card: PowerCard) -> None:
        training = Training(card)
        training.epochs(4)
        training.control.restore()
        training.epochs(40)
        assert next_limit(training.profile, GOAL) is None
        assert is_best(card)

    def test_an_epoch_in_which_the_limit_was_lifted_is_no_measurement(self, card: PowerCard) -> None:
        training = Training(card)
        training.epochs(4, 400, hooks=False, evaluation_s=0.0)
        lifted_w = card.limit_w
        training.control.restore()
        training.epochs(40, 400, hooks=False, evaluation_s=0.0)
        point = training.profile.at(lifted_w)
        assert point is not None
        assert point.power == pytest.approx(min(lifted_w, card.knee_w), rel=0.02)
        assert is_best(card)

    def test_an_interrupt_in_the_midst_of_a_claim_locks_nothing(
        self, card: PowerCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiter = PowerLimiter([gpu_of(card)])

        def interrupted(handle: object, limit: int) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(card, "nvmlDeviceSetPowerManagementLimit", interrupted)
            with pytest.raises(KeyboardInterrupt):
                limiter.claim()
        limiter.claim()
        limiter.set_limit(300.0)
        assert card.limit_w == 300
        limiter.restore()

    def test_a_forked_child_leaves_its_parents_gpu_alone(self, card: PowerCard) -> None:
        training = Training(card, FIXED)
        training.control.forget()  # As in a child.
        card.limits_mw.clear()
        training.epoch(40)
        training.control.restore()
        assert card.limits_mw == []

    def test_a_gpu_that_cannot_be_restored_leaves_no_other_one_limited(
        self, card: PowerCard, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = BrokenGpu()
        limiter = PowerLimiter([broken, gpu_of(card)])
        limiter.claim()
        limiter.set_limit(300.0)
        broken.fails = True
        limiter.restore()
        assert card.limit_w == 700
        assert "not restored yet" in caplog.text
        broken.fails = False


class BrokenGpu:
    """A GPU whose library may raise anything."""

    uuid = "GPU-broken"
    model = "Test Card"
    notes = ()
    host_index = None

    def __init__(self) -> None:
        self.fails = False
        self._limit_w = 700.0

    def energy_j(self) -> float:
        return 0.0

    def power_w(self) -> float:
        return 0.0

    def max_power_w(self) -> float:
        return 700.0

    def users(self, own: object) -> None:
        return None

    def power_limits_w(self) -> PowerLimits:
        return PowerLimits(200.0, 700.0, self._limit_w)

    def set_power_limit_w(self, limit_w: float) -> None:
        if self.fails:
            raise ValueError("an odd error")
        self._limit_w = limit_w


class TestOthers:
    def test_a_limit_that_an_administrator_sets_meanwhile_stays(self, card: PowerCard) -> None:
        training = Training(card, FIXED)
        card.limit_w = 250.0
        training.control.restore()
        assert card.limit_w == 250

    def test_a_limit_that_an_administrator_sets_ends_the_measuring(
        self, card: PowerCard, caplog: pytest.LogCaptureFixture
    ) -> None:
        training = Training(card)
        training.epoch(40)
        card.limit_w = 250.0
        training.epochs(20)
        assert card.limit_w == 250
        assert "Somebody else" in caplog.text

    def test_a_limit_that_an_administrator_has_set_after_a_run_died_stays(
        self, card: PowerCard, tmp_path: Path
    ) -> None:
        folder = tmp_path / "power"
        claim = GpuClaim(folder, card.uuid)
        claim.take()
        claim.record(700.0, (300.0,))
        claim.release()
        card.limit_w = 250.0
        assert "stays" in restore_left_over([gpu_of(card)], folder)[0]
        assert card.limit_w == 250
        assert list(records_here(folder)) == []

    def test_another_training_of_the_same_shell_is_another_user(self, card: PowerCard) -> None:
        card.pids = [os.getpid(), os.getppid()]
        with pytest.raises(PowerLimitError, match="other processes"):
            PowerLimiter([gpu_of(card)]).claim()

    def test_a_rank_leaves_its_gpu_to_another_rank(self, card: PowerCard) -> None:
        first, second = PowerLimiter([gpu_of(card)]), PowerLimiter([gpu_of(card)])
        first.claim()
        second.claim({os.getpid()})
        second.set_limit(300.0)
        assert card.limit_w == 700
        first.set_limit(300.0)
        second.restore()
        assert card.limit_w == 300
        first.restore()


class TestProfiles:
    def test_a_profile_that_ended_at_an_administrators_limit_is_measured_anew_without_it(self, card: PowerCard) -> None:
        card.limit_w = 300.0
        profile = Training(card).finish()
        assert next_limit(profile, GOAL) is None
        card.limit_w = 700.0
        free = Training(card, offered=profile)
        free.epochs(30)
        assert is_best(card)
        assert merged(profile, free.profile, GOAL) == free.profile
        assert merged(free.profile, profile, GOAL) == free.profile

    def test_a_limit_above_the_allowed_one_is_neither_confirmed_nor_measured(self, card: PowerCard) -> None:
        profile = Training(card).finish()
        card.limit_w = 220.0
        capped = Training(card, offered=profile)
        capped.epochs(10)
        assert card.limit_w == 220
        assert capped.control.use().power_profile is None
        assert capped.control.use().power_limit is None

    def test_measuring_anew_goes_on_in_the_next_run(self, card: PowerCard) -> None:
        stored = Training(card).finish()
        card.step_s *= 2
        for _ in range(12):
            run = Training(card, offered=stored)
            for _ in range(6):
                run.epoch(40)
            told = run.control.use().power_profile
            stored = merged(stored, told, GOAL) if told is not None else stored
            run.control.close()
        assert stored.revision == 1
        assert next_limit(stored, GOAL) is None
        full = stored.at(700)
        assert full is not None
        assert full.rate == pytest.approx(1 / card.step_s, rel=0.02)

    def test_a_long_checkpoint_between_steps_does_not_count(self, card: PowerCard) -> None:
        training = Training(card)
        for epoch in range(30):
            for step in range(60):
                training.control.begin_step()
                card.train_step()
                training.control.end_step()
                if step == 30:
                    card.clock.advance(10.0)
            training.epoch(1 if epoch else 2)
        for point in training.profile.points:
            assert point.rate == pytest.approx(pace_at(card, point.limit), rel=0.02)

    def test_an_unmeasured_window_is_no_measurement(self, card: PowerCard, monkeypatch: pytest.MonkeyPatch) -> None:
        training = Training(card)
        end_window = training.monitor.end_window
        calls = 0

        def sometimes(key: str) -> Measurement:
            nonlocal calls
            calls += 1
            measured: Measurement = end_window(key)
            if calls % 3 == 2:
                raise ValueError("not now")
            return measured

        monkeypatch.setattr(training.monitor, "end_window", sometimes)
        training.epochs(60, 400, hooks=False, evaluation_s=0.0)
        for point in training.profile.points:
            assert point.power == pytest.approx(min(point.limit, card.knee_w), rel=0.02)

    def test_the_limit_told_is_the_chosen_one(self, card: PowerCard) -> None:
        training = Training(card)
        training.epochs(4)
        use = training.control.use()
        chosen = GOAL.best(training.profile)
        assert chosen is not None
        assert use.power_limit == (None if chosen.limit == 700 else chosen.limit)

    def test_a_number_of_watts_below_the_lowest_limit_is_told_as_it_is_in_force(self, card: PowerCard) -> None:
        training = Training(card, PowerPlan(150.0, GOAL))
        assert (card.limit_w, training.control.use().power_limit) == (200, 200)
        training.control.restore()

    def test_a_card_that_states_no_lowest_limit_is_measured_too(self, card: PowerCard) -> None:
        card.lowest_w = 0.0
        training = Training(card)
        training.epochs(40)
        assert is_best(card)
        assert min(card.limits_mw) >= 140_000


def pace_at(card: PowerCard, limit_w: float) -> float:
    return 1 / (card.cost_per_step(limit_w, eta=0.0) / card.highest_w)


def test_a_restoring_that_fails_costs_the_following_evaluations_nothing(
    card: PowerCard, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(card, FIXED)
    training.control.restore()
    card.allowed = False
    for _ in range(5):
        training.epoch(10)
    assert caplog.text.count("full power") == 1
    assert not training.control.is_on


def test_a_tracker_of_one_window_at_a_time_is_measured_by_epochs(
    card: PowerCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zeus_bso.client.power import control
    from zeus_bso.client.single_process import SingleProcess
    from zeus_bso.monitor.adapters.codecarbon import CodeCarbonAdapter

    adapter = CodeCarbonAdapter.__new__(CodeCarbonAdapter)
    monkeypatch.setattr(control, "adapt", lambda monitor: adapter)
    monkeypatch.setattr(control, "measured_gpus", lambda monitor: [gpu_of(card)])
    made = control.control_of(OPTIMIZE, adapter, SingleProcess(0), TrainingGuard(), "w")
    made.begin()
    made.begin_step()
    assert made._by_steps is None
    made.close()


def test_a_profile_of_a_higher_limit_and_a_later_revision_win() -> None:
    point = PowerPoint(limit=300, power=290, rate=1.0)
    old = PowerProfile(unit="step", lowest=100, highest=300, points=(point,))
    higher = old.model_copy(update={"highest": 400.0})
    later = old.model_copy(update={"revision": 1})
    goal = PowerGoal("cost", 0.5, 700.0)
    assert merged(old, higher, goal) == merged(higher, old, goal) == higher
    assert merged(old, later, goal) == merged(later, old, goal) == later
    assert merged(higher, later, goal) == later
