"""The generations of a job: a new start, a deletion, drift.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.job_lives import ask_for, play_on, retired, run, types
from tests.support.jobs import Trial
from tests.support.refusals import assert_refused
from tests.support.server import Server

pytestmark = [pytest.mark.usefixtures("registered"), ANY_DATABASE]


class TestGenerations:
    def test_when_every_size_fails_the_job_begins_a_new_generation(self, server: Server) -> None:
        self.fail_all(server)

        assert server.job()["generation"] == 1
        server.ask()
        assert server.job()["generation"] == 2

    def test_a_wide_generation_tries_every_size_outward_from_the_default(self, server: Server) -> None:
        self.fail_all(server)
        given = []
        for _ in range(4):
            trial = server.ask()
            given.append(trial.batch_size)
            server.miss(trial)

        assert given == [16, 8, 32, 64]

    def test_a_wide_generation_says_that_no_size_reaches_the_target(self, server: Server) -> None:
        self.fail_all(server)
        offer = server.offer()

        assert "max_epochs" in offer["message"]
        assert server.job()["no_size_converges"] is True

    def test_a_wide_generation_that_fails_is_followed_by_another(self, server: Server) -> None:
        self.fail_all(server)
        for _ in range(8):
            server.miss(server.ask())
        server.ask()

        assert server.job()["generation"] == 4

    def test_once_a_size_has_converged_it_says_so_no_longer(self, server: Server) -> None:
        self.fail_all(server)
        run(server)

        assert server.job()["no_size_converges"] is False
        assert not server.offer()["message"]

    @EVERY_DATABASE
    def test_a_wide_generation_keeps_the_sizes_that_converge(self, server: Server) -> None:
        self.fail_all(server)
        for _ in range(4):
            trial = server.ask()
            if trial.batch_size == 64:
                server.converge(trial)
            else:
                server.miss(trial)

        assert {run(server).batch_size for _ in range(4)} == {64}
        assert server.job()["stage"] == "MAB"

    def test_trial_numbers_run_on(self, server: Server) -> None:
        self.fail_all(server)

        assert server.ask().trial_number == 3

    def test_a_direction_ends_with_a_size_that_fails(self, server: Server) -> None:
        """The way down from 16 ends at once; the way up ends at 32, and 64 is never tried."""
        given = []
        for _ in range(2):
            trial = server.ask()
            given.append(trial.batch_size)
            server.miss(trial)

        assert given == [16, 32]
        server.ask()
        assert server.job()["generation"] == 2

    @staticmethod
    def fail_all(server: Server) -> None:
        """Both directions end: 16 on the way down, 32 on the way up."""
        server.miss(server.ask())
        server.miss(server.ask())


class TestReset:
    def test_it_begins_a_new_generation_with_nothing_learnt(self, server: Server) -> None:
        play_on(server)
        server.reset()
        job = server.job()

        assert (job["generation"], job["stage"], job["min_cost"]) == (2, "Pruning", None)
        assert all(size["observations"] == 0 and not size["is_arm"] for size in job["batch_sizes"])
        assert job["no_size_converges"] is False

    def test_trial_numbers_run_on(self, server: Server) -> None:
        run(server)
        server.reset()

        assert server.ask().trial_number == 2

    @EVERY_DATABASE
    def test_every_size_comes_back(self, server: Server) -> None:
        server.miss(server.ask())
        server.reset()

        assert retired(server) == {}
        assert server.ask().batch_size == 16

    def test_an_open_trial_finishes_but_no_longer_steers(self, server: Server) -> None:
        trial = server.ask()
        server.reset()
        assert server.ask().batch_size == 16
        server.converge(trial)

        assert server.job()["min_cost"] is None
        assert server.trial(trial)["outcome"] == "converged"
        assert types(server)[2] == "Exploration"

    def test_an_open_trial_of_before_is_not_bound_by_what_was_forgotten(self, server: Server) -> None:
        run(server, 10.0)
        trial = server.ask()
        server.reset()

        assert not server.report(trial, energy=1000.0)["stop_train"]

    def test_the_same_seed_gives_the_same_sequence_again(self, server: Server) -> None:
        first = [run(server).batch_size for _ in range(20)]
        server.reset()

        assert [run(server).batch_size for _ in range(20)] == first


@EVERY_DATABASE
class TestDeleteLeavesATombstone:
    def test_numbers_run_on_and_the_generation_is_higher(self, server: Server) -> None:
        run(server)
        server.ask()
        server.delete()
        server.register()

        assert server.ask().trial_number == 3
        assert server.job()["generation"] == 2

    def test_a_late_report_for_the_old_job_lands_nowhere(self, server: Server) -> None:
        late = server.ask()
        server.delete()
        server.register()
        server.ask()
        before = server.trials()
        response = server.call("POST", "/report", late.result(metric=1.0))

        assert_refused(response, 400)
        assert server.trials() == before
        assert server.job()["min_cost"] is None

    def test_so_do_a_late_end_and_a_late_heartbeat(self, server: Server) -> None:
        late = server.ask()
        server.delete()
        server.register()
        server.ask()

        assert_refused(server.call("PATCH", "/trials", late.body), 404)
        assert_refused(server.call("POST", "/api/v1/trials/heartbeat", late.body), 404)

    def test_a_second_burial_remembers_the_first(self, server: Server) -> None:
        server.ask()
        server.delete()
        server.register()
        server.delete()
        server.register()

        assert server.ask().trial_number == 2
        assert server.job()["generation"] == 3

    def test_the_run_ids_of_the_old_job_are_forgotten(self, server: Server) -> None:
        server.ask(run_id="r")
        server.delete()
        server.register()

        assert server.ask(run_id="r").trial_number == 2


class TestDrift:
    def drifted(self, server: Server) -> Trial:
        """Two proven sizes end at the bound; the next ask runs without one."""
        play_on(server)
        first = ask_for(server, 16)
        second = ask_for(server, 32)
        for trial in (first, second):
            assert server.report(trial, energy=250.0)["outcome"] == "cost-bound"
        return server.ask()

    def test_after_two_cost_bound_ends_the_next_run_has_no_bound(self, server: Server) -> None:
        trial = self.drifted(server)

        assert server.trial(trial)["uncapped"] is True
        assert not server.report(trial, energy=1e6)["stop_train"]

    def test_it_runs_the_arm_of_the_best_mean(self, server: Server) -> None:
        self.play_with_a_cheapest(server)
        first, second = ask_for(server, 16), ask_for(server, 32)
        for trial in (first, second):
            server.report(trial, energy=250.0)

        assert server.ask().batch_size == 64

    @staticmethod
    def play_with_a_cheapest(server: Server) -> None:
        server.change(mab_num_explorations=10_000)
        for _ in range(5):
            trial = server.ask()
            server.converge(trial, 90.0 if trial.batch_size == 64 else 100.0)

    def test_only_one_runs_without_a_bound_at_a_time(self, server: Server) -> None:
        self.drifted(server)

        assert server.trial(server.ask())["uncapped"] is False

    def test_a_success_between_is_no_drift(self, server: Server) -> None:
        play_on(server)
        first, good, second = ask_for(server, 16), ask_for(server, 8), ask_for(server, 32)
        server.report(first, energy=250.0)
        server.converge(good)
        server.report(second, energy=250.0)

        assert server.trial(server.ask())["uncapped"] is False

    def test_its_cost_replaces_the_least_cost(self, server: Server) -> None:
        server.converge(self.drifted(server), 260.0)

        assert server.job()["min_cost"] == 260.0
        assert not server.report(server.ask(), energy=500.0)["stop_train"]

    def test_failure_counts_start_again(self, server: Server) -> None:
        """16 ended at the bound once before the drift was seen, and may do so once again."""
        play_on(server)
        again = ask_for(server, 16)
        first, second = ask_for(server, 16), ask_for(server, 32)
        for trial in (first, second):
            server.report(trial, energy=250.0)
        server.converge(server.ask(), 260.0)
        server.report(again, energy=600.0)

        assert retired(server) == {}

    def test_sizes_that_the_old_bound_retired_come_back(self, server: Server) -> None:
        play_on(server)
        first, second = ask_for(server, 16), ask_for(server, 16)
        for trial in (first, second):
            server.report(trial, energy=250.0)
        assert set(retired(server)) == {16}
        server.converge(server.ask(), 260.0)

        assert retired(server) == {}

    def test_an_uncapped_run_that_is_lost_is_followed_by_another(self, server: Server) -> None:
        trial = self.drifted(server)
        server.end(trial, "cancelled")

        assert server.trial(server.ask())["uncapped"] is True

    def test_costs_that_rise_for_good_do_not_stop_the_job(self, server: Server) -> None:
        """The reference stops for ever when costs rise by 2.5; here the job goes on at the new level."""
        play_on(server)
        outcomes = []
        for _ in range(40):
            trial = server.ask()
            answer = server.report(trial, energy=250.0, metric=1.0)
            outcomes.append(answer["outcome"])

        assert outcomes.count("cost-bound") <= 4
        assert set(outcomes[-20:]) == {"converged"}
        assert server.job()["min_cost"] == 250.0
