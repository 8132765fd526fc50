"""Sessions of the dashboard: the browser keeps a signed cookie instead of the token.

The server stores nothing. It signs a session with a key that is derived from the token's secret. So every replica can
read the cookie, and the session ends when the token is removed or replaced.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from zeus_bso.server.security.tokens import ApiToken, ApiTokens

SESSION_COOKIE = "zeus_bso_session"
LOGIN_COOKIE = "zeus_bso_login"

_LONGEST_COOKIE = 1024


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a person who has logged in.

    Attributes:
        token: The token that was used for the login.
        number: A number that no other session has.
    """

    token: ApiToken
    number: str

    @property
    def csrf(self) -> str:
        """The CSRF token, which proves that a page of this session has sent a request."""
        return hmac.new(self.token.session_key, f"csrf {self.number}".encode(), "sha256").hexdigest()


class Sessions:
    """Begins and reads sessions.

    Args:
        tokens: The tokens that are valid for a login.
        session_s: Duration of a session [s].
    """

    def __init__(self, tokens: ApiTokens, session_s: int) -> None:
        self.session_s = session_s
        self._signers = [(token, _signer(token)) for token in tokens]
        digests = b"".join(sorted(token.session_key for token in tokens))
        self._login_key = hmac.digest(digests, b"zeus-bso login", "sha256")

    def begin(self, token: ApiToken) -> str:
        """Begin a session, and return its cookie."""
        [signer] = [signer for other, signer in self._signers if other is token]
        return str(signer.dumps(secrets.token_urlsafe(16)))

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, or None if the cookie is foreign, expired, or of a removed token."""
        if len(cookie) > _LONGEST_COOKIE or not cookie.isascii():
            return None
        for token, signer in self._signers:
            try:
                return Session(token, str(signer.loads(cookie, max_age=self.session_s)))
            except BadData:  # noqa: PERF203 - only trying shows which token signed it
                continue
        return None

    def login_csrf(self, nonce: str) -> str:
        """The CSRF token of a login form. It belongs to the browser that has the nonce."""
        return hmac.new(self._login_key, nonce.encode(errors="surrogatepass"), "sha256").hexdigest()


def _signer(token: ApiToken) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        token.session_key,
        salt="zeus-bso session",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
