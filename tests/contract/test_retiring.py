"""What retires a batch size: failures, memory that runs out, misses.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.job_lives import LEASE, ask_for, play_on, retired, run
from tests.support.server import Server

pytestmark = [pytest.mark.usefixtures("registered"), ANY_DATABASE]


class TestRetiringByFailure:
    @pytest.mark.parametrize("reason", ["error", None])
    def test_three_ends_without_a_result_retire_the_size(self, server: Server, reason: str | None) -> None:
        for _ in range(3):
            trial = server.ask()
            assert trial.batch_size == 16
            server.end(trial, reason)

        assert set(retired(server)) == {16}
        assert server.ask().batch_size == 8

    @EVERY_DATABASE
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
    @EVERY_DATABASE
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
