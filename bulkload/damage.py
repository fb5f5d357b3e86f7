"""What a spreadsheet, an export or a copy has made of a cell, with what was perhaps meant; nothing is repaired."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from bulkload.cells import LONGEST
from bulkload.finding import Said, of_value
from bulkload.models import Kind, Severity
from bulkload.resource import Column

Fits = Callable[[str], bool]

_CLOCKS = {Kind.DATE: "a date", Kind.MOMENT: "a date", Kind.TIME: "a time of day", Kind.DURATION: "a length of time"}
# What a column that is no text expects.
_EXPECTED = frozenset({Kind.NUMBER, Kind.BOOLEAN})
_AS_TEXT = "format the cell as Text and type it again."
_TOO_LONG = (
    f"is longer than the {LONGEST:,} characters that a cell of a workbook holds: sent whole, cut in a result as .xlsx."
)
_DIGITS = re.compile("[0-9]+")
# Zeros that a number may have lost: more are no accident.
_MOST_ZEROS = 12
# From how many cells on, and from what share of them, a column shows what its cells look like.
_ENOUGH = 3
_MOST = 0.8
_PHONE = re.compile(
    r"\b(?:tele|soft)?phones?\b|\bmobile|\bfax\b|\bmsisdn\b|\be\.?164\b|\bcountry code\b", re.IGNORECASE
)
_PHONE_FORMATS = frozenset({"phone", "phone-number", "tel", "e164"})
_WITH_PLUS = re.compile(r"\+[0-9][0-9 ().\-/]{5,}")
_WITHOUT_PLUS = re.compile(r"[1-9][0-9 ().\-/]{6,}")

# Windows-1252 shows the bytes 0x80 to 0xBF so, which are the second and later ones of a character in UTF-8.
_LATER = "\u0080-\u00bf" + "".join(re.escape(bytes([b]).decode("cp1252", "ignore")) for b in range(0x80, 0xA0))
_TWICE = re.compile(f"[\u00c2-\u00f4][{_LATER}]")
_LOST = "\ufffd"
# Letters of other scripts that look like Latin ones, and those.
_ALIKE = dict(zip("АВЕКМНОРСТУХІЈЅаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEKMHOPCTYXIJSaeopcyxijsABEZHIKMNOPTYXo", strict=True))
_MIXED = re.compile(rf"(?=\w*[A-Za-z])\w*[{''.join(_ALIKE)}]\w*")


def of_kind(column: Column, text: str, kind: Kind, fits: Fits) -> Said | None:
    """What is to be told of a cell that the file keeps as something else than text.

    `fits` says whether the column allows a text. An error means that the text is not what was typed.
    """
    if kind is Kind.FORMULA:
        return _note(column, "formula", text, "is what a formula gave when the file was last calculated.")
    is_text = column.type == "string"
    if kind is Kind.PERCENT and not is_text:
        return of_value(column, "percentage", text, percentage(text))
    if kind in _CLOCKS and not column.enum and column.schema.get("format") not in ("date", "date-time", "time"):
        return _clock(column, text, kind, fits)
    if not is_text or column.enum:
        return None
    if kind in (Kind.NUMBER, Kind.PERCENT):
        return _note(column, "number", text, "is a number in the file, and was read as the text that it shows.")
    if kind is Kind.BOOLEAN:
        return _note(column, "boolean", text, "is TRUE or FALSE in the file, and was read as the text that it shows.")
    return None


def silent(column: Column) -> frozenset[Kind]:
    """Kinds of which `of_kind` tells nothing, whatever the text is."""
    return frozenset() if column.type == "string" and not column.enum else _EXPECTED


def _clock(column: Column, text: str, kind: Kind, fits: Fits) -> Said | None:
    what = _CLOCKS[kind]
    if column.type != "string":
        return of_value(column, "became a date", text, f"is {what} in the file. Format the cell as Number and type it.")
    if (column.schema.get("pattern") or column.schema.get("format")) and fits(text):
        return _note(column, "time", text, f"is {what} in the file, and was read as the text that it shows.")
    if column.secret:
        return of_value(column, "became a date", text, f"has become {what}. Format the cell as Text and type it again.")
    if kind in (Kind.TIME, Kind.DURATION):
        short = re.sub(r"^0(?=[0-9])|:00$", "", text)
        says = f"has become {what}. If {short} was meant, {_AS_TEXT}"
        return of_value(column, "became a time", text, says)
    return of_value(column, "became a date", text, f"has become a date{_typed(text)}, {_AS_TEXT}")


def _typed(text: str) -> str:
    """` (2 January 2026). If 1-2 was meant`: what a person may have typed that became this date."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return ". If something else was meant"
    return f" ({in_words(day)}). If {day.month}-{day.day} was meant"


def in_words(day: date) -> str:
    """`2 January 2026`."""
    return f"{day.day} {day:%B} {day.year}"


def percentage(text: str) -> str:
    """What is said of a percentage where a number is wanted."""
    number = text.strip().removesuffix("%").strip()
    try:
        fraction = f"{float(number.replace(',', '.')) / 100:.12g}"
    except ValueError:
        return "is a percentage, and a number is wanted. Type the number."
    return f"is a percentage, and a number is wanted. Type {fraction}, or {number} if the API counts in percent."


def zeros_lost(text: str, fits: Fits) -> str:
    """What to say of digits that are too short for their column, "" if zeros before them don't help."""
    if _DIGITS.fullmatch(text):
        for length in range(len(text) + 1, len(text) + 1 + _MOST_ZEROS):
            if fits(meant := text.zfill(length)):
                return _zeros(meant)
    return ""


def _zeros(meant: str) -> str:
    return f" Were zeros lost in front? If {meant} was meant, {_AS_TEXT}"


def shorter(column: Column, numbers: Sequence[str], texts: Iterable[str]) -> dict[str, Said]:
    """The `numbers` of a column of text that have fewer digits than its cells of text, which are all of one length."""
    lengths = Counter(len(text) for text in texts if _DIGITS.fullmatch(text))
    if lengths.total() < _ENOUGH or len(lengths) != 1:
        return {}
    (length,) = lengths
    says = f"has fewer digits than the {length} of the cells around it."
    return {
        text: of_value(column, "zeros lost", text, f"{says}{_zeros(text.zfill(length))}", Severity.WARNING)
        for text in numbers
        if _DIGITS.fullmatch(text) and len(text) < length
    }


def is_for_phones(column: Column) -> bool:
    """Whether the document says that phone numbers stand in a column."""
    words = " ".join((re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.name), column.title, column.description))
    examples = " ".join(map(str, column.examples))
    return column.type == "string" and not column.enum and (
        column.schema.get("format") in _PHONE_FORMATS or bool(_PHONE.search(words) or _WITH_PLUS.search(examples))
    )  # fmt: skip


def without_plus(column: Column, numbers: Sequence[str]) -> dict[int, Said]:
    """The phone numbers without a plus, by place, where most of a column have one."""
    bare = [place for place, number in enumerate(numbers) if _WITHOUT_PLUS.fullmatch(number)]
    if not bare:
        return {}
    plus = sum(bool(_WITH_PLUS.fullmatch(number)) for number in numbers)
    if plus < _ENOUGH or plus < _MOST * (plus + len(bare)):
        return {}
    says = "has no + in front, as nearly all numbers of this column have. If +{} was meant, correct it."
    return {
        place: _caused(
            of_value(column, "no plus", numbers[place], says.format(numbers[place]), Severity.WARNING),
            "A phone number has no + in front, as nearly all others of its column have.",
        )
        for place in bare
    }


def misread(column: Column, texts: Sequence[str]) -> Iterator[tuple[int, Said]]:
    """The texts, by place, that an export or a copy has spoilt: encoded twice, with lost or with foreign letters."""
    if "".join(texts).isascii():
        return
    for place, text in enumerate(texts):
        if text.isascii():
            continue
        if _TWICE.search(text) and (meant := _decoded(text)):
            says = f"looks as if it was encoded twice. If {meant} was meant, type it, or export the file as UTF-8."
            cause = "The text looks as if it was encoded twice."
            yield place, _caused(of_value(column, "encoded twice", text, says, Severity.WARNING), cause)
        elif _LOST in text:
            says = "holds �, which stands where a character was lost. Type the whole text again."
            yield place, of_value(column, "lost character", text, says, Severity.WARNING)
        elif found := _MIXED.search(text):
            yield place, _foreign(column, text, found[0])


def _decoded(text: str) -> str:
    """What a text was before its UTF-8 was read as Windows-1252, "" if it can't have been."""
    try:
        return b"".join(_byte(character) for character in text).decode()
    except UnicodeError:
        return ""


def _byte(character: str) -> bytes:
    """A character as the byte that was read as it; five bytes have none in Windows-1252 and stay controls."""
    return character.encode("latin-1") if "\x80" <= character <= "\x9f" else character.encode("cp1252")


def _foreign(column: Column, text: str, word: str) -> Said:
    letter = next(one for one in word if one in _ALIKE)
    script = "Cyrillic" if letter > "\u03ff" else "Greek"
    says = (
        f"has a {script} letter (U+{ord(letter):04X}) among Latin ones that looks like {_ALIKE[letter]}. "
        f"If {''.join(_ALIKE.get(one, one) for one in word)} was meant, type it again."
    )
    cause = f"A {script} letter stands among Latin ones."
    return _caused(of_value(column, "foreign letter", text, says, Severity.WARNING), cause)


def too_long(column: Column, texts: Sequence[str]) -> Iterator[tuple[int, Said]]:
    """What is to be told of the texts, by place, for which a cell of a workbook has no room."""
    if max(map(len, texts), default=0) > LONGEST // 2:
        for place, text in enumerate(texts):
            if len(text) > LONGEST // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * LONGEST:
                yield place, _note(column, "too long", text, _TOO_LONG)


def _note(column: Column, rule: str, text: str, says: str) -> Said:
    return of_value(column, rule, text, says, Severity.NOTE)


def _caused(said: Said, cause: str) -> Said:
    return Said(said.rule, said.message, said.value, said.severity, cause)
