"""Answers every error with ``{"message": ...}``. One table maps all errors, and no answer repeats the input."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from zeus_bso.exceptions import UnauthenticatedError, ZeusBSOServerError
from zeus_bso.server.http.request_ids import REQUEST_ID_HEADER
from zeus_bso.server.logs import request_id
from zeus_bso.server.security.headers import HEADERS
from zeus_bso.server.security.navigation import is_navigation, to_login
from zeus_bso.server.security.routes import methods_at

logger = logging.getLogger(__name__)


class StrictJsonRequest(Request):
    """A request whose body is JSON in valid UTF-8 without lone surrogates. It may contain NaN and infinities."""

    async def json(self) -> Any:
        """Read the body.

        Raises:
            json.JSONDecodeError: The body is not valid.
        """
        if not hasattr(self, "_json"):
            try:
                self._json = from_json(await self.body(), allow_inf_nan=True)
            except ValueError as error:
                raise json.JSONDecodeError(f"{error}", "", 0) from None
        return self._json


def headers_of(error: ZeusBSOServerError) -> dict[str, str]:
    """The headers of an error's answer."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, UnauthenticatedError):
        # Never Basic, although the server accepts it: a browser would prompt for it, keep it, and send it unasked.
        headers["WWW-Authenticate"] = 'Bearer realm="zeus-bso"'
    return headers


def add_error_handlers(app: FastAPI) -> None:
    """Register the table of errors."""
    app.add_exception_handler(ZeusBSOServerError, _server_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _server_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ZeusBSOServerError)
    if isinstance(error, UnauthenticatedError) and is_navigation(request):
        return to_login(request)
    return JSONResponse({"message": error.message}, error.status_code, headers_of(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"message": "; ".join(_sentence(detail) for detail in error.errors()[:10])}, 422)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer an error of the router, such as an unknown path."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(methods_at(request)))
    return JSONResponse({"message": str(error.detail)}, error.status_code, headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # No middleware adds headers to this answer, because it is created outside all of them.
    headers = HEADERS | {REQUEST_ID_HEADER: request_id.get() or ""}
    return JSONResponse({"message": "The server failed. Its log has the details."}, 500, headers)


def _sentence(detail: dict[str, Any]) -> str:
    """Name the field and the problem. The sentence uses only the error's place and message, never the input."""
    if detail["type"] == "json_invalid":
        return "body: not valid JSON in UTF-8"
    place = [str(part) for part in detail["loc"] if part not in ("body", "query")]
    message = detail["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)[:100] or 'body'}: {message}"
