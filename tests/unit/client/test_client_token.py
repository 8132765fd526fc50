"""Where the server's token comes from, how it travels, and where it does not appear."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest
from tests.unit.client.tiny_server import TinyServer

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
from zeus_bso.client.connection.connect import transport_for
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSORequestError

SECRET = "hunter2-token"
JOB = JobSpec(job_id_prefix="token", batch_sizes=[64], default_batch_size=64)


@pytest.fixture(autouse=True)
def _no_token_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEUS_BSO_TOKEN", raising=False)
    monkeypatch.delenv("ZEUS_BSO_TOKEN_FILE", raising=False)


def sent(url: str, token: str | None = None) -> str | None:
    """The Authorization header of a request to a server of that URL."""
    with TinyServer() as server:
        transport = transport_for(url.replace("HOST", server.url.removeprefix("http://")), token)
        transport.request("GET", "/x")
        transport.close()
        return server.requests[0].headers.get("Authorization")


def test_without_a_token_nothing_is_sent() -> None:
    assert sent("http://HOST") is None


def test_the_argument_is_sent_as_a_bearer_token() -> None:
    assert sent("http://HOST", SECRET) == f"Bearer {SECRET}"


def test_the_environment_gives_it_or_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}-of-the-file\n")
    monkeypatch.setenv("ZEUS_BSO_TOKEN_FILE", str(file))
    assert sent("http://HOST") == f"Bearer {SECRET}-of-the-file"
    monkeypatch.setenv("ZEUS_BSO_TOKEN", SECRET)
    assert sent("http://HOST") == f"Bearer {SECRET}"


def test_user_info_in_the_url_goes_before_the_environment_and_after_the_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZEUS_BSO_TOKEN", SECRET)
    assert (sent("http://me:secret@HOST") or "").startswith("Basic ")
    assert sent("http://me:secret@HOST", "mine") == "Bearer mine"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "café"])
def test_a_token_that_fits_into_no_header_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(ZeusBSOConfigError) as caught:
        transport_for("http://127.0.0.1:1", token)
    assert not token or token not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(ZeusBSOConfigError, match="missing"):
        transport_for("http://127.0.0.1:1")


def test_it_appears_in_no_log_repr_state_or_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), TinyServer() as server:
        bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 3), server.url, JOB, token=SECRET)
        bso.get_batch_size()
        bso.on_train_begin()
        server.answers["/report"] = (401, {"message": "no"})
        bso.on_evaluate(0.1)
        server.answers.clear()
        bso.cancel()
        server.answers["/jobs"] = (403, {"message": "no"})
        with pytest.raises(ZeusBSORequestError) as caught:
            BatchSizeOptimizer(ReplayMonitor([]), server.url, JOB, token=SECRET)
    assert "ZEUS_BSO_TOKEN" in caplog.text
    shown = [caplog.text, repr(HttpTransport(server.url, SECRET)), str(bso.state_dict()), repr(bso)]
    assert not [text for text in (*shown, *traceback.format_exception(caught.value)) if SECRET in text]
