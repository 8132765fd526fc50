"""The courier, whose thread and a signal's handler may want the same locks."""

from __future__ import annotations

import logging
import threading
import time

from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso.client.api import Api
from zeus_bso.client.courier import Courier
from zeus_bso.client.spool import Letter
from zeus_bso.common import TrainingResult

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


def letter(epoch: int) -> Letter:
    result = TrainingResult(
        job_id="job", batch_size=64, trial_number=1, time=1.0, energy=1.0, metric=0.1, current_epoch=epoch
    )
    return Letter(report=result)


def test_a_log_that_is_busy_keeps_no_caller_from_the_courier() -> None:
    server, log = ScriptedTransport(), BusyLog()
    server.away = True
    courier = Courier(Api(server), None, lambda answer: None)
    courier.deliver(letter(1))
    logging.getLogger("zeus_bso").addHandler(log)
    try:
        server.away = False
        assert log.busy.wait(PATIENCE_S), "it says that the server answers again"
        # As in a signal's handler that interrupted whoever holds the log.
        called = threading.Thread(target=courier.deliver, args=(letter(2), 0.1), daemon=True)
        began = time.monotonic()
        called.start()
        called.join(PATIENCE_S / 2)
        assert not called.is_alive()
        assert time.monotonic() - began < PATIENCE_S / 2
    finally:
        logging.getLogger("zeus_bso").removeHandler(log)
        log.let_go.set()
        courier.close()
