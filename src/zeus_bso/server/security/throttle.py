"""Limits how often an address may send wrong tokens."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 10
"""How many wrong tokens in a row an address may send."""

REFILL_S = 6.0
"""The time after which an address may try once more [s]."""

_MOST_ADDRESSES = 10_000


class Throttle:
    """Counts wrong tokens of each address in the memory of this process, as a token bucket.

    It saves log lines and CPU time, and it slows guessing down. The real protection against guessing is the length of
    the secrets. Each replica counts by itself. A correct token is never refused here.

    Args:
        clock: Returns the time [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """How long an address must wait before its next try [s]. 0 means that it need not wait."""
        missing_s = self._full_at.get(_network(address), 0.0) - self._clock()
        return max(0, math.ceil(missing_s - (BURST - 1) * REFILL_S))

    def count(self, address: str) -> None:
        """Count a wrong token."""
        network, now = _network(address), self._clock()
        self._full_at[network] = max(self._full_at.pop(network, now), now) + REFILL_S
        if len(self._full_at) > _MOST_ADDRESSES:
            self._full_at.popitem(last=False)


def _network(address: str) -> str:
    """The /64 network of an IPv6 address, because one machine may own all addresses in it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
