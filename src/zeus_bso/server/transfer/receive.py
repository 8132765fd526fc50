"""Writes a request's body to a file, and sends a file as an answer. Memory never holds a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import StreamingResponse

from zeus_bso.exceptions import TooLargeError
from zeus_bso.server.transfer.export_format import MEDIA_TYPE
from zeus_bso.server.transfer.staging import temporary_file

_CHUNK_BYTES = 2**16


async def receive_file(request: Request, max_bytes: int) -> IO[bytes]:
    """Write a request's body to a temporary file.

    Raises:
        TooLargeError: The body is larger than ``max_bytes``.
    """
    too_large = TooLargeError(
        f"The exported job is larger than {max_bytes} bytes, the limit in the server's setting "
        "ZEUS_BSO_IMPORT_MAX_BYTES."
    )
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > max_bytes:
        raise too_large
    file, size = temporary_file(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            file.close()
            raise too_large
        file.write(chunk)
    return file


def send_file(file: IO[bytes], job_id: str) -> StreamingResponse:
    """Answer with a file, and close it."""

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    name = f"attachment; filename*=UTF-8''{quote(job_id, safe='')}.ndjson"
    return StreamingResponse(chunks(), media_type=MEDIA_TYPE, headers={"Content-Disposition": name})
