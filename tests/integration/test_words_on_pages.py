"""The words and figures on the dashboard's pages: nothing untrue, nothing twice, no terms of the API."""

from __future__ import annotations

from tests.support.power import BEST_W, COMPLETE
from tests.support.server import Server


def html(server: Server, url: str, **params: object) -> str:
    response = server.call("GET", url, **params)
    assert response.status_code == 200, response.text
    return response.text


def lost(server: Server) -> None:
    """One run of the default size, which cost 100 J, and one of another size, which was stopped at 300 J."""
    server.register()
    server.converge(server.ask(), energy=100.0)
    server.report(server.ask(), energy=300.0, metric=0.5)


def test_a_trial_is_compared_with_the_default_only_if_its_size_is_another(own_server: Server) -> None:
    own_server.register()
    for energy in (100.0, 60.0, 120.0):
        own_server.converge(own_server.ask(), energy=energy)
    default, other = (html(own_server, "/job/trial", job_id="job", number=number) for number in (1, 2))

    assert "the default</span>" not in default
    assert "less</span> than the default</span>" in other


def test_a_loss_is_called_a_loss_and_an_interval_without_a_width_is_left_out(own_server: Server) -> None:
    lost(own_server)
    tiles = html(own_server, "/job", job_id="job").partition('id="saved-title"')[2].partition("</section>")[0]
    jobs = html(own_server, "/")

    assert own_server.job()["savings"]["message"].startswith("300 J lost against batch size 16; baseline: 1 run")
    assert "300 J lost over 1 of 1 job." in html(own_server, "/api/v1/savings/fleet")
    assert "<dt>Energy lost</dt>" in tiles
    assert "300\xa0J</span>" in tiles
    assert "95 % interval" not in tiles + jobs
    assert "\N{MINUS SIGN}300" not in tiles


def test_an_interval_with_a_width_is_told(own_server: Server) -> None:
    own_server.register()
    for energy in (100.0, 60.0, 120.0, 90.0, 110.0):
        own_server.converge(own_server.ask(), energy=energy)
    message = own_server.job()["savings"]["message"]
    tiles = html(own_server, "/job", job_id="job").partition('id="saved-title"')[2].partition("</section>")[0]

    assert " to " in message.partition("(")[2].partition(")")[0]
    assert '<span class="interval" title="95 % interval">' in tiles


def test_less_than_a_cent_is_told_once_and_without_a_sign(own_server: Server) -> None:
    own_server.restart(electricity_price=0.3, currency="EUR")
    lost(own_server)
    page = html(own_server, "/job", job_id="job")
    money = page.partition("<dt>Money lost</dt>")[2].partition("</dd>")[0]

    assert "under 0.01\xa0EUR" in money
    assert "interval" not in money
    assert "&lt;0.01" not in page + html(own_server, "/")


def test_a_job_that_has_tried_another_size_is_not_said_to_have_stayed_on_its_default(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask(), energy=100.0)
    own_server.end(own_server.ask(), "oom")

    assert own_server.job()["savings"]["message"].startswith("Nothing is saved yet against batch size 16; baseline")


def test_the_trials_of_a_job_are_told_in_words_for_people(own_server: Server) -> None:
    own_server.register(policy="surrogate")
    own_server.converge(own_server.ask(run_id="the-first-night"), energy=100.0)
    own_server.end(own_server.ask(), "oom")
    own_server.miss(own_server.ask())
    own_server.ask()
    page = html(own_server, "/job", job_id="job")
    sizes = page.partition('id="sizes" data-live')[2].partition("</table>")[0]
    trials = page.partition('id="trials" data-live')[2].partition("</table>")[0]
    trial = html(own_server, "/job/trial", job_id="job", number=1)

    assert [row["uncapped"] for row in own_server.trials()] == [False, False, False, True]
    assert trials.count("without a cost bound") == 1
    assert "not given again: out of memory" in sizes
    assert "retired" not in page
    assert "the-first-night" not in trials
    assert "the-first-night" in trial


def test_a_spec_lists_only_the_settings_of_the_jobs_own_policy(own_server: Server) -> None:
    for policy in ("surrogate", "zeus"):
        own_server.register(job_id=policy, policy=policy)
    surrogate, zeus = (
        html(own_server, "/job", job_id=policy).partition('id="spec"')[2] for policy in ("surrogate", "zeus")
    )

    assert "mab_" not in surrogate
    for name in ("num_pruning_rounds", "window_size", "mab_seed"):
        assert f"<dt>{name}</dt>" in zeus
        assert f"<dt>{name}</dt>" not in surrogate
    assert "<dt>policy_options</dt>" in surrogate
    assert "<dt>policy_options</dt>" not in zeus
    assert "<dt>beta_knob</dt>" in surrogate
    assert "<dt>beta_knob</dt>" in zeus


def test_of_a_job_that_is_not_there_a_person_is_told_just_that(own_server: Server) -> None:
    for url in ("/job", "/compare"):
        answer = own_server.call("GET", url, job_id="nope")
        assert (answer.status_code, "There is no job &#39;nope&#39;.</bdi>" in answer.text) == (404, True)
    client = own_server.call("GET", "/jobs/batch_size", job_id="nope")

    assert client.json()["message"] == "There is no job 'nope'; register it first."


def test_without_jobs_the_fleet_says_how_to_begin_and_no_figures(own_server: Server) -> None:
    page = html(own_server, "/fleet")

    assert "How to begin the first job" in page
    assert "0 of 0" not in page
    assert "data-chart" not in page


def test_what_a_run_was_told_is_not_preceded_by_the_same_words(own_server: Server) -> None:
    own_server.register()
    trial = own_server.ask()
    own_server.report(trial)
    running = html(own_server, "/job/trial", job_id="job", number=1)
    own_server.end(trial, "oom")
    ended = html(own_server, "/job/trial", job_id="job", number=1)

    assert own_server.trial(trial)["message"] in ended
    assert "Out of memory." not in ended
    assert "Running, last heard of" in running
    assert "Go on training" not in running


def test_an_alarm_is_not_said_twice(own_server: Server) -> None:
    own_server.register(batch_sizes=[8, 16], default_batch_size=16, policy="surrogate")
    for _ in range(6):
        own_server.miss(own_server.ask())
    head = html(own_server, "/job", job_id="job").partition('id="facts"')[2].partition('id="now"')[0]

    assert own_server.job()["no_size_converges"]
    assert head.count('class="alert"') == 1


def test_what_limits_save_and_sizes_lose_is_told_without_a_sign(own_server: Server) -> None:
    own_server.register(power_limit="optimize")
    own_server.converge(own_server.ask(), power_limit=BEST_W, power_profile=COMPLETE)
    own_server.report(own_server.ask(), energy=300.0, metric=0.5)
    split = html(own_server, "/job", job_id="job").partition('class="split"')[2].partition("</p>")[0]

    assert "batch sizes lost <b>" in split
    assert "power limits saved <b>" in split
    assert "\N{MINUS SIGN}" not in split


def test_the_spans_of_a_chart_are_offered_only_where_they_differ(own_server: Server) -> None:
    own_server.register()
    own_server.converge(own_server.ask())

    assert "Latest 200" not in html(own_server, "/job", job_id="job")


def test_figures_of_two_specs_have_units(own_server: Server) -> None:
    own_server.register()
    own_server.register(job_id="other", max_power=716_800.0, number_of_gpus=1024)
    page = html(own_server, "/compare", job_id="job", other="other")

    assert "300\xa0W" in page
    assert "716\u202f800\xa0W" in page
    assert "1\u202f024&nbsp;\N{MULTIPLICATION SIGN}&nbsp;" in page
    assert "<td>1\u202f024</td>" in page


def test_a_column_of_figures_stands_to_the_right_even_where_one_is_missing(own_server: Server) -> None:
    own_server.register()
    own_server.end(own_server.ask(), "error")
    own_server.converge(own_server.ask())
    row = html(own_server, "/job/data", job_id="job", name="cost").partition("<tbody>")[2].partition("</tr>")[0]

    assert '<td class="num">\N{EN DASH}</td>' in row


def test_a_sentence_on_a_page_has_its_figures_as_the_page_has_them(own_server: Server) -> None:
    own_server.register(batch_sizes=[1024, 2048], default_batch_size=2048, policy="surrogate")
    own_server.converge(own_server.ask(), energy=5e6)
    said = own_server.job()["next_run"]
    reason = html(own_server, "/job", job_id="job").partition('class="reason">')[2].partition("</p>")[0]

    assert "1024" in said
    assert " kWh" in said
    assert "1\N{NARROW NO-BREAK SPACE}024" in reason
    assert "\xa0kWh" in reason


def test_the_id_of_a_job_stays_as_it_is_in_a_sentence(own_server: Server) -> None:
    own_server.register(job_id="20261127", policy="surrogate")
    for _ in range(7):
        own_server.converge(own_server.ask("20261127"), energy=5e6)
    own_server.register(job_id="other", policy="surrogate", gpu_model="H200")

    assert "job 20261127," in html(own_server, "/job", job_id="other")
