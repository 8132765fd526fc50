"""Finds the reason why a run ended: by itself, interrupted, an error, or out of memory."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator

from zeus_bso.exceptions import ZeusBSODistributedError
from zeus_bso.protocol.words import FailReason

_OUT_OF_MEMORY = re.compile(
    r"out[ _]of[ _](?:(?:device|host|gpu|video|shared)[ _])?memory"  # of a CUDA, HIP, MPS, XPU or NPU device
    r"|OutOfMemory|ErrorMemoryAllocation"  # names of the CUDA and HIP runtimes
    r"|bad_alloc"
    r"|RESOURCE_EXHAUSTED"  # XLA
    r"|ALLOC(?:ATION)?_FAILED"  # cuDNN, cuBLAS, cuFFT
    r"|(?:can ?not|can't|could not|unable to|fail(?:ed|s)? to) allocate (?:\S+ ){0,3}memory"  # hosts, ONNX Runtime
    r"|(?:not enough|insufficient) memory",
    re.IGNORECASE,
)
_OUT_OF_MEMORY_TYPES = frozenset({"OutOfMemoryError", "ResourceExhaustedError"})
_CANCELLED_TYPES = frozenset({"CancelledError", "Cancelled"})
_TIMEOUT_TYPES = frozenset({"TimeoutError"})
_INTERRUPTED_TYPES = frozenset({"SIGTERMException"})


def is_imported_by_child() -> bool:
    """Whether multiprocessing has spawned this process, which now imports the script."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(getattr(process.current_process(), "_inheriting", False))


def reason_of(error: BaseException | None) -> FailReason | None:
    """The reason why a run ended with this exception. None if it ended by itself.

    The causes and contexts of the exception count too: if one of them says that memory ran out, the reason is
    out-of-memory. A cancelled task, a closed generator and an asyncio timeout say nothing about the run, so they count
    as cancelled. If the ranks lost each other, the run was interrupted.
    """
    if error is None:
        return None
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return None
    if any(is_out_of_memory(each) for each in _chain(error)):
        return FailReason.OOM
    if isinstance(error, SystemExit):
        return FailReason.ERROR
    if _is_cancellation(error):
        return FailReason.CANCELLED
    if isinstance(error, ZeusBSODistributedError) or _is_a(error, _INTERRUPTED_TYPES):
        return FailReason.PREEMPTED
    return FailReason.ERROR


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the host or a device ran out of memory. This imports no other package."""
    if isinstance(error, MemoryError) or _is_a(error, _OUT_OF_MEMORY_TYPES):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, (RuntimeError, SystemError)) and _OUT_OF_MEMORY.search(str(error)) is not None


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)) or _is_a(error, _CANCELLED_TYPES):
        return True
    # A timeout of asyncio has a cancelled task as its cause. Timeouts of sockets and locks are errors.
    cause = error.__cause__ or error.__context__
    return _is_a(error, _TIMEOUT_TYPES) and cause is not None and _is_a(cause, _CANCELLED_TYPES)


def _is_a(error: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception with its causes and contexts, and the exceptions of a group."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [each.__cause__ or each.__context__, *getattr(each, "exceptions", ())]
