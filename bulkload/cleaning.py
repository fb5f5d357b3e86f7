"""What can't be seen in a cell: taken out and told, or refused. Line breaks within a text stay as they are."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence

from bulkload.finding import Said, of_cell, of_value, quoted
from bulkload.models import Severity
from bulkload.resource import Column

_BLANKS = "\u00a0\u2007\u202f"
_NO_WIDTH = "\u00ad\u180e\u200b\u2060-\u2064\ufeff"
# A joiner shapes the letters of many scripts and holds an emoji together; behind a Latin letter, or what is taken out
# itself, it does nothing.
_JOINERS = r"(?<![\u0590-\u180d\u180f-\u1fff\u2100-\ufefe\uff00-\U0010ffff])[\u200c\u200d]"
_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f"
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# C1 controls are what is left of a “ or € that was read in the wrong encoding; U+0085 is a line break.
_NO_TEXT = r"\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff"

_BLANK = re.compile(f"[{_BLANKS}]")
_REMOVED = re.compile(f"[{_NO_WIDTH}{_CONTROLS}]|{_JOINERS}")
# A path refuses control characters by itself, and says so in its own words.
_REMOVED_FROM_PATH = re.compile(f"[{_NO_WIDTH}]|{_JOINERS}")
_REFUSED = re.compile(f"[{_BIDI}{_NO_TEXT}]")
_UNSEEN = re.compile(f"[{_BLANKS}{_NO_WIDTH}{_CONTROLS}{_BIDI}{_NO_TEXT}]|{_JOINERS}")
_NAMES = {"\ufeff": "byte order mark", "\x00": "NUL", "\x7f": "delete", "\x1b": "escape", "\x07": "bell"}
_BIDI_SAYS = "which makes a text look other than it is. Clear the cell and type the value again."
_NO_TEXT_SAYS = "which is no character but a rest of one that was read wrongly. Type the value again."
_AS_IT_STANDS = "It is sent as it stands: if that is not meant, type it again."

Remarks = dict[int, Said]


def clean(column: Column, texts: Sequence[str], kept: Collection[int] = ()) -> tuple[list[str], Remarks]:
    """The texts without what can't be seen and without blanks around them, and what is to be told of which.

    Those in `kept`, by position, lose the ordinary blanks around them alone. A secret is not touched, but for one of
    nothing but blanks, which is empty.
    """
    hidden = not " ".join(texts).isprintable()
    if column.secret:
        return _secrets(column, texts)
    bare = [text.strip() for text in texts]
    for place in kept:
        bare[place] = texts[place].strip(" \t\r\n")
    remarks = {place: _stripped(text) for place, text in enumerate(bare) if text and text != texts[place]}
    if hidden:
        removed = _REMOVED_FROM_PATH if column.place == "path" else _REMOVED
        for place in {place for place, text in enumerate(texts) if _UNSEEN.search(text)}.difference(kept):
            bare[place], said = _seen(column, texts[place], removed)
            if said:
                remarks[place] = said
    return bare, remarks


def _seen(column: Column, text: str, removed: re.Pattern[str]) -> tuple[str, Said | None]:
    """A text without what can't be seen, and what is to be told of that; a text that is refused stays as it is."""
    if found := _REFUSED.findall(text):
        says = _BIDI_SAYS if re.match(f"[{_BIDI}]", found[0]) else _NO_TEXT_SAYS
        return text.strip(), of_value(column, "hidden characters", text, f"holds {_named(found[:1])}, {says}")
    new = removed.sub("", _BLANK.sub(" ", text)).strip()
    done = list(_done(text, removed))
    if not done:
        return new, None
    cause = " and ".join(done)
    cause = f"{cause[0].upper()}{cause[1:]}."
    return new, Said("cleaned", f"{cause} {_read_as(new)}", new, Severity.NOTE, cause)


def _done(text: str, removed: re.Pattern[str]) -> Iterator[str]:
    within = text.strip()
    outside = text[: len(text) - len(text.lstrip())] + text[len(text.rstrip()) :] if within else ""
    if found := removed.findall(text) + _BLANK.findall(outside):
        yield f"removed {_named(found)}"
    elif outside:
        yield "removed the blanks around the text"
    if found := _BLANK.findall(within):
        yield f"replaced {_named(found)} with an ordinary blank"


def _stripped(text: str) -> Said:
    cause = "Removed the blanks around the text."
    return Said("cleaned", f"{cause} {_read_as(text)}", text, Severity.NOTE, cause)


def _read_as(text: str) -> str:
    return f"It was read as {quoted(text)}." if text else "Nothing was left, so the cell was read as empty."


def _secrets(column: Column, texts: Sequence[str]) -> tuple[list[str], Remarks]:
    bare = [text if text.strip() else "" for text in texts]
    remarks = {}
    for place, text in enumerate(bare):
        what = []
        if text.strip() != text:
            what.append("begins or ends with a blank")
        if found := _UNSEEN.findall(text):
            what.append(f"holds {_named(found)}, which can't be seen")
        if what:
            message = f"The value {' and '.join(what)}. {_AS_IT_STANDS}"
            remarks[place] = of_cell(column, "hidden characters", message, text, Severity.WARNING)
    return bare, remarks


def _named(found: Iterable[str]) -> str:
    """`U+200B (zero width space) and U+00AD (soft hyphen)`."""
    return " and ".join(_name(character) for character in dict.fromkeys(found))


def _name(character: str) -> str:
    name = _NAMES.get(character) or unicodedata.name(character, "").lower()
    kind = "control character" if unicodedata.category(character) == "Cc" else ""
    what = name or kind
    return f"U+{ord(character):04X} ({what})" if what else f"U+{ord(character):04X}"
