"""OpenAPI document → Api: finds what rows can become, and says of the rest why they can't."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources as package_files
from pathlib import Path
from typing import Any, NoReturn

from bulkload.document import Document, load
from bulkload.errors import UnusableDocument, UsageError
from bulkload.models import Severity
from bulkload.resource import (
    Api,
    Column,
    Find,
    Operation,
    OutcomeRule,
    Parameter,
    Rate,
    Resource,
    Rule,
    Scheme,
    Token,
    parse_seconds,
)

EXTENSION = "x-bulkload"
BUILT_IN = ("aicc", "cinnox", "myreports")
MEANINGS = frozenset({"done", "refused", "not processed", "unknown"})

_SCALARS = {"string", "integer", "number", "boolean"}
_WORDS = {
    "document": {"title", "rate", "concurrency", "settle", "token", "outcomes"},
    "operation": {
        "resource", "title", "update", "find", "read", "delete", "key", "alike", "id", "message", "note", "idempotent",
        "idempotency", "outcomes", "warnings",
    },
    "branch": {"resource", "title", "find", "key", "alike", "id", "message", "note", "warnings"},
    "property": {"title", "labels", "separator", "choices", "dateFormat", "column"},
    "parameter": {"account"},
}  # fmt: skip


def open_api(api: str | Path) -> Api:
    """The API of that name (`cinnox`), or the one that an OpenAPI document describes.

    A document `things.yaml` is the API `things`. Raises UsageError for a name that isn't there, and UnusableDocument.
    """
    if str(api) in BUILT_IN:
        with package_files.as_file(package_files.files("bulkload") / "apis" / f"{api}.yaml") as path:
            return read_api(load(path), str(api))
    path = Path(api)
    if not path.suffix and not path.exists():
        known = ", ".join(BUILT_IN)
        raise UsageError(f'"{api}" is no API that comes with bulkload ({known}), and no file of that name is here.')
    return read_api(load(path), path.stem)


def read_api(document: Document, name: str) -> Api:
    """Derive everything from a document; `name` is what the API is called. Raises UnusableDocument."""
    return _Reader(document, name).api()


def _sentence(name: str) -> str:
    """`displayName` → `Display name`, `pbx-kazoo` → `Pbx kazoo`: a title where the document gives none."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name.replace("_", " ").replace("-", " ")).split()
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:] or name


def _plain_path(path: str) -> list[str]:
    return [part for part in path.split("/") if part and not part.startswith("{")]


def _parameter_names(path: str) -> list[str]:
    return re.findall(r"{([^}]+)}", path)


@dataclass(slots=True)
class _Body:
    """An object schema with its `allOf` and references laid flat."""

    properties: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


class _Reader:
    """Reads one document. Its methods follow the document from the top down."""

    def __init__(self, document: Document, name: str) -> None:
        self.document = document
        self.name = name
        self.extension = self._extension(document.data, "document")
        self.operations = {
            (method, path): self._operation(node, shared, method=method, path=path)
            for method, path, node, shared in document.operations()
        }
        self.by_id = {operation.id: operation for operation in self.operations.values()}
        self.unsupported: list[tuple[str, str]] = []

    def api(self) -> Api:
        info = self.document.data.get("info", {})
        found = list(self._resources())
        by_name: dict[str, Resource] = {}
        for resource in found:
            if resource.name in by_name:
                self._wrong(f'two resources are called "{resource.name}"; name one of them with {EXTENSION}: resource')
            by_name[resource.name] = resource
        said = self.extension
        return Api(
            name=self.name,
            title=said.get("title", info.get("title", self.name)),
            version=str(info.get("version", "")),
            description=info.get("description", ""),
            resources=by_name,
            operations=tuple(self.operations.values()),
            document=self.document.data,
            servers=tuple(server["url"] for server in self.document.data.get("servers", ()) if "url" in server),
            unsupported=tuple(self.unsupported),
            token=self._token(said["token"]) if "token" in said else None,
            rate=self._parsed(Rate.parse, said["rate"]) if "rate" in said else Rate(5, 1.0),
            concurrency=int(said.get("concurrency", 4)),
            settle=self._parsed(parse_seconds, said["settle"]) if "settle" in said else None,
        )

    # Operations

    def _operation(self, node: Mapping[str, Any], shared: list[Any], *, method: str, path: str) -> Operation:
        said = self._extension(node, "operation")
        schema = self._json_schema(node.get("requestBody"))
        responses = {str(status): self.document.resolve(one) for status, one in node.get("responses", {}).items()}
        outcomes = [*said.get("outcomes", ()), *self.extension.get("outcomes", ())]
        return Operation(
            id=node.get("operationId", f"{method} {path}"),
            method=method,
            path=path,
            parameters=self._parameters([*shared, *node.get("parameters", ())]),
            body=None if schema is None else self.document.self_contained(schema),
            required=self._required(schema),
            responses=responses,
            security=self._security(node.get("security", self.document.data.get("security", ()))),
            outcomes=tuple(self._outcome_rule(rule) for rule in outcomes),
            record_id=tuple(said.get("id", ())),
            message=tuple(said.get("message", ("$response.body#/message", "$response.body#/error"))),
            idempotent=bool(said.get("idempotent", method in ("GET", "PUT", "DELETE"))),
        )

    def _required(self, schema: Any | None) -> frozenset[str]:
        try:
            return frozenset(() if schema is None else self._flat(schema).required)
        except _Unsupported:
            return frozenset()

    def _outcome_rule(self, rule: Mapping[str, Any]) -> OutcomeRule:
        if rule.get("is") not in MEANINGS or not isinstance(rule.get("when"), Mapping):
            self._wrong(f"an outcome is {{when: ..., is: one of {', '.join(sorted(MEANINGS))}}}")
        return OutcomeRule(rule["when"], rule["is"])

    def _parameters(self, nodes: list[Any]) -> tuple[Parameter, ...]:
        found: dict[tuple[str, str], Parameter] = {}
        for node in map(self.document.resolve, nodes):
            if node["in"] == "cookie" or node["name"].lower() in ("accept", "content-type", "authorization"):
                continue
            found[node["in"], node["name"]] = Parameter(
                name=node["name"],
                place=node["in"],
                required=bool(node.get("required", node["in"] == "path")),
                schema=self.document.resolve(node.get("schema", {})),
                description=node.get("description", ""),
                account=bool(self._extension(node, "parameter").get("account", node["in"] == "path")),
            )
        return tuple(found.values())

    def _security(self, requirements: Any) -> tuple[Scheme, ...]:
        """The schemes of the first alternative; an API that needs none has none."""
        wanted: Mapping[str, Any] = next(iter(requirements), {})
        known = self.document.data.get("components", {}).get("securitySchemes", {})
        return tuple(self._scheme(name, self.document.resolve(known.get(name, {})), wanted[name]) for name in wanted)

    def _scheme(self, name: str, node: Mapping[str, Any], scopes: list[str]) -> Scheme:
        account = bool(self._extension(node, "parameter").get("account", False))
        kind = node.get("type")
        if kind == "http" and node.get("scheme", "").lower() in ("bearer", "basic"):
            return Scheme(name, node["scheme"].lower())
        if kind == "apiKey" and node.get("in") in ("header", "query"):
            return Scheme(name, "apiKey", node["in"], node["name"], account=account)
        if kind in ("oauth2", "openIdConnect"):
            flows = node.get("flows", {})
            flow: Mapping[str, Any] = flows.get("clientCredentials") or next(iter(flows.values()), {})
            return Scheme(name, "oauth2", token_url=flow.get("tokenUrl", ""), scopes=tuple(scopes))
        self._wrong(f'the security scheme "{name}" is of a kind that is not supported: {kind} {node.get("scheme", "")}')

    def _token(self, said: Mapping[str, Any]) -> Token:
        return Token(
            operation=self._named(said["operation"]),
            credentials=said["credentials"],
            value=said["value"],
            expires=said.get("expires", ""),
            renew_on=frozenset(said.get("renew_on", (401,))),
        )

    # Resources

    def _resources(self) -> Iterator[Resource]:
        nodes = list(self.document.operations())
        explicit = any("resource" in self._said_of_create(node) for _, _, node, _ in nodes)
        helpers = {said["operation"] for said in self._finds(nodes)}
        for method, path, node, _ in nodes:
            if method != "POST" or (explicit and "resource" not in self._said_of_create(node)):
                continue
            operation = self.operations[method, path]
            if operation.id in helpers:
                continue
            try:
                yield from self._resources_of(operation, node)
            except _Unsupported as reason:
                self.unsupported.append((f"{method} {path}", str(reason)))

    def _said_of_create(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the operation says of its resource, or any branch of its body does."""
        said = self._extension(node, "operation")
        schema = self.document.resolve(self._json_schema(node.get("requestBody")) or {})
        branches = [self._extension(self.document.resolve(branch), "branch") for branch in schema.get("oneOf", ())]
        return next((branch for branch in branches if "resource" in branch), said)

    def _finds(self, nodes: list[Any]) -> Iterator[Mapping[str, Any]]:
        for _, _, node, _ in nodes:
            said = self._extension(node, "operation").get("find")
            if said:
                yield said
        if "token" in self.extension:
            yield self.extension["token"]

    def _resources_of(self, create: Operation, node: Mapping[str, Any]) -> Iterator[Resource]:
        schema = self._json_schema(node.get("requestBody"))
        if schema is None:
            raise _Unsupported("its request has no JSON body")
        said = self._extension(node, "operation")
        flat = self.document.resolve(schema)
        if "anyOf" in flat or ("oneOf" in flat and "discriminator" not in flat):
            raise _Unsupported("its body is one of several kinds, with no discriminator to tell them by")
        if "oneOf" not in flat:
            yield self._resource(create, schema, said, self._path_name(create.path))
            return
        for branch in flat["oneOf"]:
            kind = self._discriminator_value(flat["discriminator"], branch)
            own = {**said, **self._extension(self.document.resolve(branch), "branch")}
            constant = {flat["discriminator"]["propertyName"]: kind}
            name = f"{self._path_name(create.path)}-{_sentence(kind).lower().replace(' ', '-')}"
            yield self._resource(create, branch, own, name, constant)

    def _resource(
        self, create: Operation, schema: Any, said: Mapping[str, Any], name: str, fixed: Mapping[str, str] | None = None
    ) -> Resource:
        body = self._flat(schema)
        info = self.document.data.get("info", {})
        constants, left_out, columns = dict(fixed or {}), [], []
        for field_name, node in body.properties.items():
            try:
                found = self._column(field_name, node, field_name in body.required)
            except _Unsupported as reason:
                if field_name in body.required:
                    raise _Unsupported(f"{field_name}: {reason}") from reason
                left_out.append((field_name, str(reason)))
                continue
            if isinstance(found, Column) and field_name not in constants:
                columns.append(found)
            elif found is not None and not isinstance(found, Column):
                constants.setdefault(field_name, found[0])
        if not columns:
            raise _Unsupported("its body has no field that a cell could fill")
        update = self._sibling(create, said, "update", "PATCH", "PUT")
        create = replace(
            create,
            body=self.document.self_contained(schema),
            required=frozenset(body.required),
            record_id=tuple(said.get("id", self._guessed_ids(update))),
            message=tuple(said.get("message", create.message)),
        )
        if update is not None:
            update = replace(update, record_id=(), message=update.message or create.message)
        names = {column.name for column in columns}
        key = tuple(said.get("key", ("id",) if "id" in names else ()))
        for column_name in (*key, *said.get("alike", ())):
            if column_name not in names:
                self._wrong(f'{create.id}: "{column_name}" in its key is no column')
        resource = said.get("resource", name)
        return Resource(
            api=self.name,
            name=resource,
            title=said.get("title", _sentence(resource))[:31],
            create=create,
            columns=(*self._path_columns(create, update), *columns),
            description=str(self.document.resolve(schema).get("description") or self._described(create)),
            update=update,
            read=self._sibling(create, said, "read", "GET"),
            delete=self._sibling(create, said, "delete", "DELETE"),
            find=self._find(said["find"]) if "find" in said else None,
            constants={f"/{_escape(key)}": value for key, value in constants.items()},
            rules=(*body.rules, *(self._warning(rule) for rule in said.get("warnings", ()))),
            key=key,
            alike=tuple(said.get("alike", ())),
            note=said.get("note", ""),
            left_out=tuple(left_out),
            api_title=self.extension.get("title", info.get("title", self.name)),
            api_version=str(info.get("version", "")),
            api_description=str(info.get("description", "")),
        )

    def _guessed_ids(self, update: Operation | None) -> tuple[str, ...]:
        """Where a new ID usually stands: `id`, the name that the path of the update gives it, `Location`."""
        names = _parameter_names(update.path)[-1:] if update else []
        pointers = [f"$response.body#/{_escape(name)}" for name in dict.fromkeys(["id", *names])]
        return (*pointers, "$response.header.Location")

    def _described(self, operation: Operation) -> str:
        for method, path, node, _ in self.document.operations():
            if (method, path) == (operation.method, operation.path):
                return str(node.get("description", node.get("summary", "")))
        return ""

    def _path_columns(self, create: Operation, update: Operation | None) -> list[Column]:
        """The ID of the record to update; filled in, it makes a row an update."""
        if update is None:
            return []
        known = _parameter_names(create.path)
        return [
            Column(
                name=parameter.name,
                title=parameter.schema.get("title", _sentence(parameter.name)),
                place="path",
                pointer=f"/{_escape(parameter.name)}",
                type="string",
                schema={"type": "string", "minLength": 1},
                description=parameter.description or "The ID of the record to update. Leave empty to create a new one.",
                examples=tuple(parameter.schema.get("examples", ())),
            )
            for parameter in update.parameters
            if parameter.place == "path" and parameter.name not in known
        ]

    def _sibling(self, create: Operation, said: Mapping[str, Any], word: str, *methods: str) -> Operation | None:
        """The operation that the document names, or the one that REST convention has at `create/{id}`."""
        if word in said:
            return self._named(said[word]) if said[word] else None
        for method in methods:
            for (other, path), operation in self.operations.items():
                if other == method and re.fullmatch(re.escape(create.path.rstrip("/")) + r"/{[^/]+}", path):
                    return operation
        return None

    def _find(self, said: Mapping[str, Any]) -> Find:
        return Find(
            operation=self._named(said["operation"]),
            given=said["with"],
            records=said["records"],
            match=said.get("match", {}),
            record_id=said["id"],
            present=said.get("present", {}),
            absent=said.get("absent", {}),
            page=said.get("page", {}),
        )

    # Columns

    def _column(self, name: str, node: Any, required: bool) -> Column | tuple[Any] | None:
        """A column, a constant as a tuple of one, or None for a field that only the API fills."""
        schema = self._one_schema(node)
        said = self._extension(schema, "property")
        if schema.get("readOnly") or said.get("column") is False:
            if required and "default" in schema:
                return (schema["default"],)
            return None
        if "const" in schema:
            return (schema["const"],) if required else None
        many = self._type(schema) == "array"
        value = self._one_schema(schema.get("items", {})) if many else schema
        kind = self._type(value)
        if kind not in _SCALARS:
            raise _Unsupported(
                {"object": "a list of objects" if many else "a nested object"}.get(kind, f"of type {kind}")
            )
        inner = self._extension(value, "property")
        return Column(
            name=name,
            title=schema.get("title", _sentence(name)),
            place="body",
            pointer=f"/{_escape(name)}",
            type=kind,
            schema={**value, "enum": [v for v in value["enum"] if v is not None]} if "enum" in value else value,
            many=many,
            required=required,
            secret=bool(schema.get("writeOnly") or value.get("format") == "password"),
            nullable=isinstance(schema.get("type"), list) and "null" in schema["type"],
            description=str(schema.get("description", "")),
            examples=tuple(schema.get("examples", [schema["example"]] if "example" in schema else [])),
            labels={str(code): str(word) for code, word in {**inner, **said}.get("labels", {}).items()},
            separator=said.get("separator", ""),
            min_items=schema.get("minItems"),
            max_items=schema.get("maxItems"),
        )

    def _one_schema(self, node: Any) -> dict[str, Any]:
        """A property's schema with references, `allOf` and «or null» laid flat."""
        schema = dict(self.document.resolve(node))
        for part in schema.pop("allOf", ()):
            schema = {**self._one_schema(part), **schema}
        for word in ("anyOf", "oneOf"):
            if word in schema:
                options = [self._one_schema(option) for option in schema.pop(word)]
                real = [option for option in options if option.get("type") != "null"]
                if len(real) != 1:
                    raise _Unsupported(f"one of several kinds ({word})")
                schema = {**real[0], **schema}
                if len(options) > 1 and isinstance(schema.get("type"), str):
                    schema["type"] = [schema["type"], "null"]
        return schema

    def _type(self, schema: Mapping[str, Any]) -> str:
        """The JSON type that a cell becomes: text where several would do, or where the document doesn't say."""
        said = schema.get("type")
        types = [said] if isinstance(said, str) else [kind for kind in said or () if kind != "null"]
        if not types:
            types = ["object"] if "properties" in schema else ["array"] if "items" in schema else ["string"]
        return "string" if "string" in types else str(types[0])

    def _flat(self, schema: Any) -> _Body:
        schema = self.document.resolve(schema)
        if self._type(schema) != "object" and "allOf" not in schema and "oneOf" not in schema:
            raise _Unsupported("its body is not an object")
        body = _Body()
        for part in schema.get("allOf", ()):
            part = self.document.resolve(part)
            if not {"if", "then"} & part.keys() or "properties" in part:
                inner = self._flat(part)
                body.properties |= inner.properties
                body.required += inner.required
                body.rules += inner.rules
            else:
                body.rules += self._rules(part)
        body.properties |= schema.get("properties", {})
        body.required += schema.get("required", [])
        body.rules += self._rules(schema)
        return body

    def _rules(self, schema: Mapping[str, Any]) -> Iterator[Rule]:
        message = str(schema.get("description", "")) if "properties" not in schema else ""
        if "if" in schema and "then" in schema:
            yield Rule(schema["if"], schema["then"], message)
        if "if" in schema and "else" in schema:
            yield Rule({"not": schema["if"]}, schema["else"], message)
        for name, needed in schema.get("dependentRequired", {}).items():
            yield Rule({"required": [name]}, {"required": needed})

    def _warning(self, said: Mapping[str, Any]) -> Rule:
        return Rule(said.get("if", {}), said["then"], str(said.get("description", "")), Severity.WARNING)

    # Small things

    def _json_schema(self, body: Any) -> Any | None:
        """The schema of the body's JSON, None where there is no JSON body."""
        content = self.document.resolve(body or {}).get("content", {})
        for kind, media in content.items():
            if re.fullmatch(r"application/(?:[^;]*\+)?json", kind.split(";")[0].strip()):
                return media.get("schema", {})
        return None

    def _discriminator_value(self, discriminator: Mapping[str, Any], branch: Any) -> str:
        reference = branch.get("$ref", "")
        for value, target in discriminator.get("mapping", {}).items():
            if target in (reference, reference.rsplit("/", 1)[-1]):
                return str(value)
        named = self._flat(branch).properties.get(discriminator["propertyName"], {})
        return str(self.document.resolve(named).get("const", reference.rsplit("/", 1)[-1]))

    def _path_name(self, path: str) -> str:
        """The last plain segment of the path, told apart from its namesakes by the segment before it."""
        parts = _plain_path(path)
        namesakes = {
            other for method, other in self.operations if method == "POST" and _plain_path(other)[-1:] == parts[-1:]
        }
        return "-".join(parts[-2:] if len(namesakes) > 1 else parts[-1:]) or "root"

    def _named(self, operation_id: str) -> Operation:
        if operation_id not in self.by_id:
            self._wrong(f'"{operation_id}" is no operationId of this document')
        return self.by_id[operation_id]

    def _extension(self, node: Any, place: str) -> Mapping[str, Any]:
        """What stands under `x-bulkload` there. A word that isn't one of ours is an error, not a silent nothing."""
        said: Mapping[str, Any] = node.get(EXTENSION, {}) if isinstance(node, Mapping) else {}
        strange = set(said) - _WORDS[place]
        if strange:
            known = ", ".join(sorted(_WORDS[place]))
            self._wrong(f'{EXTENSION} of a {place} has no word "{sorted(strange)[0]}"; it knows {known}')
        return said

    def _parsed(self, parse: Any, text: Any) -> Any:
        try:
            return parse(str(text))
        except ValueError as error:
            self._wrong(str(error))

    def _wrong(self, what: str) -> NoReturn:
        raise UnusableDocument(f"{self.document.source}: {what}.")


class _Unsupported(Exception):
    """Why an operation or a field can't become rows or a column; told, never raised out of this file."""


def _escape(name: str) -> str:
    """A name as one token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
