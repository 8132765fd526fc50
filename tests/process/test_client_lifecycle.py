"""How a run ends: real processes, real signals, a real HTTP server of a few lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest
from tests.support.forked import run_python
from tests.unit.client.tiny_server import TinyServer

from zeus_bso.protocol.urls import ASK_URL, REGISTER_JOB_URL

BEGIN = """
import os, signal, sys, time
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

{before}
bso = BatchSizeOptimizer(
    ReplayMonitor([(1.0, 100.0)] * 50),
    sys.argv[1],
    JobSpec(job_id_prefix="endings", batch_sizes=[64], default_batch_size=64),
    on_fail="stop",
)
bso.get_batch_size()
bso.on_train_begin()
bso.on_evaluate(0.1)
{after}
"""


@pytest.fixture
def server() -> Iterator[TinyServer]:
    with TinyServer() as server:
        yield server


def launch(server: TinyServer, after: str = "", before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a training script with one evaluation, then ``after``."""
    script = BEGIN.format(before=textwrap.dedent(before), after=textwrap.dedent(after))
    return run_python("-c", script, server.url)


def ends(server: TinyServer) -> list[object]:
    """How the server was told that the run ended: ``final``, or a reason."""
    finals: list[object] = ["final" for report in server.reports if report["final"]]
    return finals + [end["reason"] for end in server.ends]


class TestProcessEnds:
    def test_a_script_that_simply_ends_has_made_its_final_report(self, server: TinyServer) -> None:
        done = launch(server)
        assert (ends(server), done.returncode) == (["final"], 0)
        assert "target missed" in done.stderr

    def test_an_exit_with_status_zero_is_a_clean_end(self, server: TinyServer) -> None:
        assert launch(server, "sys.exit(0)").returncode == 0
        assert ends(server) == ["final"]

    def test_an_exit_with_another_status_is_an_error(self, server: TinyServer) -> None:
        assert launch(server, "sys.exit(3)").returncode == 3
        assert ends(server) == ["error"]

    def test_an_exit_that_the_script_catches_ends_nothing(self, server: TinyServer) -> None:
        caught = """
        try:
            sys.exit(3)
        except SystemExit:
            pass
        bso.on_evaluate(0.2)
        """
        assert launch(server, caught).returncode == 0
        assert ends(server) == ["final"]

    def test_an_exception_is_an_error_and_keeps_its_traceback_and_status(self, server: TinyServer) -> None:
        done = launch(server, "raise ValueError('bad data')")
        assert (ends(server), done.returncode) == (["error"], 1)
        assert "ValueError: bad data" in done.stderr

    def test_running_out_of_memory_is_told_apart(self, server: TinyServer) -> None:
        torch = """
        OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
        try:
            raise OutOfMemoryError("CUDA out of memory.")
        except RuntimeError as error:
            raise ValueError("the training step failed") from error
        """
        assert launch(server, torch).returncode == 1
        assert ends(server) == ["oom"]

    def test_a_hook_for_exceptions_that_was_there_is_called_too(self, server: TinyServer) -> None:
        hook = "sys.excepthook = lambda kind, error, traceback: print('mine:', error)"
        done = launch(server, "raise ValueError('bad data')", before=hook)
        assert done.stdout == "mine: bad data\n"
        assert ends(server) == ["error"]

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
    def test_a_signal_preempts_the_run_and_still_ends_the_process(self, server: TinyServer, name: str) -> None:
        done = launch(server, f"os.kill(os.getpid(), signal.{name}); time.sleep(30)")
        assert (ends(server), done.returncode) == (["preempted"], -getattr(signal, name))

    def test_a_signal_handler_that_was_there_is_called_too(self, server: TinyServer) -> None:
        handler = "signal.signal(signal.SIGTERM, lambda number, frame: os._exit(9))"
        done = launch(server, "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", before=handler)
        assert (ends(server), done.returncode) == (["preempted"], 9)

    def test_a_signal_that_was_ignored_stays_ignored(self, server: TinyServer) -> None:
        ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
        assert launch(server, "os.kill(os.getpid(), signal.SIGHUP)", before=ignore).returncode == 0
        assert ends(server) == ["final"]

    def test_a_signal_is_told_within_its_budget_even_to_a_server_that_hangs(self, server: TinyServer) -> None:
        # The server answers the first evaluation only, and hangs from then on.
        answered = threading.Event()

        def answer_once(request: object) -> tuple[int, dict[str, object]]:
            if answered.is_set():
                server.hang.clear()
            answered.set()
            return 200, {"stop_train": False, "converged": False, "message": "go on"}

        server.answers["/report"] = answer_once
        script = """
        import threading
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(8))
        signal.setitimer(signal.ITIMER_REAL, 0.5 + 4)
        bso.on_evaluate(0.2)
        """
        assert launch(server, script).returncode == -signal.SIGTERM

    def test_an_interrupt_cancels_the_run(self, server: TinyServer) -> None:
        done = launch(server, "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)")
        assert (ends(server), done.returncode) == (["cancelled"], -signal.SIGINT)

    def test_an_interrupt_that_the_script_catches_to_leave_tidily_cancels_too(self, server: TinyServer) -> None:
        tidy = """
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
        except KeyboardInterrupt:
            print("saved")
        """
        done = launch(server, tidy)
        assert (ends(server), done.stdout, done.returncode) == (["cancelled"], "saved\n", 0)

    def test_a_process_that_is_shot_says_nothing(self, server: TinyServer) -> None:
        assert launch(server, "os._exit(1)").returncode == 1
        assert ends(server) == []

    def test_an_end_in_the_script_is_not_told_again_at_the_exit(self, server: TinyServer) -> None:
        launch(server, "bso.on_train_end()")
        assert ends(server) == ["final"]

    def test_a_server_that_is_gone_at_the_exit_changes_nothing_of_it(self, server: TinyServer) -> None:
        server.answers["/report"] = (503, {"message": "the database is away"})
        done = launch(server)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr


class TestChildren:
    @pytest.mark.parametrize(
        "child",
        [
            "sys.exit(0)",
            "sys.exit(1)",
            "raise ValueError('in the child')",
            "bso.on_evaluate(0.2); bso.on_train_end(); bso.cancel(); sys.exit(0)",
            "os.kill(os.getpid(), signal.SIGTERM)",
        ],
    )
    def test_a_forked_childs_life_and_end_are_not_the_runs(self, server: TinyServer, child: str) -> None:
        fork = f"""
        pid = os.fork()
        if pid == 0:
            {child}
        os.waitpid(pid, 0)
        bso.on_evaluate(0.3)
        """
        done = launch(server, fork)
        assert done.returncode == 0
        assert [report["current_epoch"] for report in server.reports] == [1, 2, 2]
        assert not [words for words in ("no answer", "Could not") if words in done.stderr]
        assert ends(server) == ["final"]

    def test_a_forked_child_has_its_hooks_as_they_were(self, server: TinyServer) -> None:
        before = "found = [sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM)]"
        fork = """
        hooked = [sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM)]
        pid = os.fork()
        if pid == 0:
            same = [sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM)] == found
            os._exit(7 if same and found != hooked else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
        assert launch(server, fork, before=before).stdout == "7\n"

    def test_a_forked_child_that_is_terminated_dies_of_it(self, server: TinyServer) -> None:
        fork = """
        ready, begun = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(begun, b".")
            time.sleep(30)
            os._exit(99)
        # A signal that comes before the child is Python again is lost.
        os.read(ready, 1)
        os.kill(pid, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
        assert launch(server, fork).stdout == f"{-signal.SIGTERM}\n"
        assert ends(server) == ["final"]

    def test_a_forked_child_does_not_ask(self, server: TinyServer) -> None:
        script = BEGIN.partition("bso.get_batch_size()")[0].format(before="") + textwrap.dedent(
            """
            if os.fork() == 0:
                bso.get_batch_size()
            print(os.waitstatus_to_exitcode(os.wait()[1]))
            """
        )
        done = run_python("-c", script, server.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "1\n"
        assert "A forked process does not ask" in done.stderr
        assert server.sent(ASK_URL) == []

    def test_a_spawned_child_that_imports_the_script_neither_registers_nor_asks(
        self, server: TinyServer, tmp_path: os.PathLike[str]
    ) -> None:
        main = """
        import multiprocessing

        def work():
            assert bso.training_finished is False

        if __name__ == "__main__":
            child = multiprocessing.get_context("spawn").Process(target=work)
            child.start()
            child.join()
            print("child", child.exitcode)
        """
        path = os.path.join(tmp_path, "train.py")  # noqa: PTH118
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(BEGIN.format(before="", after=textwrap.dedent(main)))
        done = subprocess.run(
            [sys.executable, path, server.url], capture_output=True, text=True, timeout=240, check=True
        )
        assert done.stdout == "child 0\n", done.stderr
        assert (len(server.sent(REGISTER_JOB_URL)), len(server.sent(ASK_URL))) == (1, 1)
        assert ends(server) == ["final"]
