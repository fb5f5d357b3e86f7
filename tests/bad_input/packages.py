"""Zips and compound files of exactly these bytes: the same part twice, odd names, bombs, as no library writes them."""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_FIRST_OF_1980 = 0x21  # the earliest day that a zip can name
_SECTOR = 512
_END, _FAT, _FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
# A stream shorter than this would stand in sectors of its own kind.
_SHORTEST = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a zip: `data` is packed, `size` and `crc` are what it unpacks to."""

    name: str
    data: bytes
    size: int
    crc: int


def packed(name: str, content: bytes) -> Entry:
    """A part as everybody packs it."""
    return Entry(name, _deflated(content, zlib.Z_FINISH), len(content), zlib.crc32(content))


def bomb(name: str, head: bytes, block: bytes, times: int, tail: bytes) -> Entry:
    """A part that unpacks to `head`, `times` blocks and `tail`: the block is packed once, and all sums are true."""
    data = [_deflated(head, zlib.Z_FULL_FLUSH), *[_deflated(block, zlib.Z_FULL_FLUSH)] * times]
    crc = zlib.crc32(head)
    for _ in range(times):
        crc = zlib.crc32(block, crc)
    size = len(head) + len(block) * times + len(tail)
    return Entry(name, b"".join([*data, _deflated(tail, zlib.Z_FINISH)]), size, zlib.crc32(tail, crc))


def _deflated(content: bytes, end: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush(end)


def zipped(entries: Iterable[Entry]) -> bytes:
    """A zip of these entries, in this order, whatever their names."""
    body, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        count += 1
        name = entry.name.encode()
        shared = struct.pack(
            "<HHHHHIIIHH", 20, 0, 8, 0, _FIRST_OF_1980, entry.crc, len(entry.data), entry.size, len(name), 0
        )
        directory += b"PK\1\2" + struct.pack("<H", 20) + shared + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
        body += b"PK\3\4" + shared + name + entry.data
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)


def zip_of(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip of parts by name."""
    contents = ((name, part if isinstance(part, bytes) else part.encode()) for name, part in parts.items())
    return zipped(packed(name, content) for name, content in contents)


def compound(streams: Mapping[str, bytes]) -> bytes:
    """An OLE compound file, as .xls and encrypted workbooks are, of streams by name; short ones get noughts behind."""
    padded = {
        name: stream.ljust(max(_SHORTEST, -(-len(stream) // _SECTOR) * _SECTOR), b"\0")
        for name, stream in streams.items()
    }
    directories = -(-(len(padded) + 1) // 4)
    fat = [_FAT, *range(2, directories + 1), _END]
    entries = [_directory("Root Entry", 5, child=1, start=_END, size=0)]
    for place, (name, stream) in enumerate(padded.items(), 1):
        first = len(fat)
        fat += [*range(first + 1, first + len(stream) // _SECTOR), _END]
        right = place + 1 if place < len(padded) else _FREE
        entries.append(_directory(name, 2, right=right, start=first, size=len(stream)))
    entries += [_directory("", 0)] * (directories * 4 - len(entries))
    table = struct.pack("<128I", *fat, *[_FREE] * (128 - len(fat)))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, _SHORTEST, _END, 0, _END, 0) + struct.pack("<I", 0)
    return header.ljust(_SECTOR, b"\xff") + table + b"".join([*entries, *padded.values()])


def _directory(name: str, kind: int, *, right: int = _FREE, child: int = _FREE, start: int = 0, size: int = 0) -> bytes:
    text = (name + "\0").encode("utf-16-le") if name else b""
    links = struct.pack("<HBBIII", len(text), kind, 1, _FREE, right, child)
    return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)
