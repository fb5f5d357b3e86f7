"""What a row can become: an API, its resources, their columns and operations. Pure data, derived by `openapi.py`."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bulkload.models import Severity

JsonSchema = Mapping[str, Any]
# What a cell's value can be, in JSON Schema's words.
TYPES = ("string", "integer", "number", "boolean")

_UNITS = {"ms": 0.001, "s": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in any window of `seconds`."""

    count: int
    seconds: float

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "minute", 3600.0: "hour"}.get(self.seconds, f"{self.seconds:g}s")
        return f"{self.count}/{unit}"

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read `500/minute`, `10/s`, `100/h`. Raises ValueError."""
        found = re.fullmatch(r"\s*([0-9]+)\s*/\s*([a-z]+)\s*", text)
        if not found or not int(found[1]) or found[2] not in _UNITS:
            raise ValueError(f'"{text}" is not a rate: write it like 10/s or 500/minute')
        return cls(int(found[1]), _UNITS[found[2]])


def parse_seconds(text: str | int | float) -> float:
    """Read a length of time, `60s`, `500ms`, `2m` or a bare number of seconds, in seconds. Raises ValueError."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", str(text))
    if not found or (found[2] and found[2] not in _UNITS):
        raise ValueError(f'"{text}" is not a length of time: write it like 60s or 2m')
    return float(found[1]) * _UNITS[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet, and the place in the request that its cells fill.

    `place` is `body` or `path`; `pointer` is the JSON pointer of the value in the body (`/displayName`), or `/` and the
    name of the path parameter. `schema` describes one value: the member of the list where `many` is true. `labels` maps
    the text of a code to its word for people. `required` says that a created record must have it. `separator` parts the
    members of a list in one cell; empty: a comma, a semicolon or a line break does. `date_format` says how text dates
    are written (`DD/MM/YYYY`), empty where nobody has said; `decimal` is the decimal sign of numbers.
    """

    name: str
    title: str
    place: str
    pointer: str
    type: str
    schema: JsonSchema
    many: bool = False
    required: bool = False
    secret: bool = False
    nullable: bool = False
    description: str = ""
    examples: tuple[Any, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    separator: str = ""
    date_format: str = ""
    decimal: str = "."
    min_items: int | None = None
    max_items: int | None = None

    @property
    def enum(self) -> tuple[Any, ...]:
        """The values allowed, empty where any value is."""
        return tuple(self.schema.get("enum", ()))

    @property
    def heading(self) -> str:
        """The title as the template shows it: a star marks a required column."""
        return f"{self.title} *" if self.required else self.title


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path, query or header parameter: a setting of the connection. `account` says that it selects the account."""

    name: str
    place: str
    required: bool
    schema: JsonSchema
    description: str = ""
    account: bool = False

    @property
    def default(self) -> str | None:
        """What is sent where the connection sets nothing, None if nothing is."""
        value = self.schema.get("default")
        return None if value is None else _literal(value)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The values allowed, as they are sent; empty where any value is."""
        return tuple(_literal(value) for value in self.schema.get("enum", ()))


def _literal(value: Any) -> str:
    """A text as it stands, any other value in JSON's own words: `true`, `600`."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """`when` maps `status` and runtime expressions to what must stand there; `means` is what the answer then means."""

    when: Mapping[str, Any]
    means: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme. `kind` is `bearer`, `basic`, `apiKey` or `oauth2`; a key goes to `field` in `place`."""

    name: str
    kind: str
    place: str = "header"
    field: str = "Authorization"
    token_url: str = ""
    scopes: tuple[str, ...] = ()
    account: bool = False


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The header for a key under which the API does a thing only once, and the seconds for which it knows a key."""

    header: str
    life: float


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API. `body` is a self-contained JSON Schema, None where nothing is sent;
    `required` are the names that it asks for.

    `media_type` is the kind of JSON that the body is. `record_id` and `message` are OpenAPI runtime expressions, the
    first that is there counts. `responses` is the document's own, by status (`200`, `4XX`, `default`), a reference to a
    whole response already followed. `idempotency` is None where the API knows no keys.
    """

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: JsonSchema | None = None
    required: frozenset[str] = frozenset()
    responses: Mapping[str, Any] = field(default_factory=dict)
    security: tuple[Scheme, ...] = ()
    outcomes: tuple[OutcomeRule, ...] = ()
    record_id: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    idempotent: bool = False
    idempotency: Idempotency | None = None
    media_type: str = "application/json"

    def placed(self, values: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...], dict[str, str]]:
        """Path (quoted), query and headers as the values fill the parameters; a required one left out has its default.

        Raises KeyError for a path parameter without a value.
        """
        given = {p.name: p.default for p in self.parameters if p.required and p.default is not None} | {
            p.name: values[p.name] for p in self.parameters if p.name in values
        }
        path = self.path
        for parameter in self.parameters:
            if parameter.place == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(given[parameter.name], safe=""))
        placed = {place: [(p.name, given[p.name]) for p in self.parameters if p.place == place and p.name in given]
                  for place in ("query", "header")}  # fmt: skip
        return path, tuple(placed["query"]), dict(placed["header"])

    def answers_json(self, status: int) -> bool:
        """Whether the document promises a JSON body under this status."""
        response = self.responses.get(str(status)) or self.responses.get(f"{status // 100}XX") or {}
        return any("json" in kind for kind in response.get("content", {}))


@dataclass(frozen=True, slots=True)
class Find:
    """How to ask for a record by its natural key.

    `given` maps a parameter or body field of the operation to the column or setting that fills it. `records` is where
    the records stand in the answer. `match` maps a field of such a record to the column or setting that it must equal
    exactly. `present` and `absent` are conditions on the answer that prove one or the other; empty: nothing proves it.
    `record_id` is the field of the record that holds its ID. `ignore` names fields that must not be compared with what
    was sent. `page` names the fields of `limit` and `offset` and the page's `size`, if any.
    """

    operation: Operation
    given: Mapping[str, str]
    records: str
    match: Mapping[str, str]
    record_id: str
    present: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Any] = field(default_factory=dict)
    page: Mapping[str, Any] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A relation between columns, as JSON Schemas of the body: where `when` holds, `then` must hold."""

    when: JsonSchema
    then: JsonSchema
    message: str = ""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing in an API that rows become: a template, a schema and requests are derived from it.

    `constants` are body values that every row sends (`/_type`). `key` names the columns of the natural key, empty where
    the API documents none; `alike` those whose equal values are worth a warning. `left_out` says which fields of the
    body can't be columns, and why. `api_title`, `api_version` and `api_description` are the document's words on itself.
    """

    api: str
    name: str
    title: str
    create: Operation
    columns: tuple[Column, ...]
    description: str = ""
    update: Operation | None = None
    read: Operation | None = None
    delete: Operation | None = None
    find: Find | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    key: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    note: str = ""
    left_out: tuple[tuple[str, str], ...] = ()
    api_title: str = ""
    api_version: str = ""
    api_description: str = ""

    @property
    def full_name(self) -> str:
        """`cinnox/destination`."""
        return f"{self.api}/{self.name}"

    @property
    def id_column(self) -> Column | None:
        """The column that holds the ID of a record to update; None where the resource can't be updated."""
        if self.update is None:
            return None
        settings = {parameter.name for parameter in self.create.parameters}
        return next((c for c in self.columns if c.place == "path" and c.name not in settings), None)

    @property
    def accounts(self) -> tuple[Parameter, ...]:
        """The path parameters that select an account: a setting gives them, or a column of that name."""
        return tuple(one for one in self.create.parameters if one.place == "path" and one.account)

    def body(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON body that a row's values make, constants included. `values` are by column name, blanks left out."""
        return self.bodies()(values)

    def bodies(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """What `body` does, for many rows: what is the same for each is worked out once."""
        constants = [(_parts(pointer), value) for pointer, value in self.constants.items()]
        places = [(column.name, _parts(column.pointer)) for column in self.columns if column.place == "body"]
        fields = [(name, parts[0]) for name, parts in places if len(parts) == 1]
        if len(fields) == len(places) and not constants:
            if all(name == field for name, field in fields) and len(fields) == len(self.columns):
                return dict
            return lambda values: {field: values[name] for name, field in fields if name in values}

        def body(values: Mapping[str, Any]) -> dict[str, Any]:
            made: dict[str, Any] = {}
            for parts, value in constants:
                _put(made, parts, value)
            for name, parts in places:
                if name in values:
                    _put(made, parts, values[name])
            return made

        return body

    def secrets(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The row's values, as text, that must reach nothing that is written."""
        held = [values[column.name] for column in self.columns if column.secret and column.name in values]
        return tuple(str(part) for value in held for part in (value if isinstance(value, list) else [value]))

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _parts(pointer: str) -> list[str]:
    """The names that a JSON pointer (RFC 6901) leads along."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _put(body: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    """Set the value at a place, making the objects on the way."""
    *parents, last = parts
    for parent in parents:
        body = body.setdefault(parent, {})
    body[last] = value


@dataclass(frozen=True, slots=True)
class Token:
    """The call that trades credentials for a bearer token.

    `credentials` maps a credential's name to the runtime expression of the field or header that it fills. `value` and
    `expires` say where the token and its life in seconds stand. `renew_on` are the statuses that may mean an old token.
    """

    operation: Operation
    credentials: Mapping[str, str]
    value: str
    expires: str
    renew_on: frozenset[int] = frozenset({401})


@dataclass(frozen=True, slots=True)
class Api:
    """An OpenAPI document, understood. `unsupported` names the operations that rows can't become, and why.

    `document` is the OpenAPI document itself, brought to version 3.1. `servers` are its URLs. `settle` is the longest,
    in seconds, that the API may work on a request that we gave up on; None where the document doesn't say.
    """

    name: str
    title: str
    version: str
    resources: Mapping[str, Resource]
    operations: tuple[Operation, ...]
    document: Mapping[str, Any]
    servers: tuple[str, ...] = ()
    description: str = ""
    unsupported: tuple[tuple[str, str], ...] = ()
    token: Token | None = None
    rate: Rate = Rate(5, 1.0)
    concurrency: int = 4
    settle: float | None = None
