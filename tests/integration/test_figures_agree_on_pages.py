"""What head, table, chart and page of a trial say about the same thing agrees."""

from __future__ import annotations

from tests.integration.test_words_on_pages import html
from tests.support.jobs import Json
from tests.support.server import Server

MARKUP = '<i>GPU</i> & "Co"'


def tell(server: Server, *runs: Json) -> None:
    response = server.call("POST", "/api/v1/observations", {"job_id": "job", "source": "csv", "runs": runs})
    assert response.status_code == 200, response.text


def past(name: str, batch_size: int, energy: float | None = 100.0) -> Json:
    return {"run_id": name, "batch_size": batch_size, "epochs": 2, "time": 10.0, "energy": energy, "reached": True}


def sizes_of(page: str) -> str:
    return page.partition('id="sizes" data-live')[2].partition("</table>")[0]


def test_a_run_of_a_size_that_past_runs_found_the_cheapest_has_not_explored(own_server: Server) -> None:
    own_server.register(policy="surrogate", batch_sizes=[16, 32], default_batch_size=16)
    tell(own_server, past("a", 16, 300.0), past("b", 32, 50.0))
    trial = own_server.ask()
    assert trial.batch_size == 32
    chart = own_server.call("GET", "/job/chart", job_id="job", name="cost").json()

    assert "It took 32, the cheapest known then" in html(own_server, "/job/trial", job_id="job", number=1)
    assert "0 explored" in chart["summary"]
    assert "has converged in past runs" in sizes_of(html(own_server, "/job", job_id="job"))


def test_a_job_with_past_runs_alone_is_not_said_to_have_stayed_on_its_default(own_server: Server) -> None:
    own_server.register(policy="surrogate")
    tell(own_server, past("a", 16))
    chart = own_server.call("GET", "/job/chart", job_id="job", name="savings").json()
    said = "No run has ended yet, so nothing is saved; baseline: 1 run (1 before the job)."

    assert own_server.job()["savings"]["message"] == said
    assert chart["summary"].replace("\xa0", " ") == said


def test_savings_over_an_estimated_baseline_are_labelled_everywhere(own_server: Server) -> None:
    own_server.register(policy="surrogate")
    tell(own_server, past("a", 16), past("b", 16, None))
    own_server.converge(own_server.ask(), energy=50.0)
    chart = own_server.call("GET", "/job/chart", job_id="job", name="savings").json()

    assert "(estimated)" in chart["summary"]
    assert own_server.call("GET", "/api/v1/savings/fleet").json()["estimated_jobs"] == 1


def test_the_state_of_a_batch_size_does_not_deny_its_converged_runs(own_server: Server) -> None:
    own_server.register(num_pruning_rounds=2)
    own_server.converge(own_server.ask())
    exploring = sizes_of(html(own_server, "/job", job_id="job"))
    own_server.sql("UPDATE batch_size_state SET retired = 'unconverged' WHERE batch_size IN (16, 64)")
    retired = sizes_of(html(own_server, "/job", job_id="job"))

    assert "<b>cheapest so far</b>" in exploring
    assert exploring.count("not tried") == 3
    assert "not given again: it no longer converges" in retired
    assert retired.count("not given again: it did not converge") == 1


def test_a_fixed_power_limit_has_no_chart_of_limits(own_server: Server) -> None:
    own_server.register(power_limit=250)
    own_server.register(job_id="other", power_limit="optimize")

    assert 'id="chart-limits"' not in html(own_server, "/job", job_id="job")
    assert 'id="chart-limits"' in html(own_server, "/job", job_id="other")


def test_why_a_run_is_not_learnt_from_is_said_once(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask(), energy_source="partial")
    page = html(own_server, "/job/trial", job_id="job", number=1)

    assert page.count("could not be measured") == 1


def test_the_energy_of_a_trial_is_labelled_where_it_is_an_estimate(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask(), energy_source="estimate")

    assert html(own_server, "/job/trial", job_id="job", number=1).count('class="tag"') == 2


def test_the_name_of_a_gpu_is_no_markup_in_a_chart(own_server: Server) -> None:
    own_server.register(gpu_model=MARKUP)
    own_server.converge(own_server.ask(), energy=100.0)
    own_server.converge(own_server.ask(), energy=60.0)
    (trace,) = own_server.call("GET", "/fleet/chart").json()["data"]

    assert trace["name"] == '&lt;i&gt;GPU&lt;/i&gt; &amp; "Co"'
    assert "<i>" not in trace["hovertext"][-1]


def test_the_first_days_of_a_fleet_are_named_as_days(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask(), energy=100.0)
    own_server.converge(own_server.ask(), energy=60.0)
    figure = own_server.call("GET", "/fleet/chart").json()

    assert figure["layout"]["xaxis"]["tickvals"] == figure["data"][0]["x"]


def test_two_jobs_are_not_told_apart_by_settings_that_neither_policy_reads(own_server: Server) -> None:
    for job_id, seed in (("one", 1), ("two", 2)):
        own_server.register(job_id=job_id, policy="surrogate", mab_seed=seed)

    assert "mab_seed" not in html(own_server, "/compare", job_id="one", other="two")
