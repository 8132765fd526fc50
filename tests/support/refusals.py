"""What every refusal looks like, whatever was wrong."""

from __future__ import annotations

import httpx

_LEAKS = ("Traceback", "sqlite", "SQL", "SELECT", "INSERT", "/work", "/tmp", ".py", "site-packages", "File ", "ECHO")


def message_of(response: httpx.Response) -> str:
    """The message of an error: the body holds nothing else, and nothing of the server's inside."""
    body = response.json()
    assert list(body) == ["message"], response.text
    message = body["message"]
    assert isinstance(message, str)
    assert message.strip(), "an empty message helps nobody"
    for leak in _LEAKS:
        assert leak not in message
    return message


def assert_refused(response: httpx.Response, status_code: int, *names: str) -> None:
    """Check that a request was refused with this code, and that the message names what was wrong."""
    assert response.status_code == status_code, f"{response.status_code}: {response.text[:300]}"
    message = message_of(response)
    for name in names:
        assert name in message
