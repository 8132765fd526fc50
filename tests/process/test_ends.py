"""However a run ends, the server learns the truth: real processes, real signals, a real server.

The table in docs/client.md says what is told of each situation; it is run here, row by row.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from tests.support.forked import run_python
from tests.support.process import ServerProcess

Json = dict[str, Any]

DOCS = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
TABLE = DOCS.partition("## How a run ends")[2].partition("\n\n| what happens |")[2].partition("\n\n")[0]
ROWS = {
    row[0].strip(): row[1].strip().strip("*") for row in (line.strip("|").split("|") for line in TABLE.splitlines()[2:])
}

BEGIN = """
import asyncio, gc, os, signal, sys, threading, time
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

def optimizer(**options):
    return BatchSizeOptimizer(
        ReplayMonitor([(1.0, 100.0)] * 50),
        sys.argv[1],
        JobSpec(job_id=sys.argv[2], job_id_prefix="x", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9,
                max_epochs=6),
        on_fail="stop",
        **options,
    )

def begin(epochs=1, **options):
    bso = optimizer(**options)
    bso.get_batch_size()
    bso.on_train_begin()
    for _ in range(epochs):
        bso.on_evaluate(0.1)
    return bso

def at(name):
    os.kill(os.getpid(), getattr(signal, name))

asked = []
"""

IN_A_BLOCK = """
with optimizer() as bso:
    bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate(0.1)
"""

SITUATIONS: dict[str, list[str]] = {
    "the target is reached": ["bso = begin(); bso.on_evaluate(0.95)"],
    "`max_epochs` without the target": ["begin(6)"],
    "the script says so below `max_epochs`: `on_train_end()`, the end of the `with` block, a framework's fit at its "
    "own last epoch": ["bso = begin(); bso.on_train_end()", IN_A_BLOCK],
    "the process ends with status 0 below `max_epochs`, and nothing else has happened": [
        "bso = begin()",
        "bso = begin(); sys.exit(0)",
        """
        def main():
            bso = begin()
        main()
        """,
        """
        try:
            sys.exit(3)
        except SystemExit:
            bso = begin()
        """,
        """
        bso = begin()
        try:
            sys.exit(3)
        except SystemExit:
            bso.on_evaluate(0.1)
        """,
    ],
    "no evaluation; `cancel()`": [
        "bso = begin(0)",
        "bso = begin(); bso.cancel()",
        "bso = begin(0); bso.on_train_end()",
    ],
    "`pause()`, and any end after it": [
        "bso = begin(); bso.pause()",
        "bso = begin(); bso.pause(); bso.on_train_end()",
        IN_A_BLOCK + "    bso.pause()\n",
    ],
    "SIGTERM or SIGHUP, and nobody else handles it": [
        "bso = begin(); at('SIGTERM'); time.sleep(30)",
        "bso = begin(); at('SIGHUP'); time.sleep(30)",
        "bso = begin(0); at('SIGTERM'); time.sleep(30)",
    ],
    "SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2, and the script handles it, before or after the ask, and leaves": [
        *(
            f"""
            {"" if late else handler}
            bso = begin()
            {handler if late else ""}
            bso.on_evaluate(0.1)
            at({name!r})
            assert asked
            bso.on_evaluate(0.1)
            {leave}
            """
            for name in ("SIGTERM", "SIGUSR1")
            for handler in [f"signal.signal(signal.{name}, lambda *_: asked.append(1))"]
            for late, leave in ((False, "sys.exit(0)"), (True, "pass"), (True, "bso.on_train_end()"))
        ),
        """
        bso = begin()
        def composed(number, frame, found=signal.getsignal(signal.SIGTERM)):
            asked.append(1)
            found(number, frame)
        signal.signal(signal.SIGTERM, composed)
        at("SIGTERM")
        print("saved")
        raise SystemExit(143)
        """,
        """
        async def main():
            bso = begin()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.append, 1)
            bso.on_evaluate(0.1)
            at("SIGTERM")
            await asyncio.sleep(0.1)
            assert asked
        asyncio.run(main())
        """,
    ],
    "Ctrl-C, caught or not": [
        "bso = begin(); at('SIGINT'); time.sleep(30)",
        """
        bso = begin()
        try:
            at("SIGINT")
            time.sleep(30)
        except KeyboardInterrupt:
            bso.on_evaluate(0.1)
        """,
        """
        with optimizer() as bso:
            bso.get_batch_size()
            bso.on_train_begin()
            try:
                bso.on_evaluate(0.1)
                at("SIGINT")
                time.sleep(30)
            except KeyboardInterrupt:
                print("saved")
        """,
        """
        bso = begin()
        async def main():
            threading.Timer(0.2, at, ("SIGINT",)).start()
            await asyncio.sleep(30)
        asyncio.run(main())
        """,
    ],
    "an exception that nobody catches, in the main thread or in the one that trains": [
        "bso = begin(); raise ValueError('bad data')",
        "bso = begin(); sys.excepthook = lambda *_: None; raise ValueError('bad data')",
        "def main():\n    bso = begin()\n    raise ValueError('bad data')\nmain()",
        IN_A_BLOCK + "    raise ValueError('bad data')\n",
        """
        def train():
            bso = begin()
            raise ValueError("bad data")
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        """,
    ],
    "an exception that nobody catches in any other thread, and the script goes on to its end": [
        """
        def prefetch():
            raise ValueError("bad data")
        bso = begin()
        thread = threading.Thread(target=prefetch)
        thread.start()
        thread.join()
        """,
    ],
    "an exit with another status, however it is spelt, caught or not": [
        "bso = begin(); sys.exit(1)",
        "bso = begin(); exit(1)",
        """
        bso = begin()
        try:
            sys.exit(3)
        except SystemExit:
            pass
        """,
        "bso = begin(); raise SystemExit('no data')",
        "def main():\n    bso = begin()\n    return 3\nsys.exit(main())",
        "from sys import exit as leave\nbso = begin(); leave(1)",
    ],
    "a cancelled task, a generator that is closed, an asyncio time-out": [
        """
        async def main():
            with optimizer() as bso:
                bso.get_batch_size()
                bso.on_train_begin()
                bso.on_evaluate(0.1)
                await asyncio.sleep(30)
        try:
            asyncio.run(asyncio.wait_for(main(), 0.3))
        except (TimeoutError, asyncio.TimeoutError):
            pass
        """,
        """
        async def main():
            with optimizer() as bso:
                bso.get_batch_size()
                bso.on_train_begin()
                bso.on_evaluate(0.1)
                await asyncio.wait_for(asyncio.sleep(30), 0.2)
        try:
            asyncio.run(main())
        except (TimeoutError, asyncio.TimeoutError):
            pass
        """,
        *(
            f"""
            def train():
                with optimizer() as bso:
                    bso.get_batch_size()
                    bso.on_train_begin()
                    bso.on_evaluate(0.1)
                    yield
            epochs = train()
            next(epochs)
            {close}
            """
            for close in ("epochs.close()", "pass")
        ),
    ],
    "an exception that says out of memory, of the host or of a device, on any rank": [
        "bso = begin(); raise MemoryError",
        "bso = begin(0); raise RuntimeError('MPS backend out of memory (MPS allocated: 18 GB)')",
        IN_A_BLOCK + "    raise OSError(12, 'Cannot allocate memory')\n",
        """
        bso = begin()
        try:
            raise MemoryError
        except Exception as error:
            print(error)
            sys.exit(1)
        """,
        """
        def copy_to_device():
            raise RuntimeError("CUDA out of memory")
        bso = begin()
        thread = threading.Thread(target=copy_to_device)
        thread.start()
        thread.join()
        """,
    ],
    "the process goes on, and asks for the same job again, or nothing can reach the optimizer any more": [
        """
        bso = begin()
        again = begin(0)
        again.cancel()
        """,
        """
        def train():
            bso = begin()
            raise ValueError("bad data")
        try:
            train()
        except ValueError:
            pass
        time.sleep(2.5)
        """,
    ],
    "SIGKILL, `os._exit`, a lost machine": ["bso = begin(); os._exit(0)", "bso = begin(); at('SIGKILL')"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("ends") / "zeus-bso.db")
    process.start()
    yield process
    process.end()


def trials(server: ServerProcess, job_id: str) -> list[Json]:
    with urlopen(f"{server.url}/api/v1/trials?job_id={quote(job_id)}", timeout=240) as answer:
        found: list[Json] = json.load(answer)
    return sorted(found, key=lambda trial: int(trial["trial_number"]))


def launch(
    server: ServerProcess, script: str, job_id: str = "", *, fresh: bool = False, **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[Json]]:
    """Run a script to its end; returns how it ended, and the job's trials."""
    job_id = job_id or f"ends-{uuid.uuid4().hex}"
    program = BEGIN + textwrap.dedent(script)
    done = run_python("-c", program, server.url, job_id, environment=variables, fresh=fresh)
    return done, trials(server, job_id)


def test_the_table_in_the_documentation_has_these_rows() -> None:
    assert list(ROWS) == list(SITUATIONS)


@pytest.mark.parametrize(
    ("situation", "script", "fresh"),
    [
        # Of each row, one script runs in an interpreter of its own.
        pytest.param(row, script, k == 0, id=f"{row[:32]}-{k}")
        for row, those in SITUATIONS.items()
        for k, script in enumerate(those)
    ],
)
def test_what_is_told_of_an_end_is_what_the_table_says(
    server: ServerProcess, situation: str, script: str, fresh: bool
) -> None:
    done, found = launch(server, script, fresh=fresh)

    trial = found[0]
    told = trial["outcome"] or trial["reason"] or "nothing"
    assert told == re.split(r"[*:; ]", ROWS[situation])[0], done.stderr
    assert "Traceback" not in done.stderr or "raise" in script or "SIGINT" in script, done.stderr
    assert "Could not" not in done.stderr


class TestGoingOn:
    @pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
    def test_a_run_whose_script_survives_a_signal_goes_on_and_loses_no_epoch(
        self, server: ServerProcess, name: str
    ) -> None:
        script = f"""
        signal.signal(signal.{name}, lambda *_: asked.append(1))
        bso = begin()
        at({name!r})
        while not bso.training_finished:
            bso.on_evaluate(0.1)
        assert asked
        """
        done, [trial] = launch(server, script)
        assert done.returncode == 0, done.stderr
        assert (trial["outcome"], trial["current_epoch"], trial["time"]) == ("target-missed", 6, 6.0)

    def test_a_run_that_has_gone_on_may_say_its_own_word_again(self, server: ServerProcess) -> None:
        script = """
        signal.signal(signal.SIGTERM, lambda *_: None)
        bso = begin()
        at("SIGTERM")
        for _ in range(3):
            bso.on_evaluate(0.1)
        bso.on_train_end()
        """
        _, [trial] = launch(server, script)
        assert (trial["outcome"], trial["current_epoch"]) == ("target-missed", 4)

    def test_the_epoch_under_way_at_a_signal_is_reported(self, server: ServerProcess) -> None:
        script = """
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        bso = begin(2)
        at("SIGTERM")
        bso.on_evaluate(0.1)
        sys.exit(0)
        """
        _, [trial] = launch(server, script)
        assert (trial["reason"], trial["current_epoch"], trial["time"]) == ("preempted", 3, 3.0)

    def test_an_interrupt_within_a_report_costs_neither_the_run_nor_its_end(self, server: ServerProcess) -> None:
        script = """
        bso = begin()
        try:
            threading.Timer(0.002, at, ("SIGINT",)).start()
            for _ in range(3):
                bso.on_evaluate(0.1)
            time.sleep(5)
        except KeyboardInterrupt:
            asked.append(1)
        while not bso.training_finished:
            bso.on_evaluate(0.1)
        assert asked
        """
        done, [trial] = launch(server, script)
        assert done.returncode == 0, done.stderr
        assert trial["outcome"] == "target-missed"

    def test_a_paused_run_that_evaluates_goes_on(self, server: ServerProcess) -> None:
        _, [trial] = launch(server, "bso = begin(); bso.pause(); bso.on_evaluate(0.95)")
        assert (trial["outcome"], trial["current_epoch"]) == ("converged", 2)


class TestOwners:
    def test_a_handler_on_top_of_ours_decides_whether_the_process_ends(self, server: ServerProcess) -> None:
        script = """
        bso = begin()
        def composed(number, frame, found=signal.getsignal(signal.SIGTERM)):
            found(number, frame)
        signal.signal(signal.SIGTERM, composed)
        at("SIGTERM")
        print("alive")
        """
        done, [trial] = launch(server, script)
        assert (done.stdout, done.returncode, trial["reason"]) == ("alive\n", 0, "preempted")

    @pytest.mark.parametrize("training", [False, True])
    def test_without_a_handler_a_warning_still_ends_the_process(self, server: ServerProcess, training: bool) -> None:
        script = f"bso = optimizer(); bso.get_batch_size(); {'bso.on_train_begin();' if training else ''} at('SIGUSR1')"
        done, [trial] = launch(server, script)
        assert done.returncode == -signal.SIGUSR1
        assert trial["reason"] == ("preempted" if training else None)

    def test_a_library_that_sets_a_warnings_handler_only_where_there_is_none_finds_none_before_training(
        self, server: ServerProcess
    ) -> None:
        script = """
        bso = optimizer(); bso.get_batch_size()
        print(signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL)
        """
        assert launch(server, script)[0].stdout == "True True\n"

    def test_two_signals_at_once_end_the_process_as_one(self, server: ServerProcess) -> None:
        done, [trial] = launch(server, "bso = begin(); at('SIGTERM'); at('SIGTERM'); time.sleep(30)")
        assert (done.returncode, trial["reason"]) == (-signal.SIGTERM, "preempted")


class TestSeveralRuns:
    def test_they_end_together_within_the_time_of_one(self, server: ServerProcess, tmp_path: Path) -> None:
        hanging = ServerProcess(tmp_path / "hangs.db")
        hanging.start()
        script = """
        runs = []
        for k in range(4):
            sys.argv[2] += str(k)
            runs.append(begin())
        print("ready", flush=True)
        time.sleep(60)
        """
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + textwrap.dedent(script), hanging.url, "together"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            os.kill(hanging.pid, signal.SIGSTOP)
            process.send_signal(signal.SIGTERM)
            # Two seconds for all, and some for a busy machine: four runs one by one would take eight.
            _, errors = process.communicate(timeout=7.5)
        finally:
            process.kill()
            os.kill(hanging.pid, signal.SIGCONT)
            hanging.end()
        assert process.returncode == -signal.SIGTERM
        assert errors.count("zeus-bso flush") == 4

    def test_runs_of_several_jobs_in_one_process_do_not_end_each_other(self, server: ServerProcess) -> None:
        script = """
        first = begin()
        sys.argv[2] += "-other"
        second = begin()
        second.on_evaluate(0.95)
        first.on_evaluate(0.95)
        """
        _, [trial] = launch(server, script)
        assert (trial["outcome"], trial["current_epoch"]) == ("converged", 2)

    def test_a_run_that_another_one_ended_goes_on_when_it_evaluates(self, server: ServerProcess) -> None:
        script = """
        first = begin()
        second = begin()
        first.on_evaluate(0.95)
        second.on_evaluate(0.95)
        """
        done, found = launch(server, script)
        assert [trial["outcome"] for trial in found] == ["converged", "converged"]
        assert "has not ended" in done.stderr


class TestTwoInARow:
    def test_one_plain_end_retires_no_size_and_says_that_the_next_one_will(self, server: ServerProcess) -> None:
        job_id = f"plain-{uuid.uuid4().hex}"
        done, _ = launch(server, "bso = begin()", job_id)
        assert "second such end of a batch size in a row retires it" in done.stderr
        assert retired(server, job_id) == {}

    def test_the_second_in_a_row_does(self, server: ServerProcess) -> None:
        job_id = f"plain-{uuid.uuid4().hex}"
        for _ in range(4):
            launch(server, "bso = begin()", job_id)
        sizes = [trial["batch_size"] for trial in trials(server, job_id)]
        assert set(retired(server, job_id)) == {size for size in sizes if sizes.count(size) >= 2}


def retired(server: ServerProcess, job_id: str) -> dict[int, str]:
    """The job's retired sizes, and why."""
    with urlopen(f"{server.url}/api/v1/job?job_id={job_id}", timeout=240) as answer:
        job = json.load(answer)
    return {size["batch_size"]: size["retired"] for size in job["batch_sizes"] if size["retired"]}


class TestComingBack:
    SCRIPT = """
    from pathlib import Path
    import json
    kept = Path({folder!r}) / "checkpoint.json"
    state = json.loads(kept.read_text()) if kept.exists() else None
    bso = optimizer(run_id="night", resume=state, heartbeat_s=0.1)
    bso.get_batch_size()
    print(bso.trial_number, bso.resumed, bso.state_dict()["current_epoch"])
    bso.on_train_begin()
    for _ in range(2):
        bso.on_evaluate(0.1)
        kept.write_text(json.dumps(bso.state_dict()))
    {end}
    """

    @pytest.mark.parametrize(
        "end",
        [
            "raise RuntimeError('NCCL error: unhandled system error')",
            "sys.exit(1)",
            "at('SIGTERM')",
            "bso.pause()",
            "bso.cancel()",
        ],
    )
    def test_a_run_with_its_checkpoint_comes_back_whatever_it_ended_by(
        self, server: ServerProcess, tmp_path: Path, end: str
    ) -> None:
        job_id = f"back-{uuid.uuid4().hex}"
        said: list[list[str]] = []
        trial: Json = {}
        for leave in (end, end, "pass"):
            done, [trial] = launch(server, self.SCRIPT.format(folder=str(tmp_path), end=leave), job_id)
            said.append(done.stdout.split())
        assert said == [["1", "False", "0"], ["1", "True", "2"], ["1", "True", "4"]]
        assert (trial["outcome"], trial["current_epoch"], trial["wasted_time"]) == ("target-missed", 6, 0.0)

    def test_a_run_without_a_checkpoint_begins_anew_after_an_error(self, server: ServerProcess, tmp_path: Path) -> None:
        job_id = f"back-{uuid.uuid4().hex}"
        script = self.SCRIPT.format(folder=str(tmp_path), end="(kept.unlink(), sys.exit(1))")
        launch(server, script, job_id)
        _, found = launch(server, script, job_id)
        assert [trial["trial_number"] for trial in found] == [1, 2]
