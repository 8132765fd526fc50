"""Loading the code of a server quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_code() -> Iterator[None]:
    """Import modules without collecting garbage, of which importing makes little: a server starts in a third less time.

    What is loaded stays until the process ends, so later collections need not look at it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
