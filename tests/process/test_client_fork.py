"""A client whose process forks."""

from __future__ import annotations

import os
import signal
import threading

from tests.unit.client.tiny_server import TinyServer

from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.client.exit_hooks import HOOKS
from zeus_bso.client.live_run import LiveRun
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.protocol.transport import TransportError

PATIENCE_S = 120.0


def test_a_forked_child_does_not_touch_its_parents_connection() -> None:
    with TinyServer() as server:
        transport = HttpTransport(server.url)
        transport.request("GET", "/x")
        child = os.fork()
        if child == 0:
            try:
                transport.request("GET", "/x")
            except TransportError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert transport.request("GET", "/x").status == 200
        transport.close()
        assert len(server.requests) == 2


def test_a_forked_child_has_its_signals_back_though_the_last_run_ended_in_another_thread() -> None:
    before, run = signal.getsignal(signal.SIGTERM), LiveRun(TrainingGuard())
    HOOKS.add(run)
    thread = threading.Thread(target=HOOKS.remove, args=(run,))
    thread.start()
    thread.join()
    try:
        assert signal.getsignal(signal.SIGTERM) != before
        child = os.fork()
        if child == 0:
            os._exit(7 if signal.getsignal(signal.SIGTERM) == before else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        HOOKS.refresh()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_child_that_is_forked_while_a_run_ends_elsewhere_can_begin_one_of_its_own() -> None:
    # Children are looked after from the first run on.
    first = LiveRun(TrainingGuard())
    HOOKS.add(first)
    HOOKS.remove(first)
    held, let_go = threading.Event(), threading.Event()

    class Slow(LiveRun):
        def __hash__(self) -> int:
            if threading.current_thread() is thread:
                held.set()
                let_go.wait(PATIENCE_S)
            return 1

    thread = threading.Thread(target=HOOKS.remove, args=(run := Slow(TrainingGuard()),))
    thread.start()
    assert held.wait(PATIENCE_S)
    try:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(PATIENCE_S))
            HOOKS.add(run)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        let_go.set()
        thread.join()
