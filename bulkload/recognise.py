"""Which sheet is for which resource: decided once, before any row is read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bulkload import stamp as stamps
from bulkload.declared import date_format
from bulkload.errors import UnusableFile, UsageError
from bulkload.header import Assigned as Assigned
from bulkload.header import clean, did_you_mean, match_header, names_of, plain, without_header
from bulkload.models import Book, Finding, Sheet
from bulkload.resource import Api, Column, Resource

# Sheets that the tool itself writes beside the data.
OWN_SHEETS = frozenset({"About", "Summary", "Problems"})
_OWN = "it holds no rows to import"
# Where a file can't be read, the first so many sheets that are left alone are told, and faults of all headers.
_SHEETS, _FAULTS = 5, 50


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A sheet that is not imported, and why: `it is no resource's; ...`."""

    sheet: Sheet
    why: str

    def __str__(self) -> str:
        return f'Sheet "{self.sheet.name}"{" (hidden)" if self.sheet.hidden else ""} is left alone: {self.why}.'


@dataclass(frozen=True, slots=True)
class Recognised:
    """The sheets to import, from left to right, those left alone, and what a person must know of old templates.

    `facts` are what is to be told of the file as a whole.
    """

    assigned: tuple[Assigned, ...]
    left_alone: tuple[LeftAlone, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


def find_resource(name: str, apis: Mapping[str, Api]) -> Resource:
    """The resource of that full or short name. Raises UsageError where there is none, or several APIs have it."""
    known = {resource.full_name: resource for resource in _all(apis)}
    if name in known:
        return known[name]
    found = [resource for resource in known.values() if name == resource.name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f'"{name}" is a resource of several APIs: say {_one_of(found)}.')
    names = {text: full for full, resource in known.items() for text in (resource.name, full)}
    raise UsageError(f'There is no resource "{name}".{did_you_mean(name, names)} See: bulkload resources')


def recognise(book: Book, apis: Mapping[str, Api], resource: str | None = None) -> Recognised:
    """Find the resource of each sheet: by the stamp of its template, by `resource`, or by the sheet's name.

    Raises UsageError for a resource that isn't there, and UnusableFile with every fault of every header at once, or
    where no sheet is recognised, or where a sheet to import has rows but a blank header.
    """
    named = find_resource(resource, apis) if resource else None
    marks = stamps.parse(book.stamp)
    assigned, left_alone, remarks, faults = [], [], [], []
    for sheet in book.sheets:
        mark = _stamp_of(sheet, marks, {other.name for other in book.sheets})
        target: Resource | Finding | str = _chosen(sheet, mark, named, apis, alone=len(book.sheets) == 1)
        if isinstance(target, Resource) and not mark:
            target = _by_exact_name(sheet, book, target)
        if isinstance(target, Resource) and not any(map(clean, sheet.header)):
            target = without_header(sheet, target)
        if isinstance(target, Finding):
            faults.append(target)
        elif isinstance(target, str):
            if target != _OWN or not marks:  # else it is of a workbook that the tool has written
                left_alone.append(LeftAlone(sheet, target))
        else:
            found, wrong = match_header(sheet, target)
            remarks += _older_template(sheet, mark, target)
            faults += wrong
            assigned.append(found)
    if faults:
        raise UnusableFile(_listed(book.path, _first(faults, _FAULTS, "faults like these")))
    if not assigned:
        others = _first(left_alone, _SHEETS, "sheets are left alone")
        raise UnusableFile(_listed(book.path, [*others, *remarks, _nothing_recognised(apis)]))
    return Recognised(tuple(assigned), tuple(left_alone), tuple(remarks), book.facts)


def with_date_format(found: Recognised, said: str) -> Recognised:
    """The same, with text dates read as the person says; what the document declares of a column stays.

    Raises UsageError for a format that is none.
    """
    try:
        form = date_format(said)
    except ValueError as error:
        raise UsageError(f"--date-format: {error}.") from error

    def dated(column: Column) -> Column:
        is_date = column.schema.get("format") == "date"
        return replace(column, date_format=form) if is_date and not column.date_format else column

    assigned = tuple(
        replace(
            one,
            resource=replace(one.resource, columns=tuple(map(dated, one.resource.columns))),
            columns={position: dated(column) for position, column in one.columns.items()},
        )
        for one in found.assigned
    )
    said_so = f"Dates that are text are read as {form}, as --date-format says."
    return replace(found, assigned=assigned, facts=(*found.facts, said_so))


def _listed(path: str, lines: Iterable[str]) -> str:
    """What is wrong with a file, which is named once."""
    first, *others = lines
    return "\n  ".join([f"{path} can't be read as it is:", first, *others]) if others else f"{path}: {first}"


def _first(found: Sequence[object], most: int, what: str) -> list[str]:
    """The first of many in words, and how many more there are."""
    more = len(found) - most
    return [*map(str, found[:most]), *([f"And {more:,} more {what}."] if more > 0 else [])]


# Sheets


def _chosen(
    sheet: Sheet, mark: stamps.Stamp | None, named: Resource | None, apis: Mapping[str, Api], *, alone: bool
) -> Resource | str:
    """The resource of a sheet, or why the sheet is left alone."""
    known = {resource.full_name: resource for resource in _all(apis)}
    stamped = known.get(mark.resource) if mark else None
    if named and (stamped or named) is named:
        fits = alone or mark or sheet.name == named.title or _has_any_column(sheet, named)
        return named if fits else f"it has no column of {named.full_name}"
    if stamped:
        return f"it is for {stamped.full_name}, not for {named.full_name}" if named else stamped
    if mark:
        return f"it is for {mark.resource}, which no API at hand has; name its document with --api"
    if sheet.name in OWN_SHEETS:
        return _OWN
    # A CSV result is called after its input: `destination.result-2.csv`.
    name = re.sub(r"\.result(?:-[0-9]+)?$", "", sheet.name) if sheet.from_text else sheet.name
    found = [resource for resource in known.values() if _letters(name) in _sheet_names(resource)]
    if not found and sheet.from_text:
        # A CSV has room for no stamp, but a template's headings tell as much.
        titles = set(sheet.header)
        found = [one for one in known.values() if titles.issuperset(column.heading for column in one.columns)]
    if len(found) > 1:
        return f"it fits several resources; say which with --resource: {_one_of(found)}"
    return found[0] if found else "it is no resource's; name its resource with --resource if it is to be imported"


def _stamp_of(sheet: Sheet, marks: Sequence[stamps.Stamp], sheets: set[str]) -> stamps.Stamp | None:
    """The stamp with the sheet's name; if a person renamed the sheet, the one whose headings it still has."""
    for mark in marks:
        if mark.sheet == sheet.name:
            return mark
    titles = set(sheet.header)
    renamed = [mark for mark in marks if mark.sheet not in sheets and titles.issuperset(mark.headings)]
    return max(renamed, key=lambda mark: len(mark.headings), default=None)


def _by_exact_name(sheet: Sheet, book: Book, resource: Resource) -> Resource | str:
    """Of sheets whose names differ by case alone, the one that is called as the template's is meant."""
    same = [other.name for other in book.sheets if other.name.casefold() == sheet.name.casefold()]
    if sheet.name != resource.title and resource.title in same:
        return f'its name differs from "{resource.title}" by case alone; if it is meant, name it with --sheet'
    return resource


def _older_template(sheet: Sheet, mark: stamps.Stamp | None, resource: Resource) -> list[str]:
    if mark is None or mark.resource != resource.full_name:
        return []
    found = stamps.differences(mark, resource)
    return [f'Sheet "{sheet.name}" was made from an older template. {" ".join(found)}'] if found else []


def _has_any_column(sheet: Sheet, resource: Resource) -> bool:
    return not names_of(resource).keys().isdisjoint(map(plain, sheet.header))


def _sheet_names(resource: Resource) -> set[str]:
    return {_letters(name) for name in (resource.title, resource.name, resource.full_name)}


def _letters(name: str) -> str:
    return re.sub(r"[-/_.]", "", plain(name))


def _nothing_recognised(apis: Mapping[str, Api]) -> str:
    known = ", ".join(resource.full_name for resource in _all(apis))
    return f"No sheet is recognised. Begin with a template, or name the resource with --resource: one of {known}."


# Names


def _all(apis: Mapping[str, Api]) -> Iterable[Resource]:
    return (resource for api in apis.values() for resource in api.resources.values())


def _one_of(resources: Iterable[Resource]) -> str:
    return " or ".join(resource.full_name for resource in resources)
