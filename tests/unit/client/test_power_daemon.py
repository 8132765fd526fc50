"""Power limits that zeusd sets for a user who may not: a real HTTP server on a Unix socket stands in for it."""

from __future__ import annotations

import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.power_card import Clock, PowerCard

from zeus_bso.client.power.daemon import PowerDaemon
from zeus_bso.client.power.gpus import measured_gpus
from zeus_bso.client.power.limiter import PowerLimiter, PowerLimitError
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import EnergyMonitor


class Daemon:
    """Sets the limit of a card, or refuses to.

    Attributes:
        path: Its socket.
        refusal: Every request is answered with this status. 200: it is carried out.
        requests: Method, path and query of each request.
    """

    def __init__(self, path: Path, card: PowerCard) -> None:
        self.path = path
        self.refusal = 200
        self.requests: list[tuple[str, str, dict[str, list[str]]]] = []
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                daemon.requests.append(("POST", url.path, query))
                if daemon.refusal == 200:
                    card.allowed = True
                    card.nvmlDeviceSetPowerManagementLimit(0, int(query["power_limit_mw"][0]))
                    card.allowed = False
                self.send_response(daemon.refusal)
                self.end_headers()
                self.wfile.write(b"out of range")

            def address_string(self) -> str:
                return "a socket"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PowerCard:
    """A card whose limit this process may not set."""
    card = PowerCard(Clock(), allowed=False)
    monkeypatch.setitem(sys.modules, "pynvml", card)
    monkeypatch.setenv("ZEUS_BSO_POWER_DIR", str(tmp_path / "power"))
    return card


@pytest.fixture
def daemon(card: PowerCard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    # The path of a socket may have about a hundred characters only.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        daemon = Daemon(Path(folder) / "zeusd.sock", card)
        monkeypatch.setenv("ZEUSD_SOCK_PATH", str(daemon.path))
        yield daemon
        daemon.stop()


def test_it_sets_and_restores_the_limit_by_the_number_of_the_gpu_on_the_machine(
    card: PowerCard, daemon: Daemon
) -> None:
    limiter = PowerLimiter(measured_gpus(EnergyMonitor([0])))
    limiter.claim()
    limiter.set_limit(300.0)
    assert card.limit_w == 300
    assert daemon.requests[-1] == (
        "POST",
        "/gpu/set_power_limit",
        {"gpu_ids": ["3"], "power_limit_mw": ["300000"], "block": ["true"]},
    )
    limiter.restore()
    assert card.limit_w == 700


def test_its_refusal_is_told(card: PowerCard, daemon: Daemon) -> None:
    daemon.refusal = 400
    with pytest.raises(PowerLimitError, match="400: out of range"):
        PowerLimiter(measured_gpus(EnergyMonitor([0]))).claim()
    assert card.limits_mw == []


def test_its_absence_is_told(card: PowerCard, tmp_path: Path) -> None:
    with pytest.raises(ZeusBSOMonitorError, match="does not answer"):
        PowerDaemon(str(tmp_path / "none.sock")).set_power_limit_w(0, 300.0)
