"""How often an address may be wrong about who it is."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 10
"""So many wrong tokens in a row an address has free."""

REFILL_S = 6.0
"""After so long it has one more [s]."""

_MOST_ADDRESSES = 10_000


class Throttle:
    """A bucket of wrong tokens for each address, in this process's memory.

    It spares the log and the processor, and slows guessing down; what makes guessing hopeless is the length of the
    secrets. Each replica counts by itself. It never refuses a token that is right.

    Args:
        clock: Tells the time [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """How long an address has to wait before it may be wrong again [s]; 0: it need not."""
        missing_s = self._full_at.get(_network(address), 0.0) - self._clock()
        return max(0, math.ceil(missing_s - (BURST - 1) * REFILL_S))

    def count(self, address: str) -> None:
        """Count a wrong token."""
        network, now = _network(address), self._clock()
        self._full_at[network] = max(self._full_at.pop(network, now), now) + REFILL_S
        if len(self._full_at) > _MOST_ADDRESSES:
            self._full_at.popitem(last=False)


def _network(address: str) -> str:
    """An IPv6 address as its network of 64 bits, of which one machine has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
