"""What our client tells and a reference client does not: late decisions, evaluations within an epoch, no exploring."""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Trial
from tests.support.server import Server

pytestmark = ANY_DATABASE

BEST, DEFAULT = 8, 16


def far(server: Server, **changes: object) -> None:
    """A job whose size 8 converged at 100 J, so that a run is stopped above 200 J."""
    server.register(batch_sizes=[8, 16], default_batch_size=8, **changes)
    server.converge(server.ask(), energy=100.0)


class TestLateDecisions:
    def test_a_converged_one_counts_whatever_the_bound_has_become(self, server: Server) -> None:
        server.register()
        late = server.ask()
        server.converge(server.ask(), energy=10.0)
        answer = server.report(late, energy=500.0, metric=1.0, decided="converged")
        assert (answer["converged"], answer["outcome"]) == (True, "converged")
        trial = server.trial(late)
        assert (trial["status"], trial["energy"], trial["cost"]) == ("Succeeded", 500.0, 500.0)
        assert server.job()["min_cost"] == 10.0

    def test_without_the_decision_it_would_have_been_stopped_by_its_cost(self, server: Server) -> None:
        server.register()
        late = server.ask()
        server.converge(server.ask(), energy=10.0)
        assert server.report(late, energy=500.0, metric=1.0)["outcome"] == "cost-bound"

    def test_one_that_is_not_true_is_a_miss(self, server: Server) -> None:
        server.register()
        trial = server.ask()
        assert server.report(trial, metric=0.1, decided="converged")["outcome"] == "target-missed"

    @pytest.mark.parametrize(
        ("decided", "metric", "outcome"), [("diverged", None, "diverged"), ("target-missed", 0.1, "target-missed")]
    )
    def test_a_failure_is_told_as_what_it_was(
        self, server: Server, decided: str, metric: float | None, outcome: str
    ) -> None:
        server.register()
        trial = server.ask()
        assert server.report(trial, metric=metric, current_epoch=5, decided=decided)["outcome"] == outcome

    def test_one_of_an_epoch_that_is_known_counts_with_its_own_metric(self, server: Server) -> None:
        server.register()
        trial = server.ask()
        server.report(trial, metric=0.2)
        assert server.report(trial, metric=1.0, decided="converged")["converged"]

    @EVERY_DATABASE
    def test_one_for_an_expired_trial_opens_it_again(self, server: Server) -> None:
        server.register()
        trial = server.ask()
        server.time_passes(7 * 3600)
        server.ask()
        assert server.trial(trial)["reason"] == "expired"
        assert server.report(trial, metric=1.0, decided="converged")["converged"]

    def test_told_twice_it_answers_as_before(self, server: Server) -> None:
        server.register()
        trial = server.ask()
        first = server.report(trial, metric=1.0, decided="converged")
        again = server.report(trial, metric=1.0, decided="converged")
        assert again == {**first, "message": f"Trial 1 is already reported. {first['message']}"}


class TestSeveralEvaluationsOfAnEpoch:
    def test_each_is_judged_by_its_own_metric(self, server: Server) -> None:
        server.register()
        trial = Trial.of(server.offer(instance="a"))
        server.report(trial, instance="a", time=10.0, metric=0.1)
        answer = server.report(trial, instance="a", time=11.0, metric=1.0, within_epoch=True)
        assert answer["converged"]
        assert (server.trial(trial)["time"], server.trial(trial)["current_epoch"]) == (11.0, 1)

    def test_one_that_is_sent_again_is_not_judged_again(self, server: Server) -> None:
        server.register()
        trial = Trial.of(server.offer(instance="a"))
        for time in (10.0, 11.0, 11.0, 11.0):
            answer = server.report(trial, instance="a", time=time, metric=None, within_epoch=time > 10)
            assert not answer["stop_train"]
        assert server.report(trial, instance="a", time=12.0, metric=None, within_epoch=True)["outcome"] == "diverged"

    def test_other_ranks_still_get_the_stored_answer(self, server: Server) -> None:
        server.register()
        trial = Trial.of(server.offer(instance="a"))
        server.report(trial, instance="a", time=10.0, metric=0.1)
        for fields in ({}, {"within_epoch": True}, {"instance": "a"}):
            assert not server.report(trial, time=11.0, metric=1.0, **fields)["stop_train"]


class TestAskingWithoutExploring:
    def test_it_gets_the_best_known_size_beside_an_open_exploration(self, server: Server) -> None:
        far(server)
        exploration = server.ask()
        offer = server.offer(explore=False)
        assert exploration.batch_size != BEST
        assert (offer["batch_size"], offer["message"]) == (BEST, None)

    def test_it_holds_no_place_of_the_exploration(self, server: Server) -> None:
        far(server)
        assert server.trials()[-1]["type"] == "Exploration"
        server.offer(explore=False)
        assert server.trials()[-1]["type"] == "Concurrent"
        assert server.ask().batch_size != BEST

    def test_while_nothing_is_known_it_gets_the_default_and_is_told(self, server: Server) -> None:
        server.register()
        offer = server.offer(explore=False)
        assert offer["batch_size"] == DEFAULT
        assert "No batch size has converged yet" in offer["message"]

    def test_a_retired_default_is_not_given(self, server: Server) -> None:
        server.register()
        server.end(server.ask(), "oom")
        assert server.offer(explore=False)["batch_size"] == 8

    def test_where_every_size_is_retired_a_new_generation_begins(self, server: Server) -> None:
        server.register(batch_sizes=[16])
        server.miss(server.ask())
        assert server.offer(explore=False)["batch_size"] == DEFAULT
        assert server.job()["generation"] == 2

    def test_in_the_bandit_it_is_one_more_observation_of_the_arm(self, server: Server) -> None:
        far(server, num_pruning_rounds=0)
        before = server.size(BEST)["observations"]
        offer = server.offer(explore=False)
        assert server.trials()[-1]["type"] == "MAB"
        server.report(Trial.of(offer), metric=1.0)
        assert server.size(BEST)["observations"] == before + 1


class TestRunsThatEndBelowMaxEpochs:
    def ended(self, server: Server, epoch: int = 3) -> str:
        message: str = server.report(server.ask(), metric=0.1, current_epoch=epoch, final=True)["message"]
        return message

    def test_the_second_in_a_row_is_told_of_max_epochs_once(self, server: Server) -> None:
        server.register()
        told = ["max_epochs (10)" in self.ended(server) for _ in range(4)]
        assert told == [False, True, False, False]

    def test_a_run_that_trained_to_its_end_between_breaks_the_row(self, server: Server) -> None:
        server.register()
        self.ended(server)
        server.miss(server.ask())
        assert "max_epochs (10)" not in self.ended(server)
        assert "max_epochs (10)" in self.ended(server)
