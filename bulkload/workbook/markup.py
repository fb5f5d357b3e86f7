"""The XML of a workbook's parts, through expat: no part may have a DTD, and names are the same in both namespaces."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, Any
from xml.parsers import expat

from bulkload.errors import UnusableFile

Attributes = dict[str, str]
Start = Callable[[str, Attributes], object]

_CHUNK = 1 << 16
# Of the usual workbooks, and of "Strict Open XML".
_MAIN = ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")


class Damaged(Exception):
    """The file contradicts itself, so that nothing in it can be trusted. Says what is wrong, without any value."""


def events(
    stream: IO[bytes], part: str, names: Iterable[str], listen: Callable[[Any, list[Any]], None]
) -> Iterator[Any]:
    """What the handlers that `listen(parser, events)` sets put into that list, in one flow to the end of the part.

    Elements of the main namespaces that `names` has (`<row>`) are told by those very strings, so that `is` holds; no
    text ever is one of them. Others are told as `namespace name`.

    Raises UnusableFile for a DTD, ExpatError, MemoryError, and what the zip raises.
    """
    known = {f"{namespace} {name[1:-1]}": name for namespace in _MAIN for name in names}
    parser = expat.ParserCreate(namespace_separator=" ", intern=known)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = lambda *_: _refuse(part)
    found: list[Any] = []
    listen(parser, found)

    def pieces() -> Iterator[list[Any]]:
        for _ in _parse(parser, stream):
            yield found
            found.clear()

    return chain.from_iterable(pieces())


def elements(stream: IO[bytes], part: str) -> Iterator[tuple[str, Attributes]]:
    """The elements of a small part as they begin, with names and attributes without their namespaces."""

    def listen(parser: Any, found: list[Any]) -> None:
        parser.StartElementHandler = lambda tag, attributes: found.append((_own(tag), attributes))

    for tag, attributes in events(stream, part, (), listen):
        yield tag, {_own(name): value for name, value in attributes.items()}


def refuse_dtd(stream: IO[bytes], part: str) -> None:
    """Refuse a part with a DTD, which can only stand before the first element. What is no XML has none."""
    try:
        next(elements(stream, part), None)
    except expat.ExpatError:
        return


def _own(name: str) -> str:
    return name.rpartition(" ")[2]


def _parse(parser: Any, stream: IO[bytes]) -> Iterator[None]:
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk)
            yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
            raise MemoryError from error
        raise


def _refuse(part: str) -> None:
    raise UnusableFile(f"has a DTD in {part}, as no spreadsheet program writes: it is not opened")
