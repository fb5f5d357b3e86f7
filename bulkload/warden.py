"""Reads a workbook in a guarded child: a file that aborts its parser, or eats all memory, stops nothing else."""

import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from bulkload.cells import Block
from bulkload.errors import UnusableFile
from bulkload.guarded import Message, receive, send, unpacked
from bulkload.system import limit_reached, start_child

# Bytes and seconds of processor time that a child may take, and seconds that it may say nothing.
_MEMORY = 2 << 30
_SECONDS = 300
_SILENCE = 120.0
_WORDS = (sys.executable, "-P", "-m", "bulkload.guarded", str(_MEMORY), str(_SECONDS))


@dataclass(frozen=True, slots=True)
class Head:
    """A sheet without its rows: `header` is the text of its header cells, `facts` are for a person.

    `top` are the first rows below the header, each with its number.
    """

    name: str
    hidden: bool
    header: tuple[str, ...]
    facts: tuple[str, ...]
    top: tuple[tuple[int, list[str]], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A workbook without its rows. `stat` is the size and time (ns) of the file that was opened."""

    stat: tuple[int, int]
    heads: tuple[Head, ...]
    stamp: tuple[tuple[str, ...], ...]
    facts: tuple[str, ...]


class Warden:
    """Has one workbook read: `kind` as `guarded.READERS` knows it, `stamp` the sheet that is read at once and whole.

    The child that opened the file reads its rows too, if that is asked for soon; else it ends, and another one does.
    """

    def __init__(self, path: Path, kind: str, stamp: str, sheet: str | None, header_row: int) -> None:
        self._name = path.name
        self._open = ("open", kind, str(path.resolve()), stamp, sheet, header_row)
        self._idle: _Child | None = None

    def open(self) -> Opened:
        """Look at the sheets, or at `sheet` alone. Raises UnusableFile."""
        child, opened = self._new()
        self._idle = child
        return opened

    def blocks(self, sheet: str, width: int) -> Iterator[Block]:
        """The rows of a sheet below its header. Who stops before their end ends the child. Raises UnusableFile."""
        child, self._idle = self._idle, None
        question = ("rows", sheet, width)
        message = child.ask(question) if child else None
        if child is None or message is None:  # it has ended meanwhile, as it does when nobody asks
            child, _ = self._new()
            message = child.ask(question)
        try:
            while (message := self._checked(message, child))[0] == "block":
                yield unpacked(message)
                message = child.next()
        except BaseException:
            child.end()
            raise
        self._idle = child

    def _new(self) -> "tuple[_Child, Opened]":
        child = _Child()
        try:
            _, stat, heads, stamp, facts = self._checked(child.ask(self._open), child)
        except BaseException:
            child.end()
            raise
        told = tuple(Head(name, hidden, header, tuple(facts), top) for name, hidden, header, facts, top in heads)
        return child, Opened(stat, told, tuple(stamp), facts)

    def _checked(self, message: Message | None, child: "_Child") -> Message:
        """The message, or what it says of the file as UnusableFile."""
        verb, *rest = message or (child.fate(),)
        if verb == "refused":
            raise UnusableFile(rest[0])
        if verb == "too large":
            raise UnusableFile(f"{self._name} takes more than {_MEMORY >> 30} GiB of memory to read: split it")
        if verb == "too slow":
            raise UnusableFile(f"{self._name} takes more than {_SECONDS // 60} minutes to read: split it")
        if verb in ("damaged", "ended"):
            raise UnusableFile(
                f"{self._name} is damaged or incomplete: fetch it again, or open it in Excel and save it as a new .xlsx"
            ) from RuntimeError(f"reading {verb}: {', '.join(map(str, rest))}")
        return (verb, *rest)


class _Child:
    """A running child. It ends with whoever holds it."""

    def __init__(self) -> None:
        self._process = start_child(_WORDS)
        self._slow = False
        self.end = weakref.finalize(self, _end, self._process)

    def ask(self, question: Message) -> Message | None:
        with suppress(OSError):  # it is gone: so is the answer
            send(cast(BinaryIO, self._process.stdin), question)
        return self.next()

    def next(self) -> Message | None:
        """The next message; None where the child has ended."""
        watch = threading.Timer(_SILENCE, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            return receive(cast(BinaryIO, self._process.stdout))
        finally:
            watch.cancel()

    def fate(self) -> str:
        """Why it ended before it had said all: `too slow`, `too large` or `ended`."""
        limit = "time" if self._slow else limit_reached(self._process.wait())
        return {"time": "too slow", "memory": "too large"}.get(limit, "ended")

    def _give_up(self) -> None:
        self._slow = True
        self._process.kill()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()
    process.wait()
