"""Resource → an empty workbook or CSV to fill in."""

import csv as csv_files
import io
from collections.abc import Sequence
from pathlib import Path

from bulkload.dress import NEXT_STEPS, STATUS_LOOKS, Dress, Look, new_workbook
from bulkload.errors import UsageError
from bulkload.models import CLEAR, Severity
from bulkload.page import Page
from bulkload.resource import Column, Resource
from bulkload.system import write_whole
from bulkload.wording import allowed_text, example_text, list_text

_TABLE = ("Column", "Required", "Meaning", "What may stand there", "Example")
_WIDTHS = (28, 24, 46, 42, 30)
_EXAMPLE_WIDTH = 24
# At most so many example rows, however many a document gives.
_EXAMPLES = 3


def write(resources: Sequence[Resource], path: Path) -> Path:
    """Write a template to `path`, a CSV if its name ends so; gives where it stands now.

    Raises UsageError for another ending or a CSV of several resources, and DiskError.
    """
    if path.suffix.lower() == ".xlsx":
        workbook(resources, path)
        return path
    if path.suffix.lower() != ".csv":
        raise UsageError(f'"{path}": a template is written as .xlsx or .csv. Choose one of these endings.')
    if len(resources) > 1:
        raise UsageError(f"{path}: a CSV holds one resource. Name an .xlsx for {len(resources)}.")
    text = csv(resources[0]).encode("utf-8-sig")
    return write_whole(path, lambda temporary: _put(temporary, text), private=False)


def workbook(resources: Sequence[Resource], path: Path) -> None:
    """Write a template with a sheet for each resource, then `About`, then the hidden stamp. Raises DiskError."""
    write_whole(path, lambda temporary: _fill(resources, temporary), private=False)


def csv(resource: Resource) -> str:
    """A template as CSV: the header row, ended by CRLF."""
    text = io.StringIO()
    csv_files.writer(text).writerow([column.heading for column in resource.columns])
    return text.getvalue()


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _fill(resources: Sequence[Resource], path: Path) -> None:
    with new_workbook(path) as book:
        dress = Dress(book)
        named = [(dress.sheet_name(resource.title), resource) for resource in resources]
        for name, resource in named:
            dress.header(dress.sheet(name), [column.heading for column in resource.columns], resource.columns)
        _write_about(dress, named)
        dress.close(named)


def _write_about(dress: Dress, named: Sequence[tuple[str, Resource]]) -> None:
    """Add the sheet that says how to fill in the others."""
    columns = max((len(resource.columns) for _, resource in named), default=0)
    page = Page(dress, "About", (*_WIDTHS, *[_EXAMPLE_WIDTH] * max(0, columns - len(_WIDTHS))))
    page.line("How to fill in this workbook", Look.TITLE)
    for line in _how_to([resource for _, resource in named]):
        page.line(line)
    for name, resource in named:
        _write_resource(page, name, resource)
    page.space()
    page.line("What the result says of each row", Look.SECTION)
    for status, meaning in NEXT_STEPS.items():
        page.cells((status, meaning), (STATUS_LOOKS.get(status, Look.PLAIN), Look.PLAIN))


def _write_resource(page: Page, name: str, resource: Resource) -> None:
    page.space()
    page.line(f"{name}: {resource.full_name}", Look.SECTION)
    for line in _about(resource):
        page.line(line)
    page.space()
    page.cells(_TABLE, [Look.OPTIONAL] * len(_TABLE))
    for column in resource.columns:
        page.cells(_described(column), [Look.STRONG_CELL, *[Look.CELL] * (len(_TABLE) - 1)])
    if examples := _example_rows(resource):
        page.space()
        page.line("A row that is filled in looks like this:")
        looks = [Look.REQUIRED if column.required else Look.OPTIONAL for column in resource.columns]
        page.cells([column.heading for column in resource.columns], looks)
        for row in examples:
            page.cells(row, [Look.CELL] * len(row))


def _how_to(resources: Sequence[Resource]) -> list[str]:
    lines = [
        "One row is one record. Type or paste below the headings; paste values only, to keep the cells' format.",
        "A heading with a star, on dark blue, must be filled in. The others may stay empty, then nothing is sent.",
        "Point at a heading to read what it means, what may stand there, and an example.",
        "Keep the headings as they are. Columns may be moved; those without a star may be deleted.",
        "Most cells are text: leading zeros, + and long numbers stay as you type them.",
        "Where cells have a list to choose from, the code alone (1) or its word alone will do as well.",
    ]
    columns = [column for resource in resources for column in resource.columns]
    if any(column.many for column in columns):
        lines.append(
            'Some cells take several values: PHONE, STAFF. A value with a comma in it stands in quotes: "A, B", C'
        )
    if any(str(column.schema.get("format", "")).startswith("date") for column in columns):
        lines.append("Dates: type year-month-day, 2025-12-31.")
    lines += [
        f"{resource.title}: a row with {resource.id_column.title} updates that record, one without it makes a new one. "
        f"In an update, {CLEAR} empties a field."
        for resource in resources
        if resource.id_column is not None
    ]
    return [
        *lines,
        "Then: bulkload check FILE shows every problem before anything is sent; bulkload import FILE sends the rows.",
    ]


def _about(resource: Resource) -> list[str]:
    keys = " and ".join(column.title for column in resource.columns if column.name in resource.key)
    told = [rule for rule in resource.rules if rule.message]
    rules = [f"• {rule.message}" for rule in told if rule.severity is Severity.ERROR]
    warnings = [f"• {rule.message}" for rule in told if rule.severity is Severity.WARNING]
    return [
        *(text for text in (resource.description, resource.note) if text),
        *([f"No two rows may have the same {keys}."] if keys else []),
        *(["These rules are checked:", *rules] if rules else []),
        *(["These are warnings; the row is sent all the same:", *warnings] if warnings else []),
        f"{resource.api_title} {resource.api_version}. {resource.api_description}".strip(),
    ]


def _described(column: Column) -> tuple[str, ...]:
    allowed = allowed_text(column)
    return (
        column.heading,
        "required" if column.required else "",
        column.description,
        f"{allowed}\n{list_text(column)}" if column.many else allowed,
        example_text(column),
    )


def _example_rows(resource: Resource) -> list[list[str]]:
    """Rows of the columns' examples; a column with fewer examples than others repeats its last."""
    count = min(_EXAMPLES, max((len(column.examples) for column in resource.columns), default=0))
    return [
        [
            example_text(column, min(number, len(column.examples) - 1)) if column.examples else ""
            for column in resource.columns
        ]
        for number in range(count)
    ]
