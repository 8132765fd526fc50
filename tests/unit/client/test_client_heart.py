"""The heart, which a signal's handler may stop while it is being stopped."""

from __future__ import annotations

import sys
import threading
from types import FrameType

from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso.client.api import Api
from zeus_bso.client.lease import Heart
from zeus_bso.common import Heartbeat

PATIENCE_S = 20.0


def test_stopping_it_may_be_interrupted_by_stopping_it() -> None:
    beat = Heartbeat(job_id="job", batch_size=64, trial_number=1)
    heart = Heart(Api(ScriptedTransport()), lambda: beat, interval_s=60.0)
    heart.start()
    interrupted = threading.Event()

    def interrupt(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_name == "notify_all" and not interrupted.is_set():
            sys.settrace(None)
            interrupted.set()
            heart.stop()

    def stop() -> None:
        sys.settrace(interrupt)
        heart.stop()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert interrupted.is_set()
    assert not stopping.is_alive()
