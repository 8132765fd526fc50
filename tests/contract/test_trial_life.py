"""The life of trials (design, section 5) and of generations (section 6), as a client sees them.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import math

import pytest
from tests.support.jobs import Json, Trial
from tests.support.refusals import assert_refused
from tests.support.server import Server

HOUR = 3600.0
LEASE = 6 * HOUR


@pytest.fixture(autouse=True)
def _registered(server: Server) -> None:
    server.register()


def statuses(server: Server) -> list[tuple[int, str]]:
    """Number and status of every trial."""
    return [(view["trial_number"], view["status"]) for view in server.trials()]


def types(server: Server) -> dict[int, str]:
    """Type of every trial, by number."""
    return {view["trial_number"]: view["type"] for view in server.trials()}


def retired(server: Server) -> dict[int, str]:
    """The retired sizes, and why."""
    return {size["batch_size"]: size["retired"] for size in server.job()["batch_sizes"] if size["retired"]}


def run(server: Server, energy: float = 100.0) -> Trial:
    """One recurrence that converges."""
    trial = server.ask()
    server.converge(trial, energy)
    return trial


def play_on(server: Server, sizes: tuple[int, ...] = (8, 16, 32, 64)) -> None:
    """Take the job through Pruning, so that every size is an arm; from there on arms are taken at random."""
    server.change(mab_num_explorations=10_000)
    assert {run(server).batch_size for _ in sizes} == set(sizes)
    run(server)
    assert server.job()["stage"] == "MAB"


def ask_for(server: Server, batch_size: int) -> Trial:
    """Ask until a certain size is given; the other trials are left open."""
    for _ in range(200):
        trial = server.ask()
        if trial.batch_size == batch_size:
            return trial
    raise AssertionError(f"{batch_size} was never given")


class TestRunIds:
    def test_an_open_trial_comes_back_with_what_it_used_so_far(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.report(trial, time=20.0, energy=50.0, current_epoch=3)
        offer = server.offer(run_id="r")

        assert Trial.of(offer) == trial
        assert (offer["resumed"], offer["finished"]) == (True, False)
        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (20.0, 50.0, 3)

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

    def test_a_run_that_failed_to_converge_gets_a_new_trial(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.miss(trial)
        again = server.ask(run_id="r")

        assert again.trial_number == 2
        assert server.ask(run_id="r") == again

    @pytest.mark.parametrize("reason", ["error", "oom"])
    def test_a_run_that_broke_gets_a_new_trial(self, server: Server, reason: str) -> None:
        trial = server.ask(run_id="r")
        server.end(trial, reason)

        assert server.ask(run_id="r").trial_number == 2
        assert server.trial(trial)["reason"] == reason

    def test_reopening_does_not_count_against_the_size(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        for _ in range(5):
            server.time_passes(LEASE + 60)
            assert server.ask(run_id="r") == trial

        assert retired(server) == {}

    def test_the_run_id_of_another_run_is_of_no_use(self, server: Server) -> None:
        trial = server.ask(run_id="r")
        server.end(trial, "preempted")

        assert server.ask(run_id="R").trial_number == 2
        assert server.ask().trial_number == 3


class TestLeases:
    def test_without_heartbeats_a_lease_is_six_hours(self, server: Server) -> None:
        assert server.offer()["lease_s"] == LEASE

    @pytest.mark.parametrize(("heartbeat_s", "lease_s"), [(1, 300), (30, 300), (31, 310), (600, 6000)])
    def test_with_heartbeats_it_is_ten_beats_but_five_minutes_at_least(
        self, server: Server, heartbeat_s: float, lease_s: float
    ) -> None:
        assert server.offer(heartbeat_s=heartbeat_s)["lease_s"] == lease_s

    def test_without_heartbeats_it_is_ten_epochs_if_that_is_more(self, server: Server) -> None:
        server.report(server.ask(), current_epoch=2, time=2 * 5000.0)

        assert server.offer()["lease_s"] == pytest.approx(10 * 5000.0)
        assert server.offer(heartbeat_s=30)["lease_s"] == 300

    def test_heartbeats_between_two_reports_do_not_make_an_epoch_shorter(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.beat(trial, time=9990.0)
        server.report(trial, current_epoch=1, time=10_000.0)
        server.beat(trial, time=19_990.0)
        server.report(trial, current_epoch=2, time=20_000.0)

        assert server.offer()["lease_s"] == pytest.approx(10 * 10_000.0, rel=0.25)

    def test_the_lease_of_a_silent_client_is_a_setting(self, own_server: Server) -> None:
        own_server.restart(trial_lease_s=0.05)
        own_server.register()
        trial = own_server.ask()
        own_server.time_passes(0.1)
        own_server.ask()

        assert own_server.trial(trial)["reason"] == "expired"

    def test_a_lease_that_has_ended_expires_in_the_next_ask(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE + 1)
        assert server.trial(trial)["status"] == "Dispatched"
        again = server.ask()

        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Failed", "expired")
        assert again.batch_size == trial.batch_size
        assert types(server)[again.trial_number] == "Exploration"

    def test_a_lease_that_has_not_ended_holds(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE - 60)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_report_renews_the_lease(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE - 60)
        server.report(trial)
        server.time_passes(LEASE - 60)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_report_of_an_older_epoch_renews_the_lease_too(self, server: Server) -> None:
        """A reference client that was launched again under its run id trains its first epochs once more."""
        trial = server.ask(run_id="r")
        server.report(trial, current_epoch=9)
        for epoch in range(1, 9):
            server.time_passes(2 * HOUR)
            server.report(trial, current_epoch=epoch)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_heartbeat_renews_the_lease_and_keeps_the_totals(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        for beat in range(1, 4):
            server.time_passes(290)
            server.beat(trial, time=290.0 * beat, energy=10.0 * beat, current_epoch=0)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"
        assert (server.trial(trial)["time"], server.trial(trial)["energy"]) == (870.0, 30.0)

    def test_without_its_heartbeats_the_trial_expires_after_five_minutes(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(301)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    def test_heartbeats_alone_keep_a_trial_for_six_hours_only(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        for _ in range(6 * 12 - 1):
            server.time_passes(300)
            server.beat(trial)
        server.ask()
        assert server.trial(trial)["status"] == "Dispatched"

        for _ in range(2):
            server.time_passes(200)
            server.beat(trial)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    def test_a_report_lets_heartbeats_keep_the_trial_for_six_hours_more(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(5 * HOUR)
        server.beat(trial)
        server.report(trial)
        server.time_passes(5 * HOUR)
        server.beat(trial)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_where_epochs_are_long_heartbeats_keep_a_trial_for_ten_of_them(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.report(trial, time=HOUR)
        server.time_passes(9.5 * HOUR)
        server.beat(trial)
        server.ask()
        assert server.trial(trial)["status"] == "Dispatched"

        server.time_passes(HOUR)
        server.beat(trial)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    def test_a_heartbeat_reopens_an_expired_trial(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(400)
        server.ask()
        server.beat(trial)

        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Dispatched", None)

    @pytest.mark.parametrize("reason", ["cancelled", "error"])
    def test_a_heartbeat_reopens_a_trial_that_was_given_up(self, server: Server, reason: str) -> None:
        trial = server.ask()
        server.end(trial, reason)
        server.beat(trial)

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_heartbeat_does_not_bring_back_what_ran_out_of_memory(self, server: Server) -> None:
        trial = server.ask()
        server.end(trial, "oom")
        server.beat(trial)

        assert server.trial(trial)["reason"] == "oom"

    def test_a_heartbeat_changes_nothing_about_a_decided_trial(self, server: Server) -> None:
        trial = run(server)
        before = server.trial(trial)
        server.beat(trial, time=1e6, energy=1e6, current_epoch=9)

        assert server.trial(trial) == before

    def test_no_lost_client_can_block_a_job(self, server: Server) -> None:
        """Every second client vanishes, and still the job gets through Pruning into the bandit."""
        for _ in range(8):
            server.ask()
            server.time_passes(LEASE + 60)
            run(server)

        assert server.job()["stage"] == "MAB"
        assert server.job()["min_cost"] == 100.0


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
        assert "already reported" in again["message"].lower()
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


class TestRetiringByFailure:
    @pytest.mark.parametrize("reason", ["error", None])
    def test_three_ends_without_a_result_retire_the_size(self, server: Server, reason: str | None) -> None:
        for _ in range(3):
            trial = server.ask()
            assert trial.batch_size == 16
            server.end(trial, reason)

        assert set(retired(server)) == {16}
        assert server.ask().batch_size == 8

    def test_three_expiries_retire_the_size(self, server: Server) -> None:
        for _ in range(3):
            assert server.ask().batch_size == 16
            server.time_passes(LEASE + 1)

        assert server.ask().batch_size == 8
        assert set(retired(server)) == {16}

    def test_errors_and_expiries_count_together(self, server: Server) -> None:
        server.end(server.ask(), "error")
        server.ask()
        server.time_passes(LEASE + 1)
        server.end(server.ask())

        assert set(retired(server)) == {16}

    @pytest.mark.parametrize("reason", ["preempted", "cancelled"])
    def test_an_interruption_says_nothing_about_the_size(self, server: Server, reason: str) -> None:
        for _ in range(5):
            server.end(server.ask(), reason)

        assert retired(server) == {}
        assert server.ask().batch_size == 16

    def test_a_result_between_breaks_the_row(self, server: Server) -> None:
        server.change(num_pruning_rounds=5)
        first, *others = [server.ask() for _ in range(5)]
        assert {trial.batch_size for trial in others} == {16}
        server.end(others[0], "error")
        server.end(others[1], "error")
        server.converge(first)
        server.end(others[2], "error")
        server.end(others[3], "error")

        assert retired(server) == {}

    def test_a_trial_that_is_heard_of_again_does_not_count(self, server: Server) -> None:
        trials = [server.ask() for _ in range(3)]
        for trial in trials:
            server.end(trial, "error")
        assert set(retired(server)) == {16}
        server.report(trials[0])

        assert retired(server) == {}

    def test_an_error_does_not_end_the_way_down(self, server: Server) -> None:
        run(server)
        for _ in range(3):
            trial = server.ask()
            assert trial.batch_size == 8
            server.end(trial, "error")

        assert server.ask().batch_size == 32

    def test_a_middle_size_that_errors_does_not_hide_the_smaller_ones(self, server: Server) -> None:
        server.register(job_id="down", default_batch_size=64)
        server.converge(server.ask("down"))
        for _ in range(3):
            trial = server.ask("down")
            assert trial.batch_size == 32
            server.end(trial, "error")

        assert server.ask("down").batch_size == 16


class TestOutOfMemory:
    def test_it_retires_the_size_and_all_larger_ones(self, server: Server) -> None:
        server.end(server.ask(), "oom")

        assert set(retired(server)) == {16, 32, 64}
        assert server.ask().batch_size == 8

    def test_a_size_that_has_converged_before_needs_two_in_a_row(self, server: Server) -> None:
        play_on(server)
        first, second = ask_for(server, 16), ask_for(server, 16)
        server.end(first, "oom")
        assert retired(server) == {}
        server.end(second, "oom")

        assert set(retired(server)) == {16, 32, 64}

    def test_a_success_between_breaks_the_row(self, server: Server) -> None:
        play_on(server)
        first, good, second = (ask_for(server, 64) for _ in range(3))
        server.end(first, "oom")
        server.converge(good)
        server.end(second, "oom")

        assert retired(server) == {}

    def test_a_larger_size_that_was_proven_stays_after_one(self, server: Server) -> None:
        """16 and 8 converged, then 32 has no room: 64 was never tried and goes with it."""
        run(server)
        run(server)
        trial = server.ask()
        assert trial.batch_size == 32
        server.end(trial, "oom")

        assert set(retired(server)) == {32, 64}

    def test_told_twice_it_counts_once(self, server: Server) -> None:
        play_on(server)
        trial = ask_for(server, 64)
        server.end(trial, "oom")
        server.end(trial, "oom")

        assert retired(server) == {}

    def test_when_every_size_is_retired_by_it_the_smallest_is_given_and_the_message_says_so(
        self, server: Server
    ) -> None:
        server.end(server.ask(), "oom")
        server.end(server.ask(), "oom")
        assert set(retired(server)) == {8, 16, 32, 64}
        offer = server.offer()

        assert offer["batch_size"] == 8
        assert "memory" in offer["message"]

    def test_the_smallest_may_come_back(self, server: Server) -> None:
        server.end(server.ask(), "oom")
        server.end(server.ask(), "oom")
        run(server)

        assert 8 not in retired(server)
        assert {run(server).batch_size for _ in range(6)} == {8}

    def test_it_outlives_a_generation(self, server: Server) -> None:
        """Sizes that miss come back in a new generation, those without room do not."""
        server.register(job_id="big", default_batch_size=32)
        server.end(server.ask("big"), "oom")
        server.miss(server.ask("big"))
        server.ask("big")

        assert server.job("big")["generation"] == 2
        assert {s["batch_size"] for s in server.job("big")["batch_sizes"] if s["retired"]} == {32, 64}

    def test_no_room_at_all_but_at_one_large_proven_size_blocks_nothing(self, server: Server) -> None:
        """Smaller sizes ran out of memory on a machine that was shared; the one that is left misses twice."""
        server.register(job_id="odd", default_batch_size=8, beta_knob=None, mab_num_explorations=10_000)
        for _ in range(5):
            server.converge(server.ask("odd"))
        trials = [server.ask("odd") for _ in range(60)]
        small = [trial for trial in trials if trial.batch_size == 8]
        large = [trial for trial in trials if trial.batch_size == 64]
        server.end(small[0], "oom")
        server.converge(large[0])
        server.end(small[1], "oom")
        server.miss(large[1])
        server.miss(large[2])

        assert server.ask("odd").batch_size == 64


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


class TestInstances:
    def test_an_ask_while_the_other_process_still_beats_is_409(self, server: Server) -> None:
        server.offer(run_id="r", instance="a", heartbeat_s=30)
        response = server.call(
            "POST", "/api/v1/trials", {"job_id": "job", "run_id": "r", "instance": "b", "heartbeat_s": 30}
        )

        assert_refused(response, 409)
        assert 0 < int(response.headers["Retry-After"]) <= 76
        assert len(server.trials()) == 1

    def test_the_same_process_asks_again_and_gets_its_trial(self, server: Server) -> None:
        first = server.offer(run_id="r", instance="a", heartbeat_s=30)

        assert Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30)) == Trial.of(first)

    def test_a_process_that_has_fallen_silent_is_superseded(self, server: Server) -> None:
        first = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.time_passes(90)

        assert Trial.of(server.offer(run_id="r", instance="b", heartbeat_s=30)) == first

    def test_a_heartbeat_keeps_others_away(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.time_passes(70)
        server.beat(trial, instance="a")
        server.time_passes(30)
        response = server.call("POST", "/api/v1/trials", {"job_id": "job", "run_id": "r", "instance": "b"})

        assert_refused(response, 409)

    def superseded(self, server: Server) -> Trial:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, instance="a")
        server.time_passes(90)
        server.offer(run_id="r", instance="b", heartbeat_s=30)
        return trial

    def test_reports_of_a_superseded_process_are_409_and_leave_no_trace(self, server: Server) -> None:
        trial = self.superseded(server)
        before = server.trial(trial)
        response = server.call("POST", "/report", trial.result(instance="a", metric=1.0, current_epoch=5))

        assert_refused(response, 409)
        assert server.trial(trial) == before

    def test_a_superseded_process_neither_beats_nor_ends_the_trial(self, server: Server) -> None:
        trial = self.superseded(server)

        assert_refused(server.call("POST", "/api/v1/trials/heartbeat", trial.body | {"instance": "a"}), 409)
        assert_refused(server.call("PATCH", "/trials", trial.body | {"instance": "a"}), 409)
        assert server.trial(trial)["status"] == "Dispatched"

    def test_the_new_process_reports(self, server: Server) -> None:
        trial = self.superseded(server)

        assert server.converge(trial, instance="b")["converged"]

    def test_reports_without_an_instance_are_taken(self, server: Server) -> None:
        trial = self.superseded(server)

        assert server.converge(trial)["converged"]

    def test_a_process_that_ended_the_trial_leaves_it_to_the_next_at_once(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.end(trial, "preempted", instance="a")

        assert Trial.of(server.offer(run_id="r", instance="b", heartbeat_s=30)) == trial

    def test_a_crash_that_comes_back_three_times_retires_the_size(self, server: Server) -> None:
        """Each process dies before its first report; a launcher starts the next under the same run id."""
        given = []
        for attempt in range(5):
            given.append(server.offer(run_id="r", instance=f"i{attempt}", heartbeat_s=30)["batch_size"])
            server.time_passes(90)

        assert given == [16, 16, 16, 8, 8]
        assert set(retired(server)) == {16}


class TestCheckpoints:
    def restarted(self, server: Server, checkpoint: Json | None) -> tuple[Trial, Json]:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        for epoch in (1, 2, 3, 4):
            server.report(trial, current_epoch=epoch, time=10.0 * epoch, energy=20.0 * epoch, instance="a")
        server.beat(trial, time=45.0, energy=90.0, instance="a")
        server.time_passes(90)
        return trial, server.offer(run_id="r", instance="b", heartbeat_s=30, checkpoint=checkpoint)

    def test_a_restart_begins_at_the_checkpoint(self, server: Server) -> None:
        trial, offer = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})

        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (20.0, 40.0, 2)
        assert Trial.of(offer) == trial
        assert server.trial(trial)["wasted_time"] == 25.0
        assert server.trial(trial)["wasted_energy"] == 50.0

    def test_a_restart_without_a_checkpoint_begins_at_zero(self, server: Server) -> None:
        trial, offer = self.restarted(server, None)

        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (0.0, 0.0, 0)
        assert (server.trial(trial)["wasted_time"], server.trial(trial)["wasted_energy"]) == (45.0, 90.0)

    def test_epochs_after_the_checkpoint_are_trained_and_judged_again(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})
        answer = server.report(trial, current_epoch=3, time=31.0, energy=61.0, metric=0.95, instance="b")

        assert answer["converged"]
        assert server.trial(trial)["cost"] == 61.0
        assert server.job()["min_cost"] == 61.0

    def test_epochs_before_the_checkpoint_were_decided(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})

        assert not server.report(trial, current_epoch=2, metric=0.95, instance="b")["stop_train"]

    def test_discarded_work_does_not_bring_the_bound_nearer(self, server: Server) -> None:
        server.converge(server.ask(), 50.0)
        trial, _ = self.restarted(server, None)

        assert not server.report(trial, current_epoch=1, time=10.0, energy=95.0, instance="b")["stop_train"]

    def test_waste_adds_up_over_restarts(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})
        server.report(trial, current_epoch=3, time=30.0, energy=60.0, instance="b")
        server.time_passes(90)
        server.offer(
            run_id="r", instance="c", heartbeat_s=30, checkpoint={"time": 20.0, "energy": 40.0, "current_epoch": 2}
        )

        assert server.trial(trial)["wasted_energy"] == 70.0

    def test_the_same_process_asking_again_discards_nothing(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, current_epoch=4, instance="a")
        offer = server.offer(run_id="r", instance="a", heartbeat_s=30)

        assert offer["current_epoch"] == 4
        assert server.trial(trial)["wasted_energy"] == 0.0

    def test_a_preempted_run_goes_on_from_its_checkpoint(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, current_epoch=4, time=40.0, energy=80.0, instance="a")
        server.end(trial, "preempted", instance="a")
        checkpoint = {"time": 40.0, "energy": 80.0, "current_epoch": 4}
        offer = server.offer(run_id="r", instance="b", heartbeat_s=30, checkpoint=checkpoint)

        assert (offer["current_epoch"], offer["energy"]) == (4, 80.0)
        assert server.trial(trial)["wasted_energy"] == 0.0
        assert server.converge(trial, 90.0, current_epoch=5, instance="b")["converged"]


class TestRetiringByMisses:
    def test_a_size_that_misses_before_it_ever_converged_is_not_given_again(self, server: Server) -> None:
        server.converge(server.ask())
        missed = server.ask()
        server.miss(missed)

        assert set(retired(server)) == {missed.batch_size}
        assert missed.batch_size not in {run(server).batch_size for _ in range(30)}

    def test_a_proven_size_may_miss_once(self, server: Server) -> None:
        play_on(server)
        first = ask_for(server, 16)
        observations = server.size(16)["observations"]
        server.miss(first)

        assert retired(server) == {}
        assert server.size(16)["observations"] == observations + 1

    def test_a_proven_size_that_misses_twice_in_a_row_is_retired(self, server: Server) -> None:
        play_on(server)
        first, second = ask_for(server, 16), ask_for(server, 16)
        server.miss(first)
        server.miss(second)

        assert set(retired(server)) == {16}

    def test_a_success_between_two_misses_saves_it(self, server: Server) -> None:
        play_on(server)
        first, good, second = (ask_for(server, 16) for _ in range(3))
        server.miss(first)
        server.converge(good)
        server.miss(second)

        assert retired(server) == {}

    def test_in_pruning_a_failure_in_any_round_takes_the_size_out(self, server: Server) -> None:
        server.change(num_pruning_rounds=2)
        for _ in range(4):
            run(server)
        second_round = server.ask()
        server.miss(second_round)

        assert set(retired(server)) == {second_round.batch_size}

    def test_a_retired_size_that_converges_late_comes_back(self, server: Server) -> None:
        first, second = server.ask(), server.ask()
        server.miss(first)
        assert set(retired(server)) == {16}
        server.converge(second)

        assert retired(server) == {}


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
