"""``zeus-bso demo``: a real recurring training job finds its batch size, on this machine's CPU."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from zeus_bso.cli.errors import BAD_USE, INTERRUPTED, CommandError

if TYPE_CHECKING:
    from zeus_bso.cli.demo_api import DemoApi
    from zeus_bso.cli.demo_display import Display
    from zeus_bso.cli.demo_report import DemoReport

JOB_ID_PREFIX = "digits-mlp"
"""The prefix in the training script. The demo finds its job by this prefix."""

_DESCRIPTION = """\
Trains a small neural network on scikit-learn's handwritten digits again and again, as a nightly job would. The demo
starts a server. Each training is a process of its own that asks this server for a batch size. At the end you see the
chosen size and what it saves. If you run the demo again, it continues where it stopped.
"""

_FAILURES_IN_A_ROW = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--recurrences", type=int, default=40, metavar="N", help="how often to train (default: %(default)s)"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path(".demo"), help="folder for the database and logs (default: %(default)s)"
    )
    parser.add_argument("--server-url", metavar="URL", help="use this server instead of starting one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    if args.recurrences < 1:
        raise CommandError("--recurrences must be at least 1.", BAD_USE)
    import sklearn  # noqa: F401  # fails here rather than in the first training process

    from zeus_bso.cli.demo_api import DemoApi
    from zeus_bso.cli.demo_display import open_display
    from zeus_bso.cli.demo_server import started_server

    directory: Path = args.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with _termination_as_interrupt(), ExitStack() as stack:
        url: str = args.server_url or stack.enter_context(started_server(directory))
        api = DemoApi(url)
        display = stack.enter_context(open_display(args.recurrences, to_stderr=args.json))
        display.started(url, api.find_job(JOB_ID_PREFIX))
        interrupted = False
        try:
            _train_repeatedly(args.recurrences, directory, url, api, display)
        except KeyboardInterrupt:
            interrupted = True
        report = _report(api)
        display.finished()
    if report is not None:
        _show(report, directory, url if args.server_url else None, as_json=args.json)
    if interrupted:
        print("Interrupted. Run the demo again to continue from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def training_script() -> Path:
    """The training script that the demo launches. The checkout has it in ``examples/``, and the wheel includes it."""
    package = Path(__file__).resolve().parents[1]
    for home in (package, package.parents[1]):
        script = home / "examples" / "digits" / "train.py"
        if script.is_file():
            return script
    raise CommandError("the training script of the demo is missing from this installation.")


def _train_repeatedly(recurrences: int, directory: Path, url: str, api: DemoApi, display: Display) -> None:
    """Launch the script so many times. After a run that failed to converge, launch it again."""
    from zeus_bso.cli.demo_recurrence import DemoRecurrence

    script = training_script()
    log = directory / "train.log"
    without_result = 0
    for number in range(1, recurrences + 1):
        with DemoRecurrence(script, url, log) as recurrence:
            while not recurrence.ended_within(seconds=0.3):
                display.running(number, api.find_trial(JOB_ID_PREFIX, recurrence.run_id))
        trial = api.find_trial(JOB_ID_PREFIX, recurrence.run_id)
        display.ended(number, trial)
        decided = trial is not None and trial.outcome is not None
        without_result = 0 if decided else without_result + 1
        if trial is None or without_result >= _FAILURES_IN_A_ROW:
            raise CommandError(f"the training script failed: {recurrence.last_words()} (log: {log})")


def _report(api: DemoApi) -> DemoReport | None:
    from zeus_bso.cli.demo_report import make_report

    summary = api.find_job(JOB_ID_PREFIX)
    if summary is None:
        return None
    return make_report(api.job(summary.job_id), api.trials(summary.job_id))


def _show(report: DemoReport, directory: Path, server_url: str | None, *, as_json: bool) -> None:
    from zeus_bso.cli.demo_report import print_report

    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        print_report(report, _how_to_see_more(report, directory, server_url))


def _how_to_see_more(report: DemoReport, directory: Path, server_url: str | None) -> list[tuple[str, str]]:
    shown = _shown(directory)
    steps = [("continue training", "zeus-bso demo" if shown == ".demo" else f"zeus-bso demo --dir {shown}")]
    if server_url is None:
        server_url = "http://127.0.0.1:8000"
        database_url = f"sqlite:///{shown}/zeus-bso.db"
        steps.append(("start a server on this database", f"zeus-bso serve --port 8000 --database-url {database_url}"))
    else:
        steps[0] = ("continue training", f"{steps[0][1]} --server-url {server_url}")
    steps += [
        ("then open the job", f"{server_url}/job?{urlencode({'job_id': report.job_id})} in a browser"),
        ("and list its trials", f"zeus-bso trials list {shlex.quote(report.job_id)} --all --server-url {server_url}"),
        ("what training printed", f"less {shown}/train.log"),
        ("the training script", f"less {_shown(training_script())}"),
    ]
    return steps


def _shown(path: Path) -> str:
    """A path as a user would type it in this directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as an interrupt. Server and training have their own sessions, so this process must end them."""
    signals = [signal.SIGTERM, signal.SIGHUP]
    previous = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
