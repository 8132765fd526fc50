"""The pages about all jobs, on every database: computed once for all tabs, and right for each caller and each order."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from tests.support.access import SETTING, TOKENS
from tests.support.contract import ANY_DATABASE
from tests.support.job_lives import live_at_random
from tests.support.jobs import Json
from tests.support.server import Server
from tests.support.statements import sent_statements

LONG_S = 3600.0
PAGES = ("/", "/fleet")
JOBS = ["a", "B", "c", "d-none"]


def html(server: Server, url: str, token: str | None = None, **params: Any) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {TOKENS[token]}"}
    answer = server.send("GET", url, params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def job_ids(page: str) -> list[str]:
    return re.findall(r'data-key="job ([^"]*)"', page)


@ANY_DATABASE
@pytest.mark.parametrize("url", PAGES)
def test_tabs_share_one_computation_for_some_seconds(own_server: Server, url: str) -> None:
    own_server.restart(dashboard_cache_s=LONG_S)
    own_server.register()
    first = own_server.send("GET", url)
    own_server.ask()

    with sent_statements() as seen:
        again = own_server.send("GET", url)
        other = own_server.send("GET", url, params={"sort": "job"})

    assert [sent for sent in seen if re.search("job|trial", sent.text)] == []
    assert (again.text, again.headers["etag"]) == (first.text, first.headers["etag"])
    assert other.status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_tabs_that_ask_at_once_compute_once(own_server: Server, url: str) -> None:
    own_server.restart(dashboard_cache_s=LONG_S)
    own_server.register()

    with sent_statements() as of_two:
        answers = own_server.gather([("GET", url, None)] * 2)
    own_server.restart()
    with sent_statements() as of_one:
        own_server.send("GET", url)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (
        len([sent for sent in of_two if "trial" in sent.text])
        == len([sent for sent in of_one if "trial" in sent.text])
        > 0
    )


def test_afterwards_only_jobs_that_have_changed_are_read_again(own_server: Server) -> None:
    for job_id in ("quiet", "busy"):
        own_server.register(job_id=job_id)
    html(own_server, "/")
    own_server.ask("busy")

    with sent_statements() as sent:
        html(own_server, "/")

    read = [str(statement.parameters) for statement in sent]
    assert any("busy" in parameters for parameters in read)
    assert not any("quiet" in parameters for parameters in read)


@ANY_DATABASE
def test_what_is_shared_by_tabs_is_never_shared_with_another_team(own_server: Server) -> None:
    own_server.register(job_id="team-a-secret", gpu_model="gpu-of-a")
    own_server.register(job_id="team-b-secret", gpu_model="gpu-of-b")
    own_server.restart(dashboard_cache_s=LONG_S, api_tokens=SETTING)

    shown = {token: html(own_server, "/", token) for token in ("boss", "team-a", "team-b", "reader")}
    fleets = {token: html(own_server, "/fleet", token) for token in ("boss", "team-a", "team-b")}

    assert job_ids(shown["boss"]) == job_ids(shown["reader"]) == ["team-a-secret", "team-b-secret"]
    assert job_ids(shown["team-a"]) == ["team-a-secret"]
    assert job_ids(shown["team-b"]) == ["team-b-secret"]
    for own, other in (("a", "b"), ("b", "a")):
        for page in (shown[f"team-{own}"], fleets[f"team-{own}"]):
            assert f"gpu-of-{own}" in page
            assert f"gpu-of-{other}" not in page
            assert f"team-{other}-secret" not in page
    assert "gpu-of-a" in fleets["boss"]
    assert "gpu-of-b" in fleets["boss"]


def test_another_teams_run_does_not_change_a_teams_page(own_server: Server) -> None:
    for team in ("team-a", "team-b"):
        own_server.register(job_id=f"{team}-job")
    own_server.restart(api_tokens=SETTING)

    def tag() -> str:
        headers = {"Authorization": f"Bearer {TOKENS['team-a']}"}
        return own_server.send("GET", "/", headers=headers).headers["etag"]

    before = tag()
    boss = {"Authorization": f"Bearer {TOKENS['boss']}"}
    for job_id, changes in (("team-b-job", False), ("team-a-job", True)):
        own_server.send("GET", "/jobs/batch_size", params={"job_id": job_id}, headers=boss)
        assert (tag() != before) is changes


@ANY_DATABASE
@pytest.mark.parametrize("column", ["job", "gpu", "runs", "running", "size", "energy", "time", "active", "stage"])
def test_the_list_is_sorted_by_what_the_api_says(server: Server, column: str) -> None:
    for number, job_id in enumerate(JOBS):
        server.register(job_id=job_id, gpu_model="H200" if number % 2 else "a100")
        for energy in (100.0, 100.0 - 30.0 * number) if job_id != "d-none" else ():
            server.converge(server.ask(job_id), energy=energy, time=energy / 10)
    server.ask("B")
    jobs: list[Json] = server.call("GET", "/api/v1/jobs").json()

    up, down = (job_ids(html(server, "/", sort=sort)) for sort in (column, f"-{column}"))

    assert up == expected(jobs, column, down=False)
    assert down == expected(jobs, column, down=True)


def expected(jobs: list[Json], column: str, *, down: bool) -> list[str]:
    """Sorted by a figure; without one last; equal ones by id."""

    def figure(job: Json) -> Any:
        saved = job["savings"]
        figures = {
            "job": job["job_id"].casefold(),
            "gpu": job["gpu_model"].casefold(),
            "runs": job["trials"],
            "running": job["open_trials"],
            "size": job["chosen_batch_size"],
            "energy": saved["energy"] and saved["energy"]["saved"],
            "time": saved["time"] and saved["time"]["saved"],
            "active": job["updated_at"],
            "stage": "exploring" if job["exploring"] else "settled",
        }
        return figures[column]

    by_id = sorted(jobs, key=lambda job: job["job_id"])
    known = sorted((job for job in by_id if figure(job) is not None), key=figure, reverse=down)
    return [job["job_id"] for job in known + [job for job in by_id if figure(job) is None]]


def test_what_is_kept_is_what_a_fresh_server_shows(own_server: Server) -> None:
    chance = random.Random(7)
    for step in range(48):
        live_at_random(own_server, chance, JOBS)
        if step % 6 == 5:
            kept = [html(own_server, url) for url in PAGES]
            own_server.restart()
            assert kept == [html(own_server, url) for url in PAGES]
