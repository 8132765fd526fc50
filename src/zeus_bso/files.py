"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing. Until the end of the block the path keeps what it had, and after an error, too.

    A link stays, and the file that it names is written. A file that exists keeps its permissions. What is no regular
    file, such as a pipe or a device, takes the bytes as they come.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with path.open("wb") as stream:
            yield stream
        return
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with fresh.open("xb") as file:
            if mode is not None:
                fresh.chmod(stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
