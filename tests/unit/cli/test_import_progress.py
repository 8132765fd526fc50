"""What an import shows on a terminal, and what elsewhere."""

from __future__ import annotations

import io
import threading

import pytest

from zeus_bso.cli import import_progress
from zeus_bso.cli.import_progress import job_id_in, shown
from zeus_bso.exceptions import ZeusBSORequestError
from zeus_bso.protocol.import_views import ImportProgress


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(import_progress, "_EVERY_S", 0.001)


class _Import:
    """An import that ends when it was asked so often."""

    def __init__(self, asks: int) -> None:
        self._left = asks
        self.ended = threading.Event()

    def progress(self, job_id: str) -> ImportProgress:
        """How far it is: half."""
        assert job_id == "nightly"
        self._left -= 1
        if self._left == 0:
            self.ended.set()
        return ImportProgress(stored=500, rows=1000)


@pytest.mark.usefixtures("_terminal")
def test_a_terminal_shows_how_much_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    running = _Import(asks=2)
    with shown(running.progress, "nightly"):
        assert running.ended.wait(60)

    said = capsys.readouterr()
    assert said.out == ""
    assert "storing" in said.err
    assert "50%" in said.err


@pytest.mark.usefixtures("_terminal")
def test_a_server_that_cannot_tell_is_asked_once(capsys: pytest.CaptureFixture[str]) -> None:
    asked = threading.Semaphore(0)

    def refuse(job_id: str) -> ImportProgress:
        asked.release()
        raise ZeusBSORequestError("no such route")

    with shown(refuse, "nightly"):
        assert asked.acquire(timeout=60)
        assert not asked.acquire(timeout=0.1)

    assert "storing" not in capsys.readouterr().err


def test_nothing_is_shown_or_asked_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    def ask(job_id: str) -> ImportProgress:
        raise AssertionError("nobody looks")

    with shown(ask, "nightly"):
        pass

    assert capsys.readouterr() == ("", "")


def test_the_id_of_a_file_is_read_without_moving_on() -> None:
    file = io.BytesIO(b'{"format": "zeus-bso-job", "version": 1, "job_id": "nightly"}\n{"table": "job"}\n')

    assert job_id_in(file) == "nightly"
    assert file.tell() == 0


@pytest.mark.parametrize("content", [b"", b"no JSON\n", b"[]\n", b'{"job_id": 7}\n', b"\xff\n"])
def test_a_file_that_is_no_exported_job_has_no_id(content: bytes) -> None:
    assert job_id_in(io.BytesIO(content)) is None
