"""The XML of a workbook's parts, through expat: no part may have a DTD, and names are the same in both namespaces."""

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any
from xml.parsers import expat

from bulkload.errors import UnusableFile

Attributes = dict[str, str]

CHUNK = 1 << 16
# Of the usual workbooks, and of "Strict Open XML".
_MAIN = ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")
_OFFICE = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KNOWN = frozenset({*_MAIN, f"{_PACKAGE}/relationships", f"{_PACKAGE}/content-types"})


class Damaged(Exception):
    """The file contradicts itself, so that nothing in it can be trusted. Says what is wrong, without any value."""


class Parser:
    """Parses a part as it is fed with it; gives the events that the handlers set by `listen(parser, events)` add.

    Elements of the main namespaces that `names` has (`<row>`) are told by those very strings, so that `is` holds; no
    text ever is one of them. Others are told as `namespace name`. All methods raise UnusableFile for a DTD, ExpatError
    and MemoryError.
    """

    def __init__(self, part: str, names: Iterable[str], listen: Callable[[Any, list[Any]], None]) -> None:
        known = {f"{namespace} {name[1:-1]}": name for namespace in _MAIN for name in names}
        self._parser: Any = expat.ParserCreate(namespace_separator=" ", intern=known)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = lambda *_: refuse(part)
        self._parser.XmlDeclHandler = self._declared
        self._found: list[Any] = []
        self.is_utf8 = True
        listen(self._parser, self._found)

    def feed(self, data: bytes, *, last: bool = False) -> list[Any]:
        """The events of the next bytes. The list is the same each time."""
        self._found.clear()
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
                raise MemoryError from error
            raise
        return self._found

    def rest(self, stream: IO[bytes]) -> Iterator[Any]:
        """The events of all that comes, to the end of the part."""
        while chunk := stream.read(CHUNK):
            yield from self.feed(chunk)
        yield from self.feed(b"", last=True)

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        self.is_utf8 = encoding is None or encoding.lower() == "utf-8"


def elements(stream: IO[bytes], part: str) -> Iterator[tuple[str, str, Attributes]]:
    """The elements of a small part as they begin: what each stands in, "" for the root, its name, its attributes.

    Elements of the namespaces that such parts have are told without them; the ID of a relationship is `r:id`.
    """

    def listen(parser: Any, found: list[Any]) -> None:
        around = [""]

        def start(name: str, attributes: Attributes) -> None:
            tag = _tag(name)
            found.append((around[-1], tag, {_attribute(one): value for one, value in attributes.items()}))
            around.append(tag)

        parser.StartElementHandler = start
        parser.EndElementHandler = lambda _: around.pop()

    yield from Parser(part, (), listen).rest(stream)


def refuse_dtd(stream: IO[bytes], part: str) -> None:
    """Refuse a part with a DTD, which can only stand before the first element. What is no XML has none."""
    try:
        next(elements(stream, part), None)
    except expat.ExpatError:
        return


def _tag(name: str) -> str:
    namespace, _, own = name.rpartition(" ")
    return own if namespace in _KNOWN else f"{namespace} {own}"


def _attribute(name: str) -> str:
    namespace, _, own = name.rpartition(" ")
    return f"r:{own}" if namespace in _OFFICE else name


def refuse(part: str) -> None:
    """Raise UnusableFile for a part that has a DTD."""
    raise UnusableFile(
        f"holds a document type definition (DTD) in {part}, by which a file can fetch or multiply text. No spreadsheet "
        "program writes one: export the table again, as .xlsx"
    )
