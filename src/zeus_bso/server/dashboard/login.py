"""Logging in to the dashboard with a token, and out."""

from __future__ import annotations

import logging
import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from zeus_bso.exceptions import ForbiddenError, TooManyAttemptsError
from zeus_bso.server.dashboard import ui
from zeus_bso.server.dashboard.views import PageRoute
from zeus_bso.server.security.access import Guard, address_of
from zeus_bso.server.security.csrf import CSRF_FIELD, read_form, same
from zeus_bso.server.security.navigation import LOGIN_URL, own_address
from zeus_bso.server.security.routes import needs, open_to_everybody
from zeus_bso.server.security.session import LOGIN_COOKIE, SESSION_COOKIE
from zeus_bso.server.security.tokens import Scope

logger = logging.getLogger(__name__)

login = APIRouter(route_class=PageRoute, include_in_schema=False)


@login.get(LOGIN_URL)
@open_to_everybody
async def show_login(request: Request, to: Annotated[str, Query(alias="next")] = "/") -> Response:
    """The form; who need not log in goes on."""
    guard: Guard = request.app.state.guard
    if not guard.tokens or guard.sessions.find(request.cookies.get(SESSION_COOKIE, "")):
        return _redirect(own_address(to))
    return _form(request, guard, to)


@login.post(LOGIN_URL)
@open_to_everybody
async def log_in(request: Request) -> Response:
    """Take the token, and begin a session."""
    guard: Guard = request.app.state.guard
    form = await read_form(request)
    to = form.get("next", "/")
    if not guard.tokens:
        return _redirect(own_address(to))
    if not same(form.get(CSRF_FIELD, ""), guard.sessions.login_csrf(request.cookies.get(LOGIN_COOKIE, ""))):
        raise ForbiddenError("This form is too old, or your browser keeps no cookies. Go back and reload the page.")
    try:
        # Before the token is looked at: here waiting troubles no training.
        guard.refuse_hasty(address_of(request))
        token = guard.recognize(form.get("token", "").strip(), address_of(request))
    except TooManyAttemptsError as error:
        retry = {"Retry-After": str(error.retry_after_s)}
        return _form(request, guard, to, f"{error.message} Wait {error.retry_after_s} s.", 429, retry)
    if token is None:
        return _form(request, guard, to, "This token is not known here.", 401)
    logger.info("%s logged in to the dashboard from %s.", token.name, address_of(request))
    response = _redirect(own_address(to))
    _set_cookie(request, response, SESSION_COOKIE, guard.sessions.begin(token), "/", guard.sessions.session_s)
    response.delete_cookie(LOGIN_COOKIE, path=LOGIN_URL)
    return response


@login.post("/logout")
@needs(Scope.READ, csrf_in_form=True)
async def log_out(request: Request) -> Response:
    """End the session in this browser, and what the browser has kept of it."""
    response = _redirect(LOGIN_URL)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict", secure=_over_tls(request))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _form(
    request: Request,
    guard: Guard,
    to: str,
    problem: str = "",
    status_code: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    nonce = request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(16)
    html = ui.render(
        "login.html",
        request,
        csrf=guard.sessions.login_csrf(nonce),
        to=own_address(to),
        problem=problem,
        from_elsewhere=request.headers.get("sec-fetch-site") == "cross-site",
    )
    more = {"Cache-Control": "no-store"} | (headers or {})
    response = Response(html, status_code, ui.HEADERS | more, media_type="text/html")
    _set_cookie(request, response, LOGIN_COOKIE, nonce, LOGIN_URL, 3600)
    return response


def _set_cookie(request: Request, response: Response, name: str, value: str, path: str, age_s: int) -> None:
    response.set_cookie(
        name, value, max_age=age_s, path=path, httponly=True, samesite="strict", secure=_over_tls(request)
    )


def _over_tls(request: Request) -> bool:
    """Whether the browser came over TLS, also where that ends at a load balancer.

    Whoever forges the header makes their own cookie safer, and nothing else.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
    return "https" in (request.url.scheme, forwarded)


def _redirect(address: str) -> Response:
    return RedirectResponse(address, 303)
