"""A job is told of past runs: what is stored, what is learnt, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json
from tests.support.server import Server

pytestmark = ANY_DATABASE

OBSERVATIONS = "/api/v1/observations"


def run(name: str, batch_size: int = 16, **fields: Any) -> Json:
    """A past run that needed 2 epochs, 10 s and 100 J."""
    return {
        "run_id": name,
        "batch_size": batch_size,
        "epochs": 2,
        "time": 10.0,
        "energy": 100.0,
        "reached": True,
    } | fields


def tell(server: Server, *runs: Json, status: int = 200, **fields: Any) -> Json:
    body = {"job_id": "job", "source": "csv", "runs": list(runs)} | fields
    response = server.call("POST", OBSERVATIONS, body)
    assert response.status_code == status, response.text
    found: Json = response.json()
    return found


def refusal(server: Server, *runs: Json, **fields: Any) -> str:
    return str(tell(server, *runs, status=422, **fields)["message"])


@pytest.fixture
def surrogate(server: Server) -> None:
    server.register(policy="surrogate")


@EVERY_DATABASE
@pytest.mark.usefixtures("surrogate")
class TestWhatIsLearnt:
    def test_a_job_begins_with_the_cheapest_size_that_is_known(self, server: Server) -> None:
        told = tell(server, run("a", 16, energy=100.0), run("b", 8, energy=300.0), run("c", 32, energy=50.0))

        assert (told["added"], told["known"], told["learnt"]) == (3, 0, {"run": 3})
        assert server.ask().batch_size in (32, 64)
        assert server.job("job")["chosen_batch_size"] == 32

    def test_the_same_runs_change_nothing(self, server: Server) -> None:
        tell(server, run("a"), run("b", 8))
        before = server.job("job")

        told = tell(server, run("a", energy=1.0), run("b", 8))

        assert (told["added"], told["known"]) == (0, 2)
        assert server.job("job") == before

    def test_a_run_of_another_source_is_another_run(self, server: Server) -> None:
        tell(server, run("a"))

        assert tell(server, run("a"), source="mlflow")["added"] == 1
        assert server.job("job")["past_runs"] == {"csv": 1, "mlflow": 1}

    def test_ids_that_differ_in_case_only_are_two_runs(self, server: Server) -> None:
        assert tell(server, run("a"), run("A"))["added"] == 2

    def test_two_imports_at_once_take_each_run_once(self, server: Server) -> None:
        body = {"job_id": "job", "source": "csv", "runs": [run(str(number)) for number in range(20)]}
        answers = server.gather([("POST", OBSERVATIONS, body)] * 4)

        assert [answer.status_code for answer in answers] == [200] * 4
        assert sum(answer.json()["added"] for answer in answers) == 20
        assert server.job("job")["past_runs"] == {"csv": 20}

    def test_one_id_twice_in_a_request_is_one_run(self, server: Server) -> None:
        told = tell(server, run("a"), run("a", 8))

        assert (told["added"], told["known"]) == (1, 1)

    def test_a_dry_run_stores_nothing(self, server: Server) -> None:
        before = server.job("job")

        told = tell(server, run("a"), run("b", 8, energy=None), dry_run=True)

        assert (told["dry_run"], told["added"], told["estimated"]) == (True, 2, 1)
        assert [size["batch_size"] for size in told["batch_sizes"]] == [8, 16]
        assert server.job("job") == before

    def test_energy_that_is_missing_is_estimated_from_the_power_of_the_other_runs(self, server: Server) -> None:
        told = tell(server, run("a"), run("b", 8, energy=None))

        assert told["batch_sizes"][0] | {"mean_energy": 100.0, "estimated": 1} == told["batch_sizes"][0]
        assert server.job("job")["savings"]["estimated"] is False, "only the default is the baseline"

    def test_or_from_the_power_of_the_trials(self, server: Server) -> None:
        server.converge(server.ask(), energy=500.0)

        told = tell(server, run("b", 8, energy=None))

        assert told["batch_sizes"][0]["mean_energy"] == pytest.approx(500.0)

    def test_or_from_the_greatest_possible_power(self, server: Server) -> None:
        told = tell(server, run("b", energy=None))

        assert told["batch_sizes"][0]["mean_energy"] == pytest.approx(0.7 * 300.0 * 10.0)
        assert server.job("job")["savings"]["estimated"]

    def test_epochs_alone_feed_the_belief_about_epochs(self, server: Server) -> None:
        told = tell(server, run("a", 64, time=None, energy=None))

        assert told["learnt"] == {"epochs": 1}
        assert server.ask().batch_size == 16, "no cost is known, so the default comes first"

    def test_a_run_without_epochs_is_the_baseline_only(self, server: Server) -> None:
        told = tell(server, run("a", epochs=None))

        assert told["learnt"] == {"cost": 1}
        assert server.job("job")["savings"]["baseline_past_runs"] == 1
        assert server.job("job")["chosen_batch_size"] is None

    def test_a_target_is_read_off_the_curve(self, server: Server) -> None:
        curve = [[1, 0.2], [2, None], [4, 0.95], [8, 0.99]]

        told = tell(server, run("a", epochs=8, time=80.0, energy=800.0, reached=False, curve=curve))

        size = told["batch_sizes"][0]
        assert (size["reached"], size["mean_epochs"], size["mean_time"], size["mean_energy"]) == (1, 4.0, 40.0, 400.0)

    def test_a_run_that_needed_more_than_max_epochs_has_missed(self, server: Server) -> None:
        told = tell(server, run("a", 64, epochs=11))

        assert told["batch_sizes"][0]["reached"] == 0
        assert server.size(64)["retired"] == "unconverged"

    def test_the_metric_says_whether_the_target_was_reached(self, server: Server) -> None:
        told = tell(server, run("a", reached=None, metric=0.91), run("b", 8, reached=None, metric=0.5))

        assert [size["reached"] for size in told["batch_sizes"]] == [0, 1]

    def test_a_retry_is_owed_to_no_past_run(self, server: Server) -> None:
        tell(server, run("a", 16), run("b", 64, reached=False, epochs=10))

        assert server.offer("job")["cost_bound"] is not None


@pytest.mark.usefixtures("surrogate")
class TestWhatIsRefused:
    @EVERY_DATABASE
    def test_wrong_runs_are_named_and_nothing_is_stored(self, server: Server) -> None:
        message = refusal(server, run("good"), run("odd", 17), run("mute", reached=None))

        assert message == (
            "Nothing is stored. run 'odd': batch size 17 is none of the job's; run 'mute': nothing says whether it "
            "reached the target: give reached, metric or curve."
        )
        assert server.job("job")["past_runs"] == {}

    def test_of_many_wrong_runs_the_first_are_named(self, server: Server) -> None:
        message = refusal(server, *(run(f"r{number}", 17) for number in range(50)))

        assert message.count("none of the job's") == 10
        assert message.endswith("; and 40 more.")

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"epochs": None, "time": None, "energy": None}, "neither epochs, nor time, nor energy"),
            ({"energy": 0.0}, "no time or no energy"),
            ({"metric": 0.1}, "short of 0.9"),
            ({"metric": 0.95, "reached": False}, "reaches 0.9"),
            ({"epochs": 0}, "epochs"),
            ({"energy": -1.0}, "energy"),
            ({"time": 1e300}, "time"),
            ({"time": 1e-300}, "must be 0 or at least 1e-09: no run takes less"),
            ({"energy": 9e-10}, "must be 0 or at least 1e-09: no run takes less"),
            ({"curve": [[2, 0.1], [1, 0.2]]}, "ascend"),
            ({"curve": [[5, 0.1]]}, "more epochs"),
            ({"run_id": ""}, "run_id"),
            ({"run_id": "a\nb"}, "run_id"),
            ({"ended_at": "yesterday"}, "ended_at"),
            ({"ended_at": "8999-12-31T00:00:00Z"}, "run 'a': ended_at is 8999-12-31, which is in the future"),
            ({"ended_at": "1066-10-14T00:00:00Z"}, "ended_at"),
        ],
    )
    def test_a_figure_that_cannot_be_is_named(self, server: Server, wrong: Json, named: str) -> None:
        assert named in refusal(server, run("a") | wrong)

    def test_no_run_and_too_many_are_refused(self, server: Server) -> None:
        assert "runs" in refusal(server)
        assert "runs" in refusal(server, *(run(str(number)) for number in range(1001)))

    def test_a_job_that_is_not_there_is_not_found(self, server: Server) -> None:
        assert "no job 'gone'" in tell(server, run("a"), status=404, job_id="gone")["message"]


@EVERY_DATABASE
class TestWhereTheyAreSeen:
    @pytest.mark.usefixtures("surrogate")
    def test_the_job_says_how_many_are_known_and_from_where(self, server: Server) -> None:
        tell(server, run("a"), run("b"))
        tell(server, run("c"), source="mlflow")

        job = server.job("job")

        assert job["past_runs"] == {"csv": 2, "mlflow": 1}
        assert "past run" not in job["next_run"]
        assert job["trials"] == 0

    @pytest.mark.usefixtures("surrogate")
    def test_the_page_of_the_job_says_it_too(self, server: Server) -> None:
        tell(server, run("a"), run("b"))

        page = server.call("GET", "/job", job_id="job").text

        assert "2 past runs known, from <bdi>csv</bdi>" in page.replace("\N{NO-BREAK SPACE}", " ")

    @pytest.mark.parametrize("policy", ["zeus", "surrogate"])
    def test_the_savings_have_a_baseline_from_day_one(self, server: Server, policy: str) -> None:
        server.register(policy=policy)
        tell(server, run("a", energy=90.0), run("b", energy=110.0, ended_at="2026-01-02T03:04:05+01:00"))

        savings = server.job("job")["savings"]

        assert savings["energy"]["per_default_run"] == pytest.approx(100.0)
        assert (savings["energy"]["spent"], savings["baseline_runs"], savings["baseline_past_runs"]) == (0.0, 2, 2)
        server.converge(server.ask(), energy=60.0)
        assert server.call("GET", "/api/v1/savings/history", job_id="job").json()

    @pytest.mark.usefixtures("surrogate")
    def test_the_end_of_a_baseline_without_dates_is_not_known(self, server: Server) -> None:
        tell(server, run("a"))
        savings = server.job("job")["savings"]

        assert savings["baseline_last_at"] is None
        assert savings["message"].endswith("baseline: 1 run (1 before the job).")
        server.converge(server.ask(), energy=60.0)
        server.call("GET", "/job", job_id="job").raise_for_status()

    def test_the_policy_zeus_learns_nothing_and_says_so(self, server: Server) -> None:
        server.register()

        told = tell(server, run("a", 64, energy=1.0), run("b", 16), run("c", 16, reached=False))

        assert told["learnt"] == {"cost": 1, "nothing": 2}
        assert told["message"].endswith("1 for the baseline of the savings only; 2 on record only.")
        assert told["note"].startswith("The policy zeus learns from its own trials only.")
        assert server.ask().batch_size == 16


@EVERY_DATABASE
@pytest.mark.usefixtures("surrogate")
class TestWhatBecomesOfThem:
    def test_a_reset_forgets_what_was_learnt_and_keeps_the_record(self, server: Server) -> None:
        tell(server, run("a", 32))
        server.call("POST", "/api/v1/jobs/reset", job_id="job").raise_for_status()

        assert server.job("job")["chosen_batch_size"] is None
        assert server.job("job")["past_runs"] == {"csv": 1}
        assert tell(server, run("a", 32))["known"] == 1

    def test_a_changed_eta_weighs_them_anew(self, server: Server) -> None:
        tell(server, run("slow", 16, time=100.0, energy=50.0), run("fast", 32, time=1.0, energy=100.0))
        assert server.job("job")["chosen_batch_size"] == 16

        server.change("job", eta_knob=0.0)

        assert server.job("job")["chosen_batch_size"] == 32
        assert server.job("job")["min_cost"] == pytest.approx(300.0)
        assert server.job("job")["savings"]["cost"]["per_default_run"] == pytest.approx(30_000.0)

    def test_they_travel_with_an_export(self, server: Server) -> None:
        curve = [[1, 0.5], [2, 0.95]]
        tell(server, run("a", ended_at="2026-01-02T03:04:05Z", curve=curve), run("b", 8, energy=None))
        tell(server, run("c", time=None, energy=None), source="mlflow")
        exported = server.call("GET", "/api/v1/jobs/export", job_id="job").content
        believed = server.job("job")["batch_sizes"]

        server.send("POST", "/api/v1/jobs/import", exported, params={"as": "copy"}).raise_for_status()

        copy = server.job("copy")
        assert copy["past_runs"] == {"csv": 2, "mlflow": 1}
        assert copy["batch_sizes"] == believed
        assert tell(server, run("a"), job_id="copy")["known"] == 1
        again = server.call("GET", "/api/v1/jobs/export", job_id="copy").content
        assert again == exported.replace(b'"job_id":"job"', b'"job_id":"copy"')

    def test_they_go_with_their_job(self, server: Server) -> None:
        tell(server, run("a"))
        server.call("DELETE", "/jobs", job_id="job").raise_for_status()
        server.register(policy="surrogate")

        assert server.job("job")["past_runs"] == {}
        assert tell(server, run("a"))["added"] == 1
