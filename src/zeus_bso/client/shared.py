"""Objects that several processes share: one monitor for all ranks, and a connection that opens late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from zeus_bso.monitor.counting import count_once, join_devices, reading_of
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.interface import DeviceInfo, Monitor
from zeus_bso.protocol.transport import Answer, Transport
from zeus_bso.protocol.words import EnergySource

_T = TypeVar("_T")


class _Agreeing(Protocol):
    def agree(self, act: Callable[[], _T]) -> list[_T]: ...


@dataclass(frozen=True)
class SharedWindow:
    """The measurement of a window over all ranks.

    Attributes:
        time: Length of the window on the rank where it was longest [s].
        total_energy: Energy of all devices, each counted once [J].
        source: The weakest source of the readings.
    """

    time: float
    total_energy: float
    source: EnergySource | None


class SharedMonitor:
    """The monitors of all ranks as one monitor. Each device counts once, even if several ranks measure it.

    An error on one rank is raised on all ranks.

    Args:
        monitor: This rank's monitor.
        ranks: The ranks.

    Raises:
        ZeusBSOMonitorError: The devices of a rank cannot be identified, or they are of several models.
        ZeusBSODistributedError: A rank died, hangs, or has left.
    """

    def __init__(self, monitor: Monitor, ranks: _Agreeing) -> None:
        self._monitor = monitor
        self._ranks = ranks
        self._devices = join_devices(ranks.agree(lambda: devices_of(monitor)))

    @property
    def gpu_indices(self) -> Sequence[int]:
        """The GPUs that this rank measures."""
        return self._monitor.gpu_indices

    def devices(self) -> DeviceInfo:
        """The devices of all ranks."""
        return self._devices

    def begin_window(self, name: str, /) -> None:
        """Open a window on this rank."""
        self._monitor.begin_window(name)

    def end_window(self, name: str, /) -> SharedWindow:
        """Close the window on all ranks and return its measurement.

        Raises:
            ZeusBSOMonitorError: A rank could not measure the window.
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        total = count_once(self._ranks.agree(lambda: reading_of(self._monitor.end_window(name))))
        return SharedWindow(total.time_s, total.energy_j, total.source)


class DeferredTransport:
    """A transport that connects when it is first used.

    Args:
        connect: Makes the transport.
    """

    def __init__(self, connect: Callable[[], Transport]) -> None:
        self._connect = connect
        self._transport: Transport | None = None

    @property
    def address(self) -> str:
        """Where it sends requests."""
        return self._connected().address

    @property
    def patience_s(self) -> float:
        """How long a launch waits for a server that is away [s]."""
        return self._connected().patience_s

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            TransportError: No answer came within ``timeout_s`` seconds, or the transport's own limit, with all retries.
        """
        transport = self._connected()
        if timeout_s is None:
            return transport.request(method, path, body=body, params=params)
        return transport.request(method, path, body=body, params=params, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> Transport:
        if self._transport is None:
            self._transport = self._connect()
        return self._transport
