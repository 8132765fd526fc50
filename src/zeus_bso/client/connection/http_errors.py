"""Messages for connection errors: what went wrong, and what to do about it."""

from __future__ import annotations

import http.client
import re
import ssl
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from zeus_bso.protocol.transport import TransportError

_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAME = (62, 64)
_SPEAKS_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
_TLS_ALERT = "\x15\x03"
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_START = "Start a server with: zeus-bso serve."


def error_of(error: HTTPError, address: str, timeout_s: float, proxy: str | None) -> TransportError:
    """The error to raise in place of an error of urllib3.

    Args:
        error: The error of urllib3.
        address: The server's address, without secrets.
        timeout_s: How long the call could take [s].
        proxy: The proxy on the way to the server. None if there is none.
    """
    if isinstance(error, ReadTimeoutError):
        return TransportError(f"{address} gave no answer within {timeout_s:g} s.", lasting=True)
    if isinstance(error, SSLError):
        return TransportError(_tls_trouble(error, address), lasting=True)
    if isinstance(error, ProxyError):
        return _proxy_trouble(error, address, proxy)
    place = f"The proxy {proxy} of {address}" if proxy is not None else address
    return _broken_off(error, place) if isinstance(error, ProtocolError) else _unreachable(error, place, timeout_s)


def _unreachable(error: HTTPError, place: str, timeout_s: float) -> TransportError:
    if isinstance(error, NameResolutionError):
        return TransportError(f"{place} cannot be reached: its name is not known here. Is it spelt right?")
    if isinstance(error, NewConnectionError):
        return TransportError(f"{place} cannot be reached: {last_part(error)}. {_START}")
    if isinstance(error, ConnectTimeoutError):
        return TransportError(
            f"{place} cannot be reached: no connection within {timeout_s:g} s. {_START}", lasting=True
        )
    return TransportError(f"{place} cannot be reached: {last_part(error)}.")


def redirected(address: str, status: int, location: str | None) -> TransportError:
    """The error for a redirect. It leaves out the query and user info of the new address, which may be secret."""
    try:
        to = urlsplit(location or "")
        there = f"{to.scheme}://{to.hostname}{'' if to.port is None else f':{to.port}'}" if to.hostname else ""
    except ValueError:
        there = ""
    return TransportError(
        f"{address} redirects to {there or 'another address'} ({status}): give the server's own address as server_url. "
        "If that is a login page, the server's path must be exempt from it.",
        lasting=True,
    )


def foreign(address: str, status: int, data: bytes) -> TransportError:
    """The error for an answer that is not from the server, but from a proxy, a login page or another service."""
    text = data[:4000].decode("utf-8", errors="replace")
    if status == 400 and "https" in text.lower():
        return TransportError(f"{address} wants TLS: begin server_url with https:// in place of http://.", lasting=True)
    if status == 407:
        return TransportError(
            "The proxy wants a login (407): give it in HTTP_PROXY or HTTPS_PROXY, as in http://user:password@proxy:3128.",
            lasting=True,
        )
    said = f" ({status})" if status >= 400 else ""
    return TransportError(
        f"What answers at {address} is not a zeus-bso server{said}, but a proxy before it, a login page, or another "
        "service.",
        # While the server behind a proxy is replaced, the proxy itself answers.
        lasting=status < 400 or status in (401, 403),
    )


def last_part(error: BaseException) -> str:
    """The last part of an error's text, without its number. urllib3 puts the repr of the connection before it."""
    return _NUMBER.sub("", str(error).rpartition(": ")[2]).rstrip(".") or type(error).__name__


def _tls_trouble(error: SSLError, address: str) -> str:
    cause = next((each for each in (*error.args, error.__cause__, error.__context__) if _is_tls(each)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _OTHER_NAME:
            return f"The certificate of {address} is for another name: give the name that it is for as server_url."
        if cause.verify_code in (_EXPIRED, _NOT_YET_VALID):
            return (
                f"The certificate of {address} is not valid now ({cause.verify_message}): renew it, or set this "
                "machine's clock."
            )
        return (
            f"The certificate of {address} is not trusted ({cause.verify_message}): name the file of your certificate "
            "authority in SSL_CERT_FILE (or REQUESTS_CA_BUNDLE)."
        )
    reason = getattr(cause, "reason", None) or ""
    if reason in _SPEAKS_NO_TLS or any(text in str(error).upper() for text in _SPEAKS_NO_TLS):
        return f"{address} does not use TLS: begin server_url with http:// in place of https://."
    return f"No TLS connection to {address}: {reason or last_part(error)}."


def _is_tls(error: object) -> bool:
    return isinstance(error, ssl.SSLError)


def _proxy_trouble(error: ProxyError, address: str, proxy: str | None) -> TransportError:
    cause = error.original_error
    if isinstance(cause, SSLError):
        return TransportError(_tls_trouble(cause, str(proxy)), lasting=True)
    if "407" in str(cause):
        return foreign(address, 407, b"")
    return TransportError(
        f"The proxy {proxy} does not lead to {address} ({last_part(cause)}); name the server's host in NO_PROXY to "
        "reach it directly."
    )


def _broken_off(error: ProtocolError, place: str) -> TransportError:
    cause = error.args[1] if len(error.args) > 1 else error
    if isinstance(cause, http.client.BadStatusLine) and str(cause).startswith(("'" + _TLS_ALERT, _TLS_ALERT)):
        return foreign(place, 400, b"https")
    if isinstance(cause, ConnectionError) and place.startswith("http://"):
        return TransportError(f"{place} closed the connection without an answer. If it wants TLS, write https://.")
    return TransportError(f"{place} cannot be reached, or broke off: {last_part(cause)}.")
