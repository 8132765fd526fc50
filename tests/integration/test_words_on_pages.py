"""The words and figures on the dashboard's pages: nothing untrue, nothing twice, no terms of the API."""

from __future__ import annotations

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
