"""A number and its format as the text that a person sees: `007`, `50%`, `2026-01-02`; digits in full for the rest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from bulkload.cells import Kind

ROUNDED, NO_DATE = "rounded number", "no date"
# More digits than these a spreadsheet rounds.
DIGITS = 15
# The formats that a workbook names by number alone (ISO 29500-1, 18.8.30; 27 to 58 are those of East Asia).
BUILT_IN = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??"},
    **{14: "mm-dd-yy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm"},
    **{21: "h:mm:ss", 22: "m/d/yy h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mmss.0", 48: "##0.0E+0", 49: "@"},
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"?|\\.|!.) | (?P<blank>_.|\*.) | (?P<elapsed>\[(?:h+|m+|s+)\]) | (?P<bracket>\[[^\]]*\])
    | (?P<general>general) | (?P<noon>am/pm|a/p|上午/下午) | (?P<power>e[+-]) | (?P<y>y+) | (?P<m>m+) | (?P<d>d+)
    | (?P<h>h+) | (?P<s>s+) | (?P<zero>0) | (?P<digit>[#?]) | (?P<percent>%) | (?P<end>;) | (?P<other>.)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# What may stand between the zeros of a format such as `000-00`, and is seen as it is.
_MARKS = frozenset("+-() /")
# Day 0 of the two systems, and their last day, 9999-12-31.
_1900, _1904 = date(1899, 12, 30), date(1904, 1, 1)
_LAST = {_1900: 2_958_465, _1904: 2_957_003}
_NEVER = 60  # 1900-02-29, which Excel has and no calendar
_DAY_MS = 86_400_000
_CLOCKS = frozenset({Kind.DATE, Kind.TIME, Kind.MOMENT, Kind.DURATION})


@dataclass(frozen=True, slots=True)
class Format:
    """A section of a format: what kind it shows, and for digits alone (`000-00`) what stands at each place, else ()."""

    kind: Kind
    places: tuple[str, ...] = ()


def show(number: str | float, code: str, *, date1904: bool = False) -> tuple[str, Kind, str]:
    """The text of a number, its kind, and "" or what has spoilt it: ROUNDED, NO_DATE.

    `number` is the file's own text (`1.1000000000000001` is 1.1) or a float, `code` the format (`0.00%`; "" is
    General). Raises ValueError for what is no number.
    """
    text = number.strip() if isinstance(number, str) else repr(number)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"no number: {text[:40]}")
    section, *others = _sections(code)
    if section.kind in _CLOCKS:
        return _time(float(text), text, section.kind, _1904 if date1904 else _1900)
    if others and text.startswith("-"):
        section = others[0]
    digits = _digits(text)
    if _is_rounded(digits):
        return digits, section.kind, ROUNDED
    if section.kind is Kind.PERCENT:
        return f"{Decimal(digits).scaleb(2).normalize():f}%", Kind.PERCENT, ""
    if section.places and digits.isdigit():
        digits = _placed(digits, section.places)
    return digits, section.kind, ""


def is_plain(code: str) -> bool:
    """Whether the format shows a number by its digits, whatever its sign, so that a whole one is its own text."""
    return all(section.kind is Kind.NUMBER and not section.places for section in _sections(code))


def is_shortest(text: str) -> bool:
    """Whether the text of a number is what `show` gives for it in a plain format, found out quickly.

    It may be false of one that is. Raises ValueError for what is no number.
    """
    if text.isdigit() and text.isascii():
        return len(text) <= DIGITS and (text[0] != "0" or text == "0")
    return len(text) <= DIGITS and text[-1] in "123456789" and repr(float(text)) == text and "e" not in text


# --- digits -----------------------------------------------------------------------------------------------------------


def _digits(text: str) -> str:
    """A number in full, as a spreadsheet means it: `1.1000000000000001` is the nearest to 1.1 that it can store."""
    if text.lstrip("+-").isdigit():
        return str(int(text))
    value = float(text)
    if value.is_integer() and abs(value) < 10**DIGITS:
        return str(int(value))
    shortest = repr(value)
    if "inf" in shortest:
        return text
    return f"{Decimal(shortest):f}" if "e" in shortest else shortest


def _is_rounded(digits: str) -> bool:
    """Whether a number has more digits than a spreadsheet keeps. Zeros at the end count: they may have been others."""
    return len(digits.lstrip("-0.").replace(".", "")) > DIGITS or "e" in digits.lower()


def _placed(digits: str, places: Sequence[str]) -> str:
    """The digits at their places, from the right; more digits than places stand before the first one."""
    rest, shown = digits, []
    first = places.index("0")
    for position in range(len(places) - 1, -1, -1):
        if places[position] != "0":
            shown.append(places[position])
        elif position == first:
            shown.append(rest or "0")
        else:
            shown.append(rest[-1:] or "0")
            rest = rest[:-1]
    return "".join(reversed(shown))


# --- dates and times --------------------------------------------------------------------------------------------------


def _time(value: float, text: str, kind: Kind, zero: date) -> tuple[str, Kind, str]:
    """A serial number as ISO 8601: days since `zero`, the fraction is the time of day, to the millisecond."""
    if abs(value) > _LAST[_1900] + 1:
        return _digits(text), kind, NO_DATE
    days, milliseconds = divmod(round(value * _DAY_MS), _DAY_MS)
    if kind is Kind.DURATION:
        sign, whole = ("-", -round(value * _DAY_MS)) if value < 0 else ("", round(value * _DAY_MS))
        return sign + _clock(whole), kind, ""
    if value < 0:
        return _digits(text), kind, NO_DATE
    if kind is Kind.TIME:
        return _clock(milliseconds), kind, ""
    if days > _LAST[zero] or (zero is _1900 and days in (0, _NEVER)):
        return _digits(text), kind, NO_DATE
    if zero is _1900 and days < _NEVER:
        days += 1
    day = (zero + timedelta(days)).isoformat()
    if kind is Kind.DATE or not milliseconds:
        return day, Kind.DATE, ""
    return f"{day}T{_clock(milliseconds)}", kind, ""


def _clock(milliseconds: int) -> str:
    """Hours, minutes and seconds; the hours may exceed 24."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}" + (f".{milliseconds:03}" if milliseconds else "")


# --- what a format shows ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _sections(code: str) -> tuple[Format, ...]:
    """The sections of a format: for positive numbers, for negative ones, and the rest."""
    sections: list[list[tuple[str, str]]] = [[]]
    for found in _TOKEN.finditer(code):
        if found.lastgroup == "end":
            sections.append([])
        else:
            sections[-1].append((found.lastgroup or "", found[0]))
    return tuple(map(_section, sections))


def _section(tokens: Sequence[tuple[str, str]]) -> Format:
    groups = [group for group, _ in tokens]
    clock = [group for group in groups if group in ("y", "m", "d", "h", "s", "elapsed")]
    if clock and "general" not in groups:
        return Format(_clock_kind(clock))
    if "percent" in groups:
        return Format(Kind.PERCENT)
    return Format(Kind.NUMBER, _places(tokens))


def _clock_kind(clock: Sequence[str]) -> Kind:
    """DATE, TIME, MOMENT or DURATION; `m` is minutes after hours and before seconds."""
    if "elapsed" in clock:
        return Kind.DURATION
    around = zip(("", *clock[:-1]), clock, (*clock[1:], ""), strict=True)
    is_month = any(here == "m" and before != "h" and after != "s" for before, here, after in around)
    has_date = is_month or "y" in clock or "d" in clock
    has_time = "h" in clock or "s" in clock
    return (Kind.MOMENT if has_date else Kind.TIME) if has_time else Kind.DATE


def _places(tokens: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What stands at each place of a format of zeros, two at least, and of marks between them; () for any other."""
    places: list[str] = []
    for group, text in tokens:
        if group == "zero":
            places.append("0")
        elif group in ("quoted", "other") and _MARKS.issuperset(plain := text.strip('"').removeprefix("\\")):
            places += plain
        elif group not in ("blank", "bracket"):
            return ()
    return tuple(places) if places.count("0") > 1 else ()
