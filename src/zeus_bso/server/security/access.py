"""Who asks, and whether they may."""

from __future__ import annotations

import logging
from base64 import b64decode
from contextvars import ContextVar
from dataclasses import dataclass

from fastapi import Request

from zeus_bso.exceptions import ForbiddenError, TooManyAttemptsError, UnauthenticatedError
from zeus_bso.server.security.csrf import refuse_other_sites, refuse_without_csrf
from zeus_bso.server.security.reach import EVERYTHING, NOTHING, Reach
from zeus_bso.server.security.session import SESSION_COOKIE, Session, Sessions
from zeus_bso.server.security.throttle import Throttle
from zeus_bso.server.security.tokens import ApiToken, ApiTokens, Scope

logger = logging.getLogger(__name__)

caller_name: ContextVar[str | None] = ContextVar("caller_name", default=None)
"""The name of the token of the request that is being answered, for the log."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a route needs of whoever asks.

    Attributes:
        scope: The scope; None: it is open to everybody.
        every_job: It tells of all jobs together, so a token for some of them will not do.
        csrf_in_form: It is the target of a form, which carries its proof in a field.
    """

    scope: Scope | None
    every_job: bool = False
    csrf_in_form: bool = False

    def changes(self, method: str) -> bool:
        """Whether a request changes something; the protocol asks for a trial with GET."""
        return method not in ("GET", "HEAD") or (self.scope is not None and self.scope > Scope.READ)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: The name of their token; None: they gave none.
        scope: What they may do; None: nothing but what is open to everybody.
        reach: With which jobs.
        session: Their session, if it is a browser's.
    """

    name: str | None
    scope: Scope | None
    reach: Reach
    session: Session | None = None

    @property
    def etag(self) -> str:
        """Differs for pages that are not the same for two callers."""
        return f"{self.name} {self.session.number if self.session else ''}"


ANYBODY = Caller(None, None, NOTHING)
"""Who asks for what is open to everybody."""

_OWNER = Caller(None, Scope.ADMIN, EVERYTHING)
"""Who asks a server that has no tokens: it listens on this machine alone, or was told that others guard it."""


class Guard:
    """Lets in who may.

    Args:
        tokens: The tokens; none: everybody may do everything.
        session_s: How long a session of the dashboard lasts [s].
    """

    def __init__(self, tokens: ApiTokens, session_s: int) -> None:
        self.tokens = tokens
        self.sessions = Sessions(tokens, session_s)
        self.throttle = Throttle()

    async def admit(self, request: Request, need: Need) -> Caller:
        """Find out who asks.

        Raises:
            UnauthenticatedError: Nobody that is known here.
            TooManyAttemptsError: Nobody that is known here, again and again.
            ForbiddenError: They may not do this.
        """
        changes = need.changes(request.method)
        if changes:
            refuse_other_sites(request)
        if need.scope is None:
            return ANYBODY
        if not self.tokens:
            return _OWNER
        caller = self._identify(request)
        caller_name.set(caller.name)
        if caller.session is not None and changes:
            await refuse_without_csrf(request, caller.session.csrf, in_form=need.csrf_in_form)
        if caller.scope is None or caller.scope < need.scope:
            raise ForbiddenError(
                f"This needs a token with the scope '{need.scope!s}'; yours has the scope '{caller.scope!s}'."
            )
        if need.every_job and not caller.reach.is_everything:
            raise ForbiddenError("This tells of all jobs; your token reaches some of them only.")
        return caller

    def recognize(self, secret: str, address: str) -> ApiToken | None:
        """The token of a secret; one that is wrong is counted and logged.

        Raises:
            TooManyAttemptsError: It is wrong, and so were too many before it from this address.
        """
        token = self.tokens.find(secret)
        if token is None:
            self.refuse_hasty(address)
            self.throttle.count(address)
            logger.warning("A token that is not known was sent from %s.", address)
        return token

    def refuse_hasty(self, address: str) -> None:
        """Refuse an address that was wrong too often.

        Raises:
            TooManyAttemptsError: It was.
        """
        wait_s = self.throttle.wait_s(address)
        if wait_s:
            raise TooManyAttemptsError("Too many wrong tokens came from your address.", retry_after_s=wait_s)

    def _identify(self, request: Request) -> Caller:
        sent = request.headers.get("authorization")
        if sent is None:
            session = self.sessions.find(request.cookies.get(SESSION_COOKIE, ""))
            if session is None:
                raise UnauthenticatedError(
                    "This server asks for a token: set ZEUS_BSO_TOKEN, or send 'Authorization: Bearer TOKEN'."
                )
            return Caller(session.token.name, session.token.scope, session.token.reach, session)
        token = self.recognize(_secret(sent), address_of(request))
        if token is None:
            raise UnauthenticatedError("The token is not known to this server; it may have been replaced.")
        return Caller(token.name, token.scope, token.reach)


def address_of(request: Request) -> str:
    """The address that a request came from, as far as the server can tell."""
    return request.client.host if request.client else "unknown"


def _secret(authorization: str) -> str:
    """The token in a header: a bearer's, or the password of basic authentication, else its user."""
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
