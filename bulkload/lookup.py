"""Ask an API for records: by natural key through a resource's `find`, or by ID through its `read`."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bulkload.answer import Meaning, conditions_hold, evaluate, judge
from bulkload.models import Answer, Reply
from bulkload.resource import Find, Operation, Resource

# Pages of a look-up that are read before it counts as unanswered.
MOST_PAGES = 100

# Makes one call: operation, path, query, headers, JSON body.
Ask = Callable[[Operation, str, tuple[tuple[str, str], ...], Mapping[str, str], Any], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Record:
    """A record that the API holds: its ID, and the fields that the look-up returned."""

    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up gave: the records that match exactly; `absent` says that there is none for certain.

    `trouble` says why nothing is known, "" if something is.
    """

    records: tuple[Record, ...] = ()
    absent: bool = False
    trouble: str = ""


async def find(resource: Resource, values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask) -> Found:
    """Look for the record of a row by its natural key; `values` are the row's, by column name."""
    how = resource.find
    if how is None:
        return Found(trouble="The API documents no look-up")
    known = {**settings, **{name: value for name, value in values.items() if value is not None}}
    given = {name: known[source] for name, source in how.given.items() if source in known}
    records: list[Record] = []
    absent = True
    for page in range(MOST_PAGES):
        answer, trouble = await _answered(how.operation, {**given, **_page(how, page)}, known, ask)
        if answer is None:
            return Found(trouble=trouble)
        body = _json(answer.body)
        listed = list(_records(how, answer, body))
        records += [record for record in listed if _matches(how, record, known)]
        absent = absent and bool(how.absent) and conditions_hold(how.absent, answer)
        if not how.page or len(listed) < how.page["size"]:
            return Found(tuple(records), absent=absent and not records)
    return Found(trouble=f"The look-up has more than {MOST_PAGES} pages")


async def read(operation: Operation, record: str, settings: Mapping[str, str], ask: Ask) -> Found:
    """Read the record of that ID back."""
    names = [parameter.name for parameter in operation.parameters if parameter.place == "path"]
    values = {**settings, **dict.fromkeys(names[-1:], record)}
    answer, trouble = await _answered(operation, {}, values, ask)
    if answer is None:
        return Found(trouble=trouble)
    body = _json(answer.body)
    inner = [body, *(body.get(name) for name in ("data", "result"))] if isinstance(body, dict) else []
    held = [fields for fields in inner if isinstance(fields, dict)]
    return Found(tuple(Record(record, fields) for fields in held[-1:]))


def same(resource: Resource, values: Mapping[str, Any], record: Record) -> bool:
    """Whether every field that the look-up returned and the row filled in holds what was sent."""
    ignored = set(resource.find.ignore) if resource.find else set()
    returned = {name.casefold(): value for name, value in record.fields.items() if name not in ignored}
    sent = {column.name: values[column.name] for column in resource.columns if column.name in values}
    return all(_equal(value, returned[name.casefold()]) for name, value in sent.items() if name.casefold() in returned)


def _page(how: Find, number: int) -> dict[str, int]:
    if not how.page:
        return {}
    size = int(how.page["size"])
    return {how.page["limit"]: size, how.page["offset"]: size * number}


async def _answered(
    operation: Operation, given: Mapping[str, Any], settings: Mapping[str, Any], ask: Ask
) -> tuple[Answer | None, str]:
    """The answer to a look-up, or None and why there is no usable one."""
    names = {parameter.name for parameter in operation.parameters}
    values = {name: str(value) for name, value in {**settings, **given}.items() if name in names}
    body = {name: value for name, value in given.items() if name not in names} if operation.body is not None else None
    path, query, headers = operation.placed(values)
    reply = await ask(operation, path, query, headers, body)
    verdict = judge(operation, reply)
    if isinstance(reply, Answer) and (verdict.meaning is Meaning.DONE or reply.status == 404):
        return reply, ""
    return None, f"The look-up had no usable answer: {verdict.message}"


def _records(how: Find, answer: Answer, body: Any) -> Iterator[Record]:
    if how.present and not conditions_hold(how.present, answer):
        return
    held = evaluate(how.records, answer, body)
    for fields in held if isinstance(held, list) else [held]:
        if isinstance(fields, dict) and fields.get(how.record_id) not in (None, ""):
            yield Record(str(fields[how.record_id]), fields)


def _matches(how: Find, record: Record, known: Mapping[str, Any]) -> bool:
    """Compared exactly and on our side: an API's look-up may match in part. A blank matches a blank alone."""
    return all(_equal(known.get(source), record.fields.get(name)) for name, source in how.match.items())


def _equal(sent: Any, returned: Any) -> bool:
    """The same value, though an API may return a number as text, or an empty field as null."""
    if isinstance(sent, list) and isinstance(returned, list):
        return len(sent) == len(returned) and all(map(_equal, sent, returned))
    if isinstance(sent, bool) or isinstance(returned, bool):
        return str(sent).lower() == str(returned).lower()
    return ("" if sent is None else str(sent)) == ("" if returned is None else str(returned))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


async def asked_once(
    tries: int, ask: Callable[[], Awaitable[Reply]], sleep: Callable[[float], Awaitable[None]]
) -> Reply:
    """Ask until there is an answer: a look-up changes nothing, so it may be asked again."""
    for number in range(tries):
        reply = await ask()
        if isinstance(reply, Answer) and reply.status < 500 and reply.status != 429:
            return reply
        if number + 1 < tries:
            await sleep(2.0**number)
    return reply
