"""Every error as ``{"message": ...}``: one table, and no answer that echoes what was sent."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from zeus_bso.exceptions import UnauthenticatedError, ZeusBSOServerError
from zeus_bso.server.security.headers import HEADERS
from zeus_bso.server.security.navigation import is_navigation, to_login
from zeus_bso.server.watch import REQUEST_ID_HEADER, request_id

logger = logging.getLogger(__name__)


class StrictJsonRequest(Request):
    """A request whose body is JSON in valid UTF-8 without lone surrogates; NaN and the infinities are read as such."""

    async def json(self) -> Any:
        """Read the body.

        Raises:
            json.JSONDecodeError: It is not valid.
        """
        if not hasattr(self, "_json"):
            try:
                self._json = from_json(await self.body(), allow_inf_nan=True)
            except ValueError as error:
                raise json.JSONDecodeError(f"{error}", "", 0) from None
        return self._json


def headers_of(error: ZeusBSOServerError) -> dict[str, str]:
    """The headers that belong to an error."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, UnauthenticatedError):
        # Never Basic, though it is understood: a browser would ask for it, keep it, and send it unasked from then on.
        headers["WWW-Authenticate"] = 'Bearer realm="zeus-bso"'
    return headers


def add_error_handlers(app: FastAPI) -> None:
    """Register the table of errors."""
    app.add_exception_handler(ZeusBSOServerError, _server_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _server_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ZeusBSOServerError)
    if isinstance(error, UnauthenticatedError) and is_navigation(request):
        return to_login(request)
    return JSONResponse({"message": error.message}, error.status_code, headers_of(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"message": "; ".join(_sentence(detail) for detail in error.errors()[:10])}, 422)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": str(error.detail)}, error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # Nothing is added to this answer on its way out: it is made outside everything else.
    headers = HEADERS | {REQUEST_ID_HEADER: request_id.get() or ""}
    return JSONResponse({"message": "The server made an error; it is in the server's log."}, 500, headers)


def _sentence(detail: dict[str, Any]) -> str:
    """Name the field and what is wrong, from the error's place and message alone: never from what was sent."""
    if detail["type"] == "json_invalid":
        return "body: not valid JSON in UTF-8"
    place = [str(part) for part in detail["loc"] if part not in ("body", "query")]
    message = detail["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)[:100] or 'body'}: {message}"
