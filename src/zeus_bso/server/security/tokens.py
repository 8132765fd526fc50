"""The tokens of the API: their format, and how to find one by its secret.

In the setting and in the file, spaces, line ends or commas separate tokens. Each token has the form::

    name:scope=SECRET
    name:scope:job-id-prefix=SECRET

Prefixes and secrets with other characters need JSON for all tokens together::

    [{"name": "team-a", "scope": "report", "token": "SECRET", "job_id_prefix": "team-a-"}]

A single secret is the token ``default``, which may do everything. In a file, lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.security.job_access import JobAccess

MIN_SECRET = 16
"""The smallest number of characters in a secret."""

_SECRET = re.compile(r"[\x21-\x7e]+")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Scope(IntEnum):
    """What a token may do. Each scope includes the ones before it."""

    READ = 1
    """See jobs."""
    REPORT = 2
    """Do everything that a training script does: register a job, ask, report, change settings."""
    ADMIN = 3
    """Delete, reset and import jobs."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token, without its secret.

    Attributes:
        name: The name of the token in logs.
        scope: What the token may do.
        reach: The jobs that the token can reach.
        digest: The digest of its secret.
        session_key: The key that signs the sessions of this token.
    """

    name: str
    scope: Scope
    reach: JobAccess
    digest: bytes = field(repr=False)
    session_key: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, scope: Scope, secret: str, job_id_prefix: str | None = None) -> ApiToken:
        """Create a token."""
        key = hmac.digest(secret.encode(), b"zeus-bso session", "sha256")
        return cls(name, scope, JobAccess.of(job_id_prefix), _digest(secret), key)


class ApiTokens:
    """The tokens that a server knows.

    Args:
        tokens: The tokens.

    Raises:
        ZeusBSOConfigError: Two tokens have the same name or the same secret.
    """

    def __init__(self, tokens: Sequence[ApiToken] = ()) -> None:
        self._tokens = tuple(tokens)
        names = [token.name for token in tokens]
        for name in names:
            if names.count(name) > 1:
                raise ZeusBSOConfigError(f"API tokens: there are two tokens named {name!r}; give each its own name.")
        if len({token.digest for token in tokens}) < len(tokens):
            raise ZeusBSOConfigError("API tokens: two tokens have the same secret; give each its own.")

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[ApiToken]:
        return iter(self._tokens)

    def find(self, secret: str) -> ApiToken | None:
        """The token of a secret, or None. The search takes the same time in every case."""
        digest, found = _digest(secret), None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found


def read_tokens(text: str | None, path: str | None) -> ApiTokens:
    """Read the tokens of the settings ``ZEUS_BSO_API_TOKENS`` and ``ZEUS_BSO_API_TOKENS_FILE``.

    Args:
        text: The tokens. None or blank means no tokens.
        path: A file with tokens. None or blank means no file.

    Raises:
        ZeusBSOConfigError: A token is malformed. The message repeats no secret.
    """
    tokens = _parse(text or "", "ZEUS_BSO_API_TOKENS")
    if path:
        tokens += _parse(_read_file(path), f"{path} (ZEUS_BSO_API_TOKENS_FILE)")
        if not tokens:
            raise ZeusBSOConfigError(f"{path} (ZEUS_BSO_API_TOKENS_FILE) holds no token.")
    return ApiTokens(tokens)


class _Given(BaseModel):
    """A token as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    scope: Literal["read", "report", "admin"]
    token: str
    job_id_prefix: Annotated[str, Field(min_length=1, max_length=255)] | None = None


_GIVEN = TypeAdapter(list[_Given])


def _parse(text: str, origin: str) -> list[ApiToken]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    text = "\n".join(lines).strip()
    if text.startswith("["):
        return [_token(given, f"{origin}: token {number}") for number, given in enumerate(_read_json(text, origin), 1)]
    items = [item for item in re.split(r"[\s,]+", text) if item]
    return [
        _token(_read_item(item, f"{origin}: token {number}", alone=len(items) == 1), f"{origin}: token {number}")
        for number, item in enumerate(items, 1)
    ]


def _read_item(item: str, place: str, *, alone: bool) -> _Given:
    who, equals, secret = item.partition("=")
    name, colon, rest = who.partition(":")
    if alone and not colon and not item.rstrip("=").count("="):
        return _Given(name="default", scope="admin", token=item)
    scope, second_colon, prefix = rest.partition(":")
    if not equals or not colon:
        raise ZeusBSOConfigError(f"{place} must look like name:scope=SECRET or name:scope:job-id-prefix=SECRET.")
    if second_colon and not prefix:
        raise ZeusBSOConfigError(f"{place} has an empty job-id prefix. Leave out the second colon to reach every job.")
    try:
        return _Given.model_validate({"name": name, "scope": scope, "token": secret, "job_id_prefix": prefix or None})
    except ValidationError as error:
        raise ZeusBSOConfigError(f"{place}: {_first(error)}.") from None


def _read_json(text: str, origin: str) -> list[_Given]:
    try:
        return _GIVEN.validate_json(text)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # The parser's own message would quote its input.
        what = "it is not valid JSON" if detail["type"] == "json_invalid" else _first(error)
        raise ZeusBSOConfigError(f"{origin}: {what}.") from None


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if detail["type"] == "extra_forbidden":
        return "a token may have name, scope, token and job_id_prefix, nothing else"
    place = " ".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
    return f"{place}: {detail['msg']}"


def _token(given: _Given, place: str) -> ApiToken:
    if not _NAME.fullmatch(given.name):
        raise ZeusBSOConfigError(f"{place}: its name must be 1 to 64 letters, digits, '.', '_' or '-'.")
    if not _SECRET.fullmatch(given.token) or len(given.token) < MIN_SECRET:
        raise ZeusBSOConfigError(
            f"{place}: its secret must have {MIN_SECRET} or more characters, all of them visible ASCII; "
            "`openssl rand -hex 32` makes one."
        )
    return ApiToken.of(given.name, Scope[given.scope.upper()], given.token, given.job_id_prefix)


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise ZeusBSOConfigError(f"{path} (ZEUS_BSO_API_TOKENS_FILE) cannot be read: {reason}.") from None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
