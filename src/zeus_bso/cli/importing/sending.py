"""Sends past runs to a server, some at a time, and adds up its answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.importing.checked_runs import CheckedRuns
from zeus_bso.cli.remote import Remote
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSORequestError
from zeus_bso.protocol.past_runs import PastRunsTaken, PastRunUse, PastSizeView

_PREFIX = "Nothing is stored. "


_RUN = re.compile(r"run '([^']+)':")


def send(
    remote: Remote, job_id: str, source: str, runs: CheckedRuns, place_of: Callable[[str], str | None], *, dry_run: bool
) -> list[PastRunsTaken]:
    """Let the server check all runs, and then send them unless this is a dry run.

    Args:
        remote: The server.
        job_id: The job.
        source: Where the runs were recorded.
        runs: The runs.
        place_of: Says where a run stands in its source.
        dry_run: Whether to store nothing.

    Returns:
        The answers.

    Raises:
        CommandError: The server refuses some, so none is stored; or it went away, and some are stored.
    """
    try:
        with _progress(runs.count, "checking") as advance:
            checked = list(_answers(remote, job_id, source, runs, advance, dry_run=True))
    except ZeusBSORequestError as error:
        said = _RUN.sub(lambda found: f"{place_of(found[1]) or found[0][:-1]}:", str(error).removeprefix(_PREFIX))
        raise CommandError(f"Nothing is imported. {said}") from None
    if dry_run:
        return checked
    answers: list[PastRunsTaken] = []
    try:
        with _progress(runs.count, "sending") as advance:
            # One by one: those before an error are kept.
            answers.extend(_answers(remote, job_id, source, runs, advance, dry_run=False))
    except ZeusBSOConfigError as error:
        stored = sum(answer.added + answer.known for answer in answers)
        raise CommandError(
            f"{str(error).rstrip('.')}. {stored} of {runs.count} runs are stored. Run the command again: it goes on "
            "where it ended, because known runs are passed over."
        ) from None
    return answers


def total(answers: Sequence[PastRunsTaken]) -> PastRunsTaken:
    """Several answers as one."""
    learnt: Counter[PastRunUse] = Counter()
    for answer in answers:
        learnt.update(answer.learnt)
    sizes = sorted({size.batch_size for answer in answers for size in answer.batch_sizes})
    found = [size for answer in answers for size in answer.batch_sizes]
    return answers[0].model_copy(
        update={
            "added": sum(answer.added for answer in answers),
            "known": sum(answer.known for answer in answers),
            "learnt": dict(learnt),
            "estimated": sum(answer.estimated for answer in answers),
            "batch_sizes": [_together([each for each in found if each.batch_size == size]) for size in sizes],
        }
    )


def _answers(
    remote: Remote, job_id: str, source: str, runs: CheckedRuns, advance: Callable[[int], None], *, dry_run: bool
) -> Iterator[PastRunsTaken]:
    for chunk in runs.chunks():
        yield remote.tell_past_runs(job_id, source, chunk, mean_power=runs.mean_power, dry_run=dry_run)
        advance(len(chunk))


def _together(views: Sequence[PastSizeView]) -> PastSizeView:
    reached = {name: sum(getattr(view, name) for view in views) for name in ("runs", "reached", "estimated")}
    with_epochs, with_cost = sum(view.with_epochs for view in views), sum(view.with_cost for view in views)
    return PastSizeView(
        batch_size=views[0].batch_size,
        **reached,
        with_epochs=with_epochs,
        with_cost=with_cost,
        mean_epochs=_mean([(view.with_epochs, view.mean_epochs) for view in views]),
        mean_energy=_mean([(view.with_cost, view.mean_energy) for view in views]),
        mean_time=_mean([(view.with_cost, view.mean_time) for view in views]),
    )


def _mean(parts: Sequence[tuple[int, float | None]]) -> float | None:
    count = sum(number for number, _ in parts)
    return sum(number * (mean or 0.0) for number, mean in parts) / count if count else None


@contextmanager
def _progress(count: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere nothing is shown."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda number: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=count)
        yield lambda number: bar.advance(task, number)
