"""A place in a document and what stands there, read as the kind of value that it must be."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bulkload.document import Document, escape
from bulkload.errors import UnusableDocument

EXTENSION = "x-bulkload"
# What may stand under the extension key, by what carries it.
WORDS = {
    "document": ("title", "rate", "concurrency", "settle", "token", "outcomes"),
    "operation": (
        "resource", "title", "update", "find", "read", "delete", "key", "alike", "id", "message", "note", "idempotent",
        "idempotency", "outcomes", "warnings",
    ),
    "idempotency": ("header", "life"),
    "branch": ("resource", "title", "find", "key", "alike", "id", "message", "note", "warnings"),
    "property": ("labels", "separator", "column"),
    "parameter": ("account",),
    "find": ("operation", "with", "records", "match", "ignore", "id", "present", "absent", "page"),
    "page": ("limit", "offset", "size", "total"),
    "token": ("operation", "credentials", "value", "expires", "renew_on"),
    "outcome": ("when", "is"),
    "warning": ("if", "then", "description"),
}  # fmt: skip

Parsed = TypeVar("Parsed")


class Unsupported(Exception):
    """Why an operation or a field can't become rows or a column. It is told, and stops nothing else."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document; None where nothing stands. `place` is its JSON pointer, for messages.

    What can be left out reads as empty where it is; whatever is of another kind than asked for raises UnusableDocument.
    """

    document: Document
    value: Any
    place: str = "#"

    def __bool__(self) -> bool:
        """Whether anything stands there."""
        return self.value is not None

    def __getitem__(self, name: str) -> "Node":
        """What stands under that name, references followed."""
        here = self.followed()
        return Node(self.document, here.object().get(name), f"{here.place}/{escape(name)}")

    def followed(self) -> "Node":
        """What stands there once references are followed."""
        target, reference = self.document.follow(self.value)
        return Node(self.document, target, reference or self.place)

    def object(self) -> dict[str, Any]:
        """The object there as it is, references in it not followed."""
        return dict(self._as(dict, "an object", {}))

    def mapping(self) -> dict[str, "Node"]:
        """The parts of an object by name."""
        here = self.followed()
        return {name: Node(self.document, part, f"{here.place}/{escape(name)}") for name, part in here.object().items()}

    def list(self) -> list["Node"]:
        """The members of a list."""
        value = self._as(list, "a list", [])
        return [Node(self.document, part, f"{self.place}/{position}") for position, part in enumerate(value)]

    def text(self, default: str | None = None) -> str:
        """The text there. Without a default it must be there."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return str(self.value)  # a version that nobody put in quotes
        return str(self._as(str, "text", default))

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(part.text() for part in self.list())

    def text_by_name(self) -> dict[str, str]:
        """An object whose values are all text."""
        return {name: part.text() for name, part in self.mapping().items()}

    def flag(self, default: bool = False) -> bool:
        """True or false."""
        return bool(self._as(bool, "true or false", default))

    def count(self, default: int | None = None) -> int:
        """A whole number from 1. Without a default it must be there."""
        number = int(self._as(int, "a whole number", default))
        if isinstance(self.value, bool) or number < 1:
            raise self.wrong("a whole number from 1 is wanted here")
        return number

    def parsed(self, parse: Callable[[str], Parsed]) -> Parsed:
        """The text there, read by a function that raises ValueError."""
        try:
            return parse(self.text())
        except ValueError as error:
            raise self.wrong(str(error)) from error

    def one_of(self, known: Collection[str], what: str) -> str:
        """The text there, which must be among those known."""
        said = self.text()
        if said not in known:
            raise self.wrong(f'"{said}" is no {what}; there are {", ".join(sorted(known))}')
        return said

    def only(self, kind: str) -> "Node":
        """Itself, once every name in it is a word that may stand in a `kind`: no word is passed over in silence."""
        for name, part in self.mapping().items():
            if name not in WORDS[kind]:
                raise part.wrong(f'{EXTENSION} ({kind}) has no word "{name}"; it has {", ".join(WORDS[kind])}')
        return self

    def extension(self, kind: str) -> "Node":
        """What stands under our extension key there, checked for words that are not ours."""
        return self[EXTENSION].only(kind)

    def overlaid(self, other: "Node") -> "Node":
        """The object there with another laid over it."""
        return replace(self, value={**self.object(), **other.object()})

    def self_contained(self) -> dict[str, Any]:
        """The schema there with all that it refers to, as one JSON Schema that can be used; one for anything if empty.

        Raises Unsupported if it is no valid JSON Schema.
        """
        schema = {} if self.value is None else self.value
        if fault := self.document.fault(schema, self.place):
            raise Unsupported(f"its schema is not valid: {fault}")
        return self.document.self_contained(schema)

    def wrong(self, what: str) -> UnusableDocument:
        """The error that says what is wrong here."""
        return UnusableDocument(f"{self.document.source}: {self.place}: {what}. Correct the document.")

    def _as(self, kind: type, words: str, default: Any) -> Any:
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, kind):
            return self.value
        found = next(word for known, word in _KINDS if isinstance(self.value, known))
        raise self.wrong(f"{words} is wanted here, not {found}")


_KINDS = (
    (type(None), "nothing"),
    (bool, "true or false"),
    (dict, "an object"),
    (list, "a list"),
    (str, "text"),
    (object, "a number"),
)
