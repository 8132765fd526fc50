"""``zeus-bso serve`` before it serves: where it may listen, and what it says when it cannot."""

from __future__ import annotations

import gc
import socket
from pathlib import Path

import pytest

from zeus_bso.cli.loading import loading_code
from zeus_bso.cli.main import main
from zeus_bso.cli.serve import listen, url_of
from zeus_bso.cli.settings import is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_beyond_loopback_is_refused_in_one_line(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["serve", "--host", host, "--port", "0", "--database-url", f"sqlite:///{tmp_path}/a.db"])

    assert code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "--insecure" in message
    assert list(tmp_path.iterdir()) == []


def test_a_busy_port_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = main(["serve", "--port", str(port), "--database-url", f"sqlite:///{tmp_path}/a.db"])

    assert code == 1
    assert capsys.readouterr().err == f"zeus-bso: port {port} is in use; choose another with --port.\n"


def test_a_host_that_cannot_be_resolved_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["serve", "--host", "no-such-host.invalid", "--insecure", "--port", "0"])

    assert code == 1
    assert capsys.readouterr().err.startswith("zeus-bso: cannot listen on no-such-host.invalid")


def test_an_impossible_port_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "70000"]) == 2
    assert capsys.readouterr().err.startswith("zeus-bso: --port: ")


def test_an_impossible_setting_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZEUS_BSO_PORT", "many")

    assert main(["serve"]) == 2
    assert capsys.readouterr().err.startswith("zeus-bso: ZEUS_BSO_PORT: ")


def test_the_url_names_the_port_that_was_taken() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_garbage_is_collected_again_after_loading_whatever_happens() -> None:
    def load() -> None:
        with loading_code():
            assert not gc.isenabled()
            raise ImportError

    try:
        with pytest.raises(ImportError):
            load()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
