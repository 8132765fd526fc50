"""The power limit of a run, against a stand-in for the NVIDIA management library with virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.power_card import PowerCard, insert_card
from tests.support.power_training import GOAL, OPTIMIZE, Training, gpu_of, is_best

from zeus_bso.client.power.claims import GpuClaim
from zeus_bso.client.power.control import control_of
from zeus_bso.client.power.limiter import PowerLimiter, PowerLimitError, restore_left_over
from zeus_bso.client.single_process import SingleProcess
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import EnergyMonitor, Measurement
from zeus_bso.power.goal import PowerGoal, PowerPlan
from zeus_bso.power.search import next_limit


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PowerCard:
    return insert_card(monkeypatch, tmp_path)


class TestProfiling:
    @pytest.mark.parametrize(("steps", "epochs"), [(40, 30), (2000, 2)])
    @pytest.mark.parametrize("knee_w", [260.0, 450.0, 690.0])
    def test_the_best_limit_is_found_in_the_first_run(
        self, card: PowerCard, steps: int, epochs: int, knee_w: float
    ) -> None:
        card.knee_w = knee_w
        training = Training(card)
        training.epochs(epochs, steps)
        assert next_limit(training.profile, GOAL) is None
        limit_w = training.control.use().power_limit
        assert card.limit_w == (limit_w or 700)
        assert is_best(card)
        training.control.restore()
        assert card.limit_w == 700

    def test_a_later_run_sets_the_best_limit_at_once_and_measures_nothing(self, card: PowerCard) -> None:
        profile = Training(card).finish()
        card.limits_mw.clear()
        later = Training(card, offered=profile)
        assert is_best(card)
        later.epochs(20)
        assert len(set(card.limits_mw)) <= 2
        assert later.control.use().power_profile is None
        assert later.meter.profiling.time_s == 0

    def test_an_aborted_profile_goes_on_in_the_next_run(self, card: PowerCard) -> None:
        first = Training(card)
        first.epochs(6)
        part = first.profile
        assert next_limit(part, GOAL) is not None
        first.control.restore()
        later = Training(card, offered=part)
        later.epochs(30)
        assert next_limit(later.profile, GOAL) is None
        assert {point.limit for point in part.points} <= {point.limit for point in later.profile.points}

    def test_without_hooks_an_epoch_is_measured_at_each_limit(self, card: PowerCard) -> None:
        training = Training(card)
        training.epochs(30, 40, hooks=False, evaluation_s=0.0)
        assert training.profile.unit == "epoch"
        assert next_limit(training.profile, GOAL) is None
        assert is_best(card)

    def test_evaluation_does_not_count(self, card: PowerCard) -> None:
        training = Training(card)
        training.epochs(30, 40, evaluation_s=20.0)
        full = training.profile.at(700)
        assert full is not None
        assert full.rate == pytest.approx(1 / card.step_s, rel=0.01)
        assert full.power == pytest.approx(card.knee_w, rel=0.01)

    def test_the_totals_are_those_of_the_chosen_limit(self, card: PowerCard) -> None:
        training = Training(card)
        began_s = card.clock()
        training.epochs(30, 400, evaluation_s=0.0)
        spent_s = card.clock() - began_s
        best = GOAL.best(training.profile)
        assert best is not None
        # The first steps at full power are part of the warm-up.
        assert training.meter.time_s == pytest.approx(30 * 400 / best.rate, rel=0.01)
        assert training.meter.time_s + training.meter.profiling.time_s == pytest.approx(spent_s)
        assert training.meter.energy_j == pytest.approx(30 * 400 / best.rate * best.power, rel=0.01)

    def test_the_totals_never_fall(self, card: PowerCard) -> None:
        training = Training(card)
        times_s, energies_j = [0.0], [0.0]
        for _ in range(40):
            training.epoch(7)
            times_s.append(training.meter.time_s)
            energies_j.append(training.meter.energy_j)
        assert times_s == sorted(times_s)
        assert energies_j == sorted(energies_j)

    def test_a_pace_that_has_changed_is_measured_again(self, card: PowerCard) -> None:
        profile = Training(card).finish()
        card.step_s *= 2
        card.knee_w = 260.0
        later = Training(card, offered=profile)
        later.epochs(30)
        assert next_limit(later.profile, GOAL) is None
        assert later.profile != profile
        assert is_best(card)

    def test_a_slowdown_bound_is_kept(self, card: PowerCard) -> None:
        card.knee_w = 600.0
        plan = PowerPlan("optimize", PowerGoal("energy", 0.5, 700.0, 1.05))
        training = Training(card, plan)
        training.epochs(30)
        full, best = training.profile.at(700), plan.goal.best(training.profile)
        assert full is not None
        assert best is not None
        assert full.rate / best.rate <= 1.05
        assert best.limit < 600

    def test_a_given_number_of_watts_is_set(self, card: PowerCard) -> None:
        training = Training(card, PowerPlan(300.0, GOAL))
        training.epoch(40)
        assert card.limit_w == 300
        use = training.control.use()
        assert (use.power_limit, use.power_profile) == (300, None)
        training.control.restore()
        assert card.limit_w == 700

    def test_off_touches_nothing(self, card: PowerCard) -> None:
        training = Training(card, PowerPlan("off", GOAL))
        training.epoch(40)
        assert card.limits_mw == []

    def test_a_monitor_that_fails_ends_the_measuring_and_not_the_training(
        self, card: PowerCard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        training = Training(card)
        training.epoch(40)
        end_window = training.monitor.end_window

        def fail(key: str) -> Measurement:
            if key == "power":
                raise ZeusBSOMonitorError("The GPU is lost.")
            return end_window(key)

        monkeypatch.setattr(training.monitor, "end_window", fail)
        training.epoch(40)
        assert "Could not measure power limits" in caplog.text
        assert card.limit_w == 700


class TestLeftAlone:
    def test_an_administrators_limit_is_the_highest_and_is_restored(self, card: PowerCard) -> None:
        card.limit_w = 500.0
        training = Training(card)
        training.epochs(30)
        assert max(card.limits_mw) == 500_000
        assert training.profile.highest == 500
        training.control.restore()
        assert card.limit_w == 500

    @pytest.mark.parametrize("how", ["forbidden", "divided", "shared", "owned"])
    def test_the_training_goes_on_at_full_power(
        self, card: PowerCard, how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ZEUSD_SOCK_PATH", raising=False)
        card.allowed = how != "forbidden"
        card.mig_mode = int(how == "divided")
        card.pids = [1] if how == "shared" else []
        other = PowerLimiter([gpu_of(card)])
        if how == "owned":
            other.claim()
        card.limits_mw.clear()
        training = Training(card)
        training.epochs(5)
        assert card.limits_mw == []
        assert not training.control.is_on
        expected = {
            "forbidden": "SYS_ADMIN",
            "divided": "MIG",
            "shared": "other processes",
            "owned": "Another run",
        }[how]
        assert expected in caplog.text
        assert caplog.text.count("full power") == 1
        assert training.meter.profiling.time_s == 0
        other.restore()

    def test_a_limit_that_the_card_refuses_ends_the_measuring(
        self, card: PowerCard, caplog: pytest.LogCaptureFixture
    ) -> None:
        card.refuses_below_w = 600.0
        training = Training(card)
        training.epochs(30)
        assert "cannot be set" in caplog.text
        assert card.limit_w == 700


class TestRestoring:
    def test_the_next_start_restores_what_a_dead_run_has_left(self, card: PowerCard, tmp_path: Path) -> None:
        folder = tmp_path / "power"
        claim = GpuClaim(folder, card.uuid)
        assert claim.take()
        claim.record(650.0, (300.0,))
        claim.release()  # As the end of its process does.
        card.limit_w = 300.0
        limiter = PowerLimiter([gpu_of(card)], folder)
        limiter.claim()
        assert card.limit_w == 650
        limiter.restore()
        assert list(folder.glob("*")) == []

    def test_left_over_limits_are_restored_without_a_run(self, card: PowerCard, tmp_path: Path) -> None:
        folder = tmp_path / "power"
        claim = GpuClaim(folder, card.uuid)
        claim.take()
        claim.record(650.0, (300.0,))
        card.limit_w = 300.0
        assert "still sets" in restore_left_over([gpu_of(card)], folder)[0]
        assert card.limit_w == 300
        claim.release()
        assert "650 W is restored" in restore_left_over([gpu_of(card)], folder)[0]
        assert card.limit_w == 650
        assert restore_left_over([gpu_of(card)], folder) == []

    def test_a_limit_is_restored_even_by_a_signal_handler_in_the_midst_of_setting(self, card: PowerCard) -> None:
        limiter = PowerLimiter([gpu_of(card)])
        limiter.claim()
        set_limit = card.nvmlDeviceSetPowerManagementLimit

        def interrupted(handle: object, limit: int) -> None:
            card.nvmlDeviceSetPowerManagementLimit = set_limit  # type: ignore[method-assign]
            limiter.restore()
            set_limit(handle, limit)

        card.nvmlDeviceSetPowerManagementLimit = interrupted  # type: ignore[method-assign]
        limiter.set_limit(300.0)
        assert card.limit_w == 700

    def test_a_restored_limit_is_not_set_again(self, card: PowerCard) -> None:
        limiter = PowerLimiter([gpu_of(card)])
        limiter.claim()
        limiter.set_limit(300.0)
        limiter.restore()
        limiter.set_limit(300.0)
        assert card.limit_w == 700

    def test_a_run_that_outlives_an_interruption_limits_its_power_again(self, card: PowerCard) -> None:
        training = Training(card, PowerPlan(300.0, GOAL))
        training.control.restore()
        assert card.limit_w == 700
        training.epoch(10)
        assert card.limit_w == 300
        training.control.restore()

    def test_a_claim_that_cannot_be_written_down_limits_nothing(self, card: PowerCard, tmp_path: Path) -> None:
        folder = tmp_path / "file"
        folder.write_text("")
        with pytest.raises(PowerLimitError, match="written"):
            PowerLimiter([gpu_of(card)], folder).claim()
        assert card.limit_w == 700


def test_a_monitor_without_gpus_leaves_all_limits_alone(card: PowerCard, caplog: pytest.LogCaptureFixture) -> None:
    control = control_of(OPTIMIZE, EnergyMonitor([]), SingleProcess(0), TrainingGuard(), "w")
    control.begin()
    assert not control.is_on
    assert card.limits_mw == []
    assert "No GPU is measured" in caplog.text
