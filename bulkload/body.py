"""The JSON Schema of a request's body → the columns that fill it; of what can't be a column it says why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkload import column
from bulkload.column import json_types, whole
from bulkload.node import EXTENSION, Node, Unsupported
from bulkload.resource import Column, Rule

_KINDS = {"array": "a list", "string": "text", "integer": "a number", "number": "a number", "boolean": "true or false"}
_SEVERAL = "its body is one of several kinds, with no discriminator to tell them by"


@dataclass(slots=True)
class Body:
    """An object's schema with its `allOf` and references laid flat."""

    properties: dict[str, Node] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    conditional: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a body can be: its schema, and the values that tell it from other kinds of body.

    `value` is what the discriminator says, "" where there is one kind only; `own` is the part of this kind alone.
    """

    value: str
    schema: Node
    own: Node
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a body: columns, what every row sends by name, and those left out with the reason."""

    columns: tuple[Column, ...]
    constants: Mapping[str, Any]
    left_out: tuple[tuple[str, str], ...]


# A body as a whole


def kinds(schema: Node) -> list[Kind]:
    """The kinds that a body may be of, as its discriminator tells them. Raises Unsupported where nothing tells them."""
    here = schema.followed()
    word = next((word for word in ("oneOf", "anyOf") if _brings_fields(here, word)), "")
    discriminator = here["discriminator"]
    if not word:
        if discriminator:
            raise Unsupported("its body is one of several kinds, and no oneOf lists them")
        return [Kind("", schema, schema)]
    own = [branch for branch in here[word].list() if json_types(branch.followed().value) != ["null"]]
    if len(own) == 1:
        return [Kind("", _with_base(here, own[0]), own[0])]
    if not discriminator:
        raise Unsupported(_SEVERAL)
    name = discriminator["propertyName"].text()
    values = [_discriminator_value(discriminator, branch) for branch in own]
    return [Kind(v, _with_base(here, branch), branch, {name: v}) for v, branch in zip(values, own, strict=True)]


def _brings_fields(here: Node, word: str) -> bool:
    """Whether the alternatives under `oneOf` or `anyOf` have fields of their own, and don't only set conditions."""
    known = here["properties"].mapping().keys()
    for branch in here[word].list():
        value = branch.followed().value
        if isinstance(value, Mapping) and {"allOf", "oneOf", "anyOf"} & value.keys():
            return True
        if isinstance(value, Mapping) and branch["properties"].mapping().keys() - known:
            return True
    return False


def _with_base(here: Node, branch: Node) -> Node:
    """One branch, together with what all branches have in common."""
    apart = ("oneOf", "anyOf", "discriminator", "title", "description", EXTENSION)
    base = {word: value for word, value in here.value.items() if word not in apart}
    if not {"properties", "required", "allOf", "if", "dependentRequired"} & base.keys():
        return branch
    return Node(here.document, {"allOf": [base, branch.value]}, branch.place)


def _discriminator_value(discriminator: Node, branch: Node) -> str:
    """What the discriminator says for a branch: its mapping, the branch's own constant, or the schema's name."""
    reference = branch.object().get("$ref", "")
    name = reference.rsplit("/", 1)[-1]
    for value, target in discriminator["mapping"].text_by_name().items():
        if target in (reference, name) and target:
            return value
    try:
        named = flat(branch).properties.get(discriminator["propertyName"].text())
        constant = whole(named).value.get("const") if named else None
    except Unsupported:
        constant = None
    if constant is None and not name:
        raise Unsupported("one of the kinds that its body may be of has no name")
    return name if constant is None else str(constant)


def flat(schema: Node) -> Body:
    """The fields of an object's schema. Raises Unsupported for what is no object, or is one of several kinds."""
    body = Body()
    _gather(schema, body, frozenset())
    if not body.properties and json_types(schema.followed().value) != ["object"]:
        raise Unsupported("its body is not an object")
    body.conditional = [name for name in dict.fromkeys(body.conditional) if name not in body.properties]
    return body


def _gather(schema: Node, body: Body, within: frozenset[str]) -> None:
    here = schema.followed()
    if here.place in within:
        raise Unsupported("its schema holds itself")
    if not isinstance(here.value, Mapping):
        return
    types = json_types(here.value) if "type" in here.value else ["object"]
    if "object" not in types:
        raise Unsupported(f"its body is {_KINDS.get(types[0], 'nothing')}, not an object")
    if any(_brings_fields(here, word) for word in ("oneOf", "anyOf")):
        raise Unsupported(_SEVERAL)
    for part in here["allOf"].list():
        _gather(part, body, within | {here.place})
    for name, node in here["properties"].mapping().items():
        other = body.properties.get(name)
        both = Node(node.document, {"allOf": [other.value, node.value]}, node.place) if other else node
        body.properties[name] = both
    body.required += here["required"].texts()
    body.rules += _rules(here)
    for word in ("then", "else"):
        body.conditional += here[word]["properties"].mapping() if isinstance(here[word].value, Mapping) else ()


def _rules(here: Node) -> Iterator[Rule]:
    schema = here.value
    message = "" if "properties" in schema else here["description"].text("")
    if "if" in schema and "then" in schema:
        yield Rule(schema["if"], schema["then"], message)
    if "if" in schema and "else" in schema:
        yield Rule({"not": schema["if"]}, schema["else"], message)
    for name, needed in here["dependentRequired"].mapping().items():
        yield Rule({"required": [name]}, {"required": list(needed.texts())})


# Its fields


def fields(body: Body, fixed: Mapping[str, str]) -> Fields:
    """A column for each field that a cell can fill; `fixed` are values that every row sends.

    Raises Unsupported if a field that must be there can't be filled.
    """
    columns: list[Column] = []
    constants: dict[str, Any] = dict(fixed)
    left_out = [(name, "it is only there under a condition") for name in body.conditional]
    for name, node in body.properties.items():
        required = name in body.required
        if name in fixed:
            continue
        try:
            schema = whole(node)
            if (sent := column.constant(schema, required=required)) is not column.NOTHING:
                constants[name] = sent
            elif not column.is_hidden(schema):
                columns.append(column.read(name, schema, required=required))
        except Unsupported as reason:
            if required:
                raise Unsupported(f"{name}, which must be there: {reason}") from reason
            left_out.append((name, str(reason)))
    if not columns:
        why = "".join(f"; {name}: {reason}" for name, reason in left_out)
        raise Unsupported(f"its body has no field that a cell could fill{why}")
    return Fields(tuple(columns), constants, tuple(left_out))
