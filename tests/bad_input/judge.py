"""What must become of a kind of bad file, and what is wrong with what became of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from enum import Flag, auto
from typing import Any


class Verdict(Flag):
    """What may become of a file: read in silence, read and told, rows of it refused, all of it refused."""

    ACCEPT = auto()
    TELL = auto()
    INVALID = auto()
    REFUSE = auto()


ACCEPT, TELL, INVALID, REFUSE = Verdict
Rows = Mapping[int, tuple[Any, ...]]

# The rows come to a resource of these columns; a row is told as its values in this order, blank ones left out.
SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "value": {"type": "string"},
        "when": {"type": "string", "format": "date"},
        "count": {"type": "integer"},
        "amount": {"type": "number"},
        "flag": {"type": "boolean"},
    },
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file, and its judgement.

    `says` has patterns, parted by ` & `, that must all be found in what is said, whatever their case; of a kind that
    may also be accepted in silence, only if it isn't. `rows` are those that would be sent, by row number; None where
    they are too many to name. `sheet` is named by the person. `hostile` kinds are opened in a process of their own,
    which must stay small. What stands in `never` may not be said: it is what the file tries to get at.
    """

    make: Callable[[], bytes]
    verdict: Verdict
    says: str = ""
    rows: Rows | None = None
    _: KW_ONLY
    file: str
    sheet: str = ""
    hostile: bool = False
    never: str = ""

    @property
    def name(self) -> str:
        """`error cells`, as the table is spoken of."""
        return self.make.__name__.replace("_", " ") + ("" if self.file.startswith("a.") else f", named {self.file}")


_STATUS = {0: ACCEPT | TELL, 1: INVALID, 2: REFUSE}
# A file is refused in a line, or in one for each wrong title.
_LINES = 8
_NEXT_STEP = re.compile(
    r"\b(save|open|rename|export|type|correct|format|unpack|name|delete|fill|give|clear|take|put|write|fetch|add|say|"
    r"split|remove|begin|shorten|look|unmerge|copy|move|needs|quotes|written twice)\b|--",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a file: the exit status, all that was said, and the rows that would go out (None: not asked)."""

    status: int
    said: str
    rows: Rows | None = None


def faults(kind: Kind, seen: Seen) -> list[str]:
    """What is wrong with what became of a file; empty where all is as the table has it."""
    found = []
    if not _STATUS.get(seen.status, Verdict(0)) & kind.verdict:
        found.append(f"exit status {seen.status}, not {kind.verdict.name}")
    if "Traceback" in seen.said or (kind.never and kind.never in seen.said):
        found.append("says what it never may")
    if seen.status != 0 or ACCEPT not in kind.verdict:
        found += [
            f"does not say /{one}/"
            for one in filter(None, kind.says.split(" & "))
            if not re.search(one, seen.said, re.IGNORECASE)
        ]
    if seen.status == 0 and kind.verdict is ACCEPT and re.search("^(error|warning|note) ", seen.said, re.MULTILINE):
        found.append("finds fault with a good file")
    if seen.status == 2 and (kind.file not in seen.said or len(seen.said.splitlines()) > _LINES):
        found.append("does not name the file in a few lines")
    if seen.status in (1, 2) and not _NEXT_STEP.search(seen.said):
        found.append("does not say what to do")
    if seen.rows is not None and kind.rows is not None and not _as_wanted(kind, seen.rows):
        found.append(f"would send {dict(seen.rows)!r:.300}, not {dict(kind.rows)!r:.300}")
    return found


def _as_wanted(kind: Kind, sent: Rows) -> bool:
    """Whether these rows may go out: of a kind that may also be refused in whole or in part, some of them or none."""
    assert kind.rows is not None
    if kind.verdict in (ACCEPT, TELL, ACCEPT | TELL, INVALID):
        return sent == kind.rows
    return all(row in kind.rows and kind.rows[row] == values for row, values in sent.items())
