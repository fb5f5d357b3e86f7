"""The rows of large sheets: whole columns become XML in a file, which is put into the workbook once that is made.

XlsxWriter makes the workbook with its looks, notes and small sheets, and would take six times as long for the rows.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bulkload.dress import Dress, cell_text
from bulkload.models import column_letter

_CHUNK = 1 << 20
# The usual 6 takes three times as long, for a file that is smaller by two fifths.
_COMPRESSION = 2
# Excel refuses parts that are marked as larger than this where they aren't.
_ZIP64_BEYOND = 2_000_000_000
# XlsxWriter numbers its looks as they are used. Until the workbook is made, a character that no text can hold stands
# for the number.
_STAND_INS = tuple(chr(code) for code in range(1, 32) if chr(code) not in "\t\n\r")
_SAMPLE = re.compile(rb' s="([0-9]+)"')
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')
# Texts of which none has these are XML as they stand, and are short and free of blanks at their ends.
_ODD = re.compile(
    "[&<>\x00-\x09\x0b-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff\ufffe\uffff]"
)
_SHORT = 16_000
# What Excel would read as a character's code: `_x0041_`.
_CODE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


class Rows:
    """The last rows of one sheet, `width` cells each, from the row `first`, which counts from 1.

    `altered` counts the texts that couldn't stay as they were.
    """

    def __init__(self, path: Path, sheet: Worksheet, width: int, first: int) -> None:
        self._path = path
        self._first = first
        self.sheet = sheet
        self.width = width
        self.written = 0
        self.altered = 0
        self._stand_ins: dict[Format, str] = {}

    def cells(
        self, place: int, texts: Sequence[str], styles: Sequence[Format], plain: Format | None = None
    ) -> list[str]:
        """The cells of the next rows in the column `place`, from 0; an empty one that is `plain` is left out."""
        looks = {style: self._stand_in(style) for style in dict.fromkeys(styles)}
        letter, space = column_letter(place + 1), ""
        if _are_odd(texts):
            safe = [cell_text(text) for text in texts]
            self.altered += sum(one != text for one, text in zip(safe, texts, strict=True))
            texts, space = [_as_xml(text) for text in safe], ' xml:space="preserve"'
        first = self._first + self.written
        return [
            f'<c r="{letter}{row}" s="{looks[style]}" t="inlineStr"><is><t{space}>{text}</t></is></c>'
            if text
            else "" if style is plain else f'<c r="{letter}{row}" s="{looks[style]}"/>'
            for row, (text, style) in enumerate(zip(texts, styles, strict=True), first)
        ]  # fmt: skip

    def add(self, columns: Sequence[Sequence[str]], heights: Mapping[int, float]) -> None:
        """Add the rows that `cells` made, column by column. `heights` are in points, by place among these rows."""
        sizes: list[str] = list(repeat("", len(columns[0])))
        for place, height in heights.items():
            sizes[place] = f' ht="{height:g}" customHeight="1"'
        rows = enumerate(zip(sizes, *columns, strict=True), self._first + self.written)
        text = "".join(f'<row r="{row}"{size}>{"".join(cells)}</row>' for row, (size, *cells) in rows)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
        self.written += len(sizes)

    def end(self) -> None:
        """Leave a sample of each look in the sheet, where the rows will stand."""
        for place, style in enumerate(self._stand_ins):
            self.sheet.write_blank(self._first - 1, place, None, style)

    def _stand_in(self, style: Format) -> str:
        return self._stand_ins.setdefault(style, _STAND_INS[len(self._stand_ins)])

    def put_in(self, part: bytes, target: ZipFile, name: str) -> None:
        """Write the sheet as `part` has it, and the rows in place of the samples."""
        sample = re.search(rb'<row r="%d".*?</row>' % self._first, part, re.DOTALL)
        assert sample
        numbers = dict(zip(self._stand_ins.values(), _SAMPLE.findall(sample[0]), strict=True))
        size = f'<dimension ref="A1:{column_letter(self.width)}{self._first + self.written - 1}"/>'.encode()
        large = self._path.stat().st_size > _ZIP64_BEYOND
        with target.open(name, "w", force_zip64=large) as out, self._path.open("rb") as rows:
            out.write(_DIMENSION.sub(size, part[: sample.start()]))
            while chunk := rows.read(_CHUNK):
                for stand_in, number in numbers.items():
                    chunk = chunk.replace(stand_in.encode(), number)
                out.write(chunk)
            out.write(part[sample.end() :])


class Spool:
    """The rows of the large sheets of one workbook, in files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sheets: dict[str, Rows] = {}

    def rows(self, dress: Dress, sheet: Worksheet, width: int, first: int = 2) -> Rows:
        """Take the last rows of the sheet that was added last, `width` cells each, from the row `first`."""
        number = dress.sheets
        rows = Rows(self._folder / f"{number}.rows", sheet, width, first)
        self._sheets[f"xl/worksheets/sheet{number}.xml"] = rows
        return rows

    def put_in(self, made: Path, whole: Path) -> None:
        """Write to `whole` the workbook `made`, with its rows. Raises OSError."""
        with ZipFile(made) as source, ZipFile(whole, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as target:
            for name in source.namelist():
                part, rows = source.read(name), self._sheets.get(name)
                if rows and rows.written:
                    rows.put_in(part, target, name)
                else:
                    with target.open(name, "w") as out:  # writestr() would note the time of day
                        out.write(part)


def _are_odd(texts: Sequence[str]) -> bool:
    """Whether any of the texts needs more than to be put between two tags, seen by a look over all of them at once."""
    whole = "\n".join(texts)
    return (
        whole.count("\n") >= len(texts)
        or _ODD.search(whole) is not None
        or "_x" in whole
        or " \n" in whole
        or "\n " in whole
        or whole[:1] == " "
        or whole[-1:] == " "
        or max(map(len, texts)) > _SHORT
    )


def _as_xml(text: str) -> str:
    return _CODE.sub("_x005F_", escape(text)).replace("\r", "_x000D_")
