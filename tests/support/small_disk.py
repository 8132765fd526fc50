"""A database server whose disk is small, so that a test can fill it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.private_servers import PrivateServer, private_server, without

SIZE_MB = {"mariadb": 320, "postgresql": 160}
"""Room for what a new server of each kind writes, and for some more."""


@contextmanager
def server_with_a_small_disk(kind: str, *options: str) -> Iterator[tuple[PrivateServer, Path]]:
    """A durable database server whose data has a file system of its own; yields the server and the data's folder.

    Where nobody may mount a file system, the test is skipped; in CI it fails.
    """
    server = private_server(kind)
    server.command += options
    data, made = server.folder / "data", server.folder / "made"
    data.rename(made)
    data.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB[kind]}m,mode=700", "tmpfs", str(data)],
            check=False,
            capture_output=True,
            text=True,
        )
        if mounted.returncode:
            without(kind, f"its disk cannot be filled, because nothing can be mounted: {mounted.stderr.strip()}")
        try:
            subprocess.run(["cp", "-a", f"{made}/.", str(data)], check=True)
            shutil.copystat(made, data)
            os.chown(data, made.stat().st_uid, made.stat().st_gid)
            server.start()
            yield server, data
        finally:
            server.stop()
            subprocess.run(["umount", str(data)], check=True)
    finally:
        server.remove()


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to the last byte; returns the file to remove."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            os.fsync(file.fileno())
    return ballast
