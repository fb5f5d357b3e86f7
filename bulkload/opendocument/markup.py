"""The XML of an .ods, through expat: names with short prefixes whatever the file calls them, and no DTD."""

from collections.abc import Callable, Iterator
from typing import IO, Any
from xml.parsers import expat

from bulkload.workbook.markup import refuse

Attributes = dict[str, str]

_CHUNK = 1 << 16
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TABLE, TEXT = f"{_ODF}office:1.0", f"{_ODF}table:1.0", f"{_ODF}text:1.0"
CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
_PREFIXES = {
    OFFICE: "office",
    TABLE: "table",
    f"{_ODF}style:1.0": "style",
    f"{_ODF}datastyle:1.0": "number",
    f"{_ODF}manifest:1.0": "manifest",
}
SHEET = f"{TABLE} table"
# A table within a cell, which is no sheet.
SUB_TABLE = f"{TABLE} is-sub-table"


class _Names(dict[str, str]):
    """`namespace name` → `prefix:name`, each worked out once; of other namespaces the name alone."""

    def __missing__(self, name: str) -> str:
        namespace, _, own = name.rpartition(" ")
        prefix = _PREFIXES.get(namespace)
        short = self[name] = f"{prefix}:{own}" if prefix else own
        return short


def events(stream: IO[bytes], part: str, listen: Callable[[Any, list[Any]], None]) -> Iterator[Any]:
    """What the handlers that `listen(parser, events)` sets put into that list, to the end of the part.

    Raises UnusableFile for a DTD, ExpatError, MemoryError, and what the zip raises.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = lambda *_: refuse(part)
    found: list[Any] = []
    listen(parser, found)
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk)
            yield from found
            found.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
            raise MemoryError from error
        raise
    yield from found


def elements(stream: IO[bytes], part: str) -> Iterator[tuple[str, Attributes] | str | None]:
    """An element as it begins, with its attributes; text; None as an element ends. In the body, sheets alone."""
    names = _Names()

    def listen(parser: Any, found: list[Any]) -> None:
        def start(tag: str, attributes: Attributes) -> None:
            found.append((names[tag], {names[name]: value for name, value in attributes.items()}))
            if names[tag] == "office:body":
                parser.StartElementHandler = in_body
                parser.EndElementHandler = parser.CharacterDataHandler = None

        def in_body(tag: str, attributes: Attributes) -> None:
            if tag == SHEET and SUB_TABLE not in attributes:
                found.append((names[tag], {names[name]: value for name, value in attributes.items()}))

        parser.StartElementHandler = start
        parser.EndElementHandler = lambda _: found.append(None)
        parser.CharacterDataHandler = found.append

    return events(stream, part, listen)
