"""Pages as HTML: templates, static files with versioned addresses, and the headers of every answer."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from zeus_bso import units
from zeus_bso._version import __version__
from zeus_bso.protocol import wording
from zeus_bso.server.dashboard import palette
from zeus_bso.server.dashboard.api_docs import kind_of
from zeus_bso.server.http.compression import accepts_gzip
from zeus_bso.server.security.csrf import masked
from zeus_bso.server.security.navigation import prefix_of
from zeus_bso.server.security.routes import caller_of

T = TypeVar("T")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Allows first-party files only, and nothing inline. So HTML in a job id could neither run nor load anything."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_FOR_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}
_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Fresh(Generic[T]):
    """Content with its entity tag. There is no content if the browser already has it."""

    etag: str
    content: T | None


def fresh(request: Request, version: str, build: Callable[[], T]) -> Fresh[T]:
    """Build content, unless the browser already has this version of it.

    Args:
        request: The request. Its URL, its caller and the prices of its server are part of the entity tag.
        version: A text that changes whenever the content changes.
        build: Builds the content.
    """
    settings = request.app.state.transactions.settings
    prices = f"{settings.electricity_price} {settings.currency} {settings.carbon_intensity}"
    caller = caller_of(request).etag
    named = "\n".join(
        (version, prefix_of(request), str(request.url.path), str(request.url.query), assets_version(), prices, caller)
    )
    etag = f'W/"{hashlib.sha256(named.encode(errors="surrogateescape")).hexdigest()[:20]}"'
    return Fresh(etag, None if etag in request.headers.get("if-none-match", "") else build())


def page(request: Request, template: str, shown: Fresh[Any]) -> Response:
    """Answer with a page, or with 304 if the browser has it."""
    if shown.content is None:
        return Response(status_code=304, headers=HEADERS | {"ETag": shown.etag})
    html = render(template, request, page=shown.content)
    return Response(html, media_type="text/html", headers=HEADERS | {"ETag": shown.etag})


def figure(shown: Fresh[dict[str, Any]]) -> Response:
    """Answer with a chart for the page's script, or with 304 if the browser has it."""
    if shown.content is None:
        return Response(status_code=304, headers=HEADERS | {"ETag": shown.etag})
    content = json.dumps(shown.content, separators=(",", ":"), allow_nan=False)
    return Response(content, media_type="application/json", headers=HEADERS | {"ETag": shown.etag})


def error_page(request: Request, status_code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Answer with a page that shows an error."""
    html = render("error.html", request, status_code=status_code, message=message)
    return Response(html, status_code, HEADERS | (headers or {}), media_type="text/html")


def render(template: str, request: Request, **context: Any) -> str:
    """Render a template."""
    return _environment().get_template(template).render(request=request, prefix=prefix_of(request), **context)


def asset_url(name: str) -> str:
    """The address of a static file. It changes with the files, so browsers may cache it forever."""
    return f"/dashboard/static/{assets_version()}/{name}"


def static_file(name: str) -> Response | None:
    """A static file, or None if there is no such file."""
    content = _static_files().get(name)
    if content is None:
        return None
    kind = _TYPES[name[name.rindex(".") :]]
    return Response(content, media_type=kind, headers=_FOR_A_YEAR | {"X-Content-Type-Options": "nosniff"})


@cache
def assets_version() -> str:
    """A text that changes whenever a static file, a template or this package changes."""
    digest = hashlib.sha256(__version__.encode())
    for _, content in sorted(_static_files().items()):
        digest.update(content)
    for path in sorted((Path(__file__).parent / "templates").glob("*.html")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def plotly_url() -> str | None:
    """The address of Plotly's script, or None if the package plotly is not installed."""
    return f"/dashboard/plotly/{version('plotly')}/plotly.min.js" if _plotly_script() is not None else None


def plotly_script(accept_encoding: str) -> Response | None:
    """Plotly's script, compressed if the browser accepts that, or None if the package plotly is not installed."""
    path = _plotly_script()
    if path is None:
        return None
    headers = _FOR_A_YEAR | {"Vary": "Accept-Encoding"}
    if not accepts_gzip(accept_encoding):
        return FileResponse(path, media_type="text/javascript", headers=headers)
    # In pieces and not cached: each browser asks once, and the script is larger than everything else in memory.
    headers["Content-Encoding"] = "gzip"
    return StreamingResponse(_compressed(path), media_type="text/javascript", headers=headers)


@cache
def plotly_style_ids() -> tuple[str, ...]:
    """Ids of the style sheets that Plotly's script inserts when it loads, for maps that our charts do not use.

    It does not insert a style sheet whose id already exists. The content security policy forbids inline styles, so the
    page's script creates other elements with these ids, and the browser has nothing to refuse.
    """
    path = _plotly_script()
    if path is None:
        return ()
    with path.open("rb") as script, mmap(script.fileno(), 0, access=ACCESS_READ) as text:
        return tuple(found.decode() for found in re.findall(rb'getElementById\("([0-9a-f]{64})"\)', text))


def _compressed(path: Path) -> Iterator[bytes]:
    packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16)
    with path.open("rb") as script:
        while piece := script.read(2**16):
            yield packer.compress(piece)
    yield packer.flush()


@cache
def _plotly_script() -> Path | None:
    # Located but not imported, because the package is large and only its script is needed.
    found = find_spec("plotly")
    try:
        version("plotly")
    except PackageNotFoundError:
        return None
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return path if path.is_file() else None


@cache
def _static_files() -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.suffix in _TYPES}
    return files | {"palette.css": palette.stylesheet().encode()}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("zeus_bso.server.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "asset": asset_url,
        "plotly_url": plotly_url(),
        "plotly_style_ids": plotly_style_ids(),
        "app_version": __version__,
        "caller_of": caller_of,
        "masked": masked,
        "kind_of": kind_of,
        "not_learnt": wording.NOT_LEARNT,
    }
    for name in (
        "number",
        "count",
        "counted",
        "energy",
        "column_unit",
        "duration",
        "watts",
        "power",
        "mass",
        "money",
        "interval",
        "percent",
        "less",
        "typeset",
    ):
        environment.filters[name] = getattr(units, name)
    environment.filters |= {
        "why_left_out": wording.why_left_out,
        "state_of": wording.state_of,
        "type_word": wording.TYPES.__getitem__,
        "not_given_because": wording.not_given_because,
    }
    return environment
