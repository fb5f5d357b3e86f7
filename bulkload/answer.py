"""What an HTTP answer, or its absence, means for a row: the document's own rules first, then the table of statuses."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

from pydantic_core import from_json

from bulkload.models import Answer, Lost, NotSent, Reply
from bulkload.resource import Operation

# The longest wait that is believed, in seconds: a year.
_LONGEST_WAIT = 366 * 86_400.0
_LONGEST_ID = 1000
_LONGEST_REQUEST_ID = 100
_REQUEST_ID = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "x-trace-id")
# No content and reset content: HTTP itself says that no body comes.
_BODILESS = {204, 205}
_MISSING = object()
_UNREAD = object()


class Meaning(StrEnum):
    """What an answer means. `not processed` may be sent again; `unknown` never is."""

    DONE = "done"
    REFUSED = "refused"
    NOT_ALLOWED = "not allowed"
    NOT_PROCESSED = "not processed"
    CREDENTIALS = "credentials"
    WRONG_ADDRESS = "wrong address"
    UNKNOWN = "unknown"


_BY_STATUS: Mapping[int, Meaning] = {
    202: Meaning.UNKNOWN,
    **dict.fromkeys((400, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 417, 422, 423, 428, 431), Meaning.REFUSED),
    **dict.fromkeys((451, 501), Meaning.REFUSED),
    401: Meaning.CREDENTIALS,
    **dict.fromkeys((402, 403, 407), Meaning.NOT_ALLOWED),
    **dict.fromkeys((421, 425, 429, 521, 523, 525, 526), Meaning.NOT_PROCESSED),
}
# By their first digit; whatever stands in neither table is unknown.
_BY_CLASS: Mapping[int, Meaning] = {2: Meaning.DONE, 3: Meaning.WRONG_ADDRESS}


class Verdict(NamedTuple):
    """The meaning of one reply. `id` is "" where none came; `wait` are the seconds that the API asked for, or None.

    `message` is the API's own words, or ours where it had none, of any length and not yet redacted; "" where a whole
    answer says that all is done. `note` is what is worth knowing of that. `status` is 0 where no answer came.
    """

    meaning: Meaning
    status: int = 0
    id: str = ""
    message: str = ""
    note: str = ""
    wait: float | None = None
    request_id: str = ""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def judge(
    operation: Operation,
    reply: Reply,
    renew_on: frozenset[int] = frozenset({401}),
    now: Callable[[], datetime] = _utc_now,
) -> Verdict:
    """What a reply to a create or update means.

    `renew_on` are the statuses that may mean an old token, beside 401. `now` counts where an answer asks to wait until
    a date without saying what time it is there.
    """
    match reply:
        case NotSent(reason):
            return Verdict(Meaning.NOT_PROCESSED, message=_capital(reason))
        case Lost(reason):
            return Verdict(Meaning.UNKNOWN, message=_capital(reason))
        case Answer():
            answer, body, cut = reply, parsed(reply.body), ""
        case _:
            answer, body, cut = Answer(reply.status, reply.headers, b""), _UNREAD, reply.reason
    wait = retry_after(answer.headers, now)
    record = _record_id(operation, answer, body)
    meaning, message = _meaning(operation, answer, body, renew_on, wait, record)
    record = record if meaning is Meaning.DONE else ""
    if cut or meaning is not Meaning.DONE:
        message = "; ".join(filter(None, (message or _message(operation, answer, body), cut)))
    return Verdict(
        meaning,
        status=answer.status,
        id=record,
        message=message,
        note=_note(operation, record, cut) if meaning is Meaning.DONE else "",
        wait=wait,
        request_id=_request_id(answer.headers),
    )


def _meaning(
    operation: Operation, answer: Answer, body: Any, renew_on: frozenset[int], wait: float | None, record: str
) -> tuple[Meaning, str]:
    """The meaning, and our own words for it where the API's would not explain it."""
    said = _by_document(operation, answer, body)
    if said is not None:
        return said, ""
    if answer.status in renew_on:
        return Meaning.CREDENTIALS, ""
    if answer.status == 503 and wait is not None:
        return Meaning.NOT_PROCESSED, ""
    meaning = _BY_STATUS.get(answer.status) or _BY_CLASS.get(answer.status // 100, Meaning.UNKNOWN)
    if answer.status == 202:
        return meaning, "Accepted, unconfirmed: the API has taken it, but not said that it is done"
    if meaning is Meaning.DONE and not record and _promises_json(operation, answer.status):
        strange = _strange(answer, body)
        return (Meaning.UNKNOWN, f"The API said {answer.status} but sent {strange}") if strange else (meaning, "")
    return meaning, ""


def _strange(answer: Answer, body: Any) -> str:
    """What came where JSON was promised, "" if JSON did. A sign-in page isn't the API's word: it proves nothing."""
    kind = answer.headers.get("content-type", "json").lower()
    if body is _MISSING and not answer.body.strip():
        return "no body"
    return "something that is not JSON" if body is _MISSING or (body is _UNREAD and "json" not in kind) else ""


def _by_document(operation: Operation, answer: Answer, body: Any) -> Meaning | None:
    """What the first rule of the document that holds says. Where it would have needed an unread body, nobody knows."""
    for rule in operation.outcomes:
        when = rule.when
        if body is _UNREAD:
            when = {what: wanted for what, wanted in when.items() if not what.startswith("$response.body")}
        if conditions_hold(when, answer, body):
            return Meaning(rule.means) if len(when) == len(rule.when) else Meaning.UNKNOWN
    return None


def _promises_json(operation: Operation, status: int) -> bool:
    """Whether JSON must come under this status: its own response says so or, if it has none, any other of success."""
    if status in _BODILESS or {str(status), f"{status // 100}XX"} & operation.responses.keys():
        return operation.answers_json(status)
    return any(operation.answers_json(other) for other in range(200, 300))


def conditions_hold(when: Mapping[str, Any], answer: Answer, body: Any = _MISSING) -> bool:
    """Whether an answer meets every condition: `status`, and runtime expressions with a value, a list of values,
    `present` or `absent`. `body` is the answer's JSON; it is parsed from the answer where not given."""
    body = parsed(answer.body) if body is _MISSING else body
    return _status_is(when, answer.status) and all(
        _is(wanted, evaluate(expression, answer, body)) for expression, wanted in when.items() if expression != "status"
    )


def _status_is(when: Mapping[str, Any], status: int) -> bool:
    wanted = when.get("status", status)
    names = {str(status), f"{status // 100}xx"}
    return any(str(one).lower() in names for one in (wanted if isinstance(wanted, list) else [wanted]))


def _is(wanted: Any, found: Any) -> bool:
    """Whether a value is one of those wanted. As in JSON, 200 is 200.0 but 1 is not true; null is absent."""
    if wanted in ("present", "absent"):
        return (found is _MISSING or found is None) is (wanted == "absent")
    options = wanted if isinstance(wanted, list) else [wanted]
    return any(found == option and isinstance(found, bool) is isinstance(option, bool) for option in options)


def evaluate(expression: str, answer: Answer, body: Any) -> Any:
    """The value of an OpenAPI runtime expression in an answer (`$response.body#/a/b`, `$response.header.Location`).

    A marker that equals nothing where nothing stands there.
    """
    header, pointer = _place(expression)
    if pointer is not None:
        return _at(body, pointer)
    if header:
        return answer.headers.get(header, _MISSING)
    return answer.status if expression == "$statusCode" else _MISSING


@lru_cache
def _place(expression: str) -> tuple[str, tuple[str, ...] | None]:
    """The header that a runtime expression names, in lower case, or else the parts of its pointer into the body."""
    if name := re.fullmatch(r"\$response\.header\.(.+)", expression):
        return name[1].lower(), None
    if pointer := re.fullmatch(r"\$response\.body(?:#(.*))?", expression):
        return "", _parts(pointer[1] or "")
    return "", None


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), a marker that equals nothing where there is none."""
    return _at(value, _parts(pointer))


def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _at(value: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and re.fullmatch(r"[0-9]{1,9}", part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _record_id(operation: Operation, answer: Answer, body: Any) -> str:
    """The new ID as text, from the first place where a usable one stands; "" if none does."""
    for expression in operation.record_id:
        found = evaluate(expression, answer, body)
        if isinstance(found, str) and expression.lower() == "$response.header.location":
            found = _last_segment(found, operation.path)
        if isinstance(found, str | int) and not isinstance(found, bool):
            text = str(found).strip()
            # Half a surrogate pair or a line break could be neither kept nor shown.
            if text.isprintable() and 0 < len(text) <= _LONGEST_ID:
                return text
    return ""


def _last_segment(address: str, path: str) -> str:
    """The last segment of an address's path, unquoted; "" where that is the path we sent to: it names no record."""
    whole = re.sub(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*|[?#].*", "", address)
    last = whole.rstrip("/").rpartition("/")[2]
    return "" if last == path.rstrip("/").rpartition("/")[2] else unquote(last)


def _message(operation: Operation, answer: Answer, body: Any) -> str:
    for expression in operation.message:
        found = evaluate(expression, answer, body)
        if isinstance(found, str | int | float) and str(found).strip():
            return str(found)
        if isinstance(found, list | dict) and found:
            return _json_text(found)
    phrase = _phrase(answer.status)
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"{phrase}: the API points to {answer.headers['location']}"
    plain = answer.headers.get("content-type", "").startswith("text/plain")
    words = answer.body.decode("utf-8", "replace").strip() if plain else ""
    return f"{phrase}: {words}" if words else phrase


def _note(operation: Operation, record: str, cut: str) -> str:
    missing = "" if record or not operation.record_id else "The API gave no ID. Look it up there."
    return f"Only the head of the answer came ({cut}). {missing}".strip() if cut else missing


@lru_cache
def _phrase(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _request_id(headers: Mapping[str, str]) -> str:
    for name in _REQUEST_ID:
        if name in headers:
            return headers[name][:_LONGEST_REQUEST_ID]
    return ""


def parsed(body: bytes) -> Any:
    """The JSON of a body; a marker that equals nothing where it holds none."""
    try:
        return from_json(body)
    except ValueError:
        pass  # The slower reader also takes other encodings, half surrogate pairs and what is nested deep.
    try:
        return json.loads(body) if body.strip() else _MISSING
    except (ValueError, RecursionError):
        return _MISSING


def _json_text(value: Any) -> str:
    """A JSON value as text; what could just be read may be nested too deep to be written."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "an answer nested too deep to be shown"


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = _utc_now) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as an HTTP date (RFC 9110, 10.2.3) against the answer's
    own `Date`, or against `now` where it has none. None where it is missing, junk, negative or in the past."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if re.fullmatch(r"[0-9]+", said):
        return min(float(said), _LONGEST_WAIT)
    until = _http_date(said)
    if until is None:
        return None
    seconds = (until - (_http_date(headers.get("date", "")) or now())).total_seconds()
    return min(seconds, _LONGEST_WAIT) if seconds >= 0 else None


# RFC 9110, 5.6.7: today's, that of RFC 850, and that of asctime, which has no zone and means UTC.
_DAY, _MONTH, _TIME = "[A-Z][a-z]{2}", "[A-Z][a-z]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_HTTP_DATE = re.compile(
    rf"{_DAY}, [0-9]{{2}} {_MONTH} [0-9]{{4}} {_TIME} GMT"
    rf"|{_DAY}[a-z]{{3,6}}, [0-9]{{2}}-{_MONTH}-[0-9]{{2}} {_TIME} GMT"
    rf"|{_DAY} {_MONTH} [ 0-9][0-9] {_TIME} [0-9]{{4}}"
)


def _http_date(text: str) -> datetime | None:
    """One of HTTP's three shapes of date; None for anything else."""
    if not _HTTP_DATE.fullmatch(text.strip()):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError:
        return None
