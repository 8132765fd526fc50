"""A training of several processes. Rank 0 talks to the server, and all ranks get the same answers.

All calls here are collective: every rank makes the same calls in the same order. PyTorch is imported only when the
ranks join.
"""

from __future__ import annotations

import atexit
import itertools
import math
import os
import pickle
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zeus_bso.client.shared import DeferredTransport, SharedMonitor
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSODistributedError, ZeusBSOError
from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.interface import Monitor
from zeus_bso.protocol.transport import Transport

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

_T = TypeVar("_T")

TIMEOUT_S = 1800.0
"""How long ranks wait for each other at most [s]. PyTorch's own collectives have the same limit."""

_BLOCK_BYTES = 2048
_LENGTH_BYTES = 8

_FIRST_POLL_S = 0.0002
_LONGEST_POLL_S = 0.02

_groups = itertools.count()

_stores: dict[tuple[str, ...], tuple[Any, int, int]] = {}
"""The stores through which ranks find each other, by their place in the training.

A store is kept for the life of the process, because rank 0 serves it. Otherwise, a rank that is early for the next
group could find the store of the previous group, which rank 0 is about to close.
"""


_joined: weakref.WeakSet[Ranks] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    """End the threads of the groups while Python runs: one that met its end would abort the process."""
    for ranks in list(_joined):
        ranks.leave()


@dataclass(frozen=True)
class _Done(Generic[_T]):
    value: _T


@dataclass(frozen=True)
class _Failed:
    error: Exception


class Ranks:
    """The processes of one training, joined in a process group of their own.

    The group uses gloo on the CPU. So nothing here waits for a GPU, or interferes with the group of the GPUs. The ranks
    find each other through PyTorch's default process group if there is one. Otherwise they use the variables of a
    launcher like ``torchrun``, and a framework may still create its default group later.

    Args:
        timeout_s: How long ranks wait for each other at most [s].

    Attributes:
        rank: The rank of this process.
        world_size: Number of processes.
        leads: Whether this process talks to the server for all.
        call: The last method that the script has called. All ranks must be in the same call.

    Raises:
        ZeusBSOConfigError: PyTorch is missing, or the processes do not know each other.
        ZeusBSODistributedError: The other ranks did not join.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        if not (math.isfinite(timeout_s) and timeout_s > 0):
            raise ZeusBSOConfigError(f"distributed_timeout_s must be a positive number of seconds, not {timeout_s}.")
        self._timeout_s = timeout_s
        self._lost: str | None = None
        self._waits = False
        self.call = "BatchSizeOptimizer"
        try:
            group, self.rank, self.world_size = _join(timedelta(seconds=timeout_s))
        except RuntimeError as error:
            raise self._lose(error) from error
        self._group: ProcessGroup | None = group
        self.leads = self.rank == 0
        _joined.add(self)

    def monitor(self, monitor: Monitor | TaskTracker) -> Monitor:
        """The monitors of all ranks as one.

        Raises:
            ZeusBSOMonitorError: The devices of a rank cannot be identified, or they are of several models.
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return SharedMonitor(adapt(monitor), self)

    def transport(self, connect: Callable[[], Transport]) -> Transport:
        """Connect to the server. Ranks other than 0 connect when they need it."""
        return connect() if self.leads else DeferredTransport(connect)

    def check_asking(self) -> None:
        """Do nothing: all ranks ask together."""

    def exchange(self, value: _T) -> list[_T]:
        """Give every rank the values of all ranks, ordered by rank. The values must be picklable.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, has left, or is in another call.
        """
        payload = pickle.dumps((self.call, value))
        framed = len(payload).to_bytes(_LENGTH_BYTES, "big") + payload
        parts = self._gather(framed[:_BLOCK_BYTES], _BLOCK_BYTES)
        lengths = [_LENGTH_BYTES + int.from_bytes(part[:_LENGTH_BYTES], "big") for part in parts]
        # Nearly all values fit into one block, which takes one round.
        if max(lengths) > _BLOCK_BYTES:
            parts = self._gather(framed, max(lengths))
        told = [pickle.loads(part[_LENGTH_BYTES:length]) for part, length in zip(parts, lengths, strict=True)]
        self._check_calls([call for call, _ in told])
        return [value for _, value in told]

    @property
    def is_alone(self) -> bool:
        """Whether there are no other ranks to agree with."""
        return False

    def share(self, act: Callable[[], _T]) -> _T:
        """Call a function on rank 0 only. Every rank returns its result, or raises its error.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return _unpack(self.exchange(_attempt(act) if self.leads else None)[0])

    def agree(self, act: Callable[[], _T]) -> list[_T]:
        """Call a function on every rank. Every rank returns all results, or raises the error of the lowest failed rank.

        Raises:
            ZeusBSODistributedError: A rank died, hangs, or has left.
        """
        return [_unpack(outcome) for outcome in self.exchange(_attempt(act))]

    def leave(self) -> None:
        """Leave the group, unless other ranks are waited for: to leave would take as long as that."""
        if not self._waits:
            self._group = None

    def _gather(self, data: bytes, size: int) -> list[bytes]:
        """Give every rank the bytes of all ranks, padded to ``size``, which must be the same on every rank."""
        import torch

        if self._lost is not None or self._group is None:
            raise ZeusBSODistributedError(self._lost or "The process ends: there are no other ranks any more.")
        tensor = torch.frombuffer(bytearray(data.ljust(size, b"\0")), dtype=torch.uint8)
        found = [torch.empty_like(tensor) for _ in range(self.world_size)]
        self._waits = True
        try:
            work = self._group.allgather([found], [tensor])
            # Poll, so that signal handlers can run. They could not while a call of PyTorch blocks.
            poll_s, deadline = _FIRST_POLL_S, time.monotonic() + self._timeout_s
            while not work.is_completed() and time.monotonic() < deadline:
                time.sleep(poll_s)
                poll_s = min(1.5 * poll_s, _LONGEST_POLL_S)
            work.wait()
        except RuntimeError as error:
            raise self._lose(error) from error
        self._waits = False
        return [bytes(part.tolist()) for part in found]

    def _check_calls(self, calls: list[str]) -> None:
        if len(set(calls)) == 1:
            return
        places = ", ".join(f"rank {rank} in {call}()" for rank, call in enumerate(calls))
        self._lost = (
            f"The ranks have parted: {places}. Every rank calls the same methods of its BatchSizeOptimizer, in the "
            "same order."
        )
        raise ZeusBSODistributedError(self._lost)

    def _lose(self, error: RuntimeError) -> ZeusBSODistributedError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self._lost = (
            f"The ranks have lost each other in {self.call}(): one died, or left the training before the others, or "
            f"did not come within {self._timeout_s:g} s ({reason})."
        )
        return ZeusBSODistributedError(self._lost)


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
    place = tuple(os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE"))
    if place not in _stores:
        _stores[place] = next(distributed.rendezvous("env://", timeout=timeout))
    store, rank, world_size = _stores[place]
    # After a failure, torchrun starts the ranks again with the old store, which still has the old keys.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    own = distributed.PrefixStore(f"zeus-bso/{attempt}/{next(_groups)}", store)
    return distributed.ProcessGroupGloo(own, rank, world_size, timeout), rank, world_size


def _attempt(act: Callable[[], _T]) -> _Done[_T] | _Failed:
    try:
        return _Done(act())
    except Exception as error:  # noqa: BLE001 - the other ranks must get any error
        return _Failed(_portable(error))


def _unpack(outcome: _Done[_T] | _Failed | None) -> _T:
    assert outcome is not None
    if isinstance(outcome, _Failed):
        raise outcome.error
    return outcome.value


def _portable(error: Exception) -> Exception:
    """The error itself, or its text if the error cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - pickling a foreign exception may raise anything
        return ZeusBSOError(f"{type(error).__name__}: {error}")
    return error
