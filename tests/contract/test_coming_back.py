"""Which trial a run gets back after an error, and what its script's own word is worth."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Trial
from tests.support.server import Server

pytestmark = ANY_DATABASE

CHECKPOINT = {"time": 20.0, "energy": 100.0, "current_epoch": 2}


@pytest.fixture(autouse=True)
def _job(server: Server) -> None:
    server.register()


def ask(server: Server, instance: str, **more: Any) -> Trial:
    return Trial.of(server.offer(run_id="r", instance=instance, **more))


def broken(server: Server, reason: str = "error") -> Trial:
    """A trial that has trained three epochs, and broke."""
    trial = ask(server, "a")
    server.report(trial, current_epoch=3, time=30.0, energy=150.0, instance="a")
    server.end(trial, reason)
    return trial


def retired(server: Server) -> dict[int, str]:
    return {size["batch_size"]: size["retired"] for size in server.job()["batch_sizes"] if size["retired"]}


class TestErrors:
    @pytest.mark.parametrize("of_trial", [{}, {"trial_number": 1}])
    def test_a_run_that_broke_goes_on_from_a_checkpoint_of_its_trial(
        self, server: Server, of_trial: dict[str, int]
    ) -> None:
        trial = broken(server)
        assert ask(server, "b", checkpoint=CHECKPOINT | of_trial) == trial

        kept = server.trial(trial)
        assert (kept["current_epoch"], kept["time"], kept["wasted_time"]) == (2, 20.0, 10.0)

    def test_a_checkpoint_of_another_trial_gives_none_back(self, server: Server) -> None:
        broken(server)
        assert ask(server, "b", checkpoint=CHECKPOINT | {"trial_number": 7}).trial_number == 2

    @EVERY_DATABASE
    def test_a_checkpoint_of_another_trial_rewinds_none(self, server: Server) -> None:
        trial = broken(server, "preempted")
        assert ask(server, "b", checkpoint=CHECKPOINT | {"trial_number": 7}) == trial
        assert (server.trial(trial)["current_epoch"], server.trial(trial)["wasted_time"]) == (0, 30.0)

    def test_out_of_memory_is_not_tried_again_at_the_same_size(self, server: Server) -> None:
        broken(server, "oom")
        assert ask(server, "b", checkpoint=CHECKPOINT).trial_number == 2

    def test_a_run_that_breaks_and_gets_on_again_and_again_retires_no_size(self, server: Server) -> None:
        trial = ask(server, "0")
        for launch in range(1, 6):
            epoch = {"time": 10.0 * launch, "energy": 50.0 * launch, "current_epoch": launch}
            server.report(trial, instance=str(launch - 1), **epoch)
            server.end(trial, "error")
            assert ask(server, str(launch), checkpoint=epoch) == trial
        assert retired(server) == {}


class TestOwnWord:
    def test_one_end_below_max_epochs_retires_no_size_and_its_place_is_given_again(self, server: Server) -> None:
        first = server.ask()
        said = server.report(first, final=True)
        again = server.ask()

        assert (said["outcome"], retired(server)) == ("target-missed", {})
        assert "second such end of a batch size in a row retires it" in said["message"]
        assert (again.batch_size, server.trial(again)["type"]) == (first.batch_size, "Exploration")

    def test_two_in_a_row_do(self, server: Server) -> None:
        first = server.ask()
        server.report(first, final=True)
        server.report(server.ask(), final=True)

        assert retired(server) == {first.batch_size: "unconverged"}

    def test_an_interruption_in_between_changes_nothing(self, server: Server) -> None:
        first = server.ask()
        server.report(first, final=True)
        server.end(server.ask(), "preempted")
        assert retired(server) == {}
        server.report(server.ask(), final=True)

        assert retired(server) == {first.batch_size: "unconverged"}

    def test_what_was_decided_at_max_epochs_still_counts_at_once(self, server: Server) -> None:
        trial = server.ask()
        server.miss(trial)
        assert retired(server) == {trial.batch_size: "unconverged"}
