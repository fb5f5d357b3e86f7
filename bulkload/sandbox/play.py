"""One API as its document describes it, without a wire: a request in, an answer out, records held in between."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from bulkload.document import Document
from bulkload.resource import Api, Find, Operation, Resource, Token
from bulkload.sandbox.gate import Asked, Call, Gate, Refused
from bulkload.sandbox.shape import Facts, Shape, parameter_text

# The first ID given: of 19 digits, more than a JSON number or an Excel cell holds exactly.
FIRST_ID = 1_307_145_259_662_215_169
# Seconds that a token lives where neither the request nor the document says how long.
TOKEN_LIFE = 600.0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. `reason` says why a request was refused, also where the document's answer has no place for it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record held: its ID as text, the body that made it, and the path parameters that it was made under.

    `number` counts the records of an API, for what it numbers itself.
    """

    resource: Resource
    id: str
    number: int
    path: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def fields(self) -> dict[str, Any]:
        """What it was made of, by name."""
        return {**self.path, **self.body}

    def facts(self) -> Facts:
        """All that an answer may tell of it: its fields, defaults included, and what the look-up compares."""
        defaults = {c.name: c.schema["default"] for c in self.resource.columns if "default" in c.schema}
        known = {**defaults, **self.fields}
        find = self.resource.find
        if find:
            known |= {name: self.fields[source] for name, source in find.match.items() if source in self.fields}
            known[find.record_id] = self.id
        return Facts(known=known, number=self.number)


class Play:
    """One API, played. Its callers take turns: it is not made for several threads."""

    def __init__(self, api: Api, *, token_life: float | None, known: Mapping[str, Collection[str]]) -> None:
        """Take an API, the life of tokens in seconds (None: as asked for), and further right values of settings.

        Raises UnusableDocument where a schema can't be used.
        """
        self.api = api
        self.gate = Gate(api, known)
        self.records: dict[str, list[Record]] = {resource.full_name: [] for resource in api.resources.values()}
        self._resources = list(api.resources.values())
        self._shape = Shape(Document(api.document, api.name))
        self._token_life = token_life
        self._numbers = count(1)
        self._done_once: dict[tuple[str, str], tuple[bytes, Said]] = {}

    def answer(self, call: Call, *, refuse_equal: bool = False) -> Said:
        """What the API answers. `refuse_equal` refuses to create a record that is there already."""
        try:
            operation, _ = self.gate.route(call)
        except Refused as refused:
            return Said(refused.statuses[0], reason=str(refused))
        try:
            return self._once(self.gate.admit(call), refuse_equal=refuse_equal)
        except Refused as refused:
            return self._refusal(operation, refused)

    def trouble(self, call: Call, status: int, reason: str) -> Said:
        """The document's answer of that status, whatever was asked; without a body where it has none."""
        return self._refusal(self.gate.route(call)[0], Refused(reason, status))

    def writes(self, call: Call) -> bool:
        """Whether the call is to create or to update a record."""
        try:
            operation, _ = self.gate.route(call)
        except Refused:
            return False
        return bool(self._playing("create", operation) or self._playing("update", operation))

    # What is done

    def _once(self, asked: Asked, *, refuse_equal: bool) -> Said:
        """What is asked for, done; what was done under the same idempotency key is only said again."""
        operation = asked.operation
        header = operation.idempotency.header.lower() if operation.idempotency else ""
        key = (operation.id, asked.call.headers.get(header, ""))
        if not key[1]:
            return self._done(asked, refuse_equal=refuse_equal)
        if key not in self._done_once:
            self._done_once[key] = (asked.call.body, self._done(asked, refuse_equal=refuse_equal))
        body, said = self._done_once[key]
        if body != asked.call.body:
            raise Refused("this key was used for another request", 422, 400)
        return said

    def _done(self, asked: Asked, *, refuse_equal: bool) -> Said:
        operation = asked.operation
        if self.api.token and self.api.token.operation.id == operation.id:
            return self._trade(self.api.token, asked)
        if asked.creates:
            return self._create(asked.creates, asked, refuse_equal=refuse_equal)
        if resources := self._playing("update", operation):
            return self._update(self._held(resources, asked), asked)
        if resources := self._playing("read", operation):
            return self._tell(self._held(resources, asked), asked)
        if resources := self._playing("delete", operation):
            record = self._held(resources, asked)
            self.records[record.resource.full_name].remove(record)
            return self._tell(record, asked)
        if finds := [(r, r.find) for r in self._resources if r.find and r.find.operation.id == operation.id]:
            return self._find(finds, asked)
        return self._success(operation, Facts(known=asked.fields))

    def _create(self, resource: Resource, asked: Asked, *, refuse_equal: bool) -> Said:
        held = self.records[resource.full_name]
        number = next(self._numbers)
        pointer = self._id_pointer(resource, asked.operation, asked.fields)
        # Where the client names the record itself, that is its ID.
        own = asked.body.get(pointer.rsplit("/", 1)[-1]) if pointer else None
        record_id = parameter_text(own) if own is not None else str(FIRST_ID + number)
        record = Record(resource, record_id, number, asked.path, asked.body)
        equal = next((other for other in held if _key(other) == _key(record)), None) if refuse_equal else None
        if equal:
            return self._duplicate(asked.operation, f"it exists already, as ID {equal.id}")
        held.append(record)
        return self._tell(record, asked, location=f"{asked.call.url}/{record.id}")

    def _update(self, old: Record, asked: Asked) -> Said:
        body = {**old.body, **asked.body} if asked.operation.method == "PATCH" else asked.body
        record = replace(old, body=body)
        held = self.records[old.resource.full_name]
        held[held.index(old)] = record
        return self._tell(record, asked)

    def _find(self, finds: list[tuple[Resource, Find]], asked: Asked) -> Said:
        found = [record for resource, find in finds for record in self._matching(resource, find, asked)]
        find = finds[0][1]
        start = int(asked.fields.get(find.page.get("offset", ""), 0))
        size = int(asked.fields.get(find.page.get("limit", ""), find.page.get("size", len(found))))
        proofs = find.present if found else find.absent
        # A condition is a value or a list of values; the words `present` and `absent` ask for nothing special.
        fixed = {at: _one(value) for at, value in _at_body(proofs).items() if value not in ("present", "absent")}
        fixed |= {at: len(found) for at in _at_body({find.page.get("total", ""): None})}
        # What AICC says of an agent without settings is not documented: here it is success without any of the fields.
        facts = Facts(
            known=asked.fields,
            fixed=fixed,
            records_at=find.records.partition("#")[2],
            records=tuple(record.facts() for record in found[start : start + size]),
        )
        return self._success(asked.operation, facts)

    def _trade(self, token: Token, asked: Asked) -> Said:
        """Give a new token for the credentials.

        How long it is to live is asked for by the header that has "expire" in its name, in seconds.
        """
        for name, expression in token.credentials.items():
            if _given(expression, asked) != self.gate.credentials[name]:
                raise Refused(f"{name}: wrong", 401)
        wishes = [parameter for parameter in asked.operation.parameters if "expire" in parameter.name.lower()]
        wished = next((asked.call.headers.get(wish.name.lower(), wish.default) for wish in wishes), None)
        life = self._token_life if self._token_life is not None else float(wished or TOKEN_LIFE)
        fixed = _at_body({token.value: self.gate.issue(life), token.expires: int(life)})
        return self._success(asked.operation, Facts(known=asked.fields, fixed=fixed))

    def _matching(self, resource: Resource, find: Find, asked: Asked) -> Iterator[Record]:
        """The records of exactly the values that are asked for, made under the same path parameters."""
        given = asked.fields
        wanted = [(column, parameter_text(given[name])) for name, column in find.given.items() if name in given]
        for record in self.records[resource.full_name]:
            values = ((record.body.get(column, record.path.get(column)), text) for column, text in wanted)
            equal = all(value is not None and parameter_text(value) == text for value, text in values)
            if equal and _same_place(record, asked):
                yield record

    # What is answered

    def _tell(self, record: Record, asked: Asked, location: str = "") -> Said:
        pointer = self._id_pointer(record.resource, asked.operation, record.fields)
        facts = replace(record.facts(), fixed={} if pointer is None else {pointer: record.id})
        return self._success(asked.operation, facts, location)

    def _id_pointer(self, resource: Resource, operation: Operation, fields: Mapping[str, Any]) -> str | None:
        """Where the answer tells the ID of a record of those fields, None where its body doesn't."""
        pointers = _at_body(dict.fromkeys(resource.create.record_id))
        _, media = _media(_response(operation, _success_status(operation)))
        return self._shape.first(pointers, media.get("schema", {}), Facts(known=fields))

    def _success(self, operation: Operation, facts: Facts, location: str = "") -> Said:
        status = _success_status(operation)
        response = _response(operation, status) or {}
        kind, media = _media(response)
        headers = {"content-type": kind} if kind else {}
        if location and "location" in {name.lower() for name in response.get("headers", {})}:
            headers["location"] = location
        body = _json(self._shape.value(media.get("schema", {"type": "object"}), facts)) if kind else b""
        return Said(status, headers, body)

    def _refusal(self, operation: Operation, refused: Refused) -> Said:
        """The document's answer with the reason where the API's own words stand; no body where it documents none."""
        status = next((status for status in refused.statuses if _response(operation, status)), refused.statuses[0])
        kind, media = _media(_response(operation, status))
        if not kind:
            return Said(status, reason=str(refused))
        example = media.get("examples", {}).get(refused.example)
        if example:
            return Said(status, {"content-type": kind}, _json(example["value"]), str(refused))
        schema = media.get("schema", {})
        pointer = self._shape.first(_at_body(dict.fromkeys(operation.message)), schema, Facts(), "string")
        body = self._shape.value(schema, Facts(fixed={} if pointer is None else {pointer: str(refused)}))
        return Said(status, {"content-type": kind}, _json(body), str(refused))

    def _duplicate(self, operation: Operation, reason: str) -> Said:
        """No vendor documents this refusal: the document's example of one, else 409 with the reason."""
        status = _success_status(operation)
        kind, media = _media(_response(operation, status))
        if "refused" in media.get("examples", {}):
            return Said(status, {"content-type": kind}, _json(media["examples"]["refused"]["value"]), reason)
        if _response(operation, 409):
            return self._refusal(operation, Refused(reason, 409))
        return Said(409, {"content-type": "application/json"}, _json({"message": reason}), reason)

    # Small things

    def _playing(self, role: str, operation: Operation) -> list[Resource]:
        """The resources whose `create`, `update`, `read` or `delete` this operation is."""
        owned = [(resource, getattr(resource, role)) for resource in self._resources]
        return [resource for resource, other in owned if other is not None and other.id == operation.id]

    def _held(self, resources: list[Resource], asked: Asked) -> Record:
        for resource in resources:
            shared = {parameter.name for parameter in resource.create.parameters}
            wanted = [value for name, value in asked.path.items() if name not in shared]
            for record in self.records[resource.full_name]:
                if record.id in wanted and _same_place(record, asked):
                    return record
        raise Refused("no record has this ID", 404, 400, example="unknown")


def _success_status(operation: Operation) -> int:
    """The first 2xx of the document."""
    status = next((status for status in operation.responses if status.startswith("2")), "200")
    return int(status) if status.isdecimal() else 200


def _response(operation: Operation, status: int) -> Mapping[str, Any] | None:
    responses = operation.responses
    return responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses.get("default")


def _media(response: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    """The media type of the response's JSON and what the document says of it; empty where it has no JSON."""
    content = (response or {}).get("content", {})
    return next(((kind, media) for kind, media in content.items() if "json" in kind), ("", {}))


def _at_body(expressions: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of places in the answer's body (`$response.body#/id`), by JSON pointer; the rest is left out."""
    return {e.partition("#")[2]: value for e, value in expressions.items() if e.startswith("$response.body#")}


def _given(expression: str, asked: Asked) -> Any:
    """What stands at `$request.body#/app_key`, `$request.header.NAME` or `$request.query.NAME`; None if nothing."""
    place, _, pointer = expression.removeprefix("$request.").partition("#")
    if place == "body":
        return asked.body.get(pointer.removeprefix("/"))
    place, _, name = place.partition(".")
    return asked.call.headers.get(name.lower()) if place == "header" else dict(asked.call.query).get(name)


def _same_place(record: Record, asked: Asked) -> bool:
    return all(record.path[name] == value for name, value in asked.path.items() if name in record.path)


def _key(record: Record) -> Any:
    """What makes a record equal to another: its natural key where there is one, else all that it holds."""
    if not record.resource.key:
        return record.fields
    return {**record.path, **{name: record.body.get(name) for name in record.resource.key}}


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
