"""Ask an API for records: by natural key through a resource's `find`, or by ID through its `read`."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bulkload.answer import Meaning, Verdict, conditions_hold, evaluate
from bulkload.models import Answer, Reply
from bulkload.resource import Find, Operation, Resource

# Pages of a look-up that are read before it counts as unanswered.
MOST_PAGES = 100

# Makes one call: operation, path, query, headers, JSON body. Gives what came, and what it means in words fit to show.
Ask = Callable[[Operation, str, tuple[tuple[str, str], ...], Mapping[str, str], Any], Awaitable[tuple[Reply, Verdict]]]


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


@dataclass(frozen=True, slots=True)
class _Page:
    """What one answer shows: how many entries, those of them that are records, and how many there are on all pages.

    `total` is None where the answer doesn't say. `absent` says that the answer is what proves absence, that its entries
    stand where they should, and that each could be read.
    """

    entries: int
    records: tuple[Record, ...]
    total: int | None
    absent: bool


async def find(resource: Resource, values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask) -> Found:
    """Look for the record of a row by its natural key; `values` are the row's, by column name."""
    how = resource.find
    if how is None:
        return Found(trouble="The API documents no look-up")
    known = {**settings, **{name: value for name, value in values.items() if value is not None}}
    given = {name: known[source] for name, source in how.given.items() if source in known}
    if how.given and not given:
        return Found(trouble="The row holds nothing that it could be looked up by")
    found: dict[str, Record] = {}
    absent, seen = True, 0
    for number in range(MOST_PAGES):
        answer, trouble = await _answer(how.operation, {**given, **_wanted(how, number)}, values, settings, ask)
        if answer is None:
            return Found(trouble=trouble)
        page = _page(how, answer)
        # A record that slips from one page to the next while they are read is one record all the same.
        found |= {record.id: record for record in page.records if _matches(how, record, known)}
        absent = absent and page.absent
        seen += page.entries
        if how.page and page.entries >= int(how.page["size"]):
            continue
        if how.page and page.total is not None and seen < page.total:
            return Found(trouble=f"The look-up showed {seen:,} of {page.total:,} records")
        return Found(tuple(found.values()), absent=absent and not found)
    return Found(trouble=f"The look-up has more than {MOST_PAGES} pages")


async def read(
    operation: Operation, record: str, values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask
) -> Found:
    """Read the record of that ID back; `values` are the row's, which may name the account that holds it."""
    # The last part of the path is the record's own; those before it say where it stands.
    names = [parameter.name for parameter in operation.parameters if parameter.place == "path"]
    answer, trouble = await _answer(operation, dict.fromkeys(names[-1:], record), values, settings, ask)
    if answer is None:
        return Found(trouble=trouble)
    if answer.status == 404:
        return Found(trouble=f"The API has no record {record}")
    body = _json(answer.body)
    # Many APIs wrap what they show.
    shown = [body, *(body.get(name) for name in ("data", "result"))] if isinstance(body, dict) else []
    held = [fields for fields in shown if isinstance(fields, dict)]
    return Found(tuple(Record(record, fields) for fields in held[-1:]))


def same(resource: Resource, values: Mapping[str, Any], record: Record, *, whole: bool = False) -> bool:
    """Whether every field that the API returned holds what was sent in it.

    What the row left blank the API may have filled in by itself. With `whole`, every value that was sent must be among
    those returned: of the others nothing is known.
    """
    ignored = {name.casefold() for name in resource.find.ignore} if resource.find else set()
    returned = {name.casefold(): value for name, value in record.fields.items()}
    sent = {c.name.casefold(): values[c.name] for c in resource.columns if c.place == "body" and c.name in values}
    compared = sent.keys() & returned.keys() - ignored
    return all(_equal(sent[name], returned[name]) for name in compared) and (not whole or compared == sent.keys())


def _wanted(how: Find, number: int) -> dict[str, int]:
    """What asks for the page of that number, from 0; nothing where there are no pages."""
    if not how.page:
        return {}
    size = int(how.page["size"])
    return {how.page["limit"]: size, how.page["offset"]: size * number}


async def _answer(
    operation: Operation, given: Mapping[str, Any], values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask
) -> tuple[Answer | None, str]:
    """The answer to a look-up, or None and why there is no usable one.

    `given` fills parameters and body. Of the row's other values only those of the path may come from a sheet.
    """
    names = {parameter.name for parameter in operation.parameters}
    in_path = {parameter.name for parameter in operation.parameters if parameter.place == "path"}
    filled = {**settings, **{name: values[name] for name in in_path & values.keys()}, **given}
    if missing := sorted(in_path - filled.keys()):
        return None, f"The look-up wants {', '.join(missing)}, and the row holds none"
    body = {name: value for name, value in given.items() if name not in names} if operation.body is not None else None
    path, query, headers = operation.placed({name: _text(filled[name]) for name in names & filled.keys()})
    reply, verdict = await ask(operation, path, query, headers, body)
    if isinstance(reply, Answer) and (verdict.meaning is Meaning.DONE or reply.status == 404):
        return reply, ""
    return None, f"The look-up had no usable answer: {verdict.message.rstrip('.')}"


def _page(how: Find, answer: Answer) -> _Page:
    body = _json(answer.body)
    held = evaluate(how.records, answer, body)
    there = isinstance(held, list | dict)
    entries = held if isinstance(held, list) else [held] if there else []
    shown = entries if not how.present or conditions_hold(how.present, answer) else []
    records = [Record(str(e[how.record_id]), e) for e in shown if isinstance(e, dict) and _has_id(how, e)]
    total = evaluate(str(how.page.get("total", "")), answer, body)
    # «Not found» has no place for records. Elsewhere one that is missing, or an entry that can't be read, may hide one.
    readable = answer.status == 404 or (there and (isinstance(held, dict) or len(records) == len(entries)))
    return _Page(
        entries=len(entries),
        records=tuple(records),
        total=int(str(total)) if str(total).isdecimal() else None,
        absent=readable and bool(how.absent) and conditions_hold(how.absent, answer),
    )


def _has_id(how: Find, fields: Mapping[str, Any]) -> bool:
    return fields.get(how.record_id) not in (None, "")


def _matches(how: Find, record: Record, known: Mapping[str, Any]) -> bool:
    """Compared exactly and on our side: an API's look-up may match in part. A blank matches a blank alone."""
    return all(_equal(known.get(source), record.fields.get(name)) for name, source in how.match.items())


def _equal(sent: Any, returned: Any) -> bool:
    """The same value, though an API may return a number as text, or an empty field as null."""
    if isinstance(sent, list) and isinstance(returned, list):
        return len(sent) == len(returned) and all(map(_equal, sent, returned))
    if isinstance(sent, bool) or isinstance(returned, bool):
        return _text(sent).lower() == _text(returned).lower()
    return _text(sent) == _text(returned)


def _text(value: Any) -> str:
    """A value as it stands in a path or a query; "" for whatever is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or value == [] else str(value)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
