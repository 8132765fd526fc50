"""Logging in to the dashboard with a token, and out."""

from __future__ import annotations

import logging
import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from zeus_bso.exceptions import ForbiddenError, TooManyAttemptsError
from zeus_bso.server.dashboard import render
from zeus_bso.server.dashboard.page_routes import PageRoute
from zeus_bso.server.security.access import Authenticator, address_of
from zeus_bso.server.security.csrf import CSRF_FIELD, is_masked, read_form
from zeus_bso.server.security.navigation import LOGIN_URL, own_address, prefix_of
from zeus_bso.server.security.routes import needs, open_to_everybody
from zeus_bso.server.security.session import LOGIN_COOKIE, SESSION_COOKIE
from zeus_bso.server.security.tokens import Scope

logger = logging.getLogger(__name__)

login = APIRouter(route_class=PageRoute, include_in_schema=False)


@login.get(LOGIN_URL)
@open_to_everybody
async def show_login(request: Request, to: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Show the form. A person who need not log in is redirected at once."""
    guard: Authenticator = request.app.state.authenticator
    if not guard.tokens or guard.sessions.find(request.cookies.get(SESSION_COOKIE, "")):
        return _redirect(request, own_address(to))
    return _form(request, guard, to)


@login.post(LOGIN_URL)
@open_to_everybody
async def log_in(request: Request) -> Response:
    """Check the token, and begin a session."""
    guard: Authenticator = request.app.state.authenticator
    form = await read_form(request)
    to = form.get("next", "/")
    if not guard.tokens:
        return _redirect(request, own_address(to))
    if not is_masked(form.get(CSRF_FIELD, ""), guard.sessions.login_csrf(request.cookies.get(LOGIN_COOKIE, ""))):
        raise ForbiddenError("This form has expired, or your browser accepts no cookies. Go back and reload the page.")
    try:
        # Before the token is checked: a delay here disturbs no training.
        guard.refuse_hasty(address_of(request))
        token = guard.recognize(form.get("token", "").strip(), address_of(request))
    except TooManyAttemptsError as error:
        retry = {"Retry-After": str(error.retry_after_s)}
        return _form(request, guard, to, f"{error.message} Wait {error.retry_after_s} s.", 429, retry)
    if token is None:
        return _form(request, guard, to, "This server does not know the token.", 401)
    logger.info("%s logged in to the dashboard from %s.", token.name, address_of(request))
    response = _redirect(request, own_address(to))
    _set_cookie(request, response, SESSION_COOKIE, guard.sessions.begin(token), "/", guard.sessions.session_s)
    response.delete_cookie(LOGIN_COOKIE, path=prefix_of(request) + LOGIN_URL)
    return response


@login.post("/logout")
@needs(Scope.READ, csrf_in_form=True)
async def log_out(request: Request) -> Response:
    """End the session in this browser, and clear the pages that the browser has kept."""
    response = _redirect(request, LOGIN_URL)
    response.delete_cookie(
        SESSION_COOKIE, path=f"{prefix_of(request)}/", httponly=True, samesite="strict", secure=_over_tls(request)
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _form(
    request: Request,
    guard: Authenticator,
    to: str,
    problem: str = "",
    status_code: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    nonce = request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(16)
    html = render.render(
        "login.html",
        request,
        csrf=guard.sessions.login_csrf(nonce),
        to=own_address(to),
        problem=problem,
        from_elsewhere=request.headers.get("sec-fetch-site") == "cross-site",
    )
    more = {"Cache-Control": "no-store"} | (headers or {})
    response = Response(html, status_code, render.HEADERS | more, media_type="text/html")
    _set_cookie(request, response, LOGIN_COOKIE, nonce, LOGIN_URL, 3600)
    return response


def _set_cookie(request: Request, response: Response, name: str, value: str, path: str, age_s: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age_s,
        path=prefix_of(request) + path,
        httponly=True,
        samesite="strict",
        secure=_over_tls(request),
    )


def _over_tls(request: Request) -> bool:
    """Whether the browser uses TLS, even if a load balancer terminates it.

    A client that forges the header only makes its own cookie safer.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
    return "https" in (request.url.scheme, forwarded)


def _redirect(request: Request, address: str) -> Response:
    return RedirectResponse(prefix_of(request) + address, 303)
