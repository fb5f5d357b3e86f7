"""What runs in the guarded child: it reads one workbook, and tells what it finds through a pipe.

    python -P -m bulkload.guarded MEMORY SECONDS

`warden` starts it and asks. Each message is its length (8 bytes) and a tuple, marshalled: no message can run code. The
child is asked to open a file, then for the rows of its sheets; it ends when nobody asks any more.
"""

import gc
import marshal
import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from bulkload.blocks import blocks, header, trimmed
from bulkload.cells import Block, Spoilt, Table, Tables, column_letter
from bulkload.errors import UnusableFile
from bulkload.preflight import CELLS
from bulkload.system import limit_this_process

# Who reads which kind of file: a module with `open_tables(file, name)`; `cells` says what that gives.
READERS = {"xlsx": "bulkload.workbook", "xls": "bulkload.biff", "ods": "bulkload.opendocument"}
# Seconds that it waits for a question before it ends, and with it all that it keeps.
_PATIENCE = 10.0
# Rows that the hidden sheet of a template may have.
_STAMP_ROWS = 1_000
# Sheets that are named where the one asked for isn't there.
_NAMED = 20
_LENGTH = 8
Message = tuple[Any, ...]


def send(stream: BinaryIO, message: Message) -> None:
    """Write a message. Raises OSError where nobody reads any more."""
    content = marshal.dumps(message)
    stream.write(len(content).to_bytes(_LENGTH))
    stream.write(content)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """The next message, None where the other side has ended."""
    length = stream.read(_LENGTH)
    if len(length) < _LENGTH:
        return None
    content = stream.read(int.from_bytes(length))
    whole = len(content) == int.from_bytes(length)
    return tuple(marshal.loads(content)) if whole else None  # noqa: S302 (data alone, which can run nothing)


def unpacked(message: Message) -> Block:
    """The block of a message that says `block`."""
    _, numbers, columns, kinds, spoilt, blank_rows, hidden_rows = message
    return Block(numbers, columns, kinds, [Spoilt(*cell) for cell in spoilt], blank_rows, hidden_rows)


def main() -> None:
    """Answer what is asked on stdin, on stdout."""
    memory, seconds = map(int, sys.argv[1:])
    limit_this_process(memory, seconds)
    gc.disable()  # a reader makes millions of values and no circles
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    child = _Child()
    while True:
        idle = threading.Timer(_PATIENCE, os._exit, (0,))
        idle.daemon = True
        idle.start()
        question = receive(asked)
        idle.cancel()
        if question is None:
            return
        for answer in _answers(child, question):
            send(told, answer)


def _answers(child: "_Child", question: Message) -> Iterator[Message]:
    """What there is to say to a question; the last word is never `block`."""
    verb, *rest = question
    asked: dict[str, Callable[..., Iterator[Message]]] = {"open": child.open, "rows": child.rows}
    try:
        yield from asked[verb](*rest)
    except UnusableFile as error:
        yield "refused", str(error)
    except (MemoryError, RecursionError):
        yield ("too large",)
    except Exception as error:
        # Where, not what: the words of an exception may hold a value of the sheet.
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        yield "damaged", f"{type(error).__name__} at {place}"


class _Child:
    """A workbook that was opened, with what its reader keeps of it."""

    def __init__(self) -> None:
        self._name = ""
        self._header_row = 1
        self._tables: dict[str, Table] = {}

    def open(self, kind: str, path: str, stamp: str, sheet: str | None, header_row: int) -> Iterator[Message]:
        """Tell the sheets, and the rows of the one called `stamp`. Names that begin with _ are for programs."""
        file = Path(path).open("rb")  # noqa: SIM115 (as long as the child lives)
        stat = os.fstat(file.fileno())
        self._name, self._header_row = Path(path).name, header_row
        tables: Tables = import_module(READERS[kind]).open_tables(file, self._name)
        self._tables = {table.name: table for table in tables.tables}
        if len(self._tables) < len(tables.tables):
            raise ValueError("two sheets of one name")
        shown = [table for table in tables.tables if not table.name.startswith("_")]
        chosen = [table for table in shown if sheet in (None, table.name)]
        if not chosen:
            raise UnusableFile(_no_sheet(self._name, sheet, [table.name for table in shown]))
        rows = self._stamp(self._tables[stamp]) if stamp in self._tables else []
        yield "opened", (stat.st_size, stat.st_mtime_ns), [self._told(table) for table in chosen], rows, tables.facts

    def rows(self, sheet: str, width: int) -> Iterator[Message]:
        """Tell the rows of a sheet below its header, and that they have come to their end."""
        table = self._tables[sheet]
        cells = 0
        for block in blocks(table, f"{self._name}: {sheet}", self._header_row, width):
            cells += len(block.numbers) * width
            if cells > CELLS:
                raise UnusableFile(
                    f"{self._name}: {sheet} has more than {CELLS:,} cells, up to row {block.numbers[-1]:,}: "
                    "split it into several files"
                )
            spoilt = [(cell.row, cell.column, cell.kind, cell.found) for cell in block.spoilt]
            yield "block", block.numbers, block.columns, block.kinds, spoilt, block.blank_rows, block.hidden_rows
        yield ("end",)

    def _told(self, table: Table) -> Message:
        titles, top = header(table, self._header_row)
        return table.name, table.hidden, titles, [*_hidden_columns(table, len(titles)), *table.facts], top

    def _stamp(self, table: Table) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for line in table.lines():
            rows += [()] * (min(line.number, _STAMP_ROWS) - len(rows) - 1)
            if len(rows) >= _STAMP_ROWS:
                raise UnusableFile(f"{self._name}: the hidden sheet {table.name} is damaged: begin with a new template")
            rows.append(trimmed(line.texts))
        return rows


def _hidden_columns(table: Table, width: int) -> Iterator[str]:
    hidden = [place for first, last in table.hidden_columns for place in range(first, min(last, width) + 1)]
    if hidden:
        what = "hidden column is included" if len(hidden) == 1 else "hidden columns are included"
        yield f"{len(hidden)} {what}: {', '.join(map(column_letter, hidden))}"


def _no_sheet(file: str, sheet: str | None, there: list[str]) -> str:
    if sheet is None:
        return f"{file} has no sheet with rows: save the table as a sheet of a normal .xlsx"
    more = f" and {len(there) - _NAMED:,} more" if len(there) > _NAMED else ""
    return f'{file} has no sheet "{sheet}": its sheets are {", ".join(there[:_NAMED])}{more}. Name one of them'


if __name__ == "__main__":
    main()
