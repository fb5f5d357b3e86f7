"""What an HTTP answer, or its absence, means for a row: the document's own rules first, then the table of statuses."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.resource import Operation

_REFUSED = {400, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 417, 422, 423, 428, 431, 451, 501}
_NOT_ALLOWED = {402, 403, 407}
_NOT_PROCESSED = {421, 425, 429, 521, 523, 525, 526}
_REQUEST_ID = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "x-trace-id")
_LONGEST_MESSAGE = 500
_MISSING = object()


class Meaning(StrEnum):
    """What an answer means. `not processed` may be sent again; `unknown` never is."""

    DONE = "done"
    REFUSED = "refused"
    NOT_ALLOWED = "not allowed"
    NOT_PROCESSED = "not processed"
    CREDENTIALS = "credentials"
    WRONG_ADDRESS = "wrong address"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of one reply. `id` is "" where none came; `wait` are the seconds that the API asked for, or None.

    `message` is the API's own words, or ours where it had none; not yet redacted. `status` is 0 where no answer came.
    """

    meaning: Meaning
    status: int = 0
    id: str = ""
    message: str = ""
    note: str = ""
    wait: float | None = None
    request_id: str = ""


def judge(operation: Operation, reply: Reply, renew_on: frozenset[int] = frozenset({401})) -> Verdict:
    """What a reply to a create or update means; `renew_on` are the statuses that may mean an old token."""
    match reply:
        case NotSent(reason):
            return Verdict(Meaning.NOT_PROCESSED, message=_capital(reason))
        case Lost(reason):
            return Verdict(Meaning.UNKNOWN, message=f"{_capital(reason)}. It may exist.")
        case HeadOnly():
            return _judge_head(operation, reply, renew_on)
        case Answer():
            return _judge_answer(operation, reply, renew_on)


def _judge_answer(operation: Operation, answer: Answer, renew_on: frozenset[int]) -> Verdict:
    body = _json(answer.body)
    said = _by_document(operation, answer, body)
    meaning, note = said or _by_status(answer.status, answer.headers, renew_on), ""
    if meaning is Meaning.DONE and said is None:
        meaning, note = _confirmed(operation, answer, body)
    record = _record_id(operation, answer, body) if meaning is Meaning.DONE else ""
    if meaning is Meaning.DONE and operation.record_id and not record:
        note = "The API gave no ID. Look it up there."
    return Verdict(
        meaning,
        status=answer.status,
        id=record,
        message=note if meaning is Meaning.UNKNOWN and note else _message(operation, answer, body),
        note=note,
        wait=retry_after(answer.headers),
        request_id=_request_id(answer.headers),
    )


def _confirmed(operation: Operation, answer: Answer, body: Any) -> tuple[Meaning, str]:
    """A 2xx with no rule against it is done, unless it isn't the answer that the document promises."""
    if answer.status == 202:
        return Meaning.UNKNOWN, "Accepted, unconfirmed: the API has taken it, but not said that it is done."
    if operation.answers_json(answer.status) and body is _MISSING:
        what = "no body" if not answer.body else "something that is not JSON"
        return Meaning.UNKNOWN, f"The API said {answer.status} but sent {what}. It may exist."
    return Meaning.DONE, ""


def _judge_head(operation: Operation, head: HeadOnly, renew_on: frozenset[int]) -> Verdict:
    """A status without its body: it decides where no rule of the document would have needed the body."""
    needs_body = any(_about_body(rule.when) and _status_is(rule.when, head.status) for rule in operation.outcomes)
    meaning = _by_status(head.status, head.headers, renew_on)
    if needs_body or (meaning is Meaning.DONE and head.status == 202):
        meaning = Meaning.UNKNOWN
    answer = Answer(head.status, head.headers, b"")
    record = _record_id(operation, answer, _MISSING) if meaning is Meaning.DONE else ""
    missing = "" if record else " so its ID is not known. Look it up there"
    return Verdict(
        meaning,
        status=head.status,
        id=record,
        message=f"{_phrase(head.status)}; {head.reason}",
        note=f"Only the head of the answer came ({head.reason}){missing}." if meaning is Meaning.DONE else "",
        wait=retry_after(head.headers),
        request_id=_request_id(head.headers),
    )


def _by_document(operation: Operation, answer: Answer, body: Any) -> Meaning | None:
    for rule in operation.outcomes:
        if conditions_hold(rule.when, answer, body):
            return Meaning(rule.means)
    return None


def conditions_hold(when: Mapping[str, Any], answer: Answer, body: Any = _MISSING) -> bool:
    """Whether an answer meets every condition: `status`, and runtime expressions with a value, a list of values,
    `present` or `absent`. `body` is the answer's JSON; it is parsed from the answer where not given."""
    body = _json(answer.body) if body is _MISSING else body
    return _status_is(when, answer.status) and all(
        _is(wanted, evaluate(expression, answer, body)) for expression, wanted in when.items() if expression != "status"
    )


def _about_body(when: Mapping[str, Any]) -> bool:
    return any(expression.startswith("$response.body") for expression in when)


def _status_is(when: Mapping[str, Any], status: int) -> bool:
    wanted = when.get("status", status)
    names = {str(status), f"{status // 100}xx"}
    return any(str(one).lower() in names for one in (wanted if isinstance(wanted, list) else [wanted]))


def _is(wanted: Any, found: Any) -> bool:
    if wanted == "present":
        return found is not _MISSING and found is not None
    if wanted == "absent":
        return found is _MISSING or found is None
    options = wanted if isinstance(wanted, list) else [wanted]
    return any(type(found) is type(option) and found == option for option in options)


def evaluate(expression: str, answer: Answer, body: Any) -> Any:
    """The value of an OpenAPI runtime expression in an answer (`$response.body#/a/b`, `$response.header.Location`)."""
    if expression == "$statusCode":
        return answer.status
    if name := re.fullmatch(r"\$response\.header\.(.+)", expression):
        return answer.headers.get(name[1].lower(), _MISSING)
    if pointer := re.fullmatch(r"\$response\.body(?:#(.*))?", expression):
        return at(body, pointer[1] or "")
    return _MISSING


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), a marker that equals nothing where there is none."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _by_status(status: int, headers: Mapping[str, str], renew_on: frozenset[int]) -> Meaning:
    if status in renew_on:
        return Meaning.CREDENTIALS
    if 200 <= status < 300:
        return Meaning.DONE
    if 300 <= status < 400:
        return Meaning.WRONG_ADDRESS
    if status in _REFUSED:
        return Meaning.REFUSED
    if status in _NOT_ALLOWED:
        return Meaning.NOT_ALLOWED
    if status in _NOT_PROCESSED or (status == 503 and retry_after(headers) is not None):
        return Meaning.NOT_PROCESSED
    return Meaning.UNKNOWN


def _record_id(operation: Operation, answer: Answer, body: Any) -> str:
    """The new ID as text, from the first place where it stands; of an address its last segment."""
    for expression in operation.record_id:
        found = evaluate(expression, answer, body)
        if isinstance(found, str) and expression.startswith("$response.header."):
            found = found.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if isinstance(found, str | int) and not isinstance(found, bool) and str(found):
            return str(found)
    return ""


def _message(operation: Operation, answer: Answer, body: Any) -> str:
    for expression in operation.message:
        found = evaluate(expression, answer, body)
        if isinstance(found, str | int | float) and str(found).strip():
            return _one_line(str(found))
        if isinstance(found, list | dict) and found:
            return _one_line(json.dumps(found, ensure_ascii=False))
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"{_phrase(answer.status)}: the API points to {_one_line(answer.headers['location'])}"
    plain = answer.headers.get("content-type", "").startswith("text/plain")
    words = _one_line(answer.body.decode("utf-8", "replace")) if plain else ""
    return f"{_phrase(answer.status)}{': ' if words else ''}{words}"


def _phrase(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _one_line(text: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _request_id(headers: Mapping[str, str]) -> str:
    return next((_one_line(headers[name])[:100] for name in _REQUEST_ID if name in headers), "")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else _MISSING
    except (ValueError, RecursionError):
        return _MISSING


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as an HTTP date (RFC 9110, 10.2.3) against the answer's
    own `Date`. None where it is missing, junk, negative or in the past."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said) if len(said) < 10 else None
    then = _http_date(said)
    if then is None:
        return None
    seconds = (then - (_http_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds()
    return seconds if seconds >= 0 else None


def _http_date(text: str) -> datetime | None:
    """One of HTTP's three shapes of date; that of asctime has no zone and means UTC."""
    if not re.match(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? ", text):
        return None
    try:
        when = parsedate_to_datetime(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when
    except (ValueError, OverflowError):
        return None
