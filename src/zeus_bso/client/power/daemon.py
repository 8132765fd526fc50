"""zeusd, a daemon that sets power limits for users who may not. This uses its HTTP interface as documented."""

from __future__ import annotations

import http.client
import os
import socket
import time
from functools import cache
from urllib.parse import urlencode

from zeus_bso.exceptions import ZeusBSOMonitorError

SOCKET_VARIABLE = "ZEUSD_SOCK_PATH"

_TIMEOUT_S = 1.0

_AWAY_S = 2.0
"""After a call without an answer, further calls fail at once for so long, so that many GPUs delay no end."""


class PowerDaemon:
    """The daemon behind a Unix socket.

    Args:
        path: The socket.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._away_until_s = 0.0

    def set_power_limit_w(self, host_index: int, limit_w: float) -> None:
        """Set the power limit of a GPU [W].

        Args:
            host_index: Number of the GPU on this machine.
            limit_w: The limit [W].

        Raises:
            ZeusBSOMonitorError: The daemon does not answer, or refuses.
        """
        if time.monotonic() < self._away_until_s:
            raise ZeusBSOMonitorError(f"zeusd does not answer at {self.path}")
        query = urlencode({"gpu_ids": host_index, "power_limit_mw": round(limit_w * 1e3), "block": "true"})
        connection = _UnixConnection(self.path)
        try:
            connection.request("POST", f"/gpu/set_power_limit?{query}")
            answer = connection.getresponse()
            said = answer.read(1000).decode("utf-8", errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            self._away_until_s = time.monotonic() + _AWAY_S
            raise ZeusBSOMonitorError(f"zeusd does not answer at {self.path} ({error})") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ZeusBSOMonitorError(f"zeusd does not set a power limit of {limit_w:g} W ({answer.status}: {said})")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def known_daemon() -> PowerDaemon | None:
    """The daemon that the environment names. None if it names none."""
    path = os.environ.get(SOCKET_VARIABLE)
    return _daemon_at(path) if path else None


@cache
def _daemon_at(path: str) -> PowerDaemon:
    return PowerDaemon(path)
