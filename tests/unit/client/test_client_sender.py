"""The sender, whose thread and a signal's handler may want the same locks."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest
from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso.client.connection.api import Api
from zeus_bso.client.delivery.sender import ReportSender
from zeus_bso.client.delivery.spool import TrialMessage
from zeus_bso.protocol.messages import TrainingResult
from zeus_bso.protocol.transport import Answer

PATIENCE_S = 30.0


class BusyLog(logging.Handler):
    """Does not come back from a line until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = threading.Event()
        self.let_go = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.busy.set()
        self.let_go.wait(PATIENCE_S)


def message(epoch: int) -> TrialMessage:
    result = TrainingResult(
        job_id="job", batch_size=64, trial_number=1, time=1.0, energy=1.0, metric=0.1, current_epoch=epoch
    )
    return TrialMessage(report=result)


class SlowServer(ScriptedTransport):
    """Answers nobody before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def request(self, method: str, path: str, **more: Any) -> Answer:
        self.asked.set()
        self.let_go.wait(PATIENCE_S)
        return super().request(method, path, **more)


def test_a_message_that_takes_the_place_of_one_under_way_ends_the_wait_for_its_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a signal's handler posts the end of a run that waits for the answer to its report."""
    server = SlowServer()
    sender = ReportSender(Api(server), None, lambda answer: None)
    answers: list[object] = []
    waits = threading.Thread(target=lambda: answers.append(sender.send_and_wait(message(1))))
    waits.start()
    assert server.asked.wait(PATIENCE_S)
    sender.send_later(message(2))
    waits.join(PATIENCE_S)
    assert (answers, sender.away, caplog.messages) == ([None], False, [])
    server.let_go.set()
    assert sender.send_and_wait(message(3), PATIENCE_S) is not None
    sender.close()


def test_a_log_that_is_busy_keeps_no_caller_from_the_courier() -> None:
    server, log = ScriptedTransport(), BusyLog()
    server.away = True
    sender = ReportSender(Api(server), None, lambda answer: None)
    sender.send_and_wait(message(1))
    logging.getLogger("zeus_bso").addHandler(log)
    try:
        server.away = False
        assert log.busy.wait(PATIENCE_S), "it says that the server answers again"
        # As in a signal's handler that interrupted whoever holds the log.
        called = threading.Thread(target=sender.send_and_wait, args=(message(2), 0.1), daemon=True)
        began = time.monotonic()
        called.start()
        called.join(PATIENCE_S / 2)
        assert not called.is_alive()
        assert time.monotonic() - began < PATIENCE_S / 2
    finally:
        logging.getLogger("zeus_bso").removeHandler(log)
        log.let_go.set()
        sender.close()
