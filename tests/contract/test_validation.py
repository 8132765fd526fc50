"""No input gives a 5xx: whatever is wrong with a request is refused in a sentence naming the field.

Bodies are sent as plain bytes: what a JSON library would never write is just what has to be refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json, Trial, spec
from tests.support.refusals import assert_refused, message_of
from tests.support.server import TABLES, Server

MIB = 2**20

pytestmark = ANY_DATABASE
"""What is refused before the database is asked is refused alike whatever database that is."""

CALLS = {
    "register": ("POST", "/jobs"),
    "report": ("POST", "/report"),
    "end": ("PATCH", "/trials"),
    "ask": ("POST", "/api/v1/trials"),
    "beat": ("POST", "/api/v1/trials/heartbeat"),
    "settings": ("PATCH", "/api/v1/jobs?job_id=job"),
}
TRIAL = Trial("job", 16, 1)
BODIES: dict[str, Json] = {
    "register": spec(job_id="fresh"),
    "report": TRIAL.result(instance="i", final=False, energy_source="counter"),
    "end": TRIAL.body | {"reason": "error", "instance": "i"},
    "ask": {
        "job_id": "job",
        "run_id": "r",
        "heartbeat_s": 30.0,
        "instance": "i",
        "checkpoint": {"time": 1.0, "energy": 1.0, "current_epoch": 1},
    },
    "beat": TRIAL.body | {"time": 1.0, "energy": 1.0, "current_epoch": 1, "instance": "i"},
    "settings": {
        name: spec()[name]
        for name in (
            "eta_knob",
            "beta_knob",
            "max_epochs",
            "num_pruning_rounds",
            "window_size",
            "mab_prior_mean",
            "mab_prior_precision",
            "mab_num_explorations",
            "mab_seed",
        )
    },
}


NO_OBJECTS = [
    b"",
    b"null",
    b"[]",
    b"[{}]",
    b'"text"',
    b"5",
    b"true",
    b"NaN",
    b"{",
    b"}",
    b"{]",
    b"{'job_id': 'x'}",
    b'{"job_id": "x",}',
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"--x\r\n",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
]


def fields_of(kind: type | tuple[type, ...]) -> list[tuple[str, str]]:
    """Every ``(call, field)`` whose value in a valid body is of that kind; a dot leads into an object."""
    found = []
    for call, body in BODIES.items():
        flat = body | {f"checkpoint.{name}": value for name, value in body.get("checkpoint", {}).items()}
        found += [
            (call, name) for name, value in flat.items() if isinstance(value, kind) and not isinstance(value, bool)
        ]
    return found


NUMBERS = fields_of((int, float))
INTEGERS = fields_of(int)
TEXTS = [place for place in fields_of(str) if place[1] not in ("reason", "energy_source")]
WITHIN = [
    ("register", "eta_knob", "0"),
    ("register", "eta_knob", "1"),
    ("register", "beta_knob", "1e-9"),
    ("register", "beta_knob", "null"),
    ("register", "beta_knob", "1e12"),
    ("register", "target_metric", "1e30"),
    ("register", "target_metric", "-1e30"),
    ("register", "max_epochs", "2147483647"),
    ("register", "max_power", "1e9"),
    ("register", "mab_prior_mean", "1e30"),
    ("register", "mab_prior_mean", "-1e30"),
    ("register", "mab_prior_precision", "0"),
    ("register", "mab_prior_precision", "1e30"),
    ("register", "mab_seed", "null"),
    ("register", "mab_seed", "0"),
    ("register", "mab_seed", "9223372036854775807"),
    ("register", "window_size", "0"),
    ("register", "number_of_gpus", "0"),
    ("report", "time", "1e15"),
    ("report", "energy", "1e15"),
    ("report", "current_epoch", "0"),
    ("report", "current_epoch", "2147483647"),
    ("beat", "time", "1e15"),
]
"""Values at the bounds."""

BEYOND = [
    ("register", "eta_knob", "1.0000001"),
    ("register", "beta_knob", "0"),
    ("register", "beta_knob", "1.1e12"),
    ("register", "beta_knob", "1e300"),
    ("register", "target_metric", "1.1e30"),
    ("register", "target_metric", "-1.1e30"),
    ("register", "max_epochs", "0"),
    ("register", "max_power", "1000000001"),
    ("register", "mab_prior_mean", "1.1e30"),
    ("register", "mab_prior_mean", "-1.1e30"),
    ("register", "mab_prior_precision", "1.1e30"),
    ("register", "mab_seed", "9223372036854775808"),
    ("report", "time", "1.0000001e15"),
    ("report", "energy", "1.0000001e15"),
    ("report", "energy", "-0.0001"),
    ("report", "current_epoch", "1.5"),
    ("report", "trial_number", "0"),
    ("beat", "time", "1e16"),
]

NOT_FINITE = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"]


def body_with(call: str, field: str, token: str, **others: object) -> bytes:
    """A valid body, but for one value, which is written as it stands."""
    body = json.loads(json.dumps(BODIES[call] | others))
    *path, last = field.split(".")
    at = body
    for part in path:
        at = at[part]
    at[last] = "@@"
    return json.dumps(body).replace('"@@"', token).encode("utf-8", "surrogatepass")


@pytest.fixture
def server(server: Server) -> Server:
    """A server with a job and an open trial, so that a valid body of any call is accepted."""
    server.register()
    server.ask()
    return server


def send(server: Server, call: str, content: bytes) -> tuple[int, str]:
    """Send bytes to a call; what comes back has the shape of an answer whatever its code."""
    response = server.send(*CALLS[call], content)
    message = message_of(response) if response.status_code >= 400 else ""
    return response.status_code, message


def accepted(server: Server, call: str, bodies: list[bytes]) -> list[bytes]:
    """Those of the bodies that a call does not refuse with 422."""
    return [body for body in bodies if send(server, call, body)[0] != 422]


def stored(server: Server) -> list[object]:
    """All that the database holds."""
    return [server.sql(f"SELECT * FROM {table}") for table in TABLES]


@pytest.mark.parametrize("call", CALLS)
def test_the_valid_bodies_that_these_tests_change_are_accepted(server: Server, call: str) -> None:
    assert send(server, call, json.dumps(BODIES[call]).encode())[0] in (200, 201)


class TestNumbers:
    @pytest.mark.parametrize(("call", "field"), [place for place in NUMBERS if place[1] != "metric"])
    def test_a_number_that_is_not_finite_is_422_naming_the_field(self, server: Server, call: str, field: str) -> None:
        before = stored(server)
        for token in NOT_FINITE:
            status, message = send(server, call, body_with(call, field, token))

            assert status == 422, token
            assert field in message
            assert "NaN" not in message
        assert stored(server) == before

    @EVERY_DATABASE
    def test_only_a_metric_may_be_not_finite_and_is_stored_as_null(self, server: Server) -> None:
        tokens = [*NOT_FINITE, "null"]
        for number, token in enumerate(tokens, start=1):
            status, _ = send(server, "report", body_with("report", "metric", token, trial_number=number))

            assert status == 200
            view = next(view for view in server.trials() if view["trial_number"] == number)
            assert (view["metric"], view["status"]) == (None, "Dispatched")
            server.ask()
        assert [row["metric"] for row in server.sql("SELECT metric FROM trial_report")] == [None] * len(tokens)

    def test_an_infinite_metric_has_not_reached_a_target(self, server: Server) -> None:
        server.register(job_id="loss", higher_is_better_metric=False, target_metric=0.1)
        trial = server.ask("loss")
        for epoch, token in enumerate(("Infinity", "-Infinity"), start=1):
            content = json.dumps(trial.result(metric="@@", current_epoch=epoch)).replace('"@@"', token).encode()
            assert server.send("POST", "/report", content).json()["target_reached"] is False

    @pytest.mark.parametrize(("call", "field"), INTEGERS)
    def test_an_integer_of_more_than_32_bits_is_422_naming_the_field(
        self, server: Server, call: str, field: str
    ) -> None:
        status, message = send(server, call, body_with(call, field, "100000000000000000000"))

        assert status == 422
        assert field in message

    @pytest.mark.parametrize(("call", "field"), [place for place in INTEGERS if place[1] != "mab_seed"])
    def test_integers_end_at_32_bits(self, server: Server, call: str, field: str) -> None:
        assert accepted(server, call, [body_with(call, field, str(2**bits)) for bits in (31, 32, 63)]) == []

    @pytest.mark.parametrize(("call", "field"), NUMBERS)
    def test_an_integer_of_hundreds_of_digits_is_422(self, server: Server, call: str, field: str) -> None:
        tokens = [sign + "1" + "0" * zeros for sign in ("", "-") for zeros in (400, 4999)]

        assert accepted(server, call, [body_with(call, field, token) for token in tokens]) == []

    @pytest.mark.parametrize(
        ("call", "field"),
        [place for place in NUMBERS if place[1] not in ("metric", "target_metric", "mab_prior_mean")],
    )
    def test_a_negative_number_is_422_naming_the_field(self, server: Server, call: str, field: str) -> None:
        status, message = send(server, call, body_with(call, field, "-1"))

        assert status == 422
        assert field in message

    @EVERY_DATABASE
    def test_what_is_within_a_bound_of_the_protocol_is_stored(self, server: Server) -> None:
        for number, (call, field, token) in enumerate(WITHIN):
            job_id = f"job-{number}"
            if call != "register":
                server.register(job_id=job_id)
                server.ask(job_id)

            assert send(server, call, body_with(call, field, token, job_id=job_id))[0] in (200, 201)
            shown = server.job(job_id)["spec"] if call == "register" else server.trials(job_id)[0]
            assert shown[field] == json.loads(token)

    @pytest.mark.parametrize(("call", "field", "token"), BEYOND)
    def test_what_is_beyond_a_bound_of_the_protocol_is_422_naming_the_field(
        self, server: Server, call: str, field: str, token: str
    ) -> None:
        status, message = send(server, call, body_with(call, field, token))

        assert status == 422
        assert field in message

    @pytest.mark.parametrize(
        ("field", "value"),
        [("beta_knob", 1e300), ("eta_knob", 1.1), ("mab_prior_mean", -1e300), ("mab_prior_precision", 1e300)],
    )
    def test_a_setting_is_not_changed_beyond_its_bound(self, server: Server, field: str, value: float) -> None:
        response = server.call("PATCH", "/api/v1/jobs?job_id=job", {field: value})

        assert response.status_code == 422
        assert re.search(rf"{field}: Input should be (less|greater) than or equal to -?\d+", message_of(response))

    @EVERY_DATABASE
    @pytest.mark.parametrize("policy", ["zeus", "surrogate"])
    def test_a_job_that_an_older_release_took_with_larger_numbers_goes_on(self, server: Server, policy: str) -> None:
        server.register(job_id="old", policy=policy, target_metric=1e30)
        far = "beta_knob = 1e300, target_metric = 1e300, mab_prior_precision = 1e300"
        server.sql(f"UPDATE job SET {far} WHERE job_id = 'old'")

        server.report(server.ask("old"), energy=1e15, metric=1.0)
        server.change("old", max_epochs=20)
        shown = server.job("old")["spec"]
        assert (shown["beta_knob"], shown["target_metric"], shown["mab_prior_precision"]) == (1e12, 1e30, 1e30)
        server.register(**shown)
        for _ in range(3):
            assert server.report(server.ask("old"), metric=1e30)["converged"]

    @pytest.mark.parametrize(("call", "field"), NUMBERS)
    def test_what_is_no_number_is_422_naming_the_field(self, server: Server, call: str, field: str) -> None:
        for token in ('"abc"', "[1]", "{}", '"ECHO"', '""'):
            status, message = send(server, call, body_with(call, field, token))

            assert status == 422, token
            assert field in message

    @EVERY_DATABASE
    def test_the_longest_run_that_may_be_reported_does_not_stop_the_job(self, server: Server) -> None:
        server.report(TRIAL, time=1e15, energy=1e15)

        server.ask()
        server.offer(heartbeat_s=86_400)
        server.beat(TRIAL, time=1e15)
        server.converge(TRIAL, energy=1e15, current_epoch=2)
        server.ask()

    @pytest.mark.parametrize("eta_knob", [0.0, 1.0])
    def test_figures_at_the_bounds_of_what_is_valid_do_not_stop_the_job(self, server: Server, eta_knob: float) -> None:
        self.bounds_do_not_stop_a_job(server, eta_knob)

    @EVERY_DATABASE
    def test_figures_at_the_bounds_are_stored_and_do_not_stop_the_job(self, server: Server) -> None:
        self.bounds_do_not_stop_a_job(server, 0.5)

    def bounds_do_not_stop_a_job(self, server: Server, eta_knob: float) -> None:
        extremes = {"max_power": 1e9, "mab_prior_mean": 1e30, "mab_prior_precision": 1e30, "beta_knob": 1e12}
        server.register(job_id="extreme", eta_knob=eta_knob, **extremes)
        for total in (1e15, 1e-300, 1.0) * 6:
            trial = server.ask("extreme")
            response = server.call("POST", "/report", trial.result(energy=total, time=total, metric=1.0))
            assert response.status_code in (200, 422)
        server.change("extreme", eta_knob=0.25, mab_prior_precision=5e-324, window_size=2)
        latest = server.ask("extreme")

        assert latest.trial_number > 1


class TestTexts:
    @pytest.mark.parametrize(("call", "field"), TEXTS)
    def test_a_text_that_is_none_is_422_naming_the_field(self, server: Server, call: str, field: str) -> None:
        for token in ('"a\\u0000b"', '"' + "x" * 256 + '"', '""', "5", "[]", "{}"):
            status, message = send(server, call, body_with(call, field, token))

            assert status == 422, token
            assert field in message

    @pytest.mark.parametrize(("call", "field"), TEXTS)
    def test_a_lone_surrogate_is_422(self, server: Server, call: str, field: str) -> None:
        tokens = ['"\\ud800"', '"a\\udfffb"', '"\\ud800\\u0041"']

        assert accepted(server, call, [body_with(call, field, token) for token in tokens]) == []

    @pytest.mark.parametrize("token", ['"\\ud800"', '"\ud800"'])
    @pytest.mark.parametrize(("call", "field"), [("report", "time"), ("register", "batch_sizes"), ("end", "reason")])
    def test_a_lone_surrogate_where_no_text_belongs_is_422(
        self, server: Server, call: str, field: str, token: str
    ) -> None:
        assert send(server, call, body_with(call, field, token))[0] == 422

    @pytest.mark.parametrize("call", CALLS)
    def test_invalid_utf_8_is_422(self, server: Server, call: str) -> None:
        content = json.dumps(BODIES[call] | {"extra": "@@"}).encode()
        broken = [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80"]

        assert accepted(server, call, [content.replace(b"@@", part) for part in broken]) == []

    @EVERY_DATABASE
    def test_text_beyond_the_basic_plane_is_accepted(self, server: Server) -> None:
        content = json.dumps(spec(job_id="\U0001f40e")).encode()

        assert send(server, "register", content)[0] == 201
        assert server.ask("\U0001f40e").job_id == "\U0001f40e"

    @EVERY_DATABASE
    def test_a_text_of_255_characters_is_not_too_long(self, server: Server) -> None:
        for number, (call, field) in enumerate(TEXTS):
            others = {"job_id": f"job-{number}"} if call == "register" and field != "job_id" else {}
            status, message = send(server, call, body_with(call, field, json.dumps("é" * 255), **others))

            assert status in (200, 201, 400, 404), message

    @pytest.mark.parametrize("query", ["", "job_id=", "job_id=%00", f"job_id={'x' * 256}", "job_id=job&run_id=%00"])
    def test_a_bad_query_is_422_naming_the_parameter(self, server: Server, query: str) -> None:
        response = server.send("GET", f"/jobs/batch_size?{query}")

        assert_refused(response, 422, "run_id" if "run_id" in query else "job_id")

    @pytest.mark.parametrize("query", ["job_id=%ff", "job_id=%ED%A0%80", "job_id=%F0%9F", "job_id=;%22'"])
    def test_a_query_that_is_no_text_names_no_job(self, server: Server, query: str) -> None:
        assert server.send("GET", f"/jobs/batch_size?{query}").status_code in (400, 422)

    @pytest.mark.parametrize(
        "query", ["after=-1", "after=1e20", f"after={10**20}", "limit=0", "limit=NaN", "limit=1001"]
    )
    def test_a_bad_page_is_422_naming_the_parameter(self, server: Server, query: str) -> None:
        assert_refused(server.send("GET", f"/api/v1/trials?job_id=job&{query}"), 422, query.split("=")[0])

    @pytest.mark.parametrize("token", ['"expired"', '"ECHO"', "5", "[]"])
    def test_a_reason_that_no_client_may_give_is_422(self, server: Server, token: str) -> None:
        status, message = send(server, "end", body_with("end", "reason", token))

        assert status == 422
        assert "reason" in message

    def test_a_policy_that_does_not_exist_is_422(self, server: Server) -> None:
        assert_refused(server.call("POST", "/jobs", spec(job_id="x", policy="ECHO")), 422, "policy")


class TestBatchSizes:
    @pytest.mark.parametrize(
        "sizes",
        [[], [16, 16], [0, 16], [-8, 16], [16, 2**31], [16, 10**20], [16, 1.5], [16, None], [16, "ECHO"], [[16]], 16],
    )
    def test_bad_sizes_are_422_naming_the_field(self, server: Server, sizes: object) -> None:
        assert_refused(server.call("POST", "/jobs", spec(job_id="x", batch_sizes=sizes)), 422, "batch_sizes")

    @pytest.mark.parametrize("default", [7, 0, -16, 10**20, None, "ECHO"])
    def test_a_bad_default_is_422_naming_the_field(self, server: Server, default: object) -> None:
        response = server.call("POST", "/jobs", spec(job_id="x", default_batch_size=default))

        assert_refused(response, 422, "default_batch_size")

    @EVERY_DATABASE
    def test_a_thousand_sizes_are_accepted_and_usable(self, server: Server) -> None:
        server.register(job_id="many", batch_sizes=list(range(1, 1001)))

        assert server.ask("many").batch_size == 16
        assert len(server.job("many")["batch_sizes"]) == 1000

    def test_a_thousand_and_one_sizes_are_422(self, server: Server) -> None:
        response = server.call("POST", "/jobs", spec(job_id="many", batch_sizes=list(range(1, 1002))))

        assert_refused(response, 422, "batch_sizes")

    @EVERY_DATABASE
    def test_one_size_is_enough(self, server: Server) -> None:
        server.register(job_id="one", batch_sizes=[2**31 - 1], default_batch_size=2**31 - 1)

        assert server.ask("one").batch_size == 2**31 - 1

    @pytest.mark.parametrize("field", [name for name in spec() if name not in ("job_id", "beta_knob", "mab_seed")])
    def test_null_where_a_value_belongs_is_422_naming_the_field(self, server: Server, field: str) -> None:
        assert_refused(server.call("POST", "/jobs", spec(job_id="x") | {field: None}), 422, field)

    @pytest.mark.parametrize(
        "field", ["job_id_prefix", "batch_sizes", "default_batch_size", "max_power", "number_of_gpus", "gpu_model"]
    )
    def test_a_field_that_is_missing_is_422_naming_it(self, server: Server, field: str) -> None:
        body = spec(job_id="x")
        del body[field]

        assert_refused(server.call("POST", "/jobs", body), 422, field)


class TestBodies:
    @pytest.mark.parametrize("call", CALLS)
    def test_a_body_that_is_no_object_is_422(self, server: Server, call: str) -> None:
        before = stored(server)

        assert accepted(server, call, NO_OBJECTS) == []
        assert stored(server) == before

    @pytest.mark.parametrize("call", ["register", "report", "end", "ask", "beat"])
    def test_an_empty_object_is_422_naming_what_is_missing(self, server: Server, call: str) -> None:
        status, message = send(server, call, b"{}")

        assert status == 422
        assert ("job_id_prefix" if call == "register" else "job_id") in message

    @pytest.mark.parametrize("call", ["register", "report", "end", "ask", "beat"])
    def test_unknown_fields_are_ignored(self, server: Server, call: str) -> None:
        extra = {"extra": {"a": [1, None]}, "policy_options": {"curve_stop": False}, "é": "x" * 1000, "": 0}

        assert send(server, call, json.dumps(BODIES[call] | extra).encode())[0] in (200, 201)

    def test_what_an_unknown_field_holds_is_never_echoed(self, server: Server) -> None:
        body = {"ECHO" * 10: "ECHO", "time": "ECHO", "energy": ["ECHO"], "metric": {"ECHO": 1}}

        assert_refused(server.call("POST", "/report", body), 422, "time", "energy", "metric")

    @pytest.mark.parametrize(
        "headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "application/json; charset=utf-8"}]
    )
    @pytest.mark.parametrize("call", CALLS)
    def test_a_body_is_json_with_or_without_a_content_type(
        self, server: Server, call: str, headers: dict[str, str]
    ) -> None:
        response = server.send(*CALLS[call], json.dumps(BODIES[call]).encode(), headers=headers)

        assert ("content-type" in response.request.headers) == bool(headers)
        assert response.status_code in (200, 201)

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", 'a/b; c="d']
    )
    @pytest.mark.parametrize("call", CALLS)
    def test_another_content_type_is_no_5xx(self, server: Server, call: str, content_type: str) -> None:
        response = server.send(*CALLS[call], json.dumps(BODIES[call]).encode(), headers={"Content-Type": content_type})

        assert response.status_code in (200, 201, 415, 422)

    @pytest.mark.parametrize(("call", "field"), NUMBERS)
    def test_a_boolean_is_no_number(self, server: Server, call: str, field: str) -> None:
        for token in ("true", "false"):
            status, message = send(server, call, body_with(call, field, token))

            assert status == 422, token
            assert "boolean" in message
            assert field in message

    def test_a_boolean_is_no_batch_size(self, server: Server) -> None:
        content = json.dumps(BODIES["register"] | {"batch_sizes": [True, 16]}).encode()

        assert send(server, "register", content)[0] == 422

    @pytest.mark.parametrize("call", CALLS)
    def test_a_body_of_two_mib_is_413(self, server: Server, call: str) -> None:
        before = stored(server)
        response = server.send(*CALLS[call], json.dumps(BODIES[call]).encode() + b" " * 2 * MIB)

        assert_refused(response, 413)
        assert stored(server) == before

    @pytest.mark.parametrize("call", CALLS)
    def test_a_body_of_two_mib_in_chunks_is_413(self, server: Server, call: str) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield json.dumps(BODIES[call]).encode()
            for _ in range(32):
                yield b" " * 2**16

        before = stored(server)
        response = server.send(*CALLS[call], chunks())

        assert "content-length" not in response.request.headers
        assert_refused(response, 413)
        assert stored(server) == before

    def test_a_body_of_exactly_one_mib_is_read(self, server: Server) -> None:
        content = json.dumps(BODIES["register"]).encode().ljust(MIB)

        assert send(server, "register", content)[0] == 201

    def test_one_byte_more_is_413(self, server: Server) -> None:
        content = json.dumps(BODIES["register"]).encode().ljust(MIB + 1)

        assert send(server, "register", content)[0] == 413

    @pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999", "1e3", ""])
    def test_a_content_length_that_lies_is_no_5xx(self, server: Server, length: str) -> None:
        headers = {"Content-Length": length}
        response = server.send("POST", "/jobs", json.dumps(BODIES["register"]).encode(), headers=headers)

        assert response.status_code < 500
