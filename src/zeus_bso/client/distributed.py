"""A training of several processes: rank 0 speaks to the server, and all ranks learn the same.

Everything here is collective: every rank makes the same calls in the same order. PyTorch is loaded when the ranks are
joined, and not before.
"""

from __future__ import annotations

import itertools
import math
import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from zeus_bso.client.transport import CALL_S, Answer, Transport
from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSODistributedError, ZeusBSOError, ZeusBSOOrderError
from zeus_bso.monitor.adapt import adapt
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.once import count_once, join_devices, reading_of
from zeus_bso.monitor.protocol import DeviceInfo, Monitor

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

_T = TypeVar("_T")

TIMEOUT_S = 1800.0
"""Ranks wait for each other at most so long [s]; as PyTorch's own collectives do."""

_BLOCK_BYTES = 2048
_LENGTH_BYTES = 8

_FIRST_POLL_S = 0.0002
_LONGEST_POLL_S = 0.02

_groups = itertools.count()


@dataclass(frozen=True)
class _Done(Generic[_T]):
    value: _T


@dataclass(frozen=True)
class _Failed:
    error: Exception


class Alone:
    """A process that speaks for itself: a training of one process, or of several that the script keeps together.

    Args:
        rank: Its rank, as the script says.

    Attributes:
        rank: Its rank.
        leads: Whether it speaks to the server.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.leads = True

    def monitor(self, monitor: Monitor | TaskTracker) -> Monitor | TaskTracker:
        """The monitor, as it is."""
        return monitor

    def transport(self, connect: Callable[[], Transport]) -> Transport:
        """The way to the server."""
        return connect()

    def check_asking(self) -> None:
        """Make sure that this process may ask for a batch size.

        Raises:
            ZeusBSOOrderError: It may not.
        """
        if self.rank != 0:
            raise ZeusBSOOrderError(
                "Only rank 0 asks for a batch size; broadcast it, and set current_batch_size and trial_number. "
                "Or let distributed=True do so."
            )

    def share(self, act: Callable[[], _T]) -> _T:
        """Do something."""
        return act()


class Ranks:
    """The processes of one training, joined in a process group of their own.

    The group is one of gloo, on the CPU, so that nothing here waits for a GPU or mixes with what a GPU's group does.
    It hangs off PyTorch's default process group if there is one, else off what a launcher like ``torchrun`` left in the
    environment; a framework may then make its default group later.

    Args:
        timeout_s: Ranks wait for each other at most so long [s].

    Attributes:
        rank: This process.
        world_size: How many there are.
        leads: Whether this one speaks to the server; the others hear from it.

    Raises:
        ZeusBSOConfigError: PyTorch is missing, or the processes do not know each other.
        ZeusBSODistributedError: The other ranks did not come.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        if not (math.isfinite(timeout_s) and timeout_s > 0):
            raise ZeusBSOConfigError(f"distributed_timeout_s must be a positive number of seconds, not {timeout_s}.")
        self._timeout_s = timeout_s
        self._lost: str | None = None
        try:
            self._group, self.rank, self.world_size = _join(timedelta(seconds=timeout_s))
        except RuntimeError as error:
            raise self._lose(error) from error
        self.leads = self.rank == 0

    def monitor(self, monitor: Monitor | TaskTracker) -> Monitor:
        """The monitors of all ranks as one.

        Raises:
            ZeusBSOMonitorError: The devices of a rank cannot be found out, or they are of several models.
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return SharedMonitor(adapt(monitor), self)

    def transport(self, connect: Callable[[], Transport]) -> Transport:
        """The way to the server, which only rank 0 has need of at once."""
        return connect() if self.leads else DeferredTransport(connect)

    def check_asking(self) -> None:
        """All may ask: they ask together."""

    def exchange(self, value: _T) -> list[_T]:
        """Give every rank the values of all, by rank; they must be picklable.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        payload = pickle.dumps(value)
        framed = len(payload).to_bytes(_LENGTH_BYTES, "big") + payload
        parts = self._gather(framed[:_BLOCK_BYTES], _BLOCK_BYTES)
        lengths = [_LENGTH_BYTES + int.from_bytes(part[:_LENGTH_BYTES], "big") for part in parts]
        # Nearly everything that ranks tell each other fits into one block, and so takes one round.
        if max(lengths) > _BLOCK_BYTES:
            parts = self._gather(framed, max(lengths))
        return [pickle.loads(part[_LENGTH_BYTES:length]) for part, length in zip(parts, lengths, strict=True)]

    def share(self, act: Callable[[], _T]) -> _T:
        """Do something on rank 0 alone; every rank gets what it returned, or raises what it raised.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return _unpack(self.exchange(_attempt(act) if self.leads else None)[0])

    def agree(self, act: Callable[[], _T]) -> list[_T]:
        """Do something on every rank; every rank gets what all returned, or raises what the first to fail raised.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return [_unpack(outcome) for outcome in self.exchange(_attempt(act))]

    def _gather(self, data: bytes, size: int) -> list[bytes]:
        """Give every rank the bytes of all, filled up to ``size`` bytes, which is the same on every rank."""
        import torch

        if self._lost is not None:
            raise ZeusBSODistributedError(self._lost)
        tensor = torch.frombuffer(bytearray(data.ljust(size, b"\0")), dtype=torch.uint8)
        found = [torch.empty_like(tensor) for _ in range(self.world_size)]
        try:
            work = self._group.allgather([found], [tensor])
            # A signal handler runs between two looks; while a call of PyTorch blocks, it would not.
            poll_s, deadline = _FIRST_POLL_S, time.monotonic() + self._timeout_s
            while not work.is_completed() and time.monotonic() < deadline:
                time.sleep(poll_s)
                poll_s = min(1.5 * poll_s, _LONGEST_POLL_S)
            work.wait()
        except RuntimeError as error:
            raise self._lose(error) from error
        return [bytes(part.tolist()) for part in found]

    def _lose(self, error: RuntimeError) -> ZeusBSODistributedError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self._lost = (
            f"The ranks have lost each other: one died, or left the training before the others, or did not come within "
            f"{self._timeout_s:g} s ({reason})."
        )
        return ZeusBSODistributedError(self._lost)


@dataclass(frozen=True)
class SharedWindow:
    """What a window took on all ranks.

    Attributes:
        time: Its length on the rank where it was longest [s].
        total_energy: The energy of all devices, each counted once [J].
        source: The weakest of what it rests on.
    """

    time: float
    total_energy: float
    source: EnergySource | None


class SharedMonitor:
    """The monitors of all ranks as one; each device counts once, however many ranks look at it.

    What fails on one rank fails on all.

    Args:
        monitor: This rank's monitor.
        ranks: The ranks.

    Raises:
        ZeusBSOMonitorError: The devices of a rank cannot be found out, or they are of several models.
        ZeusBSODistributedError: A rank died, hangs, or has left.
    """

    def __init__(self, monitor: Monitor, ranks: Ranks) -> None:
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
        """Close the window on all ranks and tell what it took.

        Raises:
            ZeusBSOMonitorError: A rank could not measure it.
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        total = count_once(self._ranks.agree(lambda: reading_of(self._monitor.end_window(name))))
        return SharedWindow(total.time_s, total.energy_j, total.source)


class DeferredTransport:
    """A transport that connects when it is first used.

    Args:
        connect: Makes it.
    """

    def __init__(self, connect: Callable[[], Transport]) -> None:
        self._connect = connect
        self._transport: Transport | None = None

    @property
    def address(self) -> str:
        """Where it sends requests."""
        return self._connected().address

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            TransportError: None came within ``timeout_s`` seconds, retries included.
        """
        return self._connected().request(method, path, body=body, params=params, timeout_s=timeout_s)

    def close(self) -> None:
        """Let go of connections."""
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> Transport:
        if self._transport is None:
            self._transport = self._connect()
        return self._transport


def _join(timeout: timedelta) -> tuple[ProcessGroup, int, int]:
    try:
        from torch import distributed
    except ImportError:
        raise ZeusBSOConfigError("distributed=True needs PyTorch: pip install torch") from None
    if distributed.is_available() and distributed.is_initialized():
        group = distributed.new_group(backend="gloo", timeout=timeout)
        return group, distributed.get_rank(), distributed.get_world_size()
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= set(os.environ):
        raise ZeusBSOConfigError(
            "distributed=True needs processes that know each other: launch the script with torchrun, or call "
            "torch.distributed.init_process_group before."
        )
    store, rank, world_size = next(distributed.rendezvous("env://", timeout=timeout))
    own = distributed.PrefixStore(f"zeus-bso/{next(_groups)}", store)
    return distributed.ProcessGroupGloo(own, rank, world_size, timeout), rank, world_size


def _attempt(act: Callable[[], _T]) -> _Done[_T] | _Failed:
    try:
        return _Done(act())
    except Exception as error:  # noqa: BLE001 - whatever it is, the other ranks must hear of it
        return _Failed(_portable(error))


def _unpack(outcome: _Done[_T] | _Failed | None) -> _T:
    assert outcome is not None
    if isinstance(outcome, _Failed):
        raise outcome.error
    return outcome.value


def _portable(error: Exception) -> Exception:
    """The error, or what can be sent of it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - exceptions of other packages fail to be copied in any way
        return ZeusBSOError(f"{type(error).__name__}: {error}")
    return error
