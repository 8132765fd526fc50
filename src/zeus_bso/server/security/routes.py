"""Access rules of routes. A route without a rule cannot be defined."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Router

from zeus_bso.server.security.access import ANYBODY, Authenticator, Caller, Requirement
from zeus_bso.server.security.csrf import CSRF_HEADER
from zeus_bso.server.security.session import SESSION_COOKIE
from zeus_bso.server.security.tokens import Scope

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_NEED = "__zeus_bso_need__"


def needs(scope: Scope, *, every_job: bool = False, csrf_in_form: bool = False) -> Callable[[_Endpoint], _Endpoint]:
    """Declare the access rule of an endpoint. Place this decorator below the one that makes the route.

    Args:
        scope: The scope that the caller's token needs.
        every_job: Whether the token must reach every job.
        csrf_in_form: Whether the endpoint is the target of a form.
    """
    return _declare(Requirement(scope, every_job=every_job, csrf_in_form=csrf_in_form))


def open_to_everybody(endpoint: _Endpoint) -> _Endpoint:
    """Declare that an endpoint requires no authentication."""
    return _declare(Requirement(None))(endpoint)


def need_of(endpoint: Callable[..., Any]) -> Requirement:
    """The access rule of an endpoint.

    Raises:
        TypeError: The endpoint has no rule.
    """
    need = endpoint.__dict__.get(_NEED)
    if not isinstance(need, Requirement):
        raise TypeError(f"{endpoint.__qualname__} has no access rule: decorate it with needs(...)")
    return need


SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the server, if the server has any."},
    "basic": {"type": "http", "scheme": "basic", "description": "The token as the password. The user name is free."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": f"A login to the dashboard. A request that changes something also needs {CSRF_HEADER}.",
    },
}
"""How a caller shows who it is, for the description of the API."""


class GuardedRoute(APIRoute):
    """A route that checks access first, before it reads the body or does anything else."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        scope = need_of(endpoint).scope
        security = [] if scope is None else [{name: [str(scope)]} for name in SECURITY_SCHEMES]
        options["openapi_extra"] = {"security": security} | (options.get("openapi_extra") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Create the handler.

        Raises:
            TypeError: The endpoint has no access rule.
        """
        need = need_of(self.endpoint)
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            guard: Authenticator = request.app.state.authenticator
            request.state.caller = await guard.authorize(request, need)
            return await handle(request)

        return guarded


def caller_of(request: Request) -> Caller:
    """The caller of a request."""
    caller = getattr(request.state, "caller", ANYBODY)
    assert isinstance(caller, Caller)
    return caller


def refuse_unguarded_routes(app: FastAPI) -> None:
    """Check that every route of an app has access control.

    Raises:
        TypeError: A route has none.
    """
    for route in routes_of(app):
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"{getattr(route, 'path', route)} is no GuardedRoute, so it would be open to everybody")


def routes_of(app: FastAPI) -> Iterator[BaseRoute]:
    """All routes of an app, including those of its routers."""
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop(0)
        # Depending on FastAPI's version, an included router is itself a route, or its routes were copied to the app.
        included = getattr(route, "original_router", None)
        if isinstance(included, Router):
            waiting = [*included.routes, *waiting]
        else:
            yield route


def methods_at(request: Request) -> set[str]:
    """All methods of a request's path. Each method may have a route of its own."""
    at_path = (route for route in routes_of(request.app) if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in at_path if isinstance(route, APIRoute) for method in route.methods or ()}


def _declare(need: Requirement) -> Callable[[_Endpoint], _Endpoint]:
    def declare(endpoint: _Endpoint) -> _Endpoint:
        endpoint.__dict__[_NEED] = need
        return endpoint

    return declare
