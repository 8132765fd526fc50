"""Sessions of the dashboard: a signed cookie instead of the token, so that the browser keeps no secret of ours.

Nothing is stored. A session is signed with a key that comes from its token's secret: every replica can read it, and it
ends when the token is taken away, or replaced.
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
    """Someone who has logged in.

    Attributes:
        token: With which token.
        number: Differs from every other session's.
    """

    token: ApiToken
    number: str

    @property
    def csrf(self) -> str:
        """What proves that a request was made by a page of this session."""
        return hmac.new(self.token.session_key, f"csrf {self.number}".encode(), "sha256").hexdigest()


class Sessions:
    """Begins and reads sessions.

    Args:
        tokens: Who may log in.
        session_s: How long a session lasts [s].
    """

    def __init__(self, tokens: ApiTokens, session_s: int) -> None:
        self.session_s = session_s
        self._signers = [(token, _signer(token)) for token in tokens]
        digests = b"".join(sorted(token.session_key for token in tokens))
        self._login_key = hmac.digest(digests, b"zeus-bso login", "sha256")

    def begin(self, token: ApiToken) -> str:
        """Begin a session; returns the cookie."""
        [signer] = [signer for other, signer in self._signers if other is token]
        return str(signer.dumps(secrets.token_urlsafe(16)))

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None: it is not ours, too old, or of a token that is no more."""
        if len(cookie) > _LONGEST_COOKIE or not cookie.isascii():
            return None
        for token, signer in self._signers:
            try:
                return Session(token, str(signer.loads(cookie, max_age=self.session_s)))
            except BadData:  # noqa: PERF203 - which token signed it is found out by trying
                continue
        return None

    def login_csrf(self, nonce: str) -> str:
        """What proves that a login was sent from a login page that this browser, which has the nonce, was given."""
        return hmac.new(self._login_key, nonce.encode(errors="surrogatepass"), "sha256").hexdigest()


def _signer(token: ApiToken) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        token.session_key,
        salt="zeus-bso session",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
