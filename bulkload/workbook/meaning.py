"""What the cells of a workbook mean: the text of each, what kind it is, and what has spoilt it."""

from collections.abc import Sequence
from datetime import date, time

from bulkload.cells import Kind, Spoilt
from bulkload.formats import NO_DATE, is_plain, is_shortest, show
from bulkload.workbook.markup import Damaged
from bulkload.workbook.plain import PlainRow, meant
from bulkload.workbook.strings import unescaped

Shown = tuple[str, int, str]  # text, Kind, what has spoilt it

_TEXT, _NUMBER, _BOOLEAN = int(Kind.TEXT), int(Kind.NUMBER), int(Kind.BOOLEAN)
_BOOLEANS = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE"}
# Numbers whose text is known are not worked out again; no more than these are kept.
_KNOWN = 20_000
# Cells whose text stands in the sheet itself: there every blank counts.
_OWN_TEXT = frozenset({"str", "inlineStr"})


class Values:
    """What the cells of a workbook mean that has these shared strings, and these formats by style.

    A number in a style without a format (None) has no meaning: that is a KeyError.
    """

    def __init__(self, strings: Sequence[str], formats: Sequence[str | None], *, date1904: bool) -> None:
        self._strings = strings
        by_style = [(str(style), code) for style, code in enumerate(formats or [""])]
        self._formats = {style: code for style, code in [(None, by_style[0][1]), *by_style] if code is not None}
        self._plain = {style: is_plain(code) for style, code in self._formats.items()}
        self._known: dict[tuple[str | None, str], Shown] = {}
        self._date1904 = date1904

    def plain(self, row: PlainRow, number: int) -> tuple[list[str], bytearray, list[Spoilt]]:
        """Texts, kinds and spoilt cells of a plain row. In one piece, since here the time of reading goes."""
        strings, is_plain, known = self._strings, self._plain, self._known
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for place, style, kind, value, inline in zip(
            row.places, row.styles, row.types, row.values, row.inline, strict=True
        ):
            if place != len(texts):
                kinds += bytes(place - len(texts))
                texts += [""] * (place - len(texts))
            fault = ""
            if kind == "s" and value and value.isdigit():
                text, code = strings[int(value)], _TEXT
            elif value is None and inline is None:
                text, code = "", _TEXT
            elif kind is None and value and is_plain[style] and is_shortest(value):
                text, code = value, _NUMBER
            elif kind is None and value and (style, value) in known:
                text, code, fault = known[style, value]
            else:
                said = meant(inline or "") if value is None else value
                text, code, fault = self.shown(kind or "n", style, said)
            texts.append(text)
            kinds.append(code)
            if fault:
                spoilt.append(Spoilt(number, place + 1, fault, text))
        return texts, kinds, spoilt

    def shown(self, kind: str, style: str | None, text: str) -> Shown:
        """A cell of that type as text. Raises Damaged, ValueError, LookupError."""
        if kind in _OWN_TEXT:
            return unescaped(text), _TEXT, ""
        text = text.strip()
        match kind:
            case _ if not text:
                return "", _TEXT, ""
            case "s":
                return self._strings[_whole(text)], _TEXT, ""
            case "n":
                return self._number(style, text)
            case "b" if text in _BOOLEANS:
                return _BOOLEANS[text], _BOOLEAN, ""
            case "e":
                return text, _TEXT, "error cell"
            case "d":
                return _iso(text)
        raise Damaged(f"a cell of type {kind[:10]}")

    def _number(self, style: str | None, text: str) -> Shown:
        shown, kind, fault = show(text, self._formats[style], date1904=self._date1904)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[style, text] = shown, int(kind), fault
        return shown, int(kind), fault


def _whole(text: str) -> int:
    if not text.isdigit():
        raise Damaged("an index that is none")
    return int(text)


def _iso(text: str) -> Shown:
    """A date, a time or both as ISO 8601, which a cell may hold itself instead of a number."""
    day, _, clock = text.removesuffix("Z").rpartition("T") if "T" in text else (text, "", "")
    if (not day and not clock) or ":" in day:
        day, clock = "", clock or day
    try:
        moment = time.fromisoformat(clock) if clock else time()
        if not day:
            return moment.isoformat(), int(Kind.TIME), ""
        shown = date.fromisoformat(day).isoformat()
    except ValueError:
        return text, int(Kind.DATE), NO_DATE
    return (f"{shown}T{moment.isoformat()}", int(Kind.MOMENT), "") if moment != time() else (shown, int(Kind.DATE), "")
