"""Pages and lists are compressed for clients that ask for it; nothing else is."""

from __future__ import annotations

import httpx
import pytest
from tests.support.jobs import spec
from tests.support.server import Server

from zeus_bso.server.http.compression import MIN_BYTES, accepts_gzip

JOBS = 5
LARGE = ["/", "/api/v1/jobs", "/openapi.json", "/docs"]


@pytest.fixture
def server(own_server: Server) -> Server:
    """A server with a list that is worth compressing."""
    for number in range(JOBS):
        own_server.register(job_id=f"job-{number}")
    return own_server


def raw(server: Server, url: str, accept_encoding: str, **headers: str) -> httpx.Response:
    return server.send("GET", url, headers={"Accept-Encoding": accept_encoding} | headers)


@pytest.mark.parametrize("url", LARGE)
def test_a_page_or_a_list_is_compressed_for_whoever_accepts_it(server: Server, url: str) -> None:
    plain, packed = raw(server, url, "identity"), raw(server, url, "br, gzip")

    assert len(plain.content) >= MIN_BYTES
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_an_entity_tag_holds_for_both_forms(server: Server) -> None:
    plain, packed = raw(server, "/", "identity"), raw(server, "/", "gzip")
    again = raw(server, "/", "gzip", **{"If-None-Match": plain.headers["etag"]})

    assert plain.headers["etag"] == packed.headers["etag"]
    assert plain.headers["etag"].startswith("W/")
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in again.headers


def test_small_answers_stay_as_they_are(server: Server) -> None:
    trial = server.ask("job-0")
    body = {**trial.body, "time": 1.0, "energy": 1.0, "metric": 0.1, "current_epoch": 1}

    for answer in (
        server.call("POST", "/report", body),
        server.call("POST", "/jobs", spec(job_id="job-0")),
        server.call("GET", "/healthz"),
    ):
        assert answer.is_success
        assert answer.request.headers["accept-encoding"].startswith("gzip")
        assert not {"content-encoding", "vary"} & set(answer.headers)


def test_an_export_is_streamed_as_it_is(server: Server) -> None:
    for _ in range(20):
        server.converge(server.ask("job-0"))

    answer = raw(server, "/api/v1/jobs/export?job_id=job-0", "gzip")

    assert len(answer.content) > MIN_BYTES
    assert "content-encoding" not in answer.headers


def test_what_is_compressed_already_is_not_compressed_again(server: Server) -> None:
    answer = raw(server, "/dashboard/plotly/1/plotly.min.js", "gzip")

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text.startswith("/**")


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br;q=1.0, *;q=0.1", "gzip; q=1"])
def test_gzip_is_accepted(accepted: str) -> None:
    assert accepts_gzip(accepted)


@pytest.mark.parametrize(
    "refused", ["", "identity", "gzip;q=0", "gzip; q=0.0, *", "br", "*;q=0", "gzip;q=x", "notgzip"]
)
def test_gzip_is_not_accepted(refused: str) -> None:
    assert not accepts_gzip(refused)
