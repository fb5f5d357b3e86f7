"""OpenAPI operation → Operation: its parameters, its sign-in, its answers and what they mean."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bulkload.body import flat
from bulkload.node import Node, Unsupported
from bulkload.resource import Idempotency, Operation, OutcomeRule, Parameter, Scheme, parse_seconds

MEANINGS = ("done", "not processed", "refused", "unknown")
METHODS = ("get", "put", "post", "delete", "patch")

_JSON = "application/json"
# Header parameters that a document may not describe (OpenAPI 3.1, 4.8.12.1): they follow from the rest of it.
_IMPLIED = {"accept", "content-type", "authorization"}
_MESSAGES = ("$response.body#/message", "$response.body#/error")


@dataclass(frozen=True, slots=True)
class Described:
    """An operation as it stands in a document; `item` is the whole path that it belongs to."""

    method: str
    path: str
    node: Node
    item: Node

    @property
    def name(self) -> str:
        """`POST /things`."""
        return f"{self.method} {self.path}"

    @property
    def said(self) -> Node:
        """What the document says of it in our words."""
        return self.node.extension("operation")

    @property
    def media(self) -> tuple[str, Node]:
        """The kind of JSON that it takes, and the schema of that; nothing stands there if it takes none."""
        content = self.node["requestBody"]["content"].mapping()
        kinds = {kind.split(";")[0].strip().lower(): media for kind, media in content.items()}
        kind = next((k for k in (_JSON, *kinds) if k in kinds and re.fullmatch(r"application/(?:.+\+)?json", k)), "")
        return (kind, kinds[kind]["schema"]) if kind else ("", self.node["requestBody"]["content"][_JSON]["schema"])


def described(root: Node) -> Iterator[Described]:
    """Every operation of a document, in its order."""
    for path, item in root["paths"].mapping().items():
        for method in METHODS:
            if node := item[method]:
                yield Described(method.upper(), path, node, item)


def read(one: Described, root: Node) -> Operation:
    """The operation, understood. Raises Unsupported if it can't be called, UnusableDocument if it is wrong."""
    said = one.said
    kind, schema = one.media
    _check_servers(one, root)
    return Operation(
        id=one.node["operationId"].text(one.name),
        method=one.method,
        path=one.path,
        parameters=_parameters(one),
        body=schema.self_contained() if kind else None,
        media_type=kind or _JSON,
        required=_required(schema) if kind else frozenset(),
        responses={status: _response(answer) for status, answer in one.node["responses"].mapping().items()},
        security=_security(one.node["security"] or root["security"], root),
        outcomes=tuple(
            _outcome(rule) for rule in (*said["outcomes"].list(), *root.extension("document")["outcomes"].list())
        ),
        record_id=expressions(said["id"]) if said["id"] else (),
        message=expressions(said["message"]) if said["message"] else _MESSAGES,
        idempotent=said["idempotent"].flag(one.method in ("GET", "PUT", "DELETE")),
        idempotency=_idempotency(said["idempotency"]),
    )


def _idempotency(node: Node) -> Idempotency | None:
    said = node.only("idempotency")
    if not said:
        return None
    header = said["header"].text()
    if not re.fullmatch(r"[A-Za-z0-9-]+", header):
        raise said["header"].wrong(f'"{header}" is no name for a header')
    return Idempotency(header, said["life"].parsed(parse_seconds))


def expressions(node: Node) -> tuple[str, ...]:
    """A list of runtime expressions (OpenAPI 3.1, 4.8.20.4) that say where something stands in an answer."""
    return tuple(expression(part) for part in node.list())


def expression(node: Node) -> str:
    """One runtime expression, as it is written."""
    return _expression(node, node.text())


def _expression(node: Node, text: str) -> str:
    if not re.fullmatch(r"\$statusCode|\$response\.(?:header\..+|body(?:#(?:/.*)?)?)", text):
        raise node.wrong(
            f'"{text}" says no place in an answer, such as $response.body#/id or $response.header.Location'
        )
    return text


def conditions(node: Node) -> dict[str, Any]:
    """What an answer must be like: `status`, and runtime expressions with the value that must stand there."""
    for name, part in node.mapping().items():
        if name != "status":
            _expression(part, name)
    return {name: part.value for name, part in node.mapping().items()}


def _outcome(node: Node) -> OutcomeRule:
    rule = node.only("outcome")
    return OutcomeRule(conditions(rule["when"]), rule["is"].one_of(MEANINGS, "meaning of an answer"))


def _check_servers(one: Described, root: Node) -> None:
    """An operation that goes to other servers than the rest would be sent to the wrong place."""
    usual = root["servers"].value
    for servers in (one.node["servers"], one.item["servers"]):
        if servers and servers.value != usual:
            raise Unsupported("it has servers of its own")


def _response(node: Node) -> Any:
    """The document's own words on an answer, once they are sure to be an object with media types in it."""
    for media in node["content"].mapping().values():
        media.mapping()
    return {name: part for name, part in node.followed().object().items() if part is not None}


def _required(schema: Node) -> frozenset[str]:
    try:
        return frozenset(flat(schema).required)
    except Unsupported:
        return frozenset()


# Parameters


def _parameters(one: Described) -> tuple[Parameter, ...]:
    """Those of the path and of the operation; of two of the same name and place the operation's own."""
    found: dict[tuple[str, str], Parameter] = {}
    # The program fills it in itself.
    implied = _IMPLIED | {one.said["idempotency"]["header"].text("").lower()}
    for node in (*one.item["parameters"].list(), *one.node["parameters"].list()):
        name, place = node["name"].text(), node["in"].one_of(("cookie", "header", "path", "query"), "place")
        if place == "cookie" and node["required"].flag():
            raise Unsupported(f"it needs the cookie {name}")
        if place != "cookie" and not (place == "header" and name.lower() in implied):
            found[place, name] = _parameter(node, name, place)
    for name in re.findall(r"{([^}]+)}", one.path):
        # A document should describe each of these; that they must be filled in is clear without it.
        found.setdefault(("path", name), Parameter(name, "path", True, {"type": "string"}, account=True))
    return tuple(found.values())


def _parameter(node: Node, name: str, place: str) -> Parameter:
    schema = node["schema"].followed()
    schema.self_contained()
    return Parameter(
        name=name,
        place=place,
        required=place == "path" or node["required"].flag(),
        schema=schema.value if isinstance(schema.value, dict) else {},
        description=node["description"].text(""),
        account=node.extension("parameter")["account"].flag(place == "path"),
    )


# Sign-in


def _security(alternatives: Node, root: Node) -> tuple[Scheme, ...]:
    """The schemes of the first alternative that can be met; none where the API needs none."""
    reasons = []
    for wanted in alternatives.list():
        try:
            return tuple(_scheme(name, scopes, root) for name, scopes in wanted.mapping().items())
        except Unsupported as reason:
            reasons.append(str(reason))
    if reasons:
        raise Unsupported(", and ".join(reasons))
    return ()


def _scheme(name: str, scopes: Node, root: Node) -> Scheme:
    node = root["components"]["securitySchemes"][name]
    if not node:
        raise scopes.wrong(f'"{name}" is no security scheme of this document')
    kind, account = node["type"].text(), node.extension("parameter")["account"].flag()
    scheme = node["scheme"].text("").lower()
    if kind == "http" and scheme in ("bearer", "basic"):
        return Scheme(name, scheme)
    if kind == "apiKey" and node["in"].text() in ("header", "query"):
        return Scheme(name, "apiKey", node["in"].text(), node["name"].text(), account=account)
    if kind in ("oauth2", "openIdConnect"):
        flows = node["flows"].mapping()
        flow = flows.get("clientCredentials") or next(iter(flows.values()), node["flows"])
        return Scheme(name, "oauth2", token_url=flow["tokenUrl"].text(""), scopes=scopes.texts())
    raise Unsupported(
        f'its sign-in "{name}" is of a kind that is not supported ({kind} {scheme or node["in"].text("")})'
    )
