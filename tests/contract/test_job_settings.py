"""Changed settings of a job, and the sources of its energies.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import math
import re

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.job_lives import retired, run
from tests.support.server import Server

pytestmark = [pytest.mark.usefixtures("registered"), ANY_DATABASE]


def recomputed(server: Server) -> dict[int, tuple[int, float, float]]:
    """Count, mean and sum of squared deviations of each arm's rewards, from the stored trials alone."""
    job = server.job()
    spec = job["spec"]
    rewards: dict[int, list[float]] = {}
    for view in server.trials():
        if view["status"] == "Succeeded" and view["generation"] == job["generation"]:
            cost = spec["eta_knob"] * view["energy"] + (1 - spec["eta_knob"]) * spec["max_power"] * view["time"]
            rewards.setdefault(view["batch_size"], []).append(-cost)
    return {
        size: (len(seen), math.fsum(seen) / len(seen), math.fsum((x - math.fsum(seen) / len(seen)) ** 2 for x in seen))
        for size, seen in rewards.items()
    }


class TestSettings:
    @EVERY_DATABASE
    def test_a_changed_eta_recomputes_costs_arms_and_the_least_cost(self, server: Server) -> None:
        for step in range(12):
            trial = server.ask()
            server.converge(trial, 100.0 + 7 * step, time=50.0 - 3 * step)
        server.change(eta_knob=0.25)
        costs = [0.25 * view["energy"] + 0.75 * 300.0 * view["time"] for view in server.trials()]

        assert [view["cost"] for view in server.trials()] == pytest.approx(costs)
        assert server.job()["min_cost"] == pytest.approx(min(costs))
        self.assert_arms_are_recomputed(server)

    def test_so_does_a_registration_without_an_id_that_changes_eta(self, server: Server) -> None:
        job_id = server.register(job_id=None)["job_id"]
        server.converge(server.ask(job_id), 100.0, time=10.0)
        server.register(job_id=None, eta_knob=0.5)

        assert server.job(job_id)["min_cost"] == 0.5 * 100.0 + 0.5 * 300.0 * 10.0

    @EVERY_DATABASE
    def test_eta_there_and_back_again_is_as_before(self, server: Server) -> None:
        for step in range(8):
            server.converge(server.ask(), 100.0 + 7 * step, time=5.0 + step)
        before = server.sql("SELECT * FROM batch_size_state ORDER BY batch_size")
        server.change(eta_knob=0.0)
        server.change(eta_knob=1.0)

        assert server.sql("SELECT * FROM batch_size_state ORDER BY batch_size") == before

    def test_results_after_a_changed_eta_go_on_from_there(self, server: Server) -> None:
        server.change(beta_knob=None)
        for step in range(6):
            server.converge(server.ask(), 100.0 + 7 * step, time=5.0 + step)
        server.change(eta_knob=0.5)
        for step in range(6):
            server.converge(server.ask(), 100.0 + 3 * step, time=4.0 + step)

        self.assert_arms_are_recomputed(server)

    @EVERY_DATABASE
    def test_an_older_generation_stays_out_of_the_recomputation(self, server: Server) -> None:
        server.converge(server.ask(), 1.0)
        server.reset()
        server.converge(server.ask(), 100.0, time=10.0)
        server.change(eta_knob=0.5)

        assert server.job()["min_cost"] == 0.5 * 100 + 0.5 * 300 * 10
        assert server.size(16)["observations"] == 1

    def test_a_changed_beta_holds_from_the_next_report_on(self, server: Server) -> None:
        run(server, 100.0)
        trial = server.ask()
        assert not server.report(trial, energy=190.0)["stop_train"]
        server.change(beta_knob=1.5)

        assert server.report(trial, energy=190.0, current_epoch=2)["outcome"] == "cost-bound"

    def test_a_changed_max_epochs_holds_from_the_next_report_on(self, server: Server) -> None:
        trial = server.ask()
        server.change(max_epochs=20)
        assert not server.report(trial, current_epoch=10)["stop_train"]

        assert server.report(trial, current_epoch=20)["outcome"] == "target-missed"

    def test_a_window_looks_at_the_latest_rewards_only(self, server: Server) -> None:
        """8 was the best until its latest run; over all its runs it still would be, more often than not."""
        server.register(job_id="window", batch_sizes=[8, 16], mab_num_explorations=1, window_size=1, beta_knob=None)
        for expected, cost in ((16, 100.0), (8, 50.0), (8, 120.0)):
            trial = server.ask("window")
            assert trial.batch_size == expected
            server.converge(trial, cost)
        given = []
        for _ in range(20):
            trial = server.ask("window")
            given.append(trial.batch_size)
            server.converge(trial, 100.0)

        assert set(given) == {16}

    @EVERY_DATABASE
    def test_the_first_decision_of_the_bandit_looks_at_the_window_too(self, server: Server) -> None:
        """Over both rounds of Pruning 16 was the cheaper, in its latest run it was not."""
        server.register(
            job_id="window",
            batch_sizes=[8, 16],
            default_batch_size=8,
            num_pruning_rounds=2,
            mab_num_explorations=1,
            window_size=1,
            beta_knob=None,
        )
        for expected, cost in ((8, 100.0), (16, 50.0), (16, 120.0), (8, 100.0)):
            trial = server.ask("window")
            assert trial.batch_size == expected
            server.converge(trial, cost)

        assert server.ask("window").batch_size == 8

    @staticmethod
    def assert_arms_are_recomputed(server: Server) -> None:
        stored = {
            row["batch_size"]: (row["num_observations"], row["reward_mean"], row["reward_m2"])
            for row in server.sql("SELECT * FROM batch_size_state WHERE num_observations > 0")
        }
        expected = recomputed(server)

        assert set(stored) == set(expected)
        for size, (count, mean, m2) in expected.items():
            assert stored[size][0] == count
            assert stored[size][1] == pytest.approx(mean, rel=1e-9)
            assert stored[size][2] == pytest.approx(m2, rel=1e-6, abs=1e-9 * mean * mean)


class TestEnergySources:
    def test_a_run_that_was_measured_in_part_is_recorded_and_not_learnt_from(self, server: Server) -> None:
        first = server.ask()
        answer = server.converge(first, 100.0, energy_source="partial")
        assert "too much of its energy could not be measured" in answer["message"]
        assert (server.trial(first)["energy_source"], server.job()["energy_source"]) == ("partial", None)
        assert server.job()["left_out"].startswith("1 run is not learnt from and not compared")
        assert server.job()["savings"]["runs"]["left_out"] == 1
        server.converge(server.ask(), 100.0, energy_source="counter")
        assert server.job()["energy_source"] == "counter"
        for _ in range(4):
            server.converge(server.ask(), 1.0, energy_source="partial")
        assert (server.job()["energy_source"], server.job()["generation"]) == ("counter", 1)
        assert server.job()["min_cost"] == 100.0

    @EVERY_DATABASE
    def test_the_first_source_is_the_jobs(self, server: Server) -> None:
        server.report(server.ask(), energy_source="counter")

        assert server.job()["energy_source"] == "counter"

    def test_a_run_of_another_source_is_recorded_warned_about_and_not_learnt_from(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        trial = server.ask()
        answer = server.converge(trial, 1.0, energy_source="estimate")

        assert "estimate" in answer["message"]
        assert (server.trial(trial)["cost"], server.trial(trial)["energy_source"]) == (1.0, "estimate")
        assert server.job()["min_cost"] == 100.0
        assert server.size(trial.batch_size)["observations"] == 0

    def test_runs_that_are_not_learnt_from_are_told_with_the_reason(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        foreign = server.ask()
        server.converge(foreign, 90.0, energy_source="estimate")
        failed = server.ask()
        server.report(failed, energy_source="partial")
        server.end(failed, "error")
        answers = (
            server.call("GET", "/job", job_id="job"),
            server.call("GET", "/job/trial", job_id="job", number=foreign.trial_number),
        )
        page, of_foreign = (re.sub(r"\s+", " ", re.sub("<[^>]*>", "", answer.text)) for answer in answers)
        why = "its energy comes from an estimate, the job's from energy counters"

        assert server.trial(foreign)["message"].endswith(f"Not learnt from: {why}.")
        assert "Left out: too much of its energy could not be measured" in server.trial(failed)["message"]
        assert server.size(foreign.batch_size)["left_out"] + server.size(failed.batch_size)["left_out"] >= 2
        assert server.size(foreign.batch_size)["mean_energy"] is None
        assert server.job()["left_out"] == (
            "2 runs are not learnt from and not compared: the energy comes from an estimate (1), partial readings (1), "
            "the job's from energy counters."
        )
        assert page.count("not learnt from") == 3
        assert why.replace("'", "&#39;") in of_foreign

    def test_its_place_in_the_walk_is_given_again(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        foreign = server.ask()
        server.converge(foreign, 90.0, energy_source="estimate")

        assert server.ask().batch_size == foreign.batch_size

    def test_a_failure_of_another_source_retires_nothing(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        assert server.report(server.ask(), energy=500.0, energy_source="estimate")["outcome"] == "cost-bound"

        assert retired(server) == {}

    def test_a_run_that_does_not_say_is_learnt_from(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        server.converge(server.ask(), 90.0)

        assert server.job()["min_cost"] == 90.0

    @EVERY_DATABASE
    def test_three_of_another_source_in_a_row_switch_the_job_in_a_new_generation(self, server: Server) -> None:
        server.converge(server.ask(), 100.0, energy_source="counter")
        for _ in range(2):
            server.converge(server.ask(), 90.0, energy_source="estimate")
        assert (server.job()["energy_source"], server.job()["generation"]) == ("counter", 1)
        server.converge(server.ask(), 90.0, energy_source="estimate")

        assert (server.job()["energy_source"], server.job()["generation"]) == ("estimate", 2)
        assert server.job()["min_cost"] is None
        server.converge(server.ask(), 80.0, energy_source="estimate")
        assert server.job()["min_cost"] == 80.0

    def test_one_of_the_jobs_own_source_between_breaks_the_row(self, server: Server) -> None:
        for source in ("counter", "estimate", "estimate", "counter", "estimate", "estimate"):
            server.converge(server.ask(), 90.0, energy_source=source)

        assert (server.job()["energy_source"], server.job()["generation"]) == ("counter", 1)
