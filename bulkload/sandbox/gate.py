"""What is checked before anything is done: path, sign-in, parameters and body, by the document alone."""

import json
import math
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator, ReferencingError, ValidationError

from bulkload.errors import UnusableDocument
from bulkload.resource import Api, Operation, Parameter, Resource, Scheme
from bulkload.sandbox.shape import sample

# How many violations of a body are told.
_TOLD = 3


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived. `path` is still quoted and begins behind the base URL; header names are in lower case.

    `url` is the whole address without the query.
    """

    method: str
    path: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


class Refused(Exception):
    """Why a request is refused; `statuses` are those that fit, and the first that the document has is answered.

    `example` is the name of the document's own example for it.
    """

    def __init__(self, reason: str, *statuses: int, example: str = "") -> None:
        super().__init__(reason)
        self.statuses = statuses
        self.example = example


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that the document allows: its operation, its path parameters, its JSON body and what it creates, if so."""

    call: Call
    operation: Operation
    path: Mapping[str, str]
    body: Any
    creates: Resource | None

    @property
    def fields(self) -> dict[str, Any]:
        """Whatever it gives by name, in the query or in the body."""
        return {**dict(self.call.query), **(self.body if isinstance(self.body, dict) else {})}


class Gate:
    """Lets through what the document allows."""

    def __init__(self, api: Api, known: Mapping[str, Collection[str]]) -> None:
        """Take an API, and values of settings that are right beside those of `settings`, by name.

        Raises UnusableDocument where a schema can't be used.
        """
        self._api = api
        self.settings = {parameter.name: sample(parameter.schema, parameter.name) for parameter in _settings(api)}
        self.credentials = {name: f"sandbox-{name}-{secrets.token_hex(8)}" for name in _credentials(api)}
        self._known = {name: {value, *known.get(name, ())} for name, value in self.settings.items()}
        # Tokens that are good, and the time at which each ends.
        self._tokens = {self.credentials["token"]: math.inf} if "token" in self.credentials else {}
        # A plain path wins over one with parameters.
        self._routes = sorted((_Route(operation) for operation in api.operations), key=lambda route: len(route.names))
        self._parameters = {
            (operation.id, parameter.name): self._validator(
                {"allOf": [parameter.schema], "components": api.document.get("components", {})}, operation
            )
            for operation in api.operations
            for parameter in operation.parameters
        }
        self._bodies = {o.id: self._validator(o.body, o) for o in api.operations if o.body is not None}
        # A branch of a body that is one of several kinds is checked by itself: its violations say more.
        self._branches = {
            resource.full_name: self._validator(resource.create.body, resource.create)
            for resource in api.resources.values()
        }

    def issue(self, life: float) -> str:
        """A new token, good for so many seconds."""
        token = secrets.token_hex(16)
        self._tokens[token] = time.monotonic() + life
        return token

    def revoke(self) -> None:
        """From now on no token is good that was given so far."""
        self._tokens.clear()

    def route(self, call: Call) -> tuple[Operation, dict[str, str]]:
        """The operation that is meant and its path parameters. Raises Refused."""
        found = [(route, path) for route in self._routes if (path := route.match(call.path)) is not None]
        for route, path in found:
            if route.operation.method == call.method:
                return route.operation, path
        if found:
            raise Refused(f"{call.method} is not a method of {call.path}", 405)
        raise Refused(f"{call.path} is not a path of the API", 404)

    def admit(self, call: Call) -> Asked:
        """What is asked, once all of it is right. Raises Refused."""
        operation, path = self.route(call)
        self._check_sign_in(operation.security, call)
        self._check_parameters(operation, path, call)
        if operation.body is None:
            return Asked(call, operation, path, None, None)
        body = _read_json(call)
        creates = self._created(operation, body)
        validator = self._branches[creates.full_name] if creates else self._bodies[operation.id]
        faults = [f"body{_pointer(error)}: {error.message}" for error in islice(validator.iter_errors(body), _TOLD)]
        if faults:
            raise Refused("; ".join(faults), 400)
        return Asked(call, operation, path, body, creates)

    def _created(self, operation: Operation, body: Any) -> Resource | None:
        """The resource that the operation creates: of several, the one whose constants the body holds."""
        resources = [r for r in self._api.resources.values() if r.create.id == operation.id]
        if len(resources) == 1:
            return resources[0]
        given = {f"/{name}": value for name, value in body.items()} if isinstance(body, dict) else {}
        return next((resource for resource in resources if resource.constants.items() <= given.items()), None)

    def _check_sign_in(self, schemes: Sequence[Scheme], call: Call) -> None:
        for scheme in schemes:
            given = {**call.headers, **dict(call.query)} if scheme.place == "query" else call.headers
            value = given.get(scheme.field if scheme.place == "query" else scheme.field.lower(), "")
            word, _, rest = value.partition(" ")
            match scheme.kind:
                case "apiKey":
                    good = value == self.credentials[scheme.name]
                case "basic":
                    wanted = f"{self.credentials['username']}:{self.credentials['password']}"
                    good = word.lower() == "basic" and _decoded(rest) == wanted
                case _:
                    good = word.lower() == "bearer" and self._tokens.get(rest, -math.inf) > time.monotonic()
            if not good:
                raise Refused(f"{scheme.name}: {'wrong or expired' if value else 'missing'}", 401)

    def _check_parameters(self, operation: Operation, path: Mapping[str, str], call: Call) -> None:
        given = {"path": path, "query": dict(call.query), "header": call.headers}
        for parameter in operation.parameters:
            name = parameter.name.lower() if parameter.place == "header" else parameter.name
            value = given[parameter.place].get(name)
            if value is None:
                if parameter.required:
                    raise Refused(f"{parameter.place} {parameter.name}: missing", 400)
                continue
            for error in self._parameters[operation.id, parameter.name].iter_errors(_typed(parameter, value)):
                raise Refused(f"{parameter.place} {parameter.name}: {error.message}", 400)
            if parameter.account and value not in self._known.get(parameter.name, {value}):
                raise Refused(f'{parameter.place} {parameter.name}: "{value}" is not known', 404, 400)

    def _validator(self, schema: Any, operation: Operation) -> Draft202012Validator:
        try:
            return Draft202012Validator(schema, validate_formats=True)
        except (ValidationError, ReferencingError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UnusableDocument(f"{self._api.name}, {operation.id}: its schema can't be used: {reason}.") from error


class _Route:
    """The path of an operation as a pattern for each of its segments; `names` are those of its parameters."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.names = re.findall(r"{([^}]+)}", operation.path)
        self._segments = [
            re.compile("(.+)".join(map(re.escape, re.split(r"{[^}]+}", segment))), re.DOTALL)
            for segment in operation.path.split("/")
        ]

    def match(self, path: str) -> dict[str, str] | None:
        """The path parameters, None where it is another path."""
        parts = [unquote(part) for part in path.split("/")]
        if len(parts) != len(self._segments):
            return None
        found = [segment.fullmatch(part) for segment, part in zip(self._segments, parts, strict=True)]
        if not all(found):
            return None
        return dict(zip(self.names, [value for match in found if match for value in match.groups()], strict=True))


def _settings(api: Api) -> Iterator[Parameter]:
    """What a connection must give beside its credentials: an optional parameter may as well be left out."""
    for resource in api.resources.values():
        own = {resource.id_column.name} if resource.id_column else set()
        for operation in filter(None, (resource.create, resource.update)):
            yield from (p for p in operation.parameters if p.required and p.name not in own)


def _credentials(api: Api) -> Iterator[str]:
    """The names of the credentials that a connection must give."""
    for scheme in {scheme.name: scheme for operation in api.operations for scheme in operation.security}.values():
        match scheme.kind:
            case "apiKey":
                yield scheme.name
            case "basic":
                yield from ("username", "password")
            case _:
                yield from api.token.credentials if api.token else ("token",)


def _read_json(call: Call) -> Any:
    kind = call.headers.get("content-type", "").split(";")[0].strip().lower()
    if not re.fullmatch(r"application/([^ ]+\+)?json", kind):
        raise Refused(f'the content type is "{kind}", not application/json', 415)
    try:
        return json.loads(call.body, parse_constant=_not_json)
    except ValueError as error:
        raise Refused(f"body: not JSON: {error}", 400) from None


def _typed(parameter: Parameter, value: str) -> Any:
    """A parameter's text as the JSON value that its schema speaks of."""
    if parameter.schema.get("type") in ("integer", "number", "boolean"):
        try:
            return json.loads(value, parse_constant=_not_json)
        except ValueError:
            return value
    return value


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{step}" for step in error.instance_path)


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON value")


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode()
    except ValueError:
        return ""
