"""``zeus-bso record -- COMMAND``: traces of a training script of one's own, to simulate with."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.exceptions import ZeusBSOError

if TYPE_CHECKING:
    from zeus_bso.common import JobSpecFromClient
    from zeus_bso.simulator.recording import RecordedJob, Recording
    from zeus_bso.simulator.recording_server import RecordingServer

_DESCRIPTION = """\
Launches a training script that uses BatchSizeOptimizer, with each of its batch sizes as often as --runs says, and
records learning curves, time and power. The script is told its size by a small server of this command, which ends a
run at its target or after max_epochs, and never for its cost; it must take its server from ZEUS_BSO_SERVER_URL.
Launched again with the same folder, the command goes on where it stopped. Then: zeus-bso simulate --traces DIR
"""
_STRIKES = 2
"""A size that fails so often before its first whole run is left out."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="trace folder to write")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each batch size (default: 3)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", metavar="B", help="only these (default: all of the job)")
    parser.add_argument(
        "--workload", default="", metavar="DATASET/NETWORK/OPTIMIZER", help="its name (default: the job's id prefix)"
    )
    parser.add_argument("--gpu", metavar="NAME", help="the GPU's name (default: its model)")
    parser.add_argument("command_line", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="how to train once")


def run(args: argparse.Namespace) -> int:
    """Record."""
    command = args.command_line[1:] if args.command_line[:1] == ["--"] else args.command_line
    if not command:
        raise CommandError("say what to run: zeus-bso record --out traces -- python train.py", BAD_USE)
    if args.runs < 1:
        raise CommandError("--runs must be at least 1.", BAD_USE)
    _Recorder(args, command).record()
    return 0


class _Recorder:
    """Launches the script until every size has its runs."""

    def __init__(self, args: argparse.Namespace, command: Sequence[str]) -> None:
        self._args = args
        self._command = command
        self._log: Path = args.out / "record.log"
        self._recording: Recording | None = None
        self._sizes: list[int] = []
        self._error: CommandError | ZeusBSOError | None = None

    def record(self) -> None:
        from zeus_bso.simulator.recording import write_traces
        from zeus_bso.simulator.recording_server import RecordingServer

        self._args.out.mkdir(parents=True, exist_ok=True)
        with RecordingServer(self._choose).running() as server, _progress() as tell:
            while self._recording is None or self._left(self._recording):
                self._launch(server)
                if server.batch_size is not None:
                    done = self._keep(server, server.batch_size)
                    write_traces(self._args.out)
                    tell(*done)
        print(f"Traces are in {self._args.out}. Next: zeus-bso simulate --traces {self._args.out}")

    def _launch(self, server: RecordingServer) -> None:
        server.begin_launch()
        environment = {**os.environ, "ZEUS_BSO_SERVER_URL": server.url}
        environment.pop("ZEUS_BSO_RUN_ID", None)
        try:
            with self._log.open("ab") as log:
                subprocess.run(
                    self._command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
                )
        except OSError as error:
            raise CommandError(f"{self._command[0]} cannot be run: {error.strerror}.") from error
        if self._error is not None:
            raise self._error
        if not server.asked:
            raise CommandError(
                "the command ended without asking for a batch size; it must build a BatchSizeOptimizer whose "
                f"server_url is left out or is ZEUS_BSO_SERVER_URL. What it printed is in {self._log}."
            )

    def _choose(self, spec: JobSpecFromClient) -> int | None:
        """The size of a launch: the first that is still wanted. Called by the server, which only wants an answer."""
        from zeus_bso.simulator.recording import recording_of

        try:
            if self._recording is None:
                job = self._job(spec)
                recording = recording_of(self._args.out, job.key, job.gpu)
                recording.begin(job)
                self._sizes = sorted(self._args.batch_sizes or spec.batch_sizes)
                unknown = set(self._sizes) - set(spec.batch_sizes)
                if unknown:
                    raise CommandError(f"--batch-sizes: {min(unknown)} is none of the job's batch sizes.", BAD_USE)
                self._recording = recording
            return next(iter(self._left(self._recording)), None)
        except (CommandError, ZeusBSOError) as error:
            self._error = error
            return None

    def _job(self, spec: JobSpecFromClient) -> RecordedJob:
        from zeus_bso.simulator.recording import RecordedJob, slug

        names = [name.strip() for name in self._args.workload.split("/") if name.strip()]
        dataset, network, optimizer = [*names, *(spec.job_id_prefix, "default", "default")[len(names) :]][:3]
        return RecordedJob(
            dataset=dataset,
            network=network,
            optimizer=optimizer,
            gpu=slug(self._args.gpu or spec.gpu_model),
            target_metric=spec.target_metric,
            higher_is_better=spec.higher_is_better_metric,
            max_epochs=spec.max_epochs,
            default_batch_size=spec.default_batch_size,
            max_power_w=spec.max_power,
        )

    def _keep(self, server: RecordingServer, size: int) -> tuple[int, int, str]:
        """Keep the run that has ended, or that it failed; tell how far the recording is."""
        from zeus_bso.simulator.recording import RecordedTraining

        assert self._recording is not None
        run = 1 + sum(each.batch_size == size and bool(each.reports) for each in self._recording.trainings)
        if server.outcome is None:
            failure = server.failure or "it ended without a result"
            self._recording.add(RecordedTraining(batch_size=size, run=run, reports=(), failure=failure))
            what = f"batch size {size} failed: {failure} (log: {self._log})"
        else:
            self._recording.add(RecordedTraining(batch_size=size, run=run, reports=tuple(server.reports)))
            what = f"batch size {size}, run {run}: {server.outcome.value}, {server.reports[-1].epoch} epochs"
        done = sum(bool(each.reports) for each in self._recording.trainings)
        return done, done + len(self._left(self._recording)), what

    def _left(self, recording: Recording) -> list[int]:
        """The launches still to come, round by round, ascending."""
        whole, failed = Counter[int](), Counter[int]()
        for training in recording.trainings:
            (whole if training.reports else failed)[training.batch_size] += 1
        able = [size for size in self._sizes if failed[size] < _STRIKES + whole[size]]
        return [size for done in range(self._args.runs) for size in able if whole[size] <= done]


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on a terminal, lines elsewhere; on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("the first launch", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)
            if not console.is_terminal:
                print(f"{done:>4}/{total}  {what}", file=sys.stderr, flush=True)

        yield tell
