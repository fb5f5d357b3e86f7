"""The sheets of the tool's own in a workbook, written as a person reads them: lines and tables from top to bottom."""

from collections.abc import Sequence
from textwrap import wrap

from bulkload.dress import LINE_HEIGHT, Dress, Look, row_height

# Characters that fit into a line of a printed page.
_LINE = 150
# Points.
_TITLE_HEIGHT = 24


class Page:
    """A sheet of the tool's own, written from top to bottom; `row` is the next one, from 0.

    `widths` are those of its columns, in characters.
    """

    def __init__(self, dress: Dress, name: str, widths: Sequence[int]) -> None:
        self._dress = dress
        self.widths = widths
        self.row = 0
        self.sheet = dress.sheet(dress.sheet_name(name))
        self.sheet.hide_gridlines(2)
        self.sheet.set_landscape()
        self.sheet.fit_to_pages(1, 0)
        for place, width in enumerate(widths):
            self.sheet.set_column(place, place, width)

    def line(self, text: str, look: Look = Look.PLAIN) -> None:
        """Text over the whole width, broken into lines where it is long."""
        for part in wrap(text, _LINE):
            self.sheet.set_row(self.row, _TITLE_HEIGHT if look in (Look.TITLE, Look.SECTION) else LINE_HEIGHT)
            self._dress.text(self.sheet, self.row, 0, part, self._dress.format(look))
            self.row += 1

    def cells(self, values: Sequence[str | int], looks: Sequence[Look]) -> None:
        """One row of a table; whole numbers stay numbers."""
        if Look.CELL in looks or Look.OPTIONAL in looks:
            self.sheet.set_row(self.row, row_height(map(str, values), self.widths))
        for place, (value, look) in enumerate(zip(values, looks, strict=True)):
            style = self._dress.format(look)
            if isinstance(value, int):
                self.sheet.write_number(self.row, place, value, style)
            else:
                self._dress.text(self.sheet, self.row, place, value, style)
        self.row += 1

    def space(self) -> None:
        """An empty row."""
        self.row += 1
