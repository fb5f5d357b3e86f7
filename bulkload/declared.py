"""Dates and numbers that a person writes in one of several ways: read as declared, else as they can only be meant."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import permutations

from bulkload.damage import in_words
from bulkload.finding import Said, of_value
from bulkload.models import Severity
from bulkload.resource import Column

_PARTS = ("DD", "MM", "YYYY")
_FORMATS = frozenset(sign.join(parts) for parts in permutations(_PARTS) for sign in "/.-")
_WRITTEN = re.compile(r"([0-9]{1,4})([/.-])([0-9]{1,2})\2([0-9]{1,4})")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")

Remarks = dict[int, Said]


def date_format(text: str) -> str:
    """How text dates are written, as a person names it: `DD/MM/YYYY`. Raises ValueError."""
    if text.upper() not in _FORMATS:
        raise ValueError(f'"{text}" is no way to write a date: put it together of DD, MM and YYYY, like DD/MM/YYYY')
    return text.upper()


@dataclass(frozen=True, slots=True)
class Dates:
    """How the text dates of a column were read: `format` is how they are written, "" where that isn't known.

    `declared` says that the document or the person named it; else the cells so far can only be read so.
    """

    format: str
    declared: bool = True


def dates(column: Column, texts: Sequence[str], so_far: Dates) -> tuple[list[str], Remarks, Dates]:
    """The texts with their dates in ISO 8601, what is to be told of which, and how dates are read from now on.

    A date that can be meant in two ways is refused, unless the format is declared, or the other dates of the column, of
    this frame or of an earlier one, can only be read in one way.
    """
    written = {place: text for place, text in enumerate(texts) if _WRITTEN.fullmatch(text) and not _ISO.fullmatch(text)}
    remarks = dict(_impossible(column, texts))
    if not written:
        return list(texts), remarks, so_far
    known = so_far if so_far.format else Dates(_only_format(written.values()), declared=False)
    read = list(texts)
    for place, text in written.items():
        forms = _forms(text)
        how = known if (known.declared and known.format) or len(forms) > 1 else Dates(forms[0], declared=False)
        found = _read(text, how.format) if how.format else _the_only(text)
        if found:
            read[place] = found.isoformat()
            remarks[place] = _was_read(column, text, found, how)
        else:
            remarks[place] = of_value(column, "date", text, _why_not(text, known))
    return read, remarks, known


def _impossible(column: Column, texts: Sequence[str]) -> Iterator[tuple[int, Said]]:
    for place, text in enumerate(texts):
        if _ISO.fullmatch(text) and not _read(text, "YYYY-MM-DD"):
            yield place, of_value(column, "date", text, "is no day of the calendar. Correct it.")


def _was_read(column: Column, text: str, found: date, known: Dates) -> Said:
    if not known.format:
        how = "day and month are the same"
    elif known.declared:
        how = f"{known.format}, as is declared"
    else:
        how = f"{known.format}, as all dates of this column can only be read"
    message = of_value(column, "date", text, f"was read as {found.isoformat()} ({how}).").message
    return Said("date", message, text, Severity.NOTE, f"A date was read from text: {how}.")


def _why_not(text: str, known: Dates) -> str:
    if known.format:
        but = "as is declared" if known.declared else "as the other dates of this column can only be read"
        return f"is no date when it is read as {known.format}, {but}. Correct it, or write it like 2025-12-31."
    days = list(dict.fromkeys(filter(None, (_read(text, form) for form in _forms(text)))))
    if not days:
        return "is no date. Write it like 2025-12-31."
    ways = " or ".join(in_words(day) for day in days)
    return (
        f"can be {ways}. Write {' or '.join(day.isoformat() for day in days)}, "
        "or say how dates are written, as in --date-format DD/MM/YYYY."
    )


def _only_format(written: Collection[str]) -> str:
    """The one format in which all these are dates, "" if there are several or none; such as are no date don't count."""
    forms = ([form for form in of_text if _read(text, form)] for text in written if len(of_text := _forms(text)) > 1)
    left = [set(found) for found in forms if found]
    common = set.intersection(*left) if left else set()
    return common.pop() if len(common) == 1 else ""


def _the_only(text: str) -> date | None:
    """The day of a text that is the same day in every way to read it."""
    days = {day for form in _forms(text) if (day := _read(text, form))}
    return days.pop() if len(days) == 1 and len({*map(int, re.split("[/.-]", text))}) < 3 else None


def _forms(text: str) -> tuple[str, ...]:
    """How a text may be meant: with the year in front there is but one way."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return ()
    sign = found[2]
    if len(found[1]) == 4:
        return (f"YYYY{sign}MM{sign}DD",)
    return (f"DD{sign}MM{sign}YYYY", f"MM{sign}DD{sign}YYYY")


def _read(text: str, form: str) -> date | None:
    """The day that a text is in a format; the year has four digits, day and month one or two."""
    found = _WRITTEN.fullmatch(text)
    sign = form.strip("DMY")[:1]
    if found is None or found[2] != sign:
        return None
    parts = dict(zip(form.split(sign), (found[1], found[3], found[4]), strict=True))
    if len(parts["YYYY"]) != 4 or max(len(parts["DD"]), len(parts["MM"])) > 2:
        return None
    try:
        return date(int(parts["YYYY"]), int(parts["MM"]), int(parts["DD"]))
    except ValueError:
        return None


def numbers(column: Column, texts: Sequence[str], kept: Collection[int]) -> tuple[list[str], Remarks]:
    """The texts of a column whose decimal sign is a comma, with a point instead.

    A point is refused, but for the texts, by place, that the file itself has `kept` as numbers.
    """
    read, remarks = list(texts), Remarks()
    for place, text in enumerate(texts):
        if found := _COMMA.fullmatch(text):
            read[place] = f"{found[1]}.{found[2]}"
        elif "." in text and place not in kept:
            says = "has a point, and the decimal sign of this column is a comma. Write it like 1234,5."
            remarks[place] = of_value(column, "type", text, says)
    return read, remarks
