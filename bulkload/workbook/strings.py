"""The texts that the cells of all sheets share."""

import re
from typing import IO, Any

from bulkload.workbook.markup import Attributes, Damaged, events

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
_NAMES = _SST, _SI, _T, _AID = "<sst>", "<si>", "<t>", "<rPh>"
# Characters that a cell of Excel's can hold.
LONGEST = 32_767


def unescaped(text: str) -> str:
    """`_x000D_` as the character that it stands for, unless that is half of one, which no other program would take."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return text if _SURROGATES.intersection(plain) else plain


def too_long(text: str) -> str:
    """What to tell of a text that is longer than LONGEST."""
    return f"A text has {len(text):,} characters, but a cell of a workbook can hold {LONGEST:,}: a result cuts it."


def shared_strings(stream: IO[bytes], part: str) -> list[str]:
    """The shared strings, runs of rich text joined, reading aids for Japanese (rPh) left out."""
    strings: list[str] = []
    pieces: list[str] = []
    opened, begun, aids = False, False, 0
    for item in events(stream, part, _NAMES, _listen):
        if item is _T:  # ends
            opened = False
        elif item is _SI:  # ends
            text = pieces[0] if len(pieces) == 1 else "".join(pieces)
            strings.append(unescaped(text))
            pieces = []
        elif item is None:  # text begins
            opened = not aids
        elif item is _AID:  # ends
            aids -= 1
        elif type(item) is tuple:
            begun = begun or item[0] is _SST
            aids += item[0] is _AID
        elif opened:
            pieces.append(item)
    if not begun:
        raise Damaged(f"no shared strings in {part}")
    return strings


def _listen(parser: Any, found: list[Any]) -> None:
    append = found.append

    def start(tag: str, _: Attributes) -> None:
        if tag is _T:
            append(None)
        elif tag is _AID or tag is _SST:
            append((tag,))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = parser.EndElementHandler = append
