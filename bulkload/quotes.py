"""Quotes of a CSV: which cells hold line breaks, and where a quote neither opens nor closes a field."""

import re


class Quotes:
    """Follows the quotes of a text, cheaply: split at them, its parts stand outside and inside of fields by turns.

    `broken` is true once a quoted field holds a line break. Outside, what stands beside a quote must be a delimiter, a
    line end, or nothing (of two quotes that stand for one); else `stray` is true, and what follows means nothing.
    """

    def __init__(self, delimiter: str) -> None:
        self.broken = self.stray = False
        self._open = False
        self._beside = {"", delimiter, "\n"}

    def see(self, lines: str) -> None:
        """Take the next whole lines of the text, with line feeds for line ends."""
        if '"' in lines:
            parts = ('"' + lines if self._open else lines).split('"')
            self._open = len(parts) % 2 == 0
            outside = parts[0::2]
            before = {part[-1:] for part in (outside if self._open else outside[:-1])}
            after = {part[:1] for part in outside[1:]}
            self.stray |= not before | after <= self._beside
            self.broken |= "\n" in "".join(parts[1::2])


def quoted_fields(delimiter: str) -> re.Pattern[str]:
    """What finds the quoted fields of a record."""
    return re.compile(rf'(?:^|(?<={re.escape(delimiter)}))"(?:[^"]++|"")*+"')
