"""Lists of jobs and trials, and learning curves: pages, filters and orders, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE
from tests.support.jobs import Json
from tests.support.server import Server


def listed(server: Server, url: str, **params: Any) -> list[Json]:
    response = server.call("GET", url, **params)
    assert response.status_code == 200, response.text
    found: list[Json] = response.json()
    return found


def job_ids(server: Server, **params: Any) -> list[str]:
    return [job["job_id"] for job in listed(server, "/api/v1/jobs", **params)]


def numbers(server: Server, **params: Any) -> list[int]:
    return [trial["trial_number"] for trial in listed(server, "/api/v1/trials", job_id="job", **params)]


@pytest.fixture
def three_jobs(server: Server) -> Server:
    """Jobs that differ in what they saved and in how many trials they have; one has no figure yet."""
    for job_id, energy in (("a-none", None), ("B-little", 90.0), ("c-much", 10.0)):
        server.register(job_id=job_id, gpu_model="H200" if energy else "A100")
        if energy is not None:
            server.converge(server.ask(job_id), energy=100.0)
            server.converge(server.ask(job_id), energy=energy)
    server.ask("B-little")
    return server


def test_a_job_in_the_list_has_its_choice_and_its_saving(three_jobs: Server) -> None:
    much = listed(three_jobs, "/api/v1/jobs", search="c-much")[0]

    assert (much["chosen_batch_size"], much["default_batch_size"], much["trials"], much["open_trials"]) == (8, 16, 2, 0)
    assert much["savings"] == three_jobs.job("c-much")["savings"]
    assert much["savings"]["energy"]["saved"] == pytest.approx(90.0)


def test_the_list_says_of_a_job_what_the_job_says(three_jobs: Server) -> None:
    for job_id in ("a-none", "B-little", "c-much"):
        in_list = listed(three_jobs, "/api/v1/jobs", search=job_id)[0]
        alone = three_jobs.job(job_id)

        assert in_list == {name: alone[name] for name in in_list}


def test_jobs_are_sorted_as_asked(three_jobs: Server) -> None:
    assert job_ids(three_jobs) == ["B-little", "a-none", "c-much"]
    assert job_ids(three_jobs, sort="-job_id") == ["c-much", "a-none", "B-little"]
    assert job_ids(three_jobs, sort="created_at") == ["a-none", "B-little", "c-much"]
    assert job_ids(three_jobs, sort="-trials") == ["B-little", "c-much", "a-none"]
    assert job_ids(three_jobs, sort="saved") == ["B-little", "c-much", "a-none"]
    assert job_ids(three_jobs, sort="-saved") == ["c-much", "B-little", "a-none"]


def test_jobs_are_found_by_a_part_of_their_id_or_gpu(three_jobs: Server) -> None:
    assert job_ids(three_jobs, search="LITTLE") == ["B-little"]
    assert job_ids(three_jobs, search="h200") == ["B-little", "c-much"]
    assert job_ids(three_jobs, search="%") == []
    assert job_ids(three_jobs, search="_") == []


def test_pages_of_jobs_together_are_the_list(three_jobs: Server) -> None:
    for sort in ("job_id", "-saved"):
        pages = [job_ids(three_jobs, sort=sort, offset=offset, limit=2) for offset in (0, 2, 4)]
        response = three_jobs.call("GET", "/api/v1/jobs", sort=sort, limit=1)

        assert [len(page) for page in pages] == [2, 1, 0]
        assert [job_id for page in pages for job_id in page] == job_ids(three_jobs, sort=sort)
        assert response.headers["X-Total-Count"] == "3"


@ANY_DATABASE
@pytest.mark.parametrize(
    "params", [{"sort": "cost"}, {"limit": 0}, {"limit": 1001}, {"offset": -1}, {"search": "x" * 256}]
)
def test_a_page_of_jobs_that_makes_no_sense_is_refused_by_name(three_jobs: Server, params: dict[str, Any]) -> None:
    response = three_jobs.call("GET", "/api/v1/jobs", **params)

    assert response.status_code == 422
    assert response.json()["message"].startswith(f"{next(iter(params))}: ")


@pytest.fixture
def five_trials(server: Server) -> Server:
    server.register()
    server.converge(server.ask())
    server.converge(server.ask())
    server.end(server.ask(), "cancelled")
    server.miss(server.ask())
    server.ask()
    return server


def test_trials_are_filtered_and_ordered_as_asked(five_trials: Server) -> None:
    sizes = {trial["trial_number"]: trial["batch_size"] for trial in five_trials.trials()}

    assert numbers(five_trials, descending=True) == [5, 4, 3, 2, 1]
    assert numbers(five_trials, status="Succeeded") == [1, 2, 4]
    assert numbers(five_trials, status="Dispatched") == [5]
    assert numbers(five_trials, batch_size=16) == [number for number, size in sizes.items() if size == 16]
    assert numbers(five_trials, batch_size=7) == []


def test_pages_of_trials_go_on_where_the_last_one_ended(five_trials: Server) -> None:
    assert numbers(five_trials, after=2, limit=2) == [3, 4]
    assert numbers(five_trials, descending=True, limit=2) == [5, 4]
    assert numbers(five_trials, descending=True, after=4, limit=2) == [3, 2]
    assert numbers(five_trials, status="Succeeded", descending=True, after=4) == [2, 1]


@ANY_DATABASE
@pytest.mark.parametrize("params", [{"status": "done"}, {"batch_size": 0}, {"limit": 1001}, {"after": -1}])
def test_a_page_of_trials_that_makes_no_sense_is_refused_by_name(five_trials: Server, params: dict[str, Any]) -> None:
    response = five_trials.call("GET", "/api/v1/trials", job_id="job", **params)

    assert response.status_code == 422
    assert response.json()["message"].startswith(f"{next(iter(params))}: ")


def test_a_learning_curve_has_a_point_per_epoch(server: Server) -> None:
    server.register()
    trial = server.ask()
    for epoch, metric in ((1, 0.3), (2, None), (4, 0.6)):
        server.report(trial, current_epoch=epoch, metric=metric, energy=30.0 * epoch, time=3.0 * epoch)

    curve = listed(server, "/api/v1/trials/reports", job_id="job", trial_number=1)

    assert [(point["epoch"], point["metric"], point["energy"], point["time"]) for point in curve] == [
        (1, 0.3, 30.0, 3.0),
        (2, None, 60.0, 6.0),
        (4, 0.6, 120.0, 12.0),
    ]
    later = listed(server, "/api/v1/trials/reports", job_id="job", trial_number=1, after=1, limit=1)
    assert [point["epoch"] for point in later] == [2]


@ANY_DATABASE
def test_lists_of_an_unknown_job_are_not_found(server: Server) -> None:
    assert server.call("GET", "/api/v1/trials", job_id="nobody").status_code == 404
    assert server.call("GET", "/api/v1/trials/reports", job_id="nobody", trial_number=1).status_code == 404
