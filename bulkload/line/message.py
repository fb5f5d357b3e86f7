"""An answer's head and body, made of what comes over the line."""

import re
import zlib
from collections.abc import Iterable

# The longest body that is read, in bytes: as it arrives, and again once it is unpacked.
MAX_BODY = 1024 * 1024
# The longest head of an answer, in bytes.
MAX_HEAD = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/\S+ (\d{3})\b")


class Trouble(Exception):
    """What we find wrong ourselves, with a request or with an answer; `str()` is the reason for a person."""


def status_of(head: list[bytes]) -> int:
    """The status of an answer, 0 where its head has none."""
    found = _STATUS_LINE.match(head[0]) if head else None
    return int(found[1]) if found else 0


def fields(lines: Iterable[bytes]) -> dict[str, str]:
    """An answer's headers: names in lower case, those that stand there several times joined by ", "."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = _text(line).partition(":")
        key, value = name.strip().lower(), value.strip()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def unpacked(packed: bytes, encoding: str) -> bytes:
    """The body without its gzip or deflate; raise Trouble where that can't be done within MAX_BODY."""
    encoding = encoding.strip().lower()
    if not packed or encoding in ("", "identity"):
        return packed
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Trouble("the body of the answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
    try:
        body = unpacker.decompress(packed, MAX_BODY + 1)
    except zlib.error:
        raise Trouble("the body of the answer can't be unpacked") from None
    if len(body) > MAX_BODY:
        raise Trouble(f"the body of the answer is longer than {MAX_BODY} bytes once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise Trouble("the body of the answer can't be unpacked: it does not end where it should")
    return body
