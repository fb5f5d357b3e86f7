"""A frame of text → the same frame as values, and what is told of its cells on the way."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bulkload import cleaning, damage, schema
from bulkload.causes import FIRST
from bulkload.cells import spoilt_in
from bulkload.declared import Dates, dates, numbers
from bulkload.distinct import Distinct, Flags
from bulkload.finding import Places, Said, of_cell, of_value, quoted
from bulkload.header import unguarded
from bulkload.models import CLEAR, MASK, Finding, Frame, Kind, Severity, Spoilt
from bulkload.recognise import Assigned
from bulkload.resource import Column
from bulkload.typed import Numbers, TypedColumn, TypedFrame
from bulkload.values import empty_value, typed

_SPOILT = {
    "rounded number": (
        "is a number of more than 15 digits: the spreadsheet has rounded it. "
        "Format the cell as Text and type the whole number again."
    ),
    "error cell": "is an error of the spreadsheet. Correct the formula, or type the value.",
    "formula without value": (
        "This is a formula whose value the file doesn't hold. Open the file in Excel, save it, and import it again."
    ),
    "no date": (
        "has the format of a date, but there is no such date. "
        "Type the date, or format the cell as Text and type what is meant."
    ),
}
_GUARDED = "Removed the apostrophe in front, which keeps spreadsheets from running a text."
_NO_FORMULA = "A formula stood here, whose value the file didn't hold. Type the value."
_SPOILT_SAYS = "can't be trusted as the file holds it. Type it again."
_HIDDEN = "The value was hidden when the result was written. Type it again."
_NOT_UPDATED = f"{CLEAR} empties a field of a record that is updated, but this row creates one. Leave the cell empty."
_CUT = re.compile(r"… \[cut, [0-9]+ characters\]$")
_CUT_SAYS = "The text was cut when the result was written. Copy it from the file that was imported first."
_KINDS = 16  # more than there are


class Reader:
    """Reads the frames of one sheet, from left to right."""

    def __init__(self, assigned: Assigned) -> None:
        self._assigned = assigned
        self._resource = assigned.resource
        self.places = Places(assigned.sheet.name, {column.name: at for at, column in assigned.columns.items()})
        self._fits = {column.name: schema.fits(column) for column in self._resource.columns}
        self._dates = {
            column.name: Dates(column.date_format)
            for column in self._resource.columns
            if column.schema.get("format") == "date" and not column.secret
        }
        self._phones = {column.name for column in self._resource.columns if damage.is_for_phones(column)}

    def read(self, frame: Frame) -> TypedFrame:
        """The values of a frame."""
        numbers = frame.text.index.to_numpy(dtype=np.int64)
        spoilt: dict[str, list[Spoilt]] = {}
        for cell in frame.spoilt:
            if column := self._assigned.columns.get(cell.column):
                spoilt.setdefault(column.name, []).append(cell)
        updates = self._updates(frame, spoilt)
        emptied: dict[int, dict[str, Any]] = {}
        findings: list[Finding] = []
        columns = {}
        for column in self._resource.columns:
            one = _OfColumn(self, column, frame, numbers, spoilt.get(column.name, ()))
            columns[column.name] = one.read(updates)
            for row in one.emptied:
                emptied.setdefault(row, {})[column.name] = empty_value(column)
            findings += one.findings
        return TypedFrame(numbers, columns, emptied, findings)

    def cells(self, column: Column, frame: Frame) -> Distinct:
        """The cells of a column as they stand, all blank where the sheet lacks it."""
        if column.name not in self.places.positions:
            return Distinct.blank(len(frame.text))
        cells = Distinct.of(frame.text[self.places.positions[column.name]])
        if self._assigned.is_result and self._assigned.sheet.from_text:
            return cells.saying([unguarded(text) for text in cells.texts])
        return cells

    def _updates(self, frame: Frame, spoilt: Mapping[str, Sequence[Spoilt]]) -> Flags:
        """The rows that update a record."""
        id_column = self._resource.id_column
        if id_column is None or id_column.name not in self.places.positions:
            return np.zeros(len(frame.text), dtype=np.bool_)
        cells = self.cells(id_column, frame)
        texts, _ = cleaning.clean(id_column, cells.texts)
        told = frame.text.index.isin([cell.row for cell in spoilt.get(id_column.name, ())])
        filled: Flags = cells.flags([code for code, text in enumerate(texts) if text]) | told
        return filled

    def declared(
        self, column: Column, texts: Sequence[str], kept: Collection[int]
    ) -> tuple[list[str], dict[int, Said]]:
        """The texts with dates and decimal commas as they are declared, or as the cells so far can only be read."""
        if column.name in self._dates:
            read, remarks, self._dates[column.name] = dates(column, texts, self._dates[column.name])
            return read, remarks
        return numbers(column, texts, kept) if column.decimal == "," else (list(texts), {})

    @property
    def is_result(self) -> bool:
        """Whether the sheet is a result of an earlier run."""
        return self._assigned.is_result

    @property
    def from_text(self) -> bool:
        """Whether the sheet is a CSV."""
        return self._assigned.sheet.from_text

    def fits(self, column: Column) -> damage.Fits:
        """Whether a text has the length and the form that a column wants."""
        return self._fits[column.name]

    def is_for_phones(self, column: Column) -> bool:
        """Whether phone numbers stand in the column."""
        return column.name in self._phones


class _OfColumn:
    """One column of one frame on its way from text to values; what is told of it gathers in `findings`."""

    def __init__(
        self, reader: Reader, column: Column, frame: Frame, numbers: Numbers, spoilt: Iterable[Spoilt]
    ) -> None:
        self._reader = reader
        self._column = column
        self._numbers = numbers
        self._cells = reader.cells(column, frame)
        self._kinds = frame.kinds.get(reader.places.positions.get(column.name, 0))
        self._spoilt = spoilt
        self._settled = np.zeros(len(numbers), dtype=np.bool_)
        self.findings: list[Finding] = []
        self.emptied: list[int] = []

    def read(self, updates: Flags) -> TypedColumn:
        """All of it, in order: what the file spoilt, what can't be seen, what was something else, what it means."""
        self._tell_spoilt()
        self._clean()
        self._tell_results()
        self._tell({code: [said] for code, said in damage.too_long(self._column, self._cells.texts)})
        self._tell_kinds()
        self._clear(updates)
        shown = self._cells
        text = pd.Series(self._declared(), dtype="str")
        wanted = shown.without(self._settled)
        values, faults = typed(self._column, text)
        self._tell(
            {code: [of_value(self._column, one.rule, one.value, one.says) for one in of] for code, of in faults.items()}
        )
        filled = values.dropna()
        self._tell_phones(filled)
        plain = schema.plain(values)
        return TypedColumn(self._column, shown, wanted.without(self._settled), plain, filled, self._settled)

    def _tell(self, said: Mapping[int, Sequence[Said]]) -> None:
        """What is told of texts, by their codes, at each cell that is not settled; an error settles it."""
        if not said:
            return
        cells = self._cells.without(self._settled)
        finding = self._reader.places.finding
        for place, code in cells.places(said):
            self.findings += [finding(int(self._numbers[place]), self._column, one) for one in said[code]]
        errors = [code for code, of in said.items() if any(one.severity is Severity.ERROR for one in of)]
        self._settled = self._settled | cells.flags(errors)

    def _tell_row(self, place: int, said: Said) -> None:
        self.findings.append(self._reader.places.finding(int(self._numbers[place]), self._column, said))
        if said.severity is Severity.ERROR:
            self._settled[place] = True

    def _note(self, cells: Sequence[tuple[int, Said]]) -> None:
        """Tell what was read how, at the first cells alone: the last of them stands for all others.

        In a result each cell has its own, since the rows that are done are left out later.
        """
        named = cells if self._reader.is_result else cells[:FIRST]
        for place, said in named:
            self._tell_row(place, said)
        self.findings[-1] = self.findings[-1]._replace(more=len(cells) - len(named))

    def _tell_spoilt(self) -> None:
        for cell in self._spoilt:
            # 0.1 + 0.2 has 17 digits, and a column of numbers takes it.
            if not (cell.kind == "rounded number" and self._column.type == "number" and "." in cell.found):
                self._tell_row(int(np.flatnonzero(self._numbers == cell.row)[0]), _of_spoilt(self._column, cell))

    def _clean(self) -> None:
        column, told = self._column, dict[int, list[Said]]()
        if self._reader.from_text and not self._reader.is_result and not column.secret:
            self._unguard()
        if column.type == "string" and not column.secret and not column.enum:
            told = {code: [said] for code, said in damage.misread(column, self._cells.texts)}
        twice = [code for code, (said,) in told.items() if said.rule == "encoded twice"]
        texts, remarks = cleaning.clean(column, self._cells.texts, kept=twice)
        self._cells = self._cells.saying(texts)
        for code, said in remarks.items():
            told.setdefault(code, []).append(said)
        self._tell(told)

    def _unguard(self) -> None:
        """A CSV that is no result, or none any more, may be guarded as one is: other programs do that, too."""
        texts = self._cells.texts
        bare = [unguarded(text) if text[:1] == "'" else text for text in texts]
        if bare != texts:
            self._cells = self._cells.saying(bare)
            self._tell({code: [_of_guarded(text)] for code, text in enumerate(bare) if text != texts[code]})

    def _tell_results(self) -> None:
        """What an earlier result has hidden or cut can't be sent, nor what was spoilt when it was written."""
        column, texts = self._column, self._cells.texts
        if "[" in "".join(texts):
            marks = {code: mark for code, text in enumerate(texts) if (mark := spoilt_in(text))}
            self._tell({code: [_of_mark(column, *mark)] for code, mark in marks.items()})
        if column.secret and MASK in texts:
            said = of_cell(column, "masked", _HIDDEN, MASK)
            self._tell({code: [said] for code, text in enumerate(texts) if text == MASK})
        if self._reader.is_result:
            cut = [code for code, text in enumerate(texts) if _CUT.search(text)]
            self._tell({code: [of_cell(column, "cut", _CUT_SAYS, texts[code])] for code in cut})

    def _tell_kinds(self) -> None:
        """What is told of the cells that the file keeps as something else than text, once for each text and kind."""
        if self._kinds is None or not self._kinds.any():
            return
        cells, column, fits = self._cells, self._column, self._reader.fits(self._column)
        short = self._shorter()
        other = np.flatnonzero(~np.isin(self._kinds, [Kind.TEXT, *damage.silent(column)]) & ~self._settled)
        pairs = cells.codes[other] * _KINDS + self._kinds[other]
        said = {
            pair: short.get(cells.texts[pair // _KINDS])
            or damage.of_kind(column, cells.texts[pair // _KINDS], Kind(pair % _KINDS), fits)
            for pair in np.unique(pairs).tolist()
        }
        notes: dict[str, list[tuple[int, Said]]] = {}
        for place, pair in zip(other.tolist(), pairs.tolist(), strict=True):
            if one := said[pair]:
                if one.severity is Severity.NOTE:
                    notes.setdefault(one.cause, []).append((place, one))
                else:
                    self._tell_row(place, one)
        for cells_told in notes.values():
            self._note(cells_told)

    def _declared(self) -> list[str]:
        """The texts with dates and numbers as every program reads them."""
        cells, kinds = self._cells, self._kinds
        kept: set[int] = set()
        if kinds is not None:
            kept = {*cells.codes[kinds != Kind.TEXT].tolist()} - {*cells.codes[kinds == Kind.TEXT].tolist()}
        texts, remarks = self._reader.declared(self._column, cells.texts, kept)
        self._tell({code: [said] for code, said in remarks.items()})
        refused = [code for code, said in remarks.items() if said.severity is Severity.ERROR]
        for code in refused:
            texts[code] = ""
        return texts

    def _shorter(self) -> Mapping[str, Said]:
        if self._column.type != "string" or self._column.enum or self._column.secret or self._kinds is None:
            return {}
        texts = self._cells.texts
        kept = (texts[code] for code in np.unique(self._cells.codes[self._kinds == Kind.TEXT]).tolist())
        numbers = [texts[code] for code in np.unique(self._cells.codes[self._kinds == Kind.NUMBER]).tolist()]
        return damage.shorter(self._column, numbers, kept)

    def _clear(self, updates: Flags) -> None:
        """`(clear)` empties a cell of an update, where the field allows it."""
        cells, column = self._cells, self._column
        if CLEAR[0] not in "".join(cells.texts):
            return
        codes = [code for code, text in enumerate(cells.texts) if text.casefold() == CLEAR]
        rows = cells.flags(codes) & ~self._settled
        allowed = rows & updates if column.place == "body" else np.zeros_like(rows)
        self._tell_rows(rows & ~allowed, of_cell(column, "clear", _NOT_UPDATED, CLEAR))
        try:
            empty_value(column)
        except ValueError as error:
            self._tell_rows(allowed, of_cell(column, "clear", str(error), CLEAR))
        else:
            self.emptied = self._numbers[allowed].tolist()
            self._settled = self._settled | allowed

    def _tell_rows(self, rows: Flags, said: Said) -> None:
        for place in np.flatnonzero(rows).tolist():
            self._tell_row(place, said)

    def _tell_phones(self, values: pd.Series) -> None:
        if not self._reader.is_for_phones(self._column) or self._column.secret:
            return
        numbers = schema.members(values) if self._column.many else values
        codes, texts = numbers.index.tolist(), numbers.tolist()
        told: dict[int, list[Said]] = {}
        for place, said in damage.without_plus(self._column, texts).items():
            told.setdefault(codes[place], []).append(said)
        self._tell(told)


def _of_spoilt(column: Column, cell: Spoilt) -> Said:
    says = _SPOILT.get(cell.kind, _SPOILT_SAYS)
    if cell.kind == "formula without value":  # there is nothing to quote
        return of_cell(column, cell.kind, says, cell.found)
    return of_value(column, cell.kind, cell.found, says)


def _of_guarded(text: str) -> Said:
    return Said("guarded", f"{_GUARDED} It was read as {quoted(text)}.", text, Severity.NOTE, _GUARDED)


def _of_mark(column: Column, kind: str, found: str) -> Said:
    """What is said where a cell stood that was spoilt."""
    return of_value(column, kind, found, _SPOILT[kind]) if found else of_cell(column, kind, _NO_FORMULA, "")
