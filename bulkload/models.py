"""The words of the tool as frozen values: what a sheet holds, what is wrong with it, what was sent, what came back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkload.cells import Kind as Kind
from bulkload.cells import Spoilt as Spoilt
from bulkload.cells import column_letter as column_letter

if TYPE_CHECKING:  # `bulkload resources` is not to wait for pandas
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

# Rows per frame: bounds memory whatever the size of the file, and lets checking begin while the rest is being read.
FRAME_ROWS = 20_000
# What stands in place of a secret, in results, messages and on the terminal.
MASK = "••••••"
# What a row does to the API.
CREATE, UPDATE = "create", "update"
# What a person types into a cell of an update to empty that field.
CLEAR = "(clear)"
# The columns that a result has after the input's own, by which it is recognised when it is imported again.
RESULT_COLUMNS = (
    "Import status",
    "Import ID",
    "Import error",
    "Import HTTP status",
    "Import attempts",
    "Import time",
    "Import run",
    "Source row",
)


class Status(StrEnum):
    """What became of a row. `sending` stands in the journal only: in flight, and `unknown` after a crash."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    INVALID = "invalid"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"
    SENDING = "sending"


DONE = frozenset({Status.CREATED, Status.UPDATED, Status.UNCHANGED})
# The statuses of a result, in the order of the summary table.
RESULT_STATUSES = tuple(status for status in Status if status is not Status.SENDING)


class Severity(StrEnum):
    """An error keeps its row from being sent; a warning is told and the row is sent; a note says what was read how."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


def rows_in_words(count: int) -> str:
    """`1 row`, `1,234 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


class Finding(NamedTuple):
    """One thing wrong with one cell, or with a whole row or header; a file may have millions, and this is quickly made.

    `row` is the spreadsheet's own row number (1-based, the header included). `column` is the 1-based position in the
    sheet, None where the whole row is meant. `title` is the column's header as the person sees it, `value` what stands
    in the cell (masked if secret), `message` the rule and the next step without the place. `cause` groups findings of
    many rows; empty means that the message itself does. A note may stand for `more` cells of its column, further down.
    """

    sheet: str
    row: int
    column: int | None
    title: str
    value: str
    rule: str
    message: str
    severity: Severity = Severity.ERROR
    cause: str = ""
    more: int = 0

    @property
    def cell(self) -> str:
        """`D7`, or `row 7` where no single cell is at fault."""
        return f"{column_letter(self.column)}{self.row}" if self.column else f"row {self.row}"

    @property
    def place(self) -> str:
        """`Destinations!D7 (Types)`, as the person sees it."""
        title = f" ({self.title})" if self.title else ""
        return f"{self.sheet}!{self.cell}{title}" if self.column else f"{self.sheet} {self.cell}"

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Frame:
    """At most FRAME_ROWS rows of a sheet as text.

    `text` has one column per header cell, labelled 1, 2, 3... (positions, since titles may repeat), dtype `str`, no
    NA: an empty cell is "". The index `row` holds the spreadsheet's own row numbers; wholly blank rows are left out.
    `kinds` has the Kind of each cell of a column, by its position; a column of nothing but TEXT is left out.
    `blank_rows` counts the blank rows left out since the last frame, `hidden_rows` those of this one that are hidden.
    """

    text: "pd.DataFrame"
    spoilt: tuple[Spoilt, ...] = ()
    kinds: Mapping[int, "npt.NDArray[np.uint8]"] = field(default_factory=dict)
    blank_rows: int = 0
    hidden_rows: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a file: `header` is the text of each header cell as it stands ("" where blank).

    `frames()` reads the rows each time it is called, so that no more than one frame of a large file need be held. A
    small file's frames are kept: nobody may change one.
    `from_text` is true for CSV, whose cells have no types and where a result guards formulas with an apostrophe;
    `encoding` and `delimiter` (`comma`, `tab`, or the character) are those of a CSV, "" elsewhere.
    `facts` are lines of "what I read" that no number tells (macros, hidden columns), for a person.
    `top` are the first rows below the header as they stand, each with its number and however wide it is, so that a
    header further down can be found.
    """

    name: str
    header: tuple[str, ...]
    header_row: int
    frames: Callable[[], Iterator[Frame]]
    hidden: bool = False
    from_text: bool = False
    facts: tuple[str, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    top: Sequence[tuple[int, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """A file that could be opened: its sheets from left to right, and the rows of its hidden stamp sheet, if any.

    `facts` are sentences of "what I read" about the whole file (macros, links to other files), for a person.
    """

    path: str
    sha256: str
    sheets: tuple[Sheet, ...]
    stamp: tuple[tuple[str, ...], ...] = ()
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row as typed values by column name; blank cells are left out.

    `number` is the spreadsheet's own. A cell that says `(clear)` stands as the empty value that the API is to keep.
    """

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row of a result workbook, imported again, says of itself. `source_row` 0: it doesn't say."""

    run: str
    source_row: int
    status: str
    id: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call to make for one row, without sign-in.

    `path` stands under the connection's base URL, already quoted. `body` is the JSON value to send. `secrets` are the
    values of the row's secret columns, to be kept out of everything that is written. `headers` and `query` hold the
    settings that the operation asks for.
    """

    sheet: str
    row: int
    action: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Once:
    """A key under which the API does what a row asks for only once, and the last moment to send the row with it."""

    key: str
    until: datetime


class Outcome(NamedTuple):
    """What became of one row, as the journal and the result tell it; a run may have millions.

    `id` is the record's ID as text, "" where none is known. `error` is for a person: the API's own words, redacted, or
    ours. `note` is what is worth knowing of a row that is done. `http_status` and `attempts` are 0 if nothing was sent.
    """

    sheet: str
    row: int
    status: Status
    id: str = ""
    error: str = ""
    note: str = ""
    http_status: int = 0
    attempts: int = 0
    request_id: str = ""
    time: datetime | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: status line, headers (names in lower case) and the whole body, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HeadOnly:
    """Status line and headers arrived; the body was cut, stalled, too long or could not be unpacked."""

    status: int
    headers: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Positively proven: no byte of the request itself left us, so the API did nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No usable answer came and nothing proves that the API did nothing: the work may be done."""

    reason: str


Reply = Answer | HeadOnly | NotSent | Lost


@dataclass(frozen=True, slots=True)
class Run:
    """One import as the journal knows it. `ended` is None while it runs or if it was cut off."""

    id: str
    file: str
    sha256: str
    connection: str
    target: str
    user: str
    started: datetime
    ended: datetime | None = None
    result: str = ""
    counts: Mapping[Status, int] = field(default_factory=dict)
