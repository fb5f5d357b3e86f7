"""A row at the end that adds the others up is no record: told, so that nobody makes one of it by accident."""

import re
from collections.abc import Collection, Iterator

from bulkload.models import Finding, Frame, Severity

# The rows at the end of a frame that are looked at: below a total there may be a line with a name or a date.
_LAST = 3
_TOTAL = re.compile(
    r"(?:grand |sub-?)?totals?|sum|(?:zwischen|gesamt)?summe|gesamt|insgesamt|(?:sous-)?total(?: général)?|somme"
    r"|totale|suma|totaal|合计|總計|总计",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,'\s]*%?")
_SAYS = "This row looks like a total, not like a record. Delete it if it is one."


def total_rows(sheet: str, frame: Frame, positions: Collection[int]) -> Iterator[Finding]:
    """A warning for each of the last rows that begins with a word like «Total» and else has nothing but numbers.

    `positions` are those of the columns that are read.
    """
    last = frame.text.tail(_LAST)
    columns = [last[position].str.strip().tolist() for position in sorted(positions)]
    for place, number in enumerate(last.index.tolist()):
        word, *others = [column[place] for column in columns if column[place]] or [""]
        if _TOTAL.fullmatch(word.rstrip(" :")) and all(map(_NUMBER.fullmatch, others)):
            yield Finding(sheet, number, None, "", word, "total", _SAYS, Severity.WARNING)
