"""The description of the API, for machines and as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from tests.support.jobs import Json
from tests.support.server import Server

from zeus_bso.server.dashboard.api_docs import api_page


class Page(HTMLParser):
    """Collects what a page has: its tags, the places that it defines and those that it points to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.places: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if given.get("id"):
            self.places.append(given["id"] or "")
        self.links += [given[name] or "" for name in ("href", "src") if name in given]


@pytest.fixture
def page(own_server: Server) -> Page:
    response = own_server.call("GET", "/docs")
    assert response.status_code == 200
    return Page(response.text)


def test_the_page_is_one_of_the_dashboard_and_links_within_this_server(own_server: Server, page: Page) -> None:
    policy = own_server.call("GET", "/docs").headers["content-security-policy"]
    jobs = Page(own_server.call("GET", "/").text)

    assert {link for link in jobs.links if "/dashboard/" in link or link == "/fleet"} <= set(page.links)
    assert "/docs" in jobs.links
    assert all(link.startswith(("#", "/")) for link in page.links)
    assert policy == own_server.call("GET", "/").headers["content-security-policy"]


def test_every_link_of_the_page_leads_somewhere(page: Page) -> None:
    targets = [link.removeprefix("#") for link in page.links if link.startswith("#")]

    assert len(targets) > 50
    assert set(targets) <= set(page.places)
    assert len(page.places) == len(set(page.places))


def test_the_page_has_every_operation_and_every_model(own_server: Server, page: Page) -> None:
    api: Json = own_server.call("GET", "/openapi.json").json()
    operations = {
        f"{method}-{path.strip('/').replace('/', '-')}" for path, item in api["paths"].items() for method in item
    }

    assert operations | set(api["components"]["schemas"]) <= set(page.places)
    groups = [place for place in page.places if place.startswith("group-")]
    assert groups == [
        f"group-{name}" for name in ("reference-protocol", "trials", "observations", "jobs", "savings", "operation")
    ]


def test_every_operation_says_what_it_does_and_how_it_refuses(own_server: Server) -> None:
    api: Json = own_server.call("GET", "/openapi.json").json()

    for path, item in api["paths"].items():
        for method, operation in item.items():
            assert operation["description"], f"{method} {path}"
            refusal = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
            assert refusal == {"$ref": "#/components/schemas/Message"}, f"{method} {path}"
    assert not re.search("HTTPValidationError", own_server.call("GET", "/openapi.json").text)


def test_every_operation_has_a_name_and_says_who_may_call_it(own_server: Server) -> None:
    api: Json = own_server.call("GET", "/openapi.json").json()
    operations = [(path, operation) for path, item in api["paths"].items() for operation in item.values()]
    names = [operation["operationId"] for _, operation in operations]
    schemes = {
        (path, operation["operationId"]): {name for way in operation["security"] for name in way}
        for path, operation in operations
    }

    assert all(re.fullmatch("[a-z_]+", name) and "api_v1" not in name for name in names)
    assert len(names) == len(set(names))
    assert {name for (path, name), ways in schemes.items() if not ways} == {"healthz", "readyz"}
    assert all(ways == set(api["components"]["securitySchemes"]) for ways in schemes.values() if ways)
    assert api["paths"]["/jobs"]["delete"]["security"][0] == {"bearer": ["admin"]}


def test_both_good_answers_to_a_registration_are_described(own_server: Server) -> None:
    answers = own_server.call("GET", "/openapi.json").json()["paths"]["/jobs"]["post"]["responses"]

    assert answers["200"]["content"] == answers["201"]["content"]


def test_every_query_parameter_and_every_answer_is_described(own_server: Server) -> None:
    api: Json = own_server.call("GET", "/openapi.json").json()
    operations = [operation for item in api["paths"].values() for operation in item.values()]
    mute = [p["name"] for operation in operations for p in operation.get("parameters", []) if not p.get("description")]
    answers = {answer["description"] for operation in operations for answer in operation["responses"].values()}

    assert mute == []
    assert not answers & {"", "Successful Response"}


def test_every_field_of_a_message_has_a_meaning(own_server: Server) -> None:
    schemas = api_page(own_server.call("GET", "/openapi.json").json()).schemas

    assert len(schemas) > 20
    assert [
        (schema["name"], field.name) for schema in schemas for field in schema["fields"] if not field.description
    ] == []
