"""Authentication and authorization of requests."""

from __future__ import annotations

import logging
from base64 import b64decode
from contextvars import ContextVar
from dataclasses import dataclass

from fastapi import Request

from zeus_bso.exceptions import ForbiddenError, TooManyAttemptsError, UnauthenticatedError
from zeus_bso.server.security.csrf import refuse_other_sites, refuse_without_csrf
from zeus_bso.server.security.job_access import EVERYTHING, NOTHING, JobAccess
from zeus_bso.server.security.session import SESSION_COOKIE, Session, Sessions
from zeus_bso.server.security.throttle import Throttle
from zeus_bso.server.security.tokens import ApiToken, ApiTokens, Scope

logger = logging.getLogger(__name__)

caller_name: ContextVar[str | None] = ContextVar("caller_name", default=None)
"""The token name of the current request, for the log."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """The access rule of a route.

    Attributes:
        scope: The scope that a token needs, or None if the route is open to everybody.
        every_job: Whether the route covers all jobs together. A token with a job-id prefix is not enough for it.
        csrf_in_form: Whether the route is the target of a form, which carries the CSRF token in a field.
    """

    scope: Scope | None
    every_job: bool = False
    csrf_in_form: bool = False

    def changes(self, method: str) -> bool:
        """Whether a request changes something. GET may do so, too, because the protocol uses it to ask for a trial."""
        return method not in ("GET", "HEAD") or (self.scope is not None and self.scope > Scope.READ)


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        name: The name of the caller's token, or None if there is none.
        scope: The caller's scope, or None if only routes that are open to everybody are allowed.
        reach: The jobs that the caller can reach.
        session: The caller's session, if the request comes from a browser.
    """

    name: str | None
    scope: Scope | None
    reach: JobAccess
    session: Session | None = None

    @property
    def etag(self) -> str:
        """A part of a page's entity tag. It differs between callers who see different pages."""
        return f"{self.name} {self.session.number if self.session else ''}"


ANYBODY = Caller(None, None, NOTHING)
"""The caller of a route that is open to everybody."""

_OWNER = Caller(None, Scope.ADMIN, EVERYTHING)
"""The caller of a server without tokens, which listens on loopback only or was started with ``--insecure``."""


class Authenticator:
    """Authenticates callers and checks their scope.

    Args:
        tokens: The tokens. Without any token, everybody may do everything.
        session_s: Duration of a dashboard session [s].
    """

    def __init__(self, tokens: ApiTokens, session_s: int) -> None:
        self.tokens = tokens
        self.sessions = Sessions(tokens, session_s)
        self.throttle = Throttle()

    async def authorize(self, request: Request, requirement: Requirement) -> Caller:
        """Identify the caller of a request and check the access rule.

        Raises:
            UnauthenticatedError: The request has no token, or an unknown one.
            TooManyAttemptsError: The address has sent too many wrong tokens.
            ForbiddenError: The caller is known but not allowed to do this.
        """
        changes = requirement.changes(request.method)
        if changes:
            refuse_other_sites(request)
        if requirement.scope is None:
            return ANYBODY
        if not self.tokens:
            return _OWNER
        caller = self._identify(request)
        caller_name.set(caller.name)
        if caller.session is not None and changes:
            await refuse_without_csrf(request, caller.session.csrf, in_form=requirement.csrf_in_form)
        if caller.scope is None or caller.scope < requirement.scope:
            raise ForbiddenError(
                f"This request needs a token with the scope '{requirement.scope!s}'. "
                f"Your token has the scope '{caller.scope!s}'."
            )
        if requirement.every_job and not caller.reach.is_everything:
            raise ForbiddenError("This request covers all jobs. Your token reaches only some of them.")
        return caller

    def recognize(self, secret: str, address: str) -> ApiToken | None:
        """Find the token of a secret. A wrong secret is counted and logged.

        Raises:
            TooManyAttemptsError: The secret is wrong, after too many wrong ones from this address.
        """
        token = self.tokens.find(secret)
        if token is None:
            self.refuse_hasty(address)
            self.throttle.count(address)
            logger.warning("Unknown token from %s.", address)
        return token

    def refuse_hasty(self, address: str) -> None:
        """Refuse an address that has sent too many wrong tokens.

        Raises:
            TooManyAttemptsError: The address has sent too many.
        """
        wait_s = self.throttle.wait_s(address)
        if wait_s:
            raise TooManyAttemptsError("Your address has sent too many wrong tokens.", retry_after_s=wait_s)

    def _identify(self, request: Request) -> Caller:
        sent = request.headers.get("authorization")
        if sent is None:
            session = self.sessions.find(request.cookies.get(SESSION_COOKIE, ""))
            if session is None:
                raise UnauthenticatedError(
                    "This server requires a token. Set ZEUS_BSO_TOKEN, or send 'Authorization: Bearer TOKEN'."
                )
            return Caller(session.token.name, session.token.scope, session.token.reach, session)
        token = self.recognize(_secret(sent), address_of(request))
        if token is None:
            raise UnauthenticatedError("This server does not know the token. It may have been replaced.")
        return Caller(token.name, token.scope, token.reach)


def address_of(request: Request) -> str:
    """The client address of a request, as far as the server can tell."""
    return request.client.host if request.client else "unknown"


def _secret(authorization: str) -> str:
    """The token in a header: a bearer token, or the password of basic authentication, or else its user name."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        return ""
    try:
        user, _, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password or user
