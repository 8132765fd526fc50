"""Who may do what, as the server decides it before a route runs; tests/process asks every route of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from fastapi import Request

from zeus_bso.exceptions import ForbiddenError, TooManyAttemptsError, UnauthenticatedError
from zeus_bso.server.security.access import Authenticator, Caller, Requirement
from zeus_bso.server.security.throttle import BURST
from zeus_bso.server.security.tokens import ApiTokens, Scope, read_tokens

SECRETS = {scope: f"secret-of-{scope!s}-0123456789" for scope in Scope}
OF_A_TEAM = "secret-of-a-team-0123456789"
SETTING = " ".join([*(f"{scope!s}:{scope!s}={secret}" for scope, secret in SECRETS.items()), f"a:admin:a-={OF_A_TEAM}"])


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(read_tokens(SETTING, None), session_s=3600)


def authorize(
    authenticator: Authenticator,
    need: Requirement,
    secret: str | None = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Caller:
    sent = dict(headers or {}) | ({} if secret is None else {"authorization": f"Bearer {secret}"})
    named = [(name.encode(), text.encode()) for name, text in sent.items()]
    scope = {"type": "http", "method": method, "headers": named, "client": ("192.0.2.1", 1)}
    return asyncio.run(authenticator.authorize(Request(scope), need))


@pytest.mark.parametrize("needed", Scope)
@pytest.mark.parametrize("given", Scope)
def test_a_scope_includes_the_lower_ones_and_no_higher_one(
    authenticator: Authenticator, needed: Scope, given: Scope
) -> None:
    if given >= needed:
        assert authorize(authenticator, Requirement(needed), SECRETS[given]).scope is given
    else:
        with pytest.raises(ForbiddenError, match=f"'{needed!s}'"):
            authorize(authenticator, Requirement(needed), SECRETS[given])


@pytest.mark.parametrize("needed", Scope)
def test_a_token_of_some_jobs_reaches_nothing_that_covers_all(authenticator: Authenticator, needed: Scope) -> None:
    need = Requirement(needed, every_job=True)

    assert authorize(authenticator, Requirement(needed), OF_A_TEAM).name == "a"
    assert authorize(authenticator, need, SECRETS[Scope.ADMIN]).name == "admin"
    with pytest.raises(ForbiddenError, match="covers all jobs"):
        authorize(authenticator, need, OF_A_TEAM)


@pytest.mark.parametrize("secret", [None, "", "secret-of-nobody-0123456789", SECRETS[Scope.ADMIN][:-1]])
def test_without_a_token_that_is_known_only_what_is_open_is_reached(
    authenticator: Authenticator, secret: str | None
) -> None:
    assert authorize(authenticator, Requirement(None), secret).scope is None
    with pytest.raises(UnauthenticatedError):
        authorize(authenticator, Requirement(Scope.READ), secret, method="GET")


def test_who_is_wrong_too_often_waits_and_a_right_token_never(authenticator: Authenticator) -> None:
    need = Requirement(Scope.READ)
    for _ in range(BURST):
        with pytest.raises(UnauthenticatedError):
            authorize(authenticator, need, "wrong")

    with pytest.raises(TooManyAttemptsError):
        authorize(authenticator, need, "wrong")
    assert authorize(authenticator, need, SECRETS[Scope.READ]).name == "read"


@pytest.mark.parametrize(
    ("need", "method"),
    [(Requirement(Scope.READ), "POST"), (Requirement(Scope.REPORT), "GET"), (Requirement(None), "POST")],
)
def test_what_changes_something_is_refused_to_pages_of_other_sites(
    authenticator: Authenticator, need: Requirement, method: str
) -> None:
    """Whatever token they send, and also where no token is asked for."""
    for asked in (authenticator, Authenticator(ApiTokens(), session_s=3600)):
        with pytest.raises(ForbiddenError, match="another site"):
            authorize(asked, need, SECRETS[Scope.ADMIN], method=method, headers={"sec-fetch-site": "cross-site"})


def test_a_server_without_tokens_lets_everybody_do_everything() -> None:
    caller = authorize(Authenticator(ApiTokens(), session_s=3600), Requirement(Scope.ADMIN, every_job=True))

    assert (caller.scope, caller.reach.is_everything) == (Scope.ADMIN, True)
