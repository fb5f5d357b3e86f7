"""What each answer means: OUTCOMES.md §2 row by row, the vendors' own rules, and whatever else a server may say."""

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkload.answer import Meaning, Verdict, at, conditions_hold, evaluate, judge, parsed, retry_after
from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.openapi import open_api
from bulkload.resource import Operation, OutcomeRule

CINNOX = open_api("cinnox").resources["destination"].create
PBX = open_api("myreports").resources["pbx-kazoo"].create
AGENTS = open_api("aicc").resources["agent-settings"].create
ROUTES = open_api("aicc").resources["called-route"].create
AICC_RENEWS = frozenset({401, 403})

JSON = {"content-type": "application/json"}
JSON_RESPONSE = {"description": "Made", "content": {"application/json": {}}}
PLAIN = Operation(
    "make",
    "POST",
    "/things",
    responses={"201": JSON_RESPONSE, "204": {"description": "Made"}},
    record_id=("$response.body#/id", "$response.header.Location"),
    message=("$response.body#/message", "$response.body#/errors"),
)
FREE = Operation("make", "POST", "/things")
NOON = datetime(1994, 11, 6, 12, 0, 0, tzinfo=UTC)

D, R, N = Meaning.DONE, Meaning.REFUSED, Meaning.NOT_ALLOWED
P, C, W, U = Meaning.NOT_PROCESSED, Meaning.CREDENTIALS, Meaning.WRONG_ADDRESS, Meaning.UNKNOWN

# The table of OUTCOMES.md §2, row by row: statuses, headers, body, meaning.
TABLE: list[tuple[str, Mapping[str, str], bytes, Meaning]] = [
    ("200 201 203 206 226 299", JSON, b'{"id": "7"}', D),
    ("200 201 203 206 226 299", JSON, b"{}", D),
    ("200 201 203 206 226 299", JSON, b"", U),
    ("200 201 203 206 226 299", JSON, b" \n", U),
    ("200 201 203 206 226 299", {"content-type": "text/html"}, b"<html>Sign in</html>", U),
    ("202", JSON, b'{"id": "7"}', U),
    ("202", {}, b"", U),
    ("204 205", {}, b"", D),
    ("300 301 302 303 304 305 306 307 308 399", {"location": "https://elsewhere.example/"}, b"", W),
    ("400 404 405 406 410 411 413 414 415 417 422 431 451 501 409 412 423 428", JSON, b"{}", R),
    ("401", {}, b"", C),
    ("402 403 407", {}, b"", N),
    ("421 425 429 521 523 525 526", {}, b"", P),
    ("421 425 429 503 521 523 525 526", {"retry-after": "5"}, b"", P),
    ("408 500 502 504 507 520 522 524 503", {}, b"", U),
    ("408 500 502 504 507 520 522 524", {"retry-after": "5"}, b"", U),
    ("503", {"retry-after": "soon"}, b"", U),
    ("100 103 199 416 418 419 420 424 426 430 444 499 505 508 510 511 530 599 600 700 999", {}, b"", U),
]
CASES = [(int(status), *rest) for statuses, *rest in TABLE for status in statuses.split()]


@pytest.mark.parametrize(("status", "headers", "body", "meaning"), CASES)
def test_the_table(status: int, headers: Mapping[str, str], body: bytes, meaning: Meaning) -> None:
    verdict = judge(PLAIN, Answer(status, headers, body))
    assert (verdict.meaning, verdict.status) == (meaning, status)


def test_every_status_means_one_thing_whatever_its_body() -> None:
    """Beyond success, the body decides nothing where the document has no rule."""
    for status, body in itertools.product(
        [*range(100, 200), *range(300, 1000)], [b"", b"{}", b'{"id": "7"}', b"<html>"]
    ):
        assert judge(PLAIN, Answer(status, {}, body)).meaning is judge(PLAIN, Answer(status, {}, b"")).meaning


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_where_no_json_is_documented_any_body_of_success_is_done(status: int) -> None:
    assert judge(FREE, Answer(status, {}, b"<html>")) == Verdict(D, status, message=judge(FREE, _said(status)).message)


def test_json_is_promised_by_a_range_of_statuses_too() -> None:
    ranged = Operation("make", "POST", "/things", responses={"2XX": JSON_RESPONSE})
    assert judge(ranged, Answer(200, {}, b"")).meaning is U


def test_statuses_of_the_document_may_mean_an_old_token_beside_401() -> None:
    for status in (401, 403):
        assert judge(PLAIN, _said(status), frozenset({403})).meaning is C


# The vendors' own rules


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("said", "meaning", "record"),
    [
        ({"returnCode": "0", "id": "123"}, D, "123"),
        ({"returnCode": 0, "id": 123}, D, "123"),
        ({"returnCode": 0.0, "id": "123"}, D, "123"),
        ({"returnCode": "0"}, D, ""),
        ({"returnCode": "4001", "id": "123"}, R, ""),
        ({"returnCode": 4001}, R, ""),
        ({"returnCode": "00"}, R, ""),
        ({"returnCode": ""}, R, ""),
        ({"returnCode": False}, R, ""),
        ({"returnCode": ["0"]}, R, ""),
        ({"returnCode": None}, U, ""),
        ({"id": "123"}, U, ""),
        ({}, U, ""),
        (["0"], U, ""),
        ("0", U, ""),
        (None, U, ""),
    ],
)
def test_aicc_says_in_its_return_code_what_became_of_a_row(
    status: int, said: Any, meaning: Meaning, record: str
) -> None:
    verdict = judge(AGENTS, _said(status, said), AICC_RENEWS)
    assert (verdict.meaning, verdict.id) == (meaning, record)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"returnCode": "0"'])
@pytest.mark.parametrize("status", [200, 500])
def test_aicc_without_json_is_unknown(status: int, body: bytes) -> None:
    assert judge(AGENTS, Answer(status, {}, body), AICC_RENEWS).meaning is U


@pytest.mark.parametrize(("status", "meaning"), [(401, C), (403, C), (400, R), (502, U), (429, P), (302, W)])
def test_aicc_beyond_its_return_codes_is_as_the_table_says(status: int, meaning: Meaning) -> None:
    assert judge(AGENTS, _said(status, {"returnCode": "0"}), AICC_RENEWS).meaning is meaning


def test_an_api_that_documents_no_id_is_not_blamed_for_giving_none() -> None:
    verdict = judge(ROUTES, _said(200, {"returnCode": "0", "description": "made"}), AICC_RENEWS)
    assert verdict == Verdict(D, 200)


@pytest.mark.parametrize(
    ("status", "said", "meaning", "record"),
    [
        (200, {"result": {"id": "5"}}, D, "5"),
        (200, {"code": 200, "result": {"id": "5"}}, D, "5"),
        (200, {"code": 0, "result": {"id": "5"}}, D, "5"),
        (200, {"id": "5"}, D, "5"),
        (201, {"id": 5}, D, "5"),
        (200, {"code": 200}, D, ""),
        (200, {"code": 200.0}, D, ""),
        (200, {"code": 200, "result": {"id": None}}, D, ""),
        (200, {"code": True}, R, ""),
        (200, {"code": "200"}, R, ""),
        (200, {"code": 0}, R, ""),
        (200, {"code": 6451000, "message": "no"}, R, ""),
        (200, {"code": 6451010}, P, ""),
        (400, {"code": 6451010}, P, ""),
        (500, {"code": 6451010}, P, ""),
        (200, {"code": 6451001}, U, ""),
        (400, {"code": 6451001}, U, ""),
        (400, {"code": 6451000}, R, ""),
        (400, {"code": 0}, R, ""),
        (400, {"id": "5"}, R, ""),
        (401, {"code": 6451000}, C, ""),
        (500, {"code": 6451000}, U, ""),
        (200, {}, D, ""),
    ],
)
def test_cinnox_says_it_by_id_and_code(status: int, said: Any, meaning: Meaning, record: str) -> None:
    verdict = judge(CINNOX, _said(status, said))
    assert (verdict.meaning, verdict.id) == (meaning, record)


@pytest.mark.parametrize(
    ("status", "headers", "said", "meaning", "record"),
    [
        (201, {}, {"status": "success", "data": {"id": "9"}}, D, "9"),
        (201, {"location": "/api/v1.0/customers/t/pbxs/9"}, {"status": "success"}, D, "9"),
        (200, {}, {"status": "error", "message": "no"}, R, ""),
        (201, {"location": "/pbxs/9"}, {"status": "error"}, R, ""),
        (400, {}, {"status": "error"}, R, ""),
        (500, {}, {"status": "error"}, U, ""),
    ],
)
def test_myreports_says_error_in_its_body(
    status: int, headers: Mapping[str, str], said: Any, meaning: Meaning, record: str
) -> None:
    verdict = judge(PBX, Answer(status, headers, json.dumps(said).encode()))
    assert (verdict.meaning, verdict.id) == (meaning, record)


def test_a_location_proves_success_without_a_body() -> None:
    assert judge(PBX, Answer(201, {"location": "/pbxs/9"}, b"")).id == "9"


def test_the_first_rule_that_holds_decides_before_the_table() -> None:
    operation = _ruled(({"status": 404}, "done"), ({"status": ["4xx", 500]}, "not processed"), ({}, "unknown"))
    meanings = [judge(operation, _said(status)).meaning for status in (404, 418, 500, 200, 401)]
    assert meanings == [D, P, P, U, P]


# Without a whole answer


def test_what_was_not_sent_may_be_sent_again_and_what_was_lost_may_not() -> None:
    assert judge(PLAIN, NotSent("connection refused")) == Verdict(P, message="Connection refused")
    assert judge(PLAIN, Lost("no answer within 60 s")) == Verdict(U, message="No answer within 60 s")


@pytest.mark.parametrize(
    ("operation", "head", "meaning", "record"),
    [
        (PLAIN, HeadOnly(201, {}, "cut"), D, ""),
        (PLAIN, HeadOnly(201, JSON, "cut"), D, ""),
        (PLAIN, HeadOnly(201, {"location": "/things/7"}, "cut"), D, "7"),
        (PLAIN, HeadOnly(201, {"content-type": "text/html"}, "cut"), U, ""),
        (PLAIN, HeadOnly(202, {}, "cut"), U, ""),
        (PLAIN, HeadOnly(302, {}, "cut"), W, ""),
        (PLAIN, HeadOnly(400, {}, "cut"), R, ""),
        (PLAIN, HeadOnly(401, {}, "cut"), C, ""),
        (PLAIN, HeadOnly(403, {}, "cut"), N, ""),
        (PLAIN, HeadOnly(429, {"retry-after": "1"}, "cut"), P, ""),
        (PLAIN, HeadOnly(500, {}, "cut"), U, ""),
        # Their rules need the body.
        (CINNOX, HeadOnly(200, {}, "cut"), U, ""),
        (CINNOX, HeadOnly(400, {}, "cut"), U, ""),
        (PBX, HeadOnly(201, {"location": "/pbxs/9"}, "cut"), U, ""),
        (PBX, HeadOnly(400, {}, "cut"), R, ""),
        (AGENTS, HeadOnly(200, {}, "cut"), U, ""),
        (AGENTS, HeadOnly(400, {}, "cut"), R, ""),
    ],
)
def test_a_head_alone_counts_where_no_rule_needs_the_body(
    operation: Operation, head: HeadOnly, meaning: Meaning, record: str
) -> None:
    verdict = judge(operation, head)
    assert (verdict.meaning, verdict.id) == (meaning, record)


def test_a_rule_about_the_head_decides_by_the_head() -> None:
    operation = _ruled(({"status": 409}, "done"), ({"$response.header.X-Made": "yes"}, "done"), ({}, "refused"))
    assert judge(operation, HeadOnly(409, {}, "cut")).meaning is D
    assert judge(operation, HeadOnly(500, {"x-made": "yes"}, "cut")).meaning is D
    assert judge(operation, HeadOnly(200, {}, "cut")).meaning is R


def test_a_done_row_whose_answer_was_cut_says_so() -> None:
    cut = "the body of the answer was cut"
    notes = [judge(PLAIN, HeadOnly(201, headers, cut)).note for headers in ({}, {"location": "/things/7"})]
    head = "Only the head of the answer came (the body of the answer was cut)."
    assert notes == [f"{head} The API gave no ID. Look it up there.", head]
    assert judge(PLAIN, HeadOnly(500, {}, cut)).message == f"HTTP 500 Internal Server Error; {cut}"


# IDs


@pytest.mark.parametrize(
    ("headers", "body", "record"),
    [
        ({}, b'{"id": "007"}', "007"),
        ({}, b'{"id": 1307145259662215169}', "1307145259662215169"),
        ({}, b'{"id": ' + b"9" * 1000 + b"}", "9" * 1000),
        ({}, b'{"id": 0}', "0"),
        ({}, b'{"id": " 7 "}', "7"),
        ({}, b'\xef\xbb\xbf{"id": "7"}', "7"),
        ({}, '{"id": "é"}'.encode("utf-16"), "é"),
        ({}, b'{"id": true}', ""),
        ({}, b'{"id": 1.5}', ""),
        ({}, b'{"id": ""}', ""),
        ({}, b'{"id": null}', ""),
        ({}, b'{"id": {"a": 1}}', ""),
        ({}, b'{"id": "a\\nb"}', ""),
        ({}, b'{"id": "\\ud800"}', ""),
        ({}, b'{"id": "' + b"9" * 1001 + b'"}', ""),
        ({"location": "https://api.example/v1/things/7?view=all#top"}, b"{}", "7"),
        ({"location": "https://api.example/v1/things/7/"}, b"{}", "7"),
        ({"location": "7"}, b"{}", "7"),
        ({"location": "/things/a%2Fb%20c"}, b"{}", "a/b c"),
        ({"location": "https://api.example"}, b"{}", ""),
        ({"location": "https://api.example/things"}, b"{}", ""),
        ({"location": ""}, b"{}", ""),
        ({"location": "/things/7"}, b'{"id": "8"}', "8"),
    ],
)
def test_the_id_is_text_from_the_first_place_that_has_a_usable_one(
    headers: Mapping[str, str], body: bytes, record: str
) -> None:
    verdict = judge(PLAIN, Answer(201, headers, body))
    note = "" if record else "The API gave no ID. Look it up there."
    assert (verdict.meaning, verdict.id, verdict.note) == (D, record, note)


def test_another_header_is_an_id_as_it_stands() -> None:
    operation = Operation("make", "POST", "/things", record_id=("$response.header.X-Id",))
    assert judge(operation, Answer(201, {"x-id": "a/b?c"}, b"")).id == "a/b?c"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}", b'{"id": "7"', b"\xff\xfe\x00", b"7x"]
)
def test_what_can_not_be_read_as_json_is_no_json(body: bytes) -> None:
    verdict = judge(PLAIN, Answer(201, JSON, body))
    assert verdict.meaning is U
    assert verdict.message == "The API said 201 but sent something that is not JSON"


# Words


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Answer(400, {}, b'{"message": "Name is taken"}'), "Name is taken"),
        (Answer(400, {}, b'{"message": 12}'), "12"),
        (Answer(400, {}, b'{"message": " ", "errors": ["a", {"b": 1}]}'), '["a", {"b": 1}]'),
        (Answer(400, {}, b'{"errors": []}'), "HTTP 400 Bad Request"),
        (Answer(400, {"content-type": "text/plain; charset=utf-8"}, b" no \xff"), "HTTP 400 Bad Request: no \ufffd"),
        (Answer(400, {"content-type": "text/html"}, b"<b>no</b>"), "HTTP 400 Bad Request"),
        (Answer(302, {"location": "https://b.example/"}, b""), "HTTP 302 Found: the API points to https://b.example/"),
        (Answer(302, {}, b""), "HTTP 302 Found"),
        (Answer(599, {}, b""), "HTTP 599"),
        (Answer(202, {}, b""), "Accepted, unconfirmed: the API has taken it, but not said that it is done"),
        (Answer(201, {}, b""), "The API said 201 but sent no body"),
    ],
)
def test_the_words_are_the_apis_own_where_it_has_some(reply: Reply, message: str) -> None:
    assert judge(PLAIN, reply).message == message


def test_a_message_of_any_depth_can_be_shown() -> None:
    """Python may read JSON that is nested deeper than it can write."""
    operation = Operation("make", "POST", "/things", message=("$response.body",))
    shown = {judge(operation, Answer(400, {}, _nested(depth))).message[:8] for depth in range(10, _deepest() + 20)}
    assert {"[[[[[[[[", "HTTP 400"} <= shown <= {"[[[[[[[[", "HTTP 400", "an answe"}


def test_the_request_id_is_kept_and_cut() -> None:
    assert judge(PLAIN, Answer(400, {"x-correlation-id": "c", "x-request-id": "r" * 101}, b"")).request_id == "r" * 100


# Retry-After

DATES = [
    ("Sun, 06 Nov 1994 12:00:30 GMT", 30.0),
    ("Sunday, 06-Nov-94 12:00:30 GMT", 30.0),
    ("Wednesday, 09-Nov-94 12:00:00 GMT", 3 * 86_400.0),
    ("Sun Nov  6 12:00:30 1994", 30.0),
    ("Wed Nov 16 12:00:00 1994", 10 * 86_400.0),
    ("Sun, 06 Nov 1994 12:00:00 GMT", 0.0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86_400.0),
]
JUNK = [
    "", " ", "soon", "-5", "+5", "5.5", "5,5", "5, 10", "0x10", "1e3", "5 s", "٥", "５", "²",
    "Sun, 06 Nov 1994 11:59:59 GMT",
    "Sun, 06 Nov 1994 12:00:30 GMT, Sun, 06 Nov 1994 12:00:40 GMT",
    "Sun, 06 Nov 1994 12:00:30",
    "Sun, 06 Nov 1994 12:00:30 +0200",
    "Sun, 31 Feb 1994 12:00:30 GMT",
    "Sun, 06 Nov 1994 25:00:30 GMT",
    "Sun, 06 Nov 1994 12:00:60 GMT",
    "Sun, ٠6 Nov 1994 12:00:30 GMT",
    "Sun, 06 Xxx 1994 12:00:30 GMT",
    "1994-11-06T12:00:30Z",
]  # fmt: skip


@pytest.mark.parametrize("date", [{}, {"date": "Sun, 06 Nov 1994 13:00:00 GMT"}, {"date": "Sun Nov  6 13:00:00 1994"}])
@pytest.mark.parametrize(("said", "seconds"), DATES)
def test_a_date_is_measured_against_the_answers_own_clock(date: Mapping[str, str], said: str, seconds: float) -> None:
    """Against ours only where it doesn't say its own."""
    late = 3600.0 if date else 0.0
    wanted = min(seconds, 366 * 86_400.0 + late) - late
    found = retry_after({"retry-after": said, **date}, lambda: NOON)
    assert found == (366 * 86_400.0 if seconds == 366 * 86_400.0 else wanted if wanted >= 0 else None)


def test_a_date_that_is_no_date_leaves_our_clock() -> None:
    assert retry_after({"retry-after": DATES[0][0], "date": "yesterday"}, lambda: NOON) == 30.0


def test_without_either_clock_handed_in_the_real_one_counts() -> None:
    assert retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}) == 366 * 86_400.0


@pytest.mark.parametrize("said", JUNK)
def test_junk_is_no_wait(said: str) -> None:
    assert retry_after({"retry-after": said}, lambda: NOON) is None
    assert judge(PLAIN, Answer(503, {"retry-after": said}, b""), now=lambda: NOON).meaning is U


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0", 0.0), ("5", 5.0), (" 5 ", 5.0), ("005", 5.0), ("9" * 400, 366 * 86_400.0), ("9" * 5000, 366 * 86_400.0)],
)
def test_seconds_are_ascii_digits_and_a_year_at_most(said: str, seconds: float) -> None:
    assert retry_after({"retry-after": said}) == seconds


def test_a_wait_is_told_with_any_answer() -> None:
    assert [judge(PLAIN, Answer(s, {"retry-after": "5"}, b"")).wait for s in (429, 503, 400)] == [5.0, 5.0, 5.0]


# Expressions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$statusCode", 200),
        ("$response.header.X-A", "b"),
        ("$response.body", {"a": [1, {"b/c": 2, "d~e": 3}], "1": 4}),
        ("$response.body#", {"a": [1, {"b/c": 2, "d~e": 3}], "1": 4}),
        ("$response.body#/a/0", 1),
        ("$response.body#/a/1/b~1c", 2),
        ("$response.body#/a/1/d~0e", 3),
        ("$response.body#/1", 4),
    ],
)
def test_a_runtime_expression_points_into_the_answer(expression: str, value: Any) -> None:
    body = {"a": [1, {"b/c": 2, "d~e": 3}], "1": 4}
    assert evaluate(expression, Answer(200, {"x-a": "b"}, b""), body) == value


@pytest.mark.parametrize(
    "expression",
    [
        "$url", "$request.body#/a", "$response.header.X-B", "$response.body#/b", "$response.body#/a/2",
        "$response.body#/a/x", "$response.body#/a/-1", "$response.body#/a/²", "$response.body#/a/0/0",
        "$response.body#/",
    ],
)  # fmt: skip
def test_what_is_not_there_is_absent(expression: str) -> None:
    answer = Answer(200, {}, b'{"a": [1, 2]}')
    assert conditions_hold({expression: "absent"}, answer)
    assert not conditions_hold({expression: "present"}, answer)
    assert not conditions_hold({expression: [None, 1, "absent"]}, answer)


NUMBERS = st.integers() | st.floats(allow_nan=False)
# Half surrogate pairs too, which JSON can escape.
TEXTS = st.text(st.characters(codec=None))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
)


@given(VALUES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]), st.booleans())
@example(float("inf"), "utf-8", True)
@example(10**40, "utf-8", True)
@example(-0.0, "utf-8", True)
@example("\ud800", "utf-8", True)
def test_what_stands_in_an_answer_is_found_as_pythons_own_reader_finds_it(
    value: Any, encoding: str, ascii_only: bool
) -> None:
    """Whichever reader it is, and in every encoding that JSON was ever written in."""
    body = json.dumps({"x": value}, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    found = evaluate("$response.body#/x", Answer(200, JSON, body), parsed(body))
    assert (type(found), repr(found)) == (type(value), repr(value))


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"0" + b"]" * depth


def _deepest() -> int:
    """About how deep JSON may be nested here and now."""
    depth = 100
    while True:
        try:
            json.loads(_nested(depth))
        except RecursionError:
            return depth
        depth += 100


def _said(status: int, value: Any = None) -> Answer:
    return Answer(status, JSON, json.dumps(value).encode())


def _ruled(*rules: tuple[Mapping[str, Any], str]) -> Operation:
    return Operation("make", "POST", "/things", outcomes=tuple(OutcomeRule(when, means) for when, means in rules))


def test_a_pointer_leads_to_what_stands_there() -> None:
    assert at({"a/b": [{"~": 1}]}, "/a~1b/0/~0") == 1
    assert at([1], "") == [1]
