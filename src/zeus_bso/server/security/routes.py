"""Every route says what it needs; one that does not cannot be defined."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Router

from zeus_bso.server.security.access import ANYBODY, Caller, Guard, Need
from zeus_bso.server.security.tokens import Scope

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_NEED = "__zeus_bso_need__"


def needs(scope: Scope, *, every_job: bool = False, csrf_in_form: bool = False) -> Callable[[_Endpoint], _Endpoint]:
    """Declare what an endpoint needs of whoever asks; it stands under the decorator that makes the route.

    Args:
        scope: The scope.
        every_job: A token that reaches some jobs only will not do.
        csrf_in_form: The endpoint is the target of a form.
    """
    return _declare(Need(scope, every_job=every_job, csrf_in_form=csrf_in_form))


def open_to_everybody(endpoint: _Endpoint) -> _Endpoint:
    """Declare that an endpoint asks nobody who they are."""
    return _declare(Need(None))(endpoint)


def need_of(endpoint: Callable[..., Any]) -> Need:
    """What an endpoint needs.

    Raises:
        TypeError: It does not say.
    """
    need = endpoint.__dict__.get(_NEED)
    if not isinstance(need, Need):
        raise TypeError(f"{endpoint.__qualname__} does not say who may ask: decorate it with needs(...)")
    return need


class GuardedRoute(APIRoute):
    """A route that lets nobody in before it knows who asks: before the body is read, or anything else is done."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Make the handler.

        Raises:
            TypeError: The endpoint does not say what it needs.
        """
        need = need_of(self.endpoint)
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            guard: Guard = request.app.state.guard
            request.state.caller = await guard.admit(request, need)
            return await handle(request)

        return guarded


def caller_of(request: Request) -> Caller:
    """Who asks."""
    caller = getattr(request.state, "caller", ANYBODY)
    assert isinstance(caller, Caller)
    return caller


def refuse_unguarded_routes(app: FastAPI) -> None:
    """See that an app has no route that would let in just anybody.

    Raises:
        TypeError: It has one.
    """
    for route in routes_of(app):
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"{getattr(route, 'path', route)} is no GuardedRoute: nobody would be asked who they are")


def routes_of(app: FastAPI) -> Iterator[BaseRoute]:
    """All routes of an app, also those of the routers that it includes."""
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop(0)
        # An included router is a route among others, or has left its routes, by the version of FastAPI.
        included = getattr(route, "original_router", None)
        if isinstance(included, Router):
            waiting = [*included.routes, *waiting]
        else:
            yield route


def _declare(need: Need) -> Callable[[_Endpoint], _Endpoint]:
    def declare(endpoint: _Endpoint) -> _Endpoint:
        endpoint.__dict__[_NEED] = need
        return endpoint

    return declare
