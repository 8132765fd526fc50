"""The thread of heartbeats, which a signal's handler may stop while it is being stopped."""

from __future__ import annotations

import sys
import threading
from types import FrameType

import pytest
from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso.client.connection.api import Api
from zeus_bso.client.delivery.heartbeat import HeartbeatThread, SilenceTimer
from zeus_bso.protocol.messages import Heartbeat

PATIENCE_S = 20.0


def test_stopping_it_may_be_interrupted_by_stopping_it() -> None:
    beat = Heartbeat(job_id="job", batch_size=64, trial_number=1)
    thread = HeartbeatThread(Api(ScriptedTransport()), lambda: beat, interval_s=60.0)
    thread.start()
    interrupted = threading.Event()

    def interrupt(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_name == "notify_all" and not interrupted.is_set():
            sys.settrace(None)
            interrupted.set()
            thread.stop()

    def stop() -> None:
        sys.settrace(interrupt)
        thread.stop()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert interrupted.is_set()
    assert not stopping.is_alive()


def test_a_run_that_has_not_evaluated_for_many_epochs_and_beats_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("zeus_bso.client.delivery.heartbeat.time.monotonic", lambda: now[0])
    silence = SilenceTimer()
    now[0] = 1e6
    assert not silence.is_long(30.0)
    silence.heard()
    silence = SilenceTimer()
    for _ in range(3):
        now[0] += 60.0
        silence.heard()
    now[0] += 599.0
    assert not silence.is_long(30.0)
    now[0] += 2.0
    assert silence.is_long(30.0)
    assert not silence.is_long(120.0)
    silence.heard()
    assert not silence.is_long(30.0)


def test_a_thread_that_has_nothing_to_send_sends_nothing_and_goes_on() -> None:
    transport, asked = ScriptedTransport(), threading.Event()
    beats = iter([None, Heartbeat(job_id="job", batch_size=64, trial_number=1)])

    def beat() -> Heartbeat | None:
        found = next(beats, None)
        if found is not None:
            asked.set()
        return found

    thread = HeartbeatThread(Api(transport), beat, interval_s=0.01)
    thread.start()
    assert asked.wait(PATIENCE_S)
    thread.stop()
    assert len(transport.requests) == 1
