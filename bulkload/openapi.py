"""OpenAPI document → Api: finds what rows can become, and says of the rest why it can't."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from importlib import resources as package_files
from pathlib import Path

from bulkload import operation
from bulkload.body import Kind, fields, flat, kinds
from bulkload.column import sentence, told_apart
from bulkload.document import Document, escape, load
from bulkload.errors import UsageError
from bulkload.models import Severity
from bulkload.node import EXTENSION, Node, Unsupported
from bulkload.operation import Described
from bulkload.resource import Api, Column, Find, Operation, Parameter, Rate, Resource, Rule, Token, parse_seconds

BUILT_IN = ("aicc", "cinnox", "myreports")

# The longest name of a sheet that Excel takes, in characters.
_LONGEST_TITLE = 31


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


class _Reader:
    """Reads one document: its operations first, then what rows can become by them."""

    def __init__(self, document: Document, name: str) -> None:
        self.name = name
        self.root = Node(document, document.data)
        self.said = self.root.extension("document")
        self.title = self.said["title"].text(self.root["info"]["title"].text(name))
        # Why an operation can't be used, by its name; of two reasons the first.
        self.unsupported: dict[str, str] = {}
        self.described = {one.name: one for one in operation.described(self.root)}
        self.operations = dict(self._operations())
        self.by_id = self._by_id()
        self.by_parent = {(one.method, _parent(one.path)): one for one in self.operations.values() if _parent(one.path)}
        self.names = _names([one.path for one in self.described.values() if one.method == "POST"])

    def api(self) -> Api:
        info, said = self.root["info"], self.said
        resources = self._resources()
        return Api(
            name=self.name,
            title=self.title,
            version=info["version"].text(""),
            description=info["description"].text(""),
            resources=resources,
            operations=tuple(self.operations.values()),
            document=self.root.value,
            servers=tuple(server["url"].text() for server in self.root["servers"].list()),
            unsupported=tuple(self.unsupported.items()),
            token=self._token(said["token"].only("token")) if said["token"] else None,
            rate=said["rate"].parsed(Rate.parse) if said["rate"] else Rate(5, 1.0),
            concurrency=said["concurrency"].count(4),
            settle=said["settle"].parsed(parse_seconds) if said["settle"] else None,
        )

    # Operations

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for one in self.described.values():
            try:
                yield one.name, operation.read(one, self.root)
            except Unsupported as reason:
                self._tell(one, reason)

    def _by_id(self) -> dict[str, Operation]:
        found: dict[str, Operation] = {}
        for name, one in self.operations.items():
            if one.id in found:
                raise self.described[name].node["operationId"].wrong(f'the operationId "{one.id}" stands twice')
            found[one.id] = one
        return found

    def _tell(self, one: Described, reason: Unsupported, kind: str = "") -> None:
        """Keep why an operation can't become rows; where the document says that it does, that is an error."""
        if _is_described(one):
            raise one.node.wrong(f"{one.name} is described as a resource, but {reason}") from reason
        self.unsupported.setdefault(f"{one.name} ({kind})" if kind else one.name, str(reason))

    def _named(self, node: Node) -> Operation:
        return self.by_id[node.one_of(self.by_id, "operationId here that can be used")]

    def _token(self, said: Node) -> Token:
        return Token(
            operation=self._named(said["operation"]),
            credentials=said["credentials"].text_by_name(),
            value=said["value"].text(),
            expires=said["expires"].text(""),
            renew_on=frozenset(part.count() for part in said["renew_on"].list()) or frozenset({401}),
        )

    # Resources

    def _resources(self) -> dict[str, Resource]:
        """The resources that the document describes in our words; where it describes none, all that POST can make."""
        posts = [self.described[name] for name in self.operations if self.described[name].method == "POST"]
        own = [one for one in posts if _is_described(one)]
        helpers = self._helpers()
        found: dict[str, Resource] = {}
        for one in own or posts:
            if self.operations[one.name].id in helpers:
                continue
            for resource in self._resources_of(one):
                if resource.name in found:
                    taken = f'another resource is called "{resource.name}": give it a name with {EXTENSION}: resource'
                    self._tell(one, Unsupported(taken))
                found.setdefault(resource.name, resource)
        if not own:
            self._tell_changes_alone(found)
        return found

    def _helpers(self) -> set[str]:
        """The operations that the document names as the means of others."""
        finds = [one.said["find"] for one in self.described.values()]
        return {node["operation"].text("") for node in (*finds, self.said["token"])}

    def _tell_changes_alone(self, found: Mapping[str, Resource]) -> None:
        used = {resource.update.id for resource in found.values() if resource.update}
        for name, one in self.operations.items():
            if one.method in ("PUT", "PATCH") and one.id not in used:
                self.unsupported.setdefault(name, "it changes records, and no POST of this document makes them")

    def _resources_of(self, one: Described) -> list[Resource]:
        found = []
        try:
            for kind in _kinds_of(one):
                try:
                    found.append(self._resource(one, kind))
                except Unsupported as reason:
                    self._tell(one, reason, kind.value)
        except Unsupported as reason:
            self._tell(one, reason)
        return found

    def _resource(self, one: Described, kind: Kind) -> Resource:
        body = flat(kind.schema)
        said = one.said.overlaid(kind.own.extension("branch"))
        made = fields(body, kind.fixed)
        names = [column.name for column in made.columns]
        update = self._update(one, said, kind, names)
        plain = self.operations[one.name]
        create = replace(
            plain,
            body=kind.schema.self_contained(),
            required=frozenset(body.required),
            record_id=operation.expressions(said["id"]) if said["id"] else _guessed_ids(update),
            message=operation.expressions(said["message"]) if said["message"] else plain.message,
        )
        name = said["resource"].text("-".join(filter(None, (self.names[one.path], _slug(kind.value)))))
        return Resource(
            api=self.name,
            name=name,
            title=said["title"].text(sentence(name))[:_LONGEST_TITLE],
            create=create,
            columns=told_apart((*_id_columns(create, update), *made.columns)),
            description=next(filter(None, (node["description"].text("") for node in (kind.own, one.node))), "")
            or one.node["summary"].text(""),
            update=update,
            read=self._sibling(one, said, "read", "GET"),
            delete=self._sibling(one, said, "delete", "DELETE"),
            find=self._find(said["find"].only("find"), create, names) if said["find"] else None,
            constants={f"/{escape(key)}": value for key, value in made.constants.items()},
            rules=(*body.rules, *(_warning(node.only("warning")) for node in said["warnings"].list())),
            key=_columns(said["key"], names) if said["key"] else ("id",) if "id" in names else (),
            alike=_columns(said["alike"], names),
            note=said["note"].text(""),
            left_out=made.left_out,
            api_title=self.title,
            api_version=self.root["info"]["version"].text(""),
            api_description=self.root["info"]["description"].text(""),
        )

    def _sibling(self, one: Described, said: Node, word: str, method: str) -> Operation | None:
        """The operation that the document names, or the one that REST convention has at the path with an ID behind."""
        if said[word].value is False:
            return None
        return self._named(said[word]) if said[word] else self.by_parent.get((method, one.path.rstrip("/")))

    def _update(self, one: Described, said: Node, kind: Kind, names: Collection[str]) -> Operation | None:
        """The operation that changes a record, if there is one that a row can fill."""
        for method in ("PATCH", "PUT"):
            sibling = self._sibling(one, said, "update", method)
            if sibling is None:
                continue
            try:
                return self._as_update(sibling, one, kind, names)
            except Unsupported as reason:
                if said["update"]:
                    raise said["update"].wrong(f"this can't be its update: {reason}") from reason
                self.unsupported.setdefault(f"{sibling.method} {sibling.path}", str(reason))
        return None

    def _as_update(self, update: Operation, one: Described, kind: Kind, names: Collection[str]) -> Operation:
        own = _own_path_parameters(update, self.operations[one.name])
        if not own:
            raise Unsupported("its path has no place for the ID of a record")
        for parameter in own:
            if parameter.name in names:
                raise Unsupported(
                    f"its {parameter.name} is a field of the body too: a row with it could be a new record"
                )
        found = _kinds_of(self.described[f"{update.method} {update.path}"])
        same = next((other for other in found if other.value == kind.value), found[0] if len(found) == 1 else None)
        if same is None:
            raise Unsupported(f"its body is of other kinds than {kind.value}")
        required = frozenset(flat(same.schema).required)
        return replace(update, body=same.schema.self_contained(), required=required, record_id=())

    def _find(self, said: Node, create: Operation, names: Collection[str]) -> Find:
        found = self._named(said["operation"])
        sources = {*names, *(parameter.name for one in (create, found) for parameter in one.parameters)}
        for node in (*said["with"].mapping().values(), *said["match"].mapping().values()):
            node.one_of(sources, "column or setting")
        return Find(
            operation=found,
            given=said["with"].text_by_name(),
            records=operation.expression(said["records"]),
            match=said["match"].text_by_name(),
            record_id=said["id"].text(),
            present=operation.conditions(said["present"]),
            absent=operation.conditions(said["absent"]),
            page={name: part.value for name, part in said["page"].only("page").mapping().items()},
            ignore=said["ignore"].texts(),
        )


def _is_described(one: Described) -> bool:
    """Whether the document itself says that rows become this, in our words."""
    schema = one.media[1]
    branches = (schema, *schema["oneOf"].list(), *schema["anyOf"].list())
    return bool(one.said["resource"]) or any(branch.extension("branch")["resource"] for branch in branches)


def _kinds_of(one: Described) -> list[Kind]:
    kind, schema = one.media
    if not kind:
        raise Unsupported("its request has no JSON body")
    return kinds(schema)


def _columns(node: Node, names: Collection[str]) -> tuple[str, ...]:
    return tuple(part.one_of(names, "column of a cell") for part in node.list())


def _warning(node: Node) -> Rule:
    schema = replace(node, value={"if": node["if"].value or {}, "then": node["then"].value})
    try:
        if schema.self_contained().keys() != {"allOf"}:
            raise node.wrong("a warning can't use $ref: write out what it refers to")
    except Unsupported as reason:
        raise node.wrong(str(reason)) from reason
    return Rule(node["if"].value or {}, node["then"].value, node["description"].text(""), Severity.WARNING)


def _id_columns(create: Operation, update: Operation | None) -> Iterator[Column]:
    """The ID of the record to update; filled in, it makes a row an update."""
    for parameter in _own_path_parameters(update, create) if update else ():
        yield Column(
            name=parameter.name,
            title=parameter.schema.get("title", sentence(parameter.name)),
            place="path",
            pointer=f"/{escape(parameter.name)}",
            type="string",
            schema={"type": "string", "minLength": 1},
            description=parameter.description or "The ID of the record to update. Leave empty to create a new one.",
            examples=tuple(parameter.schema.get("examples", ())),
        )


def _own_path_parameters(update: Operation, create: Operation) -> list[Parameter]:
    known = {parameter.name for parameter in create.parameters}
    return [one for one in update.parameters if one.place == "path" and one.name not in known]


def _guessed_ids(update: Operation | None) -> tuple[str, ...]:
    """Where a new ID usually stands: `id`, the name that the path of the update gives it, `Location`."""
    names = re.findall(r"{([^}]+)}", update.path)[-1:] if update else []
    pointers = [f"$response.body#/{escape(name)}" for name in dict.fromkeys(["id", *names])]
    return (*pointers, "$response.header.Location")


def _parent(path: str) -> str:
    """`/things/{id}` → `/things`; empty for a path that doesn't end with a parameter."""
    found = re.fullmatch(r"(.+)/{[^/{}]+}/?", path)
    return found[1] if found else ""


def _names(paths: list[str]) -> dict[str, str]:
    """A name for each path: its last plain segment, with those before it as far as it takes to tell it from others."""
    plain = {path: [part for part in path.split("/") if part and "{" not in part] for path in paths}
    longest = max(map(len, plain.values()), default=0)
    ends = {path: ["-".join(parts[-length:]) for length in range(1, longest + 1)] for path, parts in plain.items()}
    times = Counter((length, end) for of_path in ends.values() for length, end in enumerate(of_path))
    return {
        path: next(
            (end for length, end in enumerate(of_path) if end and times[length, end] == 1), _slug(path) or "root"
        )
        for path, of_path in ends.items()
    }


def _slug(text: str) -> str:
    """`/things/{thingId}` → `things-thing-id`, `ThreeCxProfile` → `three-cx-profile`."""
    return "-".join(re.findall(r"[\w.]+", sentence(text))).lower()
