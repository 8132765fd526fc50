"""``zeus-bso record -- COMMAND``: record traces of your own training script for the simulator."""

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
from zeus_bso.cli.parser import add_command, command_of, whole_number
from zeus_bso.exceptions import ZeusBSOError

if TYPE_CHECKING:
    from zeus_bso.protocol.job_spec import JobSpecFromClient
    from zeus_bso.server.batch_size_state.models import Trial
    from zeus_bso.simulator.recording import RecordedJob, RecordedReport, Recording
    from zeus_bso.simulator.recording_server import RecordingServer

_DESCRIPTION = """\
Launches a training script that uses BatchSizeOptimizer, --runs times with each of its batch sizes, and records
learning curves, time and power. The command runs a small server, which gives the script its batch size. This server
ends a run at its target or after max_epochs, but never for its cost. The script must take its server's address from
ZEUS_BSO_SERVER_URL. If you run the command again with the same folder, it continues where it stopped. Afterwards run:
zeus-bso simulate --traces DIR
"""
_STRIKES = 2
"""A batch size that fails so often before its first complete run is left out."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write the traces to")
    parser.add_argument(
        "--runs", type=whole_number(1), default=3, metavar="N", help="runs of each batch size (default: 3)"
    )
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="+",
        metavar="B",
        help="record only these sizes (default: all sizes of the job)",
    )
    parser.add_argument(
        "--workload",
        default="",
        metavar="DATASET/NETWORK/OPTIMIZER",
        help="the name of the workload (default: the prefix of the job id)",
    )
    parser.add_argument("--gpu", metavar="NAME", help="the name of the GPU (default: its model)")
    add_command(parser, "the command that trains once")


def run(args: argparse.Namespace) -> int:
    """Record."""
    command = command_of(args, "zeus-bso record --out traces -- python train.py")
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
                if server.trial is not None:
                    done = self._keep(server.trial, server.reports)
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
                "the command ended without asking for a batch size. It must create a BatchSizeOptimizer without a "
                f"server_url, or with the value of ZEUS_BSO_SERVER_URL. Its output is in {self._log}."
            )

    def _choose(self, spec: JobSpecFromClient) -> int | None:
        """The first size that still needs runs. The server calls this in its own thread, so it must not raise."""
        from zeus_bso.simulator.recording import recording_of

        try:
            if self._recording is None:
                job = self._job(spec)
                recording = recording_of(self._args.out, job.key, job.gpu)
                recording.begin(job)
                self._sizes = sorted(self._args.batch_sizes or spec.batch_sizes)
                unknown = set(self._sizes) - set(spec.batch_sizes)
                if unknown:
                    raise CommandError(f"--batch-sizes: the job has no batch size {min(unknown)}.", BAD_USE)
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

    def _keep(self, trial: Trial, reports: Sequence[RecordedReport]) -> tuple[int, int, str]:
        """Store the run that has ended, or its failure. Return the progress of the recording."""
        from zeus_bso.simulator.recording import RecordedTraining

        assert self._recording is not None
        size = trial.batch_size
        run = 1 + sum(each.batch_size == size and bool(each.reports) for each in self._recording.trainings)
        if trial.outcome is None:
            failure = trial.reason.value if trial.reason else "it ended without a result"
            self._recording.add(RecordedTraining(batch_size=size, run=run, reports=(), failure=failure))
            what = f"batch size {size} failed: {failure} (log: {self._log})"
        else:
            self._recording.add(RecordedTraining(batch_size=size, run=run, reports=tuple(reports)))
            what = f"batch size {size}, run {run}: {trial.outcome.value}, {reports[-1].epoch} epochs"
        done = sum(bool(each.reports) for each in self._recording.trainings)
        return done, done + len(self._left(self._recording)), what

    def _left(self, recording: Recording) -> list[int]:
        """The batch sizes of the remaining launches, round by round, in ascending order."""
        whole, failed = Counter[int](), Counter[int]()
        for training in recording.trainings:
            (whole if training.reports else failed)[training.batch_size] += 1
        able = [size for size in self._sizes if failed[size] < _STRIKES + whole[size]]
        return [size for done in range(self._args.runs) for size in able if whole[size] <= done]


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """Show the progress on stderr: as a bar on a terminal, as lines elsewhere."""
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
