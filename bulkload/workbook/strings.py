"""The texts that the cells of all sheets share."""

import re
from typing import IO, Any

from bulkload.workbook.markup import CHUNK, Attributes, Damaged, Parser
from bulkload.workbook.plain import STRING, meant
from bulkload.workbook.words import EXTENSIONS, LOOKS

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
_SST, _SI, _T, _AID = "<sst>", "<si>", "<t>", "<rPh>"
_NAMES = (_SST, _SI, _T, _AID, EXTENSIONS, *LOOKS)
_UNTOLD = frozenset({_SI, *LOOKS})
_TEXT_BEGINS = None
_SI_ENDS = b"</si>"
# What may hide a string: a comment, a section of characters, an instruction that isn't the declaration.
_HIDES = re.compile(rb"<!|<\?(?!xml )")
# Bytes that a plain string may have with what stands before it.
_LONG = 1 << 20


def unescaped(text: str) -> str:
    """`_x000D_` as the character that it stands for, unless that is half of one, which no other program would take."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return text if _SURROGATES.intersection(plain) else plain


class SharedStrings:
    """The shared strings of a part, runs of rich text joined, reading aids for Japanese (rPh) left out.

    Plain ones are read by their spelling, as plain rows are, and all else through the parser.
    """

    def __init__(self, part: str) -> None:
        self.strings: list[str] = []
        self._parser = Parser(part, _NAMES, _listen)
        # Whether the parser stands between two strings, where alone a plain one may be taken from it.
        self._between = True
        self._begun = self._opened = self._extended = self._hiding = False
        self._aids = 0
        self._pieces: list[str] = []

    def read(self, stream: IO[bytes]) -> list[str]:
        """All of them, in their order. Raises UnusableFile, Damaged, ExpatError, MemoryError."""
        data = b""
        while chunk := stream.read(CHUNK):
            data = self._take(data + chunk)
        self._parse(data, last=True)
        if not self._begun:
            raise Damaged("no shared strings")
        return self.strings

    def _take(self, data: bytes) -> bytes:
        """Read the strings that are whole; gives what is left."""
        end = data.rfind(_SI_ENDS) + len(_SI_ENDS)
        if not self._between or len(data) > _LONG:
            return self._parse(data)
        if end < len(_SI_ENDS):
            return data
        try:
            text = data[:end].decode()
        except UnicodeDecodeError:
            return self._parse(data)
        place = 0
        for found in STRING.finditer(text):
            if found.start() > place:
                self._parse(text[place : found.start()].encode())
                if not self._between:
                    return self._parse(text[found.start() :].encode() + data[end:])
            self.strings.append(unescaped(meant(found[1])))
            place = found.end()
        self._parse(text[place:].encode())
        return data[end:]

    def _parse(self, data: bytes, *, last: bool = False) -> bytes:
        """Let the parser read it; gives what is left, which is nothing."""
        item: Any = _SI if self._between else ""
        self._hiding = self._hiding or _HIDES.search(data) is not None
        for item in self._parser.feed(data, last=last):
            if self._extended:
                self._extended = item is not EXTENSIONS  # ends
            elif item is _T:  # ends
                self._opened = False
            elif item is _SI:  # ends
                self.strings.append(unescaped("".join(self._pieces)))
                self._pieces.clear()
            elif item is _TEXT_BEGINS:
                self._opened = not self._aids
            elif item is _AID:  # ends
                self._aids -= 1
            elif type(item) is tuple:
                self._element(item[0])
            elif self._opened:
                self._pieces.append(item)
        self._between = item is _SI or (type(item) is tuple and item[0] is _SST)
        self._between = self._between and self._parser.is_utf8 and not self._pieces and not self._hiding
        return b""

    def _element(self, tag: str) -> None:
        if tag not in (_SST, _AID, EXTENSIONS):
            raise Damaged("an element among the shared strings that is none")
        self._begun = self._begun or tag is _SST
        self._aids += tag is _AID
        self._extended = tag is EXTENSIONS


def _listen(parser: Any, found: list[Any]) -> None:
    append = found.append

    def start(tag: str, _: Attributes) -> None:
        if tag is _T:
            append(_TEXT_BEGINS)
        elif tag not in _UNTOLD:
            append((tag,))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = parser.EndElementHandler = append
