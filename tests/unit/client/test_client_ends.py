"""How ends are told apart, and the hooks that see them, in one process."""

from __future__ import annotations

import signal
import sys
import threading
from types import ModuleType

import pytest

from zeus_bso.client.end_reasons import is_out_of_memory, reason_of
from zeus_bso.client.exit_hooks import ExitHooks
from zeus_bso.client.live_run import LiveRun
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.protocol.words import FailReason

PATIENCE_S = 30.0


class TestReasons:
    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch.cuda"})("any text"),
        ],
    )
    def test_out_of_memory_is_known_by_its_type_or_its_words(self, error: BaseException) -> None:
        assert reason_of(error) is FailReason.OOM

    @pytest.mark.parametrize(
        "error", [RuntimeError("device-side assert triggered"), ValueError("CUDA out of memory"), OSError(28, "x")]
    )
    def test_other_errors_are_not_out_of_memory(self, error: BaseException) -> None:
        assert not is_out_of_memory(error)
        assert reason_of(error) is FailReason.ERROR

    @pytest.mark.parametrize(("status", "reason"), [(1, FailReason.OOM), (0, None)])
    def test_an_exit_with_an_error_has_the_reason_of_the_exception_that_led_to_it(
        self, status: int, reason: FailReason | None
    ) -> None:
        leaves = SystemExit(status)
        leaves.__context__ = MemoryError()
        assert reason_of(leaves) is reason

    def test_exceptions_that_name_each_other_as_cause_are_read_once(self) -> None:
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        assert reason_of(first) is FailReason.ERROR


class TestHooks:
    def test_they_are_put_back_as_they_were(self) -> None:
        numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1)

        def found() -> list[object]:
            return [sys.excepthook, sys.exit, threading.excepthook, *map(signal.getsignal, numbers)]

        before = found()
        hooks, first, second = ExitHooks(), LiveRun(TrainingGuard()), LiveRun(TrainingGuard())
        hooks.add(first)
        hooks.add(second)
        hooks.refresh()
        during = found()
        hooks.remove(first)
        assert found() == during
        hooks.remove(second)
        assert found() == before
        assert not [one for one, other in zip(before, during, strict=True) if one == other]

    def test_the_end_of_a_session_in_a_debugger_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[FailReason | None] = []
        hooks, run = ExitHooks(), LiveRun(TrainingGuard())
        monkeypatch.setattr(run, "note_exit", told.append)
        monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "pdb", "train.py"])
        hooks.add(run)
        hooks._on_exit()
        hooks.remove(run)
        assert told == [FailReason.CANCELLED]

    def test_a_hook_set_since_is_left_alone(self) -> None:
        hooks, run, before = ExitHooks(), LiveRun(TrainingGuard()), sys.excepthook
        hooks.add(run)

        def theirs(kind: type[BaseException], error: BaseException, traceback: object) -> None:
            """A hook that calls none."""

        try:
            sys.excepthook = theirs
            hooks.remove(run)
            assert sys.excepthook is theirs
        finally:
            sys.excepthook = before

    @pytest.mark.parametrize(
        ("module", "name", "arguments"),
        [
            (sys, "excepthook", (ValueError, ValueError("bad data"), None)),
            (threading, "excepthook", (threading.ExceptHookArgs((ValueError, ValueError("bad data"), None, None)),)),
            (sys, "exit", (3,)),
        ],
    )
    def test_a_hook_that_calls_the_one_before_may_come_between_two_of_ours(
        self, module: ModuleType, name: str, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[str] = []
        hooks, first, second = ExitHooks(), LiveRun(TrainingGuard()), LiveRun(TrainingGuard())
        monkeypatch.setattr(module, name, lambda *_: called.append("found"))
        found = getattr(module, name)
        hooks.add(first)
        ours = getattr(module, name)

        def theirs(*arguments: object) -> None:
            called.append("theirs")
            ours(*arguments)

        setattr(module, name, theirs)
        hooks.refresh()
        hooks.remove(first)
        hooks.add(second)
        hooks.refresh()
        assert getattr(module, name) is not theirs

        getattr(module, name)(*arguments)

        assert called == ["theirs", "found"]
        hooks.remove(second)
        assert getattr(module, name) is theirs
        setattr(module, name, ours)
        hooks.add(first)
        hooks.remove(first)
        assert getattr(module, name) is found

    def test_signals_that_another_thread_could_not_give_back_are_given_back_by_the_main_one(self) -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
        hooks, run = ExitHooks(), LiveRun(TrainingGuard())
        for added in (False, True):
            hooks.add(run)
            hooks.refresh()
            thread = threading.Thread(target=hooks.remove, args=(run,))
            thread.start()
            thread.join()
            if added:
                hooks.add(run)
            else:
                hooks.refresh()
            assert signal.getsignal(signal.SIGUSR1) == before[1]
        hooks.remove(run)
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)) == before

    def test_runs_may_come_and_go_in_any_thread(self) -> None:
        """A run that begins while the last one ends finds all hooks in place, and leaves none."""
        before, hooks, go = sys.exit, ExitHooks(), threading.Barrier(4)
        missing: list[object] = []

        def come_and_go() -> None:
            go.wait(PATIENCE_S)
            for _ in range(300):
                run = LiveRun(TrainingGuard())
                hooks.add(run)
                if sys.exit is before:
                    missing.append(run)
                hooks.remove(run)

        pause_s = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=come_and_go) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE_S)
        finally:
            sys.setswitchinterval(pause_s)
        assert (missing, list(hooks)) == ([], [])
        assert sys.exit is before

    def test_signals_are_left_alone_outside_the_main_thread(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        hooks, run = ExitHooks(), LiveRun(TrainingGuard())
        for action in (hooks.add, hooks.remove):
            thread = threading.Thread(target=action, args=(run,))
            thread.start()
            thread.join()
            assert signal.getsignal(signal.SIGTERM) == before
