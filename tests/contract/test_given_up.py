"""Nothing is running after its lease, wherever one looks, although no ask has noted the end yet."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.contract import ANY_DATABASE
from tests.support.job_lives import LEASE
from tests.support.jobs import Json, Trial
from tests.support.server import Server

MINUTE = 60.0


@pytest.fixture
def silent(server: Server) -> Trial:
    """A trial that fell silent 37 minutes ago, among trials of every other kind."""
    server.register(power_limit="optimize")
    server.converge(server.ask())
    server.miss(server.ask())
    server.end(server.ask(), "error")
    silent = Trial.of(server.offer(heartbeat_s=30))
    server.report(silent)
    server.time_passes(37 * MINUTE)
    server.report(server.ask())
    _reopened_in_the_row(server, silent)
    return silent


def _reopened_in_the_row(server: Server, trial: Trial) -> None:
    """Undo what the ask has noted, as if the lease had ended after it."""
    server.sql(
        "UPDATE trial SET status = 'Dispatched', reason = NULL, ended_at = NULL, message = '' "
        "WHERE job_id = :job_id AND trial_number = :number",
        job_id=trial.job_id,
        number=trial.trial_number,
    )


def text_of(server: Server, url: str, **params: object) -> str:
    answer = server.call("GET", url, **params)
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


def listed(server: Server, **params: object) -> list[Json]:
    found: list[Json] = server.call("GET", "/api/v1/trials", job_id="job", **params).json()
    return found


def test_the_api_shows_the_trial_as_the_next_ask_will_write_it(server: Server, silent: Trial) -> None:
    view = server.trial(silent)

    assert (view["status"], view["reason"]) == ("Failed", "expired")
    assert view["message"] == "Silent for 37 min, given up."
    assert view["ended_at"] is not None


def test_filters_of_the_api_and_of_the_page_go_by_what_is_shown(server: Server, silent: Trial) -> None:
    failed = [view["trial_number"] for view in listed(server, status="Failed")]
    running = [view["trial_number"] for view in listed(server, status="Dispatched")]

    assert silent.trial_number in failed
    assert silent.trial_number not in running
    assert len(running) == 1
    assert [view["status"] for view in listed(server, status="Failed")] == ["Failed"] * len(failed)
    assert len(failed) == 2
    assert "given up" in text_of(server, "/job", job_id="job", state="failed")
    assert "given up" not in text_of(server, "/job", job_id="job", state="running")


def test_counts_add_up(server: Server, silent: Trial) -> None:
    job = server.job()
    (summary,) = server.call("GET", "/api/v1/jobs").json()
    sizes = job["batch_sizes"]
    decided = sum(size["converged"] + size["unconverged"] + size["failed"] for size in sizes)

    assert job["open_trials"] == summary["open_trials"] == 1
    assert job["trials"] == summary["trials"] == 5 == decided + 1
    assert job["savings"]["runs"]["failed"] == 2
    assert server.call("GET", "/api/v1/savings/fleet").json()["runs"]["failed"] == 2


def test_pages_say_that_one_is_running_and_the_other_is_given_up(server: Server, silent: Trial) -> None:
    assert "1 job, 1 running now" in text_of(server, "/")
    assert "Running now 1" in text_of(server, "/fleet")
    assert "1 converged, 1 stopped, 2 failed, 1 running" in text_of(server, "/fleet")
    page = text_of(server, "/job", job_id="job")
    assert page.partition("Running now")[2].partition("What was measured")[0].count("Trial ") == 1
    assert "given up" in page
    assert re.search(
        "Last heard of .*, then given up", text_of(server, "/job/trial", job_id="job", number=silent.trial_number)
    )


@ANY_DATABASE
def test_the_chart_marks_it_as_failed(server: Server, silent: Trial) -> None:
    chart = server.call("GET", "/job/chart", job_id="job", name="cost").json()
    kinds = {trace["name"] for trace in chart["data"] if silent.trial_number in trace["x"]}

    assert "failed" in kinds
    assert "running" not in kinds


def test_what_it_used_is_lost(server: Server, silent: Trial) -> None:
    history = server.call("GET", "/api/v1/savings/history", job_id="job").json()

    assert silent.trial_number in [point["trial_number"] for point in history]
    assert server.job()["savings"]["energy"]["lost"] == 100.0 + 100.0


@pytest.mark.parametrize("url", ["/", "/fleet", "/job?job_id=job"])
def test_a_lease_that_ends_changes_the_page(server: Server, url: str) -> None:
    server.register()
    server.ask()
    before = server.send("GET", url)
    server.sql("UPDATE trial SET lease_expires_at = started_at WHERE job_id = :job_id", job_id="job")
    after = server.send("GET", url, headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert "1 running" not in after.text
    assert 'id="running-title"' not in after.text
    assert url != "/fleet" or 'Running now</dt><dd><span class="figure">0' in after.text


@ANY_DATABASE
def test_the_next_run_is_that_after_the_trial_is_given_up(server: Server) -> None:
    server.register(policy="zeus")
    first = server.ask()
    server.time_passes(LEASE + 1)

    assert server.job()["next_batch_size"] == first.batch_size == server.ask().batch_size


@ANY_DATABASE
def test_the_lease_of_a_silent_client_is_a_setting(own_server: Server) -> None:
    own_server.restart(trial_lease_s=0.05)
    own_server.register()
    trial = own_server.ask()
    own_server.time_passes(0.1)
    own_server.ask()

    assert own_server.trial(trial)["reason"] == "expired"


def test_metrics_count_it_as_expired(own_server: Server) -> None:
    own_server.restart(metrics_cache_s=0)
    own_server.register()
    own_server.ask()
    assert _metrics(own_server) == {("Dispatched", "open"): 1, "open": 1}
    own_server.time_passes(LEASE + 1)

    assert _metrics(own_server) == {("Failed", "expired"): 1, "open": 0}


def _metrics(server: Server) -> dict[object, float]:
    found: dict[object, float] = {}
    for family in text_string_to_metric_families(server.call("GET", "/metrics").text):
        for sample in family.samples:
            if sample.name == "zeus_bso_trials":
                found[sample.labels["status"], sample.labels["reason"]] = sample.value
            elif sample.name == "zeus_bso_open_trials":
                found["open"] = sample.value
    return found
