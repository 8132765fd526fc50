"""The progress of an import, as a bar on a terminal. Elsewhere nothing is shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from zeus_bso.exceptions import ZeusBSOError
from zeus_bso.protocol.import_views import ImportProgress

_EVERY_S = 0.5
_LONGEST_FIRST_LINE_BYTES = 4096


@contextmanager
def shown(progress_of: Callable[[str], ImportProgress], job_id: str | None) -> Iterator[None]:
    """Show how far an import is while it lasts.

    Args:
        progress_of: Asks the server, by the id of the job.
        job_id: The id under which the job is imported; None: it is unknown, and so is how far the import is.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield
        return
    ended = threading.Event()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("sending and checking", total=None)

        def watch() -> None:
            while job_id is not None and not ended.wait(_EVERY_S):
                try:
                    found = progress_of(job_id)
                except (ZeusBSOError, ValueError):
                    return  # an older server cannot tell, and the import itself tells what is wrong
                if found.rows:
                    bar.update(task, description="storing", completed=found.stored, total=found.rows)

        watcher = threading.Thread(target=watch, name="zeus-bso-progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join(_EVERY_S)


def job_id_in(file: IO[bytes]) -> str | None:
    """The id of the job in an exported file, which is read from its beginning later; None: it has none."""
    if not file.seekable():
        return None
    start = file.tell()
    try:
        found = json.loads(file.readline(_LONGEST_FIRST_LINE_BYTES)).get("job_id")
    except (ValueError, AttributeError):
        return None
    finally:
        file.seek(start)
    return found if isinstance(found, str) else None
