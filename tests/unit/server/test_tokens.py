"""How tokens are written down, and that what is wrong with them is said without repeating them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.security.job_access import EVERYTHING, JobAccess
from zeus_bso.server.security.tokens import ApiToken, Scope, read_tokens

A, B, C = "secret-a-0123456789", "secret-b-0123456789", "secret-c-0123456789"


def found(text: str, secret: str) -> ApiToken:
    token = read_tokens(text, None).find(secret)
    assert token is not None
    return token


@pytest.mark.parametrize("between", [" ", ",", "\n", " ,\r\n\t"])
def test_several_tokens_stand_side_by_side(between: str) -> None:
    text = between.join([f"ops:admin={A}", f"dash:read={B}", f"team:report:team/x-={C}"])

    assert [(token.name, token.scope, token.reach) for token in read_tokens(text, None)] == [
        ("ops", Scope.ADMIN, EVERYTHING),
        ("dash", Scope.READ, EVERYTHING),
        ("team", Scope.REPORT, JobAccess(("team/x-",))),
    ]
    assert found(text, C).name == "team"


@pytest.mark.parametrize("secret", [A, "c2VjcmV0LWEtMDEyMzQ1Njc4OQ==", f"  {A}\n"])
def test_a_bare_secret_may_do_everything(secret: str) -> None:
    token = found(secret, secret.strip())

    assert (token.name, token.scope, token.reach) == ("default", Scope.ADMIN, EVERYTHING)


def test_a_secret_may_hold_equals_signs_and_colons() -> None:
    assert found("ops:admin=ab==cd:ef/0123456789==", "ab==cd:ef/0123456789==").name == "ops"


def test_json_may_say_anything() -> None:
    text = json.dumps([{"name": "a", "scope": "report", "token": f"{A},=x", "job_id_prefix": "a b, c="}])

    assert found(text, f"{A},=x").reach.covers("a b, c=1")


@pytest.mark.parametrize("text", [None, "", "  \n ", "# nothing yet\n"])
def test_nothing_is_no_token(text: str | None) -> None:
    assert len(read_tokens(text, None)) == 0


def test_a_file_adds_to_the_setting_and_may_hold_comments(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# operations\nops:admin={A}\n\n  # a team\nteam:report:team-={B}\n")
    tokens = read_tokens(f"dash:read={C}", str(file))

    assert [token.name for token in tokens] == ["dash", "ops", "team"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ops:admin=short", "16 or more"),
        ("too-short-alone", "16 or more"),
        (f"ops:boss={A}", "scope"),
        (f"ops={A}", "name:scope=SECRET"),
        (f"ops:admin:={A}", "empty job-id prefix"),
        (f"{A} {B}", "name:scope=SECRET"),
        (f"ops:admin={A} ops:read={B}", "two tokens named 'ops'"),
        (f"ops:admin={A} dash:read={A}", "same secret"),
        (f"o/ps:admin={A}", "its name must be"),
        (f"ops:admin={A}ü", "visible ASCII"),
        (f'[{{"name": "a", "scope": "read", "token": "{A}"', "not valid JSON"),
        (f'[{{"name": "a", "scope": "read", "token": "{A}", "prefix": "x"}}]', "nothing else"),
        (f'[{{"name": "a", "scope": "all", "token": "{A}"}}]', "'read', 'report' or 'admin'"),
        (f'[{{"name": "a", "scope": "read", "token": "{A}", "job_id_prefix": ""}}]', "job_id_prefix"),
        (f'["{A}"]', "ZEUS_BSO_API_TOKENS"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(text: str, says: str) -> None:
    with pytest.raises(ZeusBSOConfigError) as caught:
        read_tokens(text, None)

    assert says in str(caught.value)
    assert not [secret for secret in (A, B, "short-alone") if secret in str(caught.value)]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_a_file_without_a_token_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    """A Secret that was mounted in another place must not open the server to everybody."""
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ZeusBSOConfigError, match="ZEUS_BSO_API_TOKENS_FILE"):
        read_tokens(None, str(file))


@pytest.mark.parametrize("secret", ["", A[:-1], A + "x", A.upper(), "\ud800"])
def test_only_the_whole_secret_is_known(secret: str) -> None:
    assert read_tokens(f"ops:admin={A}", None).find(secret) is None


def test_a_token_shows_no_secret() -> None:
    (token,) = read_tokens(f"ops:admin={A}", None)

    assert repr(token) == "ApiToken(name='ops', scope=<Scope.ADMIN: 3>, reach=JobAccess(prefixes=('',)))"


@pytest.mark.parametrize(
    ("job_id", "within"), [("a-1", True), ("a-", True), ("A-1", False), ("a", False), ("b-a-1", False)]
)
def test_a_prefix_covers_what_begins_with_it(job_id: str, within: bool) -> None:
    assert JobAccess.of("a-").covers(job_id) is within
