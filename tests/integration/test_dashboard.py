"""The dashboard over HTTP: what its answers hold, whatever jobs are called and whatever is asked."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from tests.support.databases import look
from tests.support.history import History
from tests.support.jobs import Json
from tests.support.power import BEGUN, BEST_W, COMPLETE
from tests.support.server import Server

from zeus_bso import units
from zeus_bso.server.dashboard import render
from zeus_bso.server.dashboard.pages import JOBS_ON_A_PAGE

CHARTS = ("cost", "belief", "plane", "limits", "curves", "savings")
NASTY = [
    "<script>alert(1)</script>",
    "\"onmouseover='x' a=\"",
    "{{ 7 * 7 }}{% raw %}",
    "a/b/../c?d=e&f=g#h",
    "string \u05d0\u05d1\u05d2 \u0627\u0628",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "x" * 255,
    "\U0001f50b" * 255,
]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its text, its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())

    def values(self, tag: str, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for name, attrs in self.elements if name == tag and attribute in attrs]


def page(server: Server, url: str, **params: object) -> Page:
    response = server.call("GET", url, **params)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/html")
    return Page(response.text)


def chart(server: Server, name: str, job_id: str = "job", span: str | None = None) -> Json:
    response = server.call("GET", "/job/chart", job_id=job_id, name=name, span=span)
    assert response.status_code == 200, response.text
    figure: Json = response.json()
    return figure


def played(server: Server, job_id: str = "job") -> None:
    """A job with runs of every kind."""
    server.register(job_id=job_id)
    for energy in (100.0, 90.0, 120.0, 140.0, 80.0):
        server.converge(server.ask(job_id), energy=energy, power_profile=COMPLETE)
    server.miss(server.ask(job_id))
    server.end(server.ask(job_id), "error")
    server.report(server.ask(job_id))


def test_a_job_shows_its_power_limit_and_what_limits_have_saved(own_server: Server) -> None:
    own_server.register(power_limit="optimize", number_of_gpus=2)
    own_server.converge(own_server.ask(), power_limit=BEST_W, power_profile=COMPLETE, profiling_energy=7.0)
    other = own_server.ask()
    own_server.report(other, power_profile=BEGUN)
    job, jobs = (" ".join(page(own_server, url).text) for url in ("/job?job_id=job", "/"))
    saved = own_server.job()["savings"]["energy"]

    assert "16 the default at 150\xa0W per GPU" in job
    assert f"batch sizes saved 0\xa0J and power limits saved {units.energy(saved['by_limits'])}" in job
    assert "+ 7.00\xa0J measuring" in job
    assert re.search(r"16 cheapest so far default .* 150\xa0W", job)
    assert "so far" in job
    assert "the default at 150\xa0W" in jobs


def test_an_empty_server_says_what_to_do_first(own_server: Server) -> None:
    text = " ".join(page(own_server, "/").text)

    assert "No job has registered yet" in text
    assert 'server_url="http://server"' in text.replace("&quot;", '"')
    for call in ("get_batch_size()", "on_train_begin()", "on_evaluate(metric)"):
        assert call in text


def test_a_job_has_its_chosen_size_and_its_saving_in_its_own_row(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask(), energy=100.0)
    own_server.converge(own_server.ask(), energy=60.0)
    html = own_server.call("GET", "/").text
    (row,) = re.findall(r"<tbody.*?<tr.*?</tr>", html, re.DOTALL)
    text = " ".join(Page(row).text)

    assert "8 default 16" in text
    assert "40.0\xa0J 20\xa0% less" in text


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_of_every_state_of_a_job_is_drawn_or_says_why_not(own_server: Server, name: str) -> None:
    own_server.register()
    empty = chart(own_server, name)
    played(own_server)
    full = chart(own_server, name)

    assert empty["data"] == []
    assert empty["summary"]
    assert full["data"]
    table = page(own_server, "/job/data", job_id="job", name=name)
    assert table.values("th", "scope")


@pytest.mark.parametrize("job_id", NASTY, ids=range(len(NASTY)))
def test_whatever_a_job_is_called_it_is_shown_and_found_and_nothing_else_happens(
    own_server: Server, job_id: str
) -> None:
    played(own_server, job_id)
    plain, expected = own_server.register(job_id="plain"), page(own_server, "/job", job_id="plain")
    jobs, job = page(own_server, "/"), page(own_server, "/job", job_id=job_id)
    link = f"/job?job_id={quote(job_id)}"

    assert plain["job_id"] == "plain"
    assert link in jobs.values("a", "href")
    assert own_server.call("GET", link).status_code == 200
    assert job_id in jobs.text
    assert job_id in job.text
    trial = page(own_server, "/job/trial", job_id=job_id, number=1)
    compared = page(own_server, "/compare", job_id=job_id, other="plain")
    assert link in [*trial.values("a", "href"), *compared.values("a", "href")]
    assert job_id in compared.text
    assert f"/compare?job_id={quote(job_id)}" in page(own_server, "/compare").values("a", "href")
    for shown in (jobs, job, trial, compared):
        assert shown.values("script", "src") == expected.values("script", "src")
        assert not shown.values("img", "src")
        assert not [attrs for _, attrs in shown.elements if any(name.startswith("on") for name in attrs)]
    for name in CHARTS:
        assert chart(own_server, name, job_id)["summary"]


def test_what_a_run_was_told_is_text(own_server: Server) -> None:
    history = History("job", 40, batch_sizes=[8, 16], default_batch_size=16, message="<b onclick=alert(1)>&amp;")
    own_server.register(**history.spec)
    look(own_server.url, history.write)

    stopped = next(trial for trial in own_server.trials() if "onclick" in trial["message"])

    told = page(own_server, "/job/trial", job_id="job", number=stopped["trial_number"]).text
    assert "<b onclick=alert(1)>&amp;" in told


def test_nothing_inline_and_no_other_host_is_in_any_page(own_server: Server) -> None:
    played(own_server)
    pages = ["/", "/fleet", "/job?job_id=job", "/job/data?job_id=job&name=cost", "/job?job_id=nobody"]
    pages += ["/job/trial?job_id=job&number=1", "/compare", "/compare?job_id=job&other=job"]
    for response in [own_server.call("GET", url) for url in pages]:
        policy = response.headers["content-security-policy"]
        shown = Page(response.text)

        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src 'self';" in policy
        assert not [attrs for _, attrs in shown.elements if "style" in attrs]
        assert not [tag for tag, _ in shown.elements if tag == "style"]
        assert len([tag for tag, _ in shown.elements if tag == "script"]) == len(shown.values("script", "src"))
        addresses = shown.values("script", "src") + shown.values("link", "href") + shown.values("a", "href")
        assert all(address.startswith(("/", "#")) for address in addresses)


def test_every_file_that_a_page_names_is_there_and_may_be_kept_for_ever(own_server: Server) -> None:
    played(own_server)
    job = page(own_server, "/job", job_id="job")
    named = job.values("script", "src") + job.values("link", "href") + job.values("div", "data-script")
    imported = re.findall(r'from "\./(\S+?)"|import "\./(\S+?)"', " ".join(p.read_text() for p in _scripts()))
    folder = named[0].rpartition("/")[0]
    named += [f"{folder}/{one or other}" for one, other in imported]

    assert any("plotly" in address for address in named)
    for address in named:
        response = own_server.call("GET", address)
        assert response.status_code == 200, address
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["content-type"].startswith(("text/javascript", "text/css", "image/svg+xml"))


def test_no_file_but_the_dashboards_own_is_served(own_server: Server) -> None:
    for name in ("ui.py", "..%2Fui.py", "nothing.css", "%2Fetc%2Fpasswd"):
        assert own_server.call("GET", f"/dashboard/static/x/{name}").status_code == 404


def test_plotly_comes_whole_whether_compressed_or_not(own_server: Server) -> None:
    plain = own_server.send("GET", "/dashboard/plotly/x/plotly.min.js", headers={"Accept-Encoding": "identity"})
    packed = own_server.send("GET", "/dashboard/plotly/x/plotly.min.js", headers={"Accept-Encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert b"plotly.js v" in plain.content[:200]


def test_without_plotly_a_page_says_what_to_install_and_keeps_its_tables(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(own_server)
    caches = (render.plotly_url, render.plotly_style_ids, render._plotly_script, render._environment)
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    for cache in caches:
        cache.cache_clear()
    try:
        job = page(own_server, "/job", job_id="job")
    finally:
        monkeypatch.undo()
        for cache in caches:
            cache.cache_clear()

    assert 'pip install "zeus-bso[dashboard]"' in job.text
    assert job.values("div", "data-script") == [""]
    assert sum(link.startswith("/job/data?") for link in job.values("a", "href")) == len(CHARTS)


@pytest.mark.parametrize("url", ["/", "/fleet", "/job?job_id=job", "/job/chart?job_id=job&name=cost"])
def test_a_page_that_has_not_changed_is_not_sent_again(own_server: Server, url: str) -> None:
    played(own_server)
    first = own_server.send("GET", url)
    again = own_server.send("GET", url, headers={"If-None-Match": first.headers["etag"]})
    own_server.report(own_server.ask())
    changed = own_server.send("GET", url, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("url", ["/", "/fleet", "/job?job_id=job"])
def test_another_price_makes_another_page(own_server: Server, url: str) -> None:
    played(own_server)
    first = own_server.send("GET", url)
    own_server.restart(electricity_price=0.5)
    changed = own_server.send("GET", url, headers={"If-None-Match": first.headers["etag"]})

    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_every_step_of_a_run_changes_its_page(own_server: Server) -> None:
    own_server.register()
    of_job, of_list = [], []

    def note(*, listed: bool = True) -> None:
        of_job.append(own_server.send("GET", "/job?job_id=job").headers["etag"])
        if listed:
            of_list.append(own_server.send("GET", "/").headers["etag"])

    note()
    trial = own_server.ask()
    note()
    own_server.report(trial)
    note(listed=False)
    own_server.report(trial, current_epoch=2)
    note(listed=False)
    own_server.end(trial, "preempted")
    note()
    own_server.converge(own_server.ask())
    note()
    own_server.change(eta_knob=0.2)
    note()
    own_server.reset()
    note()

    assert len(set(of_job)) == len(of_job)
    assert len(set(of_list)) == len(of_list)


def test_a_run_that_failed_and_went_on_and_failed_again_changes_the_pages_of_all_jobs(own_server: Server) -> None:
    played(own_server)
    trial = own_server.ask()
    own_server.report(trial, energy=100.0)
    own_server.end(trial, "error")
    before = [own_server.send("GET", url).headers["etag"] for url in ("/", "/fleet")]

    own_server.beat(trial, time=2.0, energy=900.0)
    own_server.end(trial, "error")

    after = [own_server.send("GET", url).headers["etag"] for url in ("/", "/fleet")]
    assert set(before).isdisjoint(after)


def test_jobs_are_searched_sorted_and_paged_without_a_script(own_server: Server) -> None:
    for number in range(JOBS_ON_A_PAGE + 5):
        own_server.register(job_id=f"job-{number:03}", gpu_model="H100" if number % 10 == 0 else "A100")

    def listed(**params: object) -> list[str]:
        return [text for text in page(own_server, "/", **params).text if text.startswith("job-")]

    assert listed(sort="job")[:2] == ["job-000", "job-001"]
    assert listed(sort="-job")[:2] == ["job-054", "job-053"]
    assert listed(sort="job", page=2) == [f"job-{number:03}" for number in range(50, 55)]
    assert listed(sort="job", page=99) == listed(sort="job", page=2)
    assert listed(q="h100", sort="job") == [f"job-{number:03}" for number in range(0, 55, 10)]
    assert listed(q="nothing like it") == []
    assert listed(sort="nonsense") == listed()


def test_trials_are_filtered_and_paged_without_a_script(own_server: Server) -> None:
    history = History("job", 200, batch_sizes=[8, 16, 32], default_batch_size=16)
    own_server.register(**history.spec)
    look(own_server.url, history.write)

    def listed(**params: object) -> list[tuple[int, str]]:
        html = own_server.call("GET", "/job", job_id="job", **params).text
        table = html.partition('id="trials" data-live')[2].partition("</table>")[0]
        rows = [Page(row).text for row in re.findall(r"<tr>\s*<th scope=.row.*?</tr>", table, re.DOTALL)]
        return [(int(row[0]), row[2]) for row in rows]

    assert [number for number, _ in listed()] == list(range(200, 175, -1))
    assert [number for number, _ in listed(before=176)] == list(range(175, 150, -1))
    assert {state for _, state in listed(state="stopped")} == {"stopped: too dear"}
    assert {state for _, state in listed(state="failed")} == {"crashed"}
    assert {state for _, state in listed(state="running")} == {"running"}
    assert len(listed(size=8)) == 25
    assert listed(size=7) == []


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/job", 422),
        ("/job?job_id=", 422),
        ("/job?job_id=nobody", 404),
        ("/job?job_id=%00", 422),
        ("/job?job_id=%ff", 404),
        ("/job?job_id=job&before=0", 422),
        ("/job?job_id=job&before=99999999999999999999", 422),
        ("/job?job_id=job&size=x", 422),
        ("/job?job_id=job&state=nonsense", 200),
        ("/job/trial?job_id=job", 422),
        ("/job/trial?job_id=job&number=1", 404),
        ("/job/trial?job_id=nobody&number=1", 404),
        ("/job/trial?job_id=job&number=2147483647", 404),
        ("/compare", 200),
        ("/compare?job_id=%00", 404),
        ("/compare?job_id=nobody", 404),
        ("/compare?other=nobody", 404),
        ("/compare?job_id=job&other=nobody", 404),
        ("/compare?job_id=nobody&other=job", 404),
        ("/job/chart?job_id=job&name=curve", 404),
        ("/job/chart?job_id=job&name=nonsense", 422),
        ("/job/chart?job_id=nobody&name=cost", 404),
        ("/job/chart?job_id=job&name=cost&span=7", 422),
        ("/job/data?job_id=nobody&name=cost", 404),
        ("/?page=-1", 422),
        ("/?page=x", 422),
        ("/?q=%25_%5C'%22", 200),
        ("/?sort=%3Cb%3E", 200),
    ],
)
def test_an_odd_address_gets_a_page_that_a_person_can_read(own_server: Server, url: str, status: int) -> None:
    own_server.register()
    response = own_server.send("GET", url)

    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("text/html")
    assert Page(response.text).values("a", "href")


def test_a_select_without_a_choice_is_no_filter(own_server: Server) -> None:
    """Forms send what was not chosen as an empty value."""
    own_server.register()

    assert own_server.send("GET", "/job?job_id=job&size=&state=").status_code == 200


def test_of_many_trials_a_chart_shows_some_and_says_which(own_server: Server) -> None:
    history = History("job", 2_500, batch_sizes=[8, 16, 32], default_batch_size=16)
    own_server.register(**history.spec)
    look(own_server.url, history.write)
    latest, thousand, everything = (chart(own_server, "cost", span=span) for span in ("200", "1000", "all"))

    assert latest["summary"].startswith("The latest 200 of 2\u202f500 trials.")
    assert thousand["summary"].startswith("The latest 1\u202f000 of 2\u202f500 trials.")
    assert everything["summary"].startswith("Every 3rd of 2\u202f500 trials, and all of the latest 100.")
    shown = sorted({number for trace in everything["data"] for number in trace.get("customdata", ())})
    assert shown[:3] == [3, 6, 9]
    assert shown[-100:] == list(range(2_401, 2_501))
    assert len(shown) < 1_000


def test_odd_figures_are_drawn(own_server: Server) -> None:
    own_server.register(eta_knob=0.0, max_power=0.0, target_metric=1e30)
    own_server.report(own_server.ask(), metric=None, energy=0.0, time=1e15)
    own_server.report(own_server.ask(), metric=None, energy=1e15, time=0.0)

    for name in CHARTS:
        assert chart(own_server, name)["summary"]
    assert own_server.call("GET", "/job", job_id="job").status_code == 200


def test_a_database_that_is_away_is_a_page_that_says_so(own_server: Server, tmp_path: Path) -> None:
    own_server.sql("DROP TABLE trial_report")
    own_server.sql("DROP TABLE trial")
    response: httpx.Response = own_server.call("GET", "/")

    assert response.status_code == 503
    assert "database" in " ".join(Page(response.text).text)


def test_a_trial_has_a_page_that_says_why_it_was_chosen_and_how_it_ended(own_server: Server) -> None:
    played(own_server)
    trials = own_server.trials("job")
    pages = [" ".join(page(own_server, "/job/trial", job_id="job", number=n).text) for n in range(1, 9)]
    links = page(own_server, "/job", job_id="job").values("a", "href")

    assert {f"/job/trial?job_id=job&number={n}" for n in range(1, 9)} <= set(links)
    assert "It took the default batch size 16: no run had converged yet." in pages[0]
    assert "It explored 8, which had not converged before. The cheapest known then was 16" in pages[1]
    assert re.search(r"33\s% more than the default", pages[2])
    assert trials[5]["message"] in pages[5]
    assert trials[6]["message"] in pages[6]
    assert "Running, last heard of" in pages[7]
    assert "at most 10" in pages[7]
    curve = own_server.call("GET", "/job/chart", job_id="job", name="curve", number=1).json()
    assert curve["summary"].startswith("Metric after every evaluation of trial 1;")


def test_the_reports_of_a_trial_come_in_pages(own_server: Server) -> None:
    own_server.register(max_epochs=300, beta_knob=None)
    trial = own_server.ask()
    for epoch in range(1, 121):
        own_server.report(trial, current_epoch=epoch, metric=0.1)
    first = page(own_server, "/job/trial", job_id="job", number=1)
    (later,) = (link for link in first.values("a", "href") if "after" in link)
    second = page(own_server, later)

    assert [first.values("th", "scope").count("row"), second.values("th", "scope").count("row")] == [100, 20]


def test_two_jobs_are_compared_side_by_side(own_server: Server) -> None:
    played(own_server)
    own_server.register(job_id="job two", batch_sizes=[16, 512], gpu_model="H100")
    own_server.converge(own_server.ask("job two"), energy=77.0)
    choice = page(own_server, "/compare", job_id="job")
    (link,) = (link for link in choice.values("a", "href") if "other=" in link)
    shown = page(own_server, link)
    text = " ".join(shown.text)

    assert link == "/compare?job_id=job&other=job%20two"
    assert "77.0\xa0J" in text
    assert "gpu_model A100 H100" in text
    assert shown.values("th", "scope").count("row") >= 5
    figure = own_server.call("GET", "/compare/chart", job_id="job", other="job two").json()
    assert [trace["name"] for trace in figure["data"]] == ["job A", "job B"]
    assert "Job B has chosen 16" in figure["summary"]


def test_a_filter_selects_among_the_trials_of_the_charts(own_server: Server) -> None:
    played(own_server)
    failed = own_server.call("GET", "/job/chart", job_id="job", name="cost", state="failed").json()
    curves = own_server.call("GET", "/job/chart", job_id="job", name="curves", size=16).json()

    assert failed["summary"].startswith("8 trials. 1 of them matches the filter. 0 converged")
    assert {trace["name"] for trace in curves["data"]} == {"16", "target"}
    none = own_server.call("GET", "/job/chart", job_id="job", name="curves", state="failed").json()
    assert none["summary"] == "No trial with an evaluation matches the filter."


def test_the_fleet_has_its_savings_over_time_by_gpu_model(own_server: Server) -> None:
    for job_id, gpu in (("one", "A100"), ("two", "H100")):
        own_server.register(job_id=job_id, gpu_model=gpu)
        own_server.converge(own_server.ask(job_id), energy=100.0)
        own_server.converge(own_server.ask(job_id), energy=60.0)
        own_server.end(own_server.ask(job_id), "error")
    own_server.sql("UPDATE trial SET ended_at = '2026-01-01 00:00:00.000000' WHERE job_id = 'two'")
    figure = own_server.call("GET", "/fleet/chart").json()
    saved = {trace["name"]: trace["y"] for trace in figure["data"]}
    whole = own_server.call("GET", "/api/v1/savings/fleet").json()["energy"]["saved"]

    assert saved["A100"][-1] == 40.0
    assert 0.0 in saved["A100"]
    assert set(saved["H100"]) == {40.0}, "what was saved before the days that are shown stands below all of them"
    assert sum(sums[-1] for sums in saved.values()) == whole
    assert "80.0\xa0J saved so far" in figure["summary"]


def test_alarms_lead_to_the_jobs_that_raise_them(own_server: Server) -> None:
    own_server.register(job_id="well")
    own_server.register(job_id="ill")
    for _ in range(5):
        own_server.end(own_server.ask("ill"), "error")
    (link,) = (link for link in page(own_server, "/fleet").values("a", "href") if "only" in link)
    shown = page(own_server, link)

    assert [each for each in shown.values("a", "href") if each.startswith("/job?")] == ["/job?job_id=ill"]
    assert "alarm" in shown.values("input", "value")


def test_an_address_without_a_page_gets_one_in_a_browser_and_json_elsewhere(own_server: Server) -> None:
    in_browser = own_server.send("GET", "/nothing/here", headers={"Accept": "text/html"})
    elsewhere = own_server.send("GET", "/nothing/here")

    assert in_browser.status_code == elsewhere.status_code == 404
    assert "There is no page at this address." in Page(in_browser.text).text
    assert "default-src 'none'" in in_browser.headers["content-security-policy"]
    assert elsewhere.json()["message"]


def _scripts() -> list[Path]:
    return sorted((Path(render.__file__).parent / "static").glob("*.js"))
