"""Bytes → text, strictly: the first byte that is none is named with its line and the encoding to try."""

import codecs
import io
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from bulkload.errors import UnusableFile, UsageError

Opened = Callable[[], AbstractContextManager[BinaryIO]]

_CHUNK = 1 << 18
# Characters in a line: more than these is no table, and each line is held whole in memory.
LINE_LIMIT = 16_000_000
_HEAD = 4096
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CTRL_Z = "\x1a"  # how DOS programs end a text
_MARK = "\ufeff"
# What cp1252 has for the letters and signs of Western Europe: the euro, dashes, curly quotes, accented letters.
_WESTERN = re.compile(rb"[\x80\x85\x91-\x97\x99\xa0-\xff]{1,2}")
_HIGH = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text as it can be opened again and again. `name` is for messages, `encoding` one that Python knows."""

    name: str
    opened: Opened
    encoding: str
    ctrl_z: bool = False

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """The lines with their ends, without the mark at the beginning and without Ctrl-Z at the end.

        Raises UnusableFile, while they are read, for a byte that is no text.
        """
        with self.opened() as file:
            text = io.TextIOWrapper(file, encoding=self.encoding, newline="")
            try:
                if text.read(1) != _MARK:
                    text.seek(0)
                yield _without_ctrl_z(text) if self.ctrl_z else text
            except UnicodeDecodeError as error:
                raise _refusal(self) from error
            finally:
                text.detach()  # else it would close the file with itself

    def pieces(self) -> Generator[str]:
        """The whole text, some lines at a time, every line end as one line feed; the last may lack it.

        Raises UnusableFile for bytes that are no text, for NUL, and for a line that is too long.
        """
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(self.encoding)(), translate=True)
        rest, chunk = "", b"\0"
        with self.opened() as file:
            while chunk:
                chunk = file.read(_CHUNK)
                try:
                    text = rest + decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as error:
                    raise _refusal(self) from error
                end = text.rfind("\n") + 1
                whole, rest = text[:end], text[end:]
                if "\0" in text or len(rest) > LINE_LIMIT:
                    raise _refusal(self)
                if whole:
                    yield whole
        if rest:
            yield rest


def _without_ctrl_z(lines: Iterator[str]) -> Iterator[str]:
    """The lines, without Ctrl-Z at the end of the last: all others end with a line end."""
    return filter(None, (line.rstrip(CTRL_Z) if line.endswith(CTRL_Z) else line for line in lines))


def encoding_of(name: str, opened: Opened, named: str | None) -> str:
    """The encoding that the person named, else the one that the file's first bytes show: UTF-16 by its mark, or UTF-8.

    Raises UsageError for a name that means nothing, and UnusableFile for UTF-16 without its mark.
    """
    if named is not None:
        try:
            "".encode(named)
            return codecs.lookup(named).name
        except LookupError as error:
            raise UsageError(f"--encoding {named} is not known: utf-8, utf-16 and cp1252 are") from error
    with opened() as file:
        head = file.read(_HEAD)
    if head.startswith(UTF_16):
        return "utf-16"
    for half, encoding in ((head[1::2], "utf-16-le"), (head[0::2], "utf-16-be")):
        # Every second byte is NUL where letters are Latin, and line ends and delimiters always are.
        if half.count(0) == head.count(0) > max(1, len(half) // 4):
            raise UnusableFile(
                f"{name} line 1: NUL bytes, which looks like UTF-16 without its mark: name it with "
                f"--encoding {encoding}, or save it as CSV UTF-8"
            )
    return "utf-8"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A byte that is no text becomes a lone surrogate, which no decoder gives, so that its line can be counted."""
    assert isinstance(error, UnicodeDecodeError)
    return chr(0xDC00 + error.object[error.start]), error.start + 1


codecs.register_error("bulkload.mark", _mark)
_MARKED = re.compile("[\udc00-\udcff]")


def _refusal(file: TextFile) -> UnusableFile:
    """What is wrong with a text that could not be decoded, and in which line: slowly, from its beginning."""
    with file.opened() as stream:
        text = io.TextIOWrapper(stream, encoding=file.encoding, errors="bulkload.mark")
        try:
            for number, line in enumerate(iter(lambda: text.readline(LINE_LIMIT + 1), ""), 1):
                place = f"{file.name} line {number}"
                if "\0" in line:
                    return UnusableFile(f"{place}: NUL bytes, which no text has: export it again, as CSV UTF-8")
                if bad := _MARKED.search(line):
                    other = _likely(line) if file.encoding == "utf-8" else "utf-8 or cp1252"
                    return UnusableFile(
                        f"{place}: byte 0x{ord(bad[0]) - 0xDC00:02X} is not {file.encoding}: name the encoding, "
                        f"such as --encoding {other}, or save it as CSV UTF-8"
                    )
                if len(line) > LINE_LIMIT:
                    return UnusableFile(
                        f"{place} is too long, over {LINE_LIMIT:,} characters: export the table again, with line ends"
                    )
        finally:
            text.detach()
    return UnusableFile(f"{file.name} can't be read the same way twice: copy it to this computer first")


def _likely(line: str) -> str:
    """The encodings to try for a line that is not UTF-8: accented letters stand alone, the others' signs in rows."""
    high = _HIGH.findall(line.encode("utf-8", "surrogateescape"))
    western = all(_WESTERN.fullmatch(some) for some in high)
    return "cp1252" if western else "cp932 (Japanese), cp950 or cp936 (Chinese)"
