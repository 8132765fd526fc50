"""The server's log: lines for people or JSON for machines, each with its request id."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the current request."""


def configure_logging(level: str, log_format: str, stream: TextIO | None = None) -> None:
    """Write the log to standard error.

    Args:
        level: Level of our own loggers. Other packages log only warnings and errors.
        log_format: ``text`` or ``json``.
        stream: The stream to write to. Default: standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    for other in [other for other in root.handlers if getattr(other, "zeus_bso", False)]:
        root.removeHandler(other)
    handler.zeus_bso = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    logging.getLogger("zeus_bso").setLevel(level.upper())


def log_fields(logger: logging.Logger, **fields: object) -> None:
    """Write one line of fields: ``name=value`` as text, or members of a JSON object. Fields that are None are left out.

    Args:
        logger: The logger.
        fields: The fields of the line.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    logger.info("%s", " ".join(f"{name}={_plain(value)}" for name, value in known.items()), extra={"fields": known})


class TextFormatter(logging.Formatter):
    """Formats one line for a person: time, level, message, request id."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - overrides logging's method
        """Format the line, with the request id at its end."""
        line = super().formatMessage(record).replace("\n", "\\n").replace("\r", "\\r")
        identity = request_id.get()
        return line if identity is None else f"{line} request_id={identity}"


class JsonFormatter(logging.Formatter):
    """Formats one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get() is not None:
            line["request_id"] = request_id.get()
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _plain(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ' "=') else text
