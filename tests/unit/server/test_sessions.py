"""Sessions, the count of wrong tokens, and where a login may lead, without a server."""

from __future__ import annotations

import pytest

from zeus_bso.server.security.navigation import own_address
from zeus_bso.server.security.session import Sessions
from zeus_bso.server.security.throttle import BURST, REFILL_S, Throttle
from zeus_bso.server.security.tokens import ApiTokens, read_tokens

OPS, TEAM = "ops:admin=secret-a-0123456789", "team:report:team-=secret-b-0123456789"


def tokens(*items: str) -> ApiTokens:
    return read_tokens(" ".join(items), None)


def begun(known: ApiTokens, secret: str) -> str:
    token = known.find(secret)
    assert token is not None
    return Sessions(known, 3600).begin(token)


def test_every_replica_reads_a_session() -> None:
    session = Sessions(tokens(TEAM, OPS), 3600).find(begun(tokens(OPS, TEAM), "secret-b-0123456789"))

    assert session is not None
    assert session.token.name == "team"


@pytest.mark.parametrize("others", [[OPS], [OPS, "team:report:team-=secret-c-0123456789"]], ids=["removed", "replaced"])
def test_a_session_ends_with_its_token(others: list[str]) -> None:
    cookie = begun(tokens(OPS, TEAM), "secret-b-0123456789")

    assert Sessions(tokens(*others), 3600).find(cookie) is None


def test_a_session_has_what_its_token_may_do_now() -> None:
    cookie = begun(tokens(OPS), "secret-a-0123456789")
    session = Sessions(tokens(OPS.replace("admin", "read")), 3600).find(cookie)

    assert session is not None
    assert str(session.token.scope) == "read"


def test_a_session_ends_with_its_time() -> None:
    known = tokens(OPS)

    assert Sessions(known, -1).find(begun(known, "secret-a-0123456789")) is None


def test_no_cookie_can_be_made_up() -> None:
    known = tokens(OPS)
    cookie = begun(known, "secret-a-0123456789")
    changed = [cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :] for place in range(5)]

    for forged in (*changed, "", "x", "a.b.c", cookie[:-4], cookie + "x" * 2000, "\ud800"):
        assert Sessions(known, 3600).find(forged) is None


def test_two_sessions_of_a_token_have_two_proofs() -> None:
    known = tokens(OPS)
    found = [Sessions(known, 3600).find(begun(known, "secret-a-0123456789")) for _ in range(2)]

    assert len({session.csrf for session in found if session}) == 2


def test_an_address_may_be_wrong_so_often_and_then_every_while() -> None:
    now = 1000.0
    throttle = Throttle(lambda: now)
    for _ in range(BURST):
        assert throttle.wait_s("10.0.0.1") == 0
        throttle.count("10.0.0.1")

    assert throttle.wait_s("10.0.0.1") == REFILL_S
    assert throttle.wait_s("10.0.0.2") == 0
    now += REFILL_S
    assert throttle.wait_s("10.0.0.1") == 0
    throttle.count("10.0.0.1")
    assert throttle.wait_s("10.0.0.1") == REFILL_S


def test_a_network_of_ipv6_is_one_address() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(BURST):
        throttle.count(f"2001:db8::{number}")

    assert throttle.wait_s("2001:db8::ffff") > 0
    assert throttle.wait_s("2001:db8:0:1::1") == 0


def test_the_count_takes_no_more_room_than_it_is_given() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(10_050):
        throttle.count(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")

    assert len(throttle._full_at) == 10_000


@pytest.mark.parametrize("address", ["/", "/job?job_id=a%2Fb&size=8", "/fleet", "/docs"])
def test_a_login_leads_to_our_own_pages(address: str) -> None:
    assert own_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "job",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/a\\..\\b",
        "javascript:alert(1)",
        "/job\r\nSet-Cookie: a=b",
        "/" + "x" * 5000,
    ],
)
def test_a_login_leads_to_no_other_site(address: str) -> None:
    assert own_address(address) == "/"
