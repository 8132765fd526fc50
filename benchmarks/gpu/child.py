"""Runs a function in a forked process, so that neither an error, a lost GPU nor a hang ends the benchmark.

The parent has PyTorch loaded and has never touched a GPU, which a forked process could not use otherwise; a child thus
starts in a moment and sees a GPU that is as cold as at the start of any training.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_CHUNK = 1 << 16


def in_child(work: Callable[[Json], None], timeout_s: float) -> Json:
    """What the function noted, with ``process_s``, and with ``error`` if it did not come to its end.

    Args:
        work: Notes what JSON can hold in the dictionary that it is given.
        timeout_s: The process is killed after so many seconds.
    """
    began = time.monotonic()
    reader, writer = os.pipe()
    pid = _fork(lambda: _say(writer, work), closes=reader)
    os.close(writer)
    said, in_time = _hear(reader, began + timeout_s)
    os.close(reader)
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    result: Json = {}
    if not in_time:
        result["error"] = f"killed after {timeout_s:.0f} s"
    else:
        try:
            result.update(json.loads(said))
        except ValueError:
            result["error"] = f"the process ended with {os.waitstatus_to_exitcode(status)} and said nothing"
    return result | {"process_s": time.monotonic() - began}


class Background:
    """A function that runs in a forked process until :meth:`end`; it must watch its parent itself."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._pid = _fork(work)

    def end(self) -> None:
        """End the process."""
        os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)


def _fork(work: Callable[[], None], *, closes: int | None = None) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if closes is not None:
            os.close(closes)
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # The edge of the process.
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # The parent's exit handlers are not the child's.


def _say(writer: int, work: Callable[[Json], None]) -> None:
    result: Json = {}
    try:
        work(result)
    except BaseException as error:  # noqa: BLE001  # Whatever ends it belongs to the result.
        result |= {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    with os.fdopen(writer, "w") as pipe:
        json.dump(result, pipe)


def _hear(reader: int, until: float) -> tuple[bytes, bool]:
    """What is written until the pipe is closed, and whether it was closed in time."""
    said = bytearray()
    while (left_s := until - time.monotonic()) > 0:
        if not select.select([reader], [], [], left_s)[0]:
            break
        chunk = os.read(reader, _CHUNK)
        if not chunk:
            return bytes(said), True
        said += chunk
    return bytes(said), False
