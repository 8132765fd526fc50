"""Being a user for whom files can be closed: to root none is."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can close a file to itself by becoming another user"
)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Read as a user that owns nothing.

    Python may be closed to that user too, and an encoding that could not be imported once stays unknown to the process.
    """
    codecs.lookup("ascii")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
