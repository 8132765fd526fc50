"""What ``/metrics`` tells, read as Prometheus reads it."""

from __future__ import annotations

import random

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.job_lives import live_at_random
from tests.support.jobs import Trial
from tests.support.power import BEST_W, COMPLETE
from tests.support.server import Server

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def server(own_server: Server) -> Server:
    """A server whose sums are always fresh."""
    own_server.restart(metrics_cache_s=0)
    return own_server


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(server: Server) -> Samples:
    response = server.call("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(response.text)


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_every_metric_is_named_once_and_has_its_help(server: Server) -> None:
    server.register()
    server.converge(server.ask())

    families = list(text_string_to_metric_families(server.call("GET", "/metrics").text))

    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation for family in families)


def test_requests_are_counted_by_route_and_status(server: Server) -> None:
    server.register(job_id="a/b c")
    for _ in range(3):
        server.ask("a/b c")
    server.call("GET", "/jobs/batch_size", job_id="nobody")
    server.call("GET", "/no/such/path")
    server.send("BREW", "/jobs")

    found = scrape(server)

    asks = {"method": "GET", "route": "/jobs/batch_size"}
    assert value(found, "zeus_bso_requests_total", **asks, status="200") == 3
    assert value(found, "zeus_bso_requests_total", **asks, status="400") == 1
    assert value(found, "zeus_bso_requests_total", method="GET", route="unmatched", status="404") == 1
    assert sum(n for (name, _), n in found.items() if name == "zeus_bso_requests_total") == 7
    assert "a/b c" not in {text for name, labels in found if "requests" in name for _, text in labels}


def test_decisions_are_timed(server: Server) -> None:
    server.register()
    server.report(server.ask())

    found = scrape(server)

    assert value(found, "zeus_bso_decision_seconds_count", decision="ask") == 1
    assert value(found, "zeus_bso_decision_seconds_count", decision="report") == 1
    assert (value(found, "zeus_bso_decision_seconds_sum", decision="report") or 0) > 0


def test_trials_are_told_by_status_and_reason(server: Server) -> None:
    server.register()
    server.converge(server.ask())
    server.end(server.ask(), "oom")
    server.miss(server.ask())
    server.ask()

    found = scrape(server)

    assert value(found, "zeus_bso_trials", status="Succeeded", reason="converged") == 1
    assert value(found, "zeus_bso_trials", status="Succeeded", reason="target-missed") == 1
    assert value(found, "zeus_bso_trials", status="Failed", reason="oom") == 1
    assert value(found, "zeus_bso_trials", status="Dispatched", reason="open") == 1
    assert value(found, "zeus_bso_open_trials") == 1


def test_the_saving_of_a_job_is_the_one_that_the_api_tells(server: Server) -> None:
    server.register()
    server.converge(server.ask(), energy=100.0, energy_source="estimate")
    server.converge(server.ask(), energy=60.0, energy_source="estimate")

    found, told = scrape(server), server.job()["savings"]["energy"]

    assert value(found, "zeus_bso_job_energy_saved_joules", job_id="job", estimated="true") == told["saved"] == 40.0
    assert value(found, "zeus_bso_energy_saved_joules", bound="estimate") == told["saved"]
    assert value(found, "zeus_bso_energy_saved_joules", bound="low") == pytest.approx(told["low"])
    assert value(found, "zeus_bso_energy_spent_joules") == 160.0


def test_the_limit_of_a_job_and_the_saving_by_limits_are_told(server: Server) -> None:
    server.register(power_limit="optimize")
    server.register(job_id="without")
    server.converge(server.ask(), power_limit=BEST_W, power_profile=COMPLETE)

    found, told = scrape(server), server.job()["savings"]["energy"]

    assert value(found, "zeus_bso_job_power_limit_watts", job_id="job") == BEST_W
    assert value(found, "zeus_bso_job_power_limit_watts", job_id="without") is None
    assert value(found, "zeus_bso_energy_saved_by_power_limits_joules") == pytest.approx(told["by_limits"])
    assert told["by_limits"] > 0


def test_a_profile_by_heartbeat_is_told_at_the_next_scrape(server: Server) -> None:
    server.register(power_limit="optimize")
    server.converge(server.ask())
    scrape(server)
    trial = Trial.of(server.offer(explore=False))
    server.beat(trial, power_profile=COMPLETE)

    assert value(scrape(server), "zeus_bso_job_power_limit_watts", job_id="job") == BEST_W


def test_only_the_latest_active_jobs_are_told_one_by_one(server: Server) -> None:
    server.restart(metrics_jobs=2)
    for job_id in ("one", "two", "three"):
        server.register(job_id=job_id)
        server.converge(server.ask(job_id))
    server.ask("one")

    told = {dict(labels)["job_id"] for name, labels in scrape(server) if name == "zeus_bso_job_energy_saved_joules"}

    assert told == {"one", "three"}


def test_a_scrape_soon_after_another_reads_no_trial(server: Server) -> None:
    server.restart(metrics_cache_s=3600)
    server.register()
    scrape(server)
    server.ask()

    assert value(scrape(server), "zeus_bso_open_trials") == 0


def test_what_is_kept_at_hand_is_what_a_fresh_server_would_read(server: Server) -> None:
    chance = random.Random(5)
    jobs = ["one", "two", "three"]
    for step in range(60):
        live_at_random(server, chance, jobs)
        if step % 6 == 5:
            kept = _of_jobs(scrape(server))
            server.restart()
            assert kept == pytest.approx(_of_jobs(scrape(server)))


def _of_jobs(samples: Samples) -> dict[str, float]:
    own = ("zeus_bso_requests", "zeus_bso_decision", "zeus_bso_database", "process_")
    return {f"{name} {sorted(labels)}": n for (name, labels), n in samples.items() if not name.startswith(own)}


def test_without_its_database_a_server_still_answers_a_scrape(server: Server) -> None:
    server.sql("ALTER TABLE job RENAME TO gone")

    found = scrape(server)

    assert value(found, "zeus_bso_database_up") == 0
    assert value(found, "zeus_bso_database_refused_total") == 1
    assert value(found, "zeus_bso_database_connections") == 5
