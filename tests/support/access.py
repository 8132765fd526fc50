"""A server process that asks for tokens, and everybody who may come to it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import urllib3

from tests.support.jobs import Json, spec
from tests.support.process import FRESH, ServerProcess

JOB = "team-a-job"
ABSENT = "team-a-gone"
"""A job of the same team that does not exist."""

TOKENS = {
    "reader": "reader-0123456789abcdef",
    "trainer": "trainer-0123456789abcdef",
    "boss": "boss-0123456789abcdef",
    "team-a": "team-a-0123456789abcdef",
    "team-b": "team-b-0123456789abcdef",
}
SETTING = (
    f"reader:read={TOKENS['reader']} trainer:report={TOKENS['trainer']} boss:admin={TOKENS['boss']} "
    f"team-a:admin:team-a-={TOKENS['team-a']} team-b:admin:team-b-={TOKENS['team-b']}"
)
WRONG = "nobody-0123456789abcdef"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        headers: With names in lower case; ``set-cookie`` is the last of them.
        cookies: What was set.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """A request without who asks.

    Attributes:
        html: A person opens it in a browser.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Json | bytes | None = None
    html: bool = False


class GuardedServer:
    """A server process with the tokens above, over an SQLite file.

    Args:
        path: The file.
        options: Options of the command.
        tokens: The setting; none: nobody is asked.
    """

    def __init__(self, path: Path, *, options: Sequence[str] = (), tokens: str = SETTING) -> None:
        environment, program = {"ZEUS_BSO_API_TOKENS": tokens}, FRESH if options else None
        self.process = ServerProcess(path, options=options, environment=environment, program=program)
        self._http = urllib3.PoolManager(retries=False)
        # Every address of 127.0.0.0/8 is this machine's: who is wrong comes from a new one each time.
        self._strangers = (f"127.1.{number // 250}.{number % 250 + 1}" for number in itertools.count())
        self._runs = itertools.count()

    def __enter__(self) -> GuardedServer:
        self.process.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.clear()
        self.process.__exit__(kind, error, traceback)

    def send(
        self,
        asked: Asked,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        address: str | None = None,
    ) -> Answer:
        """Send a request, as a bearer if there is a token."""
        sent = {"Accept": "text/html" if asked.html else "*/*"} | dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = asked.body if isinstance(asked.body, bytes) else json.dumps(asked.body).encode() if asked.body else None
        if form is not None:
            sent["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(form).encode()
        url = self.process.url + asked.path + (f"?{urlencode(asked.params)}" if asked.params else "")
        pool = self._http if address is None else urllib3.PoolManager(retries=False, source_address=(address, 0))
        response = pool.request(asked.method, url, body=body, headers=sent, redirect=False)
        cookies = dict(re.findall(r"^([^=]+)=([^;]*)", line)[0] for line in response.headers.getlist("set-cookie"))
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, response.data.decode(errors="replace"), cookies)

    def stranger(self) -> str:
        """An address that has not been wrong yet."""
        return next(self._strangers)

    def log_in(self, token: str, *, to: str = "/", address: str | None = None) -> Answer:
        """Log in to the dashboard as a person does, by the form."""
        page = self.send(Asked("GET", "/login", {"next": to}, html=True))
        cookie = {"Cookie": f"zeus_bso_login={page.cookies['zeus_bso_login']}"}
        form = {"csrf": hidden(page.text, "csrf"), "next": hidden(page.text, "next"), "token": token}
        return self.send(Asked("POST", "/login", html=True), headers=cookie, form=form, address=address)

    def session(self, token: str) -> tuple[dict[str, str], str]:
        """Begin a session; its cookie as a header, and its proof against forged requests."""
        cookie = {"Cookie": f"zeus_bso_session={self.log_in(token).cookies['zeus_bso_session']}"}
        return cookie, hidden(self.send(Asked("GET", "/", html=True), headers=cookie).text, "csrf")

    def prepare(self) -> Json:
        """See that the job exists, and that it has an open trial, which is returned."""
        self.send(Asked("POST", "/jobs", body=spec(job_id=JOB)), token=TOKENS["boss"])
        ask = Asked("POST", "/api/v1/trials", body={"job_id": JOB, "run_id": f"run-{next(self._runs)}"})
        trial: Json = json.loads(self.send(ask, token=TOKENS["boss"]).text)
        return {name: trial[name] for name in ("job_id", "batch_size", "trial_number")}

    def exported(self) -> bytes:
        """The job as a file."""
        return self.send(Asked("GET", "/api/v1/jobs/export", {"job_id": JOB}), token=TOKENS["boss"]).text.encode()


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', html)
    assert found is not None, html
    return found.group(1).replace("&amp;", "&")


Recipe = Callable[[GuardedServer, str], Asked]


def _of_job(method: str, path: str, *, html: bool = False, **params: str) -> Recipe:
    return lambda server, job_id: Asked(method, path, {"job_id": job_id} | params, html=html)


def _plain(method: str, path: str, *, html: bool = False) -> Recipe:
    return lambda server, job_id: Asked(method, path, html=html)


def _of_trial(method: str, path: str, **more: object) -> Recipe:
    def asked(server: GuardedServer, job_id: str) -> Asked:
        return Asked(method, path, body=server.prepare() | more | {"job_id": job_id})

    return asked


def _trial_page(server: GuardedServer, job_id: str) -> Asked:
    number = server.prepare()["trial_number"]
    return Asked("GET", "/job/trial", {"job_id": job_id, "number": str(number)}, html=True)


def _import(server: GuardedServer, job_id: str) -> Asked:
    params = {"as": job_id, "replace": "true"}
    return Asked("POST", "/api/v1/jobs/import", params, server.exported())


PAST_RUN = {"run_id": "a", "batch_size": 16, "epochs": 2, "reached": True}

RECIPES: dict[str, Recipe] = {
    "POST /jobs": lambda server, job_id: Asked("POST", "/jobs", body=spec(job_id=job_id)),
    "GET /jobs/batch_size": _of_job("GET", "/jobs/batch_size"),
    "POST /report": _of_trial("POST", "/report", time=1.0, energy=1.0, metric=0.1, current_epoch=1),
    "PATCH /trials": _of_trial("PATCH", "/trials"),
    "DELETE /jobs": _of_job("DELETE", "/jobs"),
    "POST /api/v1/trials": lambda server, job_id: Asked("POST", "/api/v1/trials", body={"job_id": job_id}),
    "POST /api/v1/trials/heartbeat": _of_trial("POST", "/api/v1/trials/heartbeat"),
    "GET /api/v1/trials": _of_job("GET", "/api/v1/trials"),
    "GET /api/v1/trials/reports": _of_job("GET", "/api/v1/trials/reports", trial_number="1"),
    "GET /api/v1/jobs": _plain("GET", "/api/v1/jobs"),
    "PATCH /api/v1/jobs": lambda server, job_id: Asked("PATCH", "/api/v1/jobs", {"job_id": job_id}, {"beta_knob": 2.0}),
    "POST /api/v1/jobs/reset": _of_job("POST", "/api/v1/jobs/reset"),
    "POST /api/v1/observations": lambda server, job_id: Asked(
        "POST", "/api/v1/observations", body={"job_id": job_id, "source": "csv", "runs": [PAST_RUN]}
    ),
    "GET /api/v1/job": _of_job("GET", "/api/v1/job"),
    "GET /api/v1/jobs/export": _of_job("GET", "/api/v1/jobs/export"),
    "POST /api/v1/jobs/import": _import,
    "GET /api/v1/jobs/import": _of_job("GET", "/api/v1/jobs/import"),
    "GET /api/v1/savings": _of_job("GET", "/api/v1/savings"),
    "GET /api/v1/savings/history": _of_job("GET", "/api/v1/savings/history"),
    "GET /api/v1/savings/fleet": _plain("GET", "/api/v1/savings/fleet"),
    "GET /healthz": _plain("GET", "/healthz"),
    "GET /readyz": _plain("GET", "/readyz"),
    "GET /metrics": _plain("GET", "/metrics"),
    "GET /docs": _plain("GET", "/docs", html=True),
    "GET /openapi.json": _plain("GET", "/openapi.json"),
    "GET /": _plain("GET", "/", html=True),
    "GET /fleet": _plain("GET", "/fleet", html=True),
    "GET /fleet/chart": _plain("GET", "/fleet/chart"),
    "GET /job": _of_job("GET", "/job", html=True),
    "GET /job/trial": _trial_page,
    "GET /compare": lambda server, job_id: Asked("GET", "/compare", {"job_id": job_id, "other": job_id}, html=True),
    "GET /compare/chart": lambda server, job_id: Asked("GET", "/compare/chart", {"job_id": job_id, "other": job_id}),
    "GET /job/data": _of_job("GET", "/job/data", html=True, name="cost"),
    "GET /job/chart": _of_job("GET", "/job/chart", name="cost"),
    "GET /dashboard/static/{version}/{name}": _plain("GET", "/dashboard/static/1/style.css"),
    "GET /dashboard/plotly/{version}/plotly.min.js": _plain("GET", "/dashboard/plotly/1/plotly.min.js"),
    "GET /login": _plain("GET", "/login", html=True),
    "POST /login": _plain("POST", "/login", html=True),
    "POST /logout": _plain("POST", "/logout", html=True),
}
"""How each route is asked about a job so that it does what it is for, if whoever asks may."""
