"""The styles of an .ods as formats of Excel's, from which `formats` knows what a person sees: `000`, `0%`, `hh:mm`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from bulkload.opendocument.markup import Attributes

# The format of a style that shows TRUE and FALSE, which Excel has none for.
BOOLEAN = '"TRUE"'
_KINDS = {
    f"number:{kind}-style": kind for kind in ("number", "percentage", "currency", "date", "time", "boolean", "text")
}
_CLOCK = {
    **{"number:year": "yyyy", "number:month": "mm", "number:day": "dd", "number:day-of-week": "ddd"},
    **{"number:hours": "hh", "number:minutes": "mm", "number:seconds": "ss", "number:am-pm": "am/pm"},
}
_POSITIVE = re.compile(r"value\(\)\s*>=?\s*0")
# Styles that a style may stand on, one on the other.
_DEPTH = 50


@dataclass(slots=True)
class _Shown:
    """How a style shows numbers: the pieces of a format, and the style that it names for positive ones.

    `bare` is true for digits and what stands around them, without decimals or thousands; `embedded` has what stands
    among the digits, by the number of those that follow.
    """

    kind: str
    elapsed: bool
    pieces: list[str] = field(default_factory=list)
    embedded: dict[int, str] = field(default_factory=dict)
    bare: bool = True
    positive: str = ""

    def code(self) -> str:
        """The format, "" for one that shows a number by its digits."""
        match self.kind:
            case "date" | "time":
                return "[h]:mm:ss" if self.elapsed else "".join(self.pieces)
            case "percentage":
                return "0%"
            case "boolean":
                return BOOLEAN
        return "".join(map(self._spread, self.pieces)) if self.bare and self.kind == "number" else ""

    def _spread(self, piece: str) -> str:
        if not self.embedded or set(piece) != {"0"}:
            return piece
        return "".join("0" + self.embedded.get(after, "") for after in range(len(piece) - 1, -1, -1))


class Styles:
    """What the styles of a file say, by their names. Of two that have one name the later one holds."""

    def __init__(self) -> None:
        self.hidden_tables: set[str] = set()
        self._shown: dict[str, _Shown] = {}
        self._cells: dict[str, tuple[str, str]] = {}
        self._codes: dict[str, str] = {}

    def read(self, elements: Iterable[tuple[str, Attributes] | str | None]) -> None:
        """Take the elements of `styles.xml`, or of the beginning of `content.xml`."""
        shown = None
        table = tag = ""
        said: Attributes = {}
        for element in elements:
            if isinstance(element, tuple):
                tag, said = element
                name = said.get("style:name", "")
                if tag in _KINDS:
                    elapsed = said.get("number:truncate-on-overflow") == "false"
                    shown = self._shown[name] = _Shown(_KINDS[tag], elapsed)
                elif tag == "style:style":
                    shown, table = None, name if said.get("style:family") == "table" else ""
                    if said.get("style:family") == "table-cell":
                        self._cells[name] = (
                            said.get("style:data-style-name", ""),
                            said.get("style:parent-style-name", ""),
                        )
                elif tag == "style:table-properties" and table and said.get("table:display") == "false":
                    self.hidden_tables.add(table)
                elif shown:
                    _extend(shown, tag, said)
            elif element is None:
                tag = ""
            elif shown and tag == "number:text":
                shown.bare &= '"' not in element
                shown.pieces.append(f'"{element}"')
            elif shown and tag == "number:embedded-text":
                shown.bare &= '"' not in element
                shown.embedded[int(said.get("number:position", "0"))] = f'"{element}"'

    def format(self, style: str) -> str:
        """The format of a cell that has this style."""
        if style not in self._codes:
            self._codes[style] = self._format(style)
        return self._codes[style]

    def _format(self, style: str) -> str:
        for _ in range(_DEPTH):
            data, parent = self._cells.get(style, ("", ""))
            if data or not parent:
                break
            style = parent
        shown = self._shown.get(data)
        if shown is None:
            return ""
        positive = self._shown.get(shown.positive)
        return f"{positive.code()};{shown.code()}" if positive else shown.code()


def _extend(shown: _Shown, tag: str, said: Attributes) -> None:
    if tag == "number:number":
        digits = int(said.get("number:min-integer-digits", "0"))
        decimals = said.get("number:decimal-places", "0")
        shown.bare &= digits > 1 and decimals == "0" and said.get("number:grouping") != "true"
        shown.pieces.append("0" * min(digits, 30))
    elif tag in _CLOCK:
        shown.pieces.append(_CLOCK[tag])
    elif tag == "style:map" and _POSITIVE.match(said.get("style:condition", "")):
        shown.positive = said.get("style:apply-style-name", "")
    elif tag in ("number:scientific-number", "number:fraction", "number:currency-symbol", "number:text-content"):
        shown.bare = False
