"""The life of trials, as a client sees it.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.job_lives import LEASE, play_on, retired, run, types
from tests.support.jobs import Trial
from tests.support.server import Server

pytestmark = [pytest.mark.usefixtures("registered"), ANY_DATABASE]


@EVERY_DATABASE
class TestRunIds:
    def test_an_open_trial_comes_back_with_what_it_used_so_far(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.report(trial, time=20.0, energy=50.0, current_epoch=3)
        offer = server.offer(run_id="r")

        assert Trial.of(offer) == trial
        assert (offer["resumed"], offer["finished"]) == (True, False)
        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (20.0, 50.0, 3)

    @ANY_DATABASE
    @pytest.mark.parametrize("reason", ["preempted", "cancelled"])
    def test_a_trial_that_was_interrupted_reopens(self, server: Server, reason: str) -> None:
        trial = server.ask(run_id="r")
        server.end(trial, reason)

        assert server.ask(run_id="r") == trial
        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Dispatched", None)

    def test_a_trial_that_expired_reopens(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.time_passes(LEASE + 60)

        assert server.ask(run_id="r") == trial
        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_run_that_converged_gets_its_trial_back_as_finished(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.converge(trial)
        offer = server.offer(run_id="r")

        assert Trial.of(offer) == trial
        assert offer["finished"] is True
        assert server.trial(trial)["outcome"] == "converged"

    @ANY_DATABASE
    def test_a_run_that_failed_to_converge_gets_a_new_trial(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.miss(trial)
        again = server.ask(run_id="r")

        assert again.trial_number == 2
        assert server.ask(run_id="r") == again

    @ANY_DATABASE
    @pytest.mark.parametrize("reason", ["error", "oom"])
    def test_a_run_that_broke_gets_a_new_trial(self, server: Server, reason: str) -> None:
        trial = server.ask(run_id="r")
        server.end(trial, reason)

        assert server.ask(run_id="r").trial_number == 2
        assert server.trial(trial)["reason"] == reason

    @ANY_DATABASE
    def test_reopening_does_not_count_against_the_size(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        for _ in range(5):
            server.time_passes(LEASE + 60)
            assert server.ask(run_id="r") == trial

        assert retired(server) == {}

    @ANY_DATABASE
    def test_the_run_id_of_another_run_is_of_no_use(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.end(trial, "preempted")

        assert server.ask(run_id="R").trial_number == 2
        assert server.ask().trial_number == 3


class TestLateResults:
    @pytest.mark.parametrize("reason", ["expired", "cancelled", "error", "preempted"])
    def test_a_report_reopens_the_trial(self, server: Server, reason: str) -> None:
        trial = server.ask()
        if reason == "expired":
            server.time_passes(LEASE + 1)
            server.ask()
        else:
            server.end(trial, reason)
        answer = server.report(trial)

        assert not answer["stop_train"]
        assert server.trial(trial)["status"] == "Dispatched"

    @pytest.mark.parametrize("reason", ["expired", "cancelled", "error", "preempted"])
    def test_a_result_that_comes_late_counts(self, server: Server, reason: str) -> None:
        trial = server.ask()
        if reason == "expired":
            server.time_passes(LEASE + 1)
            server.ask()
        else:
            server.end(trial, reason)
        server.converge(trial, 70.0)

        assert server.trial(trial)["outcome"] == "converged"
        assert server.job()["min_cost"] == 70.0
        assert server.size(16)["observations"] == 1

    def test_a_report_of_an_epoch_that_is_known_shows_that_the_run_lives(self, server: Server) -> None:
        trial = server.ask()
        answer = server.report(trial, current_epoch=3)
        server.time_passes(LEASE + 1)
        server.ask()

        assert server.report(trial, current_epoch=2, metric=0.95) == answer
        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_run_out_of_memory_tells_its_straggling_ranks_to_stop(self, server: Server) -> None:
        trial = server.ask()
        server.end(trial, "oom")
        answer = server.report(trial)

        assert (answer["stop_train"], answer["converged"]) == (True, False)
        assert server.trial(trial)["reason"] == "oom"

    def test_an_exploration_whose_place_was_given_again_becomes_concurrent(self, server: Server) -> None:
        late = server.ask()
        server.time_passes(LEASE + 1)
        second = server.ask()
        server.report(late)

        assert types(server) == {late.trial_number: "Concurrent", second.trial_number: "Exploration"}

    def test_an_exploration_whose_place_is_free_takes_it_again(self, server: Server) -> None:
        trial = server.ask()
        server.end(trial, "cancelled")
        server.report(trial)

        assert types(server) == {trial.trial_number: "Exploration"}

    def test_the_late_one_fills_the_place_if_it_finishes_first(self, server: Server) -> None:
        late = server.ask()
        server.time_passes(LEASE + 1)
        second = server.ask()
        server.converge(late)
        following = server.ask()

        assert types(server) == {1: "Exploration", 2: "Concurrent", 3: "Exploration"}
        assert following.batch_size == 8
        server.converge(second, 80.0)
        assert types(server)[2] == "Concurrent"
        assert server.size(16)["observations"] == 2

    def test_the_second_fills_the_place_if_it_finishes_first(self, server: Server) -> None:
        late = server.ask()
        server.time_passes(LEASE + 1)
        second = server.ask()
        server.report(late, current_epoch=1, energy=50.0)
        server.converge(second)
        following = server.ask()
        server.converge(late, 80.0, current_epoch=2)

        assert types(server) == {1: "Concurrent", 2: "Exploration", 3: "Exploration"}
        assert following.batch_size == 8
        assert server.size(16)["observations"] == 2
        assert server.job()["min_cost"] == 80.0

    def test_a_late_failure_does_not_end_a_direction_that_was_tried_anew(self, server: Server) -> None:
        """16 converged in its place, so the walk goes down to 8 although the reopened run of 16 then misses."""
        late = server.ask()
        server.time_passes(LEASE + 1)
        server.converge(server.ask())
        server.miss(late)

        assert server.ask().batch_size == 8
        assert types(server)[late.trial_number] == "Concurrent"

    def test_a_late_result_in_the_bandit_is_an_observation_of_its_arm(self, server: Server) -> None:
        late = server.ask()
        server.end(late, "cancelled")
        play_on(server)
        before = server.size(16)["observations"]
        server.converge(late, 60.0)

        assert server.size(16)["observations"] == before + 1
        assert server.job()["min_cost"] == 60.0
        assert types(server)[late.trial_number] == "Concurrent"

    @EVERY_DATABASE
    def test_a_result_of_an_older_generation_is_recorded_and_steers_nothing(self, server: Server) -> None:
        late = server.ask()
        server.reset()
        run(server, 100.0)
        server.converge(late, 1.0)

        assert (server.trial(late)["outcome"], server.trial(late)["cost"]) == ("converged", 1.0)
        assert server.job()["min_cost"] == 100.0
        assert server.size(16)["observations"] == 1


class TestReplays:
    @pytest.mark.parametrize("epoch", [0, 1, 2, 9, 10, 11, 2**31 - 1])
    @pytest.mark.parametrize("metric", [None, 0.1, 0.95])
    def test_a_converged_trial_answers_as_before(self, server: Server, epoch: int, metric: float | None) -> None:
        trial = server.ask()
        first = server.converge(trial, current_epoch=5)
        before, job = server.trial(trial), server.job()
        again = server.report(trial, current_epoch=epoch, metric=metric, energy=1e6, final=True)

        assert {name: again[name] for name in again if name != "message"} == {
            name: first[name] for name in first if name != "message"
        }
        assert "is already reported." in again["message"], "clients of the zeus package look for these words"
        assert server.trial(trial) == before
        assert server.job() == job

    @pytest.mark.parametrize("epoch", [1, 10, 2**31 - 1])
    def test_a_trial_that_missed_answers_as_before(self, server: Server, epoch: int) -> None:
        trial = server.ask()
        first = server.miss(trial)
        again = server.report(trial, current_epoch=epoch, metric=1.0)

        assert (again["stop_train"], again["converged"], again["outcome"]) == (True, False, first["outcome"])
        assert server.size(16)["observations"] == 1

    def test_a_replay_after_a_restart_answers_as_before(self, own_server: Server) -> None:
        own_server.register()
        trial = own_server.ask()
        own_server.converge(trial)
        before = own_server.report(trial)
        own_server.restart()

        assert own_server.report(trial) == before


class TestStrongerReasons:
    @pytest.mark.parametrize(
        ("first", "second", "kept"),
        [
            ("cancelled", "error", "error"),
            ("preempted", "error", "error"),
            ("cancelled", "oom", "oom"),
            ("error", "oom", "oom"),
            ("oom", "error", "oom"),
            ("oom", "cancelled", "oom"),
            ("error", "cancelled", "error"),
            ("error", "preempted", "error"),
            ("error", None, "error"),
            ("cancelled", None, "error"),
            ("oom", None, "oom"),
        ],
    )
    def test_the_stronger_reason_is_kept(self, server: Server, first: str, second: str | None, kept: str) -> None:
        trial = server.ask()
        server.end(trial, first)
        server.end(trial, second)

        assert server.trial(trial)["reason"] == kept

    @pytest.mark.parametrize(("reason", "kept"), [("error", "error"), ("oom", "oom"), ("cancelled", "expired")])
    def test_what_expired_may_turn_out_to_be_worse(self, server: Server, reason: str, kept: str) -> None:
        trial = server.ask()
        server.time_passes(LEASE + 1)
        server.ask()
        server.end(trial, reason)

        assert server.trial(trial)["reason"] == kept

    def test_one_end_told_twice_counts_once(self, server: Server) -> None:
        for _ in range(2):
            trial = server.ask()
            for _ in range(3):
                server.end(trial, "error")

        assert retired(server) == {}

    def test_an_expiry_that_turns_out_an_error_counts_once(self, server: Server) -> None:
        for _ in range(2):
            trial = server.ask()
            server.time_passes(LEASE + 1)
            server.ask(run_id="another")
            server.end(trial, "error")
            server.end(server.ask(run_id="another"), "cancelled")

        assert retired(server) == {}


class TestConcurrentTrials:
    def test_while_an_exploration_is_open_others_are_concurrent(self, server: Server) -> None:
        for _ in range(3):
            server.ask()

        assert types(server) == {1: "Exploration", 2: "Concurrent", 3: "Concurrent"}

    def test_before_any_size_has_converged_they_run_the_size_under_exploration(self, server: Server) -> None:
        assert [server.ask().batch_size for _ in range(3)] == [16, 16, 16]

    def test_afterwards_they_run_the_cheapest_live_size_that_converged(self, server: Server) -> None:
        run(server, 100.0)
        run(server, 60.0)
        exploring = server.ask()

        assert exploring.batch_size == 32
        assert [server.ask().batch_size for _ in range(2)] == [8, 8]

    def test_they_set_the_least_cost_and_are_observations(self, server: Server) -> None:
        server.ask()
        server.converge(server.ask(), 55.0)

        assert server.job()["min_cost"] == 55.0
        assert server.size(16)["observations"] == 1

    def test_they_do_not_advance_the_walk(self, server: Server) -> None:
        server.ask()
        server.converge(server.ask())
        following = server.ask()

        assert types(server)[following.trial_number] == "Concurrent"

    def test_after_the_last_round_each_surviving_size_is_an_arm(self, server: Server) -> None:
        play_on(server)

        assert all(size["is_arm"] for size in server.job()["batch_sizes"])
        assert set(types(server).values()) == {"Exploration", "MAB"}

    def test_the_next_round_starts_at_the_cheapest(self, server: Server) -> None:
        server.change(num_pruning_rounds=2)
        costs = {8: 100.0, 16: 90.0, 32: 60.0, 64: 110.0}
        given = []
        for _ in range(8):
            trial = server.ask()
            given.append(trial.batch_size)
            server.converge(trial, costs[trial.batch_size])

        assert given == [16, 8, 32, 64, 32, 16, 8, 64]
