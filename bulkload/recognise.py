"""Which sheet is for which resource, and which of its columns is which: decided once, before any row is read."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rapidfuzz import process

from bulkload import stamp as stamps
from bulkload.declared import date_format
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import RESULT_COLUMNS, Book, Finding, Sheet, column_letter
from bulkload.resource import Api, Column, Parameter, Resource
from bulkload.schema import DTYPES

# Sheets that the tool itself writes beside the data.
OWN_SHEETS = frozenset({"About", "Summary", "Problems"})
_OWN = "it holds no rows to import"
# The columns of a result by which a row says what became of it: without one of them none can be believed.
CLAIM_COLUMNS = ("Import status", "Import ID", "Import run", "Source row")
# From what likeness on (of 100) a name is suggested.
_ALIKE = 75


@dataclass(frozen=True, slots=True)
class Assigned:
    """A sheet and the resource that its rows become.

    `columns` maps the 1-based position of a header cell to its column; positions left out are the tool's own result
    columns, which `own` maps from title to position.
    """

    sheet: Sheet
    resource: Resource
    columns: Mapping[int, Column]
    own: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_result(self) -> bool:
        """Whether the sheet is a result of an earlier run, to be imported again."""
        return self.own.keys() >= set(CLAIM_COLUMNS)


@dataclass(frozen=True, slots=True)
class Recognised:
    """The sheets to import, from left to right, and what a person must know of the others and of old templates."""

    assigned: tuple[Assigned, ...]
    remarks: tuple[str, ...] = ()


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
    raise UsageError(f'There is no resource "{name}".{_did_you_mean(name, names)} See: bulkload resources')


def recognise(book: Book, apis: Mapping[str, Api], resource: str | None = None) -> Recognised:
    """Find the resource of each sheet: by the stamp of its template, by `resource`, or by the sheet's name.

    Raises UsageError for a resource that isn't there, and UnusableFile with every fault of every header at once, or
    where no sheet is recognised, or where a sheet to import has rows but a blank header.
    """
    named = find_resource(resource, apis) if resource else None
    marks = stamps.parse(book.stamp)
    assigned, remarks, faults = [], [], []
    for sheet in book.sheets:
        mark = _stamp_of(sheet, marks, {other.name for other in book.sheets})
        target = _chosen(sheet, mark, named, apis, alone=len(book.sheets) == 1)
        if isinstance(target, Resource) and not any(title.strip() for title in sheet.header):
            next(iter(sheet.frames()), None)  # raises where there are rows all the same
            target = "it is empty"
        if target == _OWN and marks:
            continue  # of a workbook that the tool has written
        if isinstance(target, str):
            remarks.append(f'Sheet "{sheet.name}" is left alone: {target}.')
            continue
        found, wrong = match_header(sheet, target)
        differences = stamps.differences(mark, target) if mark and mark.resource == target.full_name else ()
        if differences:
            remarks.append(f'Sheet "{sheet.name}" was made from an older template. {" ".join(differences)}')
        faults += wrong
        assigned.append(found)
    if faults:
        raise UnusableFile("\n".join(f"{book.path}: {fault}" for fault in faults))
    if not assigned:
        raise UnusableFile("\n".join(f"{book.path}: {line}" for line in (*remarks, _nothing_recognised(apis))))
    return Recognised(tuple(assigned), tuple(remarks))


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
    return Recognised(assigned, (*found.remarks, f"Dates that are text are read as {form}, as --date-format says."))


def match_header(sheet: Sheet, resource: Resource) -> tuple[Assigned, list[Finding]]:
    """Match titles or field names to columns, ignoring case, spaces and the star; all that is wrong comes along."""
    resource = with_path_parameters(resource, sheet.header)
    names = _names_of(resource)
    places: dict[str, int] = {}
    columns: dict[int, Column] = {}
    own: dict[str, int] = {}
    faults: list[Finding] = []
    for position, title in enumerate(sheet.header, 1):
        column = None if title in RESULT_COLUMNS else names.get(_plain(title))
        name = column.name if column else title
        if not title.strip():
            faults.append(_fault(sheet, position, "", "This column has no title. Give it one, or delete the column."))
        elif title not in RESULT_COLUMNS and column is None:
            faults.append(_fault(sheet, position, title, _unknown_header(title, resource)))
        elif (first := places.setdefault(name, position)) != position:
            there = f"{column_letter(first)}{sheet.header_row}"
            message = f'"{title}" is the same column as {there}. Delete one of the two.'
            faults.append(_fault(sheet, position, title, message))
        elif column is None:
            own[title] = position
        else:
            columns[position] = column
    assigned = Assigned(sheet, resource, columns, own)
    return assigned, [*faults, *_missing(assigned)]


def with_path_parameters(resource: Resource, header: Iterable[str]) -> Resource:
    """The resource with a column for each path parameter of that name in the header: it wins over the setting."""
    wanted = {_plain(title) for title in header}
    known = {column.name for column in resource.columns}
    columns = (_path_column(parameter) for parameter in resource.create.parameters if parameter.place == "path")
    extra = tuple(c for c in columns if c.name not in known and {_plain(c.name), _plain(c.title)} & wanted)
    return replace(resource, columns=(*extra, *resource.columns)) if extra else resource


def _path_column(parameter: Parameter) -> Column:
    kind = parameter.schema.get("type")
    return Column(
        name=parameter.name,
        title=parameter.schema.get("title") or parameter.name,
        place="path",
        pointer=f"/{parameter.name}",
        type=kind if kind in DTYPES else "string",
        schema=parameter.schema,
        required=True,
        description=parameter.description,
        examples=tuple(parameter.schema.get("examples", ())),
    )


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
    if len(found) > 1:
        return f"its name fits several resources; say which with --resource: {_one_of(found)}"
    return found[0] if found else "it is no resource's; name its resource with --resource if it is to be imported"


def _stamp_of(sheet: Sheet, marks: Sequence[stamps.Stamp], sheets: set[str]) -> stamps.Stamp | None:
    """The stamp with the sheet's name; if a person renamed the sheet, the one whose headings it still has."""
    for mark in marks:
        if mark.sheet == sheet.name:
            return mark
    titles = set(sheet.header)
    renamed = [mark for mark in marks if mark.sheet not in sheets and titles.issuperset(mark.headings)]
    return max(renamed, key=lambda mark: len(mark.headings), default=None)


def _has_any_column(sheet: Sheet, resource: Resource) -> bool:
    return not _names_of(resource).keys().isdisjoint(map(_plain, sheet.header))


def _sheet_names(resource: Resource) -> set[str]:
    return {_letters(name) for name in (resource.title, resource.name, resource.full_name)}


def _letters(name: str) -> str:
    return re.sub(r"[-/_.]", "", _plain(name))


def _nothing_recognised(apis: Mapping[str, Api]) -> str:
    known = ", ".join(resource.full_name for resource in _all(apis))
    return f"No sheet is recognised. Begin with a template, or name the resource with --resource: one of {known}."


# Columns


def _missing(assigned: Assigned) -> list[Finding]:
    """Columns that the sheet should have: every required one, and all of a result's that say what became of a row."""
    sheet, resource = assigned.sheet, assigned.resource
    present = {column.name for column in assigned.columns.values()}
    faults = [
        _fault(sheet, None, "", f'The column "{column.heading}" is missing. Add it, or begin with a new template.')
        for column in resource.columns
        if column.required and column.name not in present
    ]
    if assigned.own and not assigned.is_result:
        lost = " and ".join(f'"{title}"' for title in CLAIM_COLUMNS if title not in assigned.own)
        has = ", ".join(f'"{title}"' for title in assigned.own)
        faults.append(
            _fault(
                sheet,
                None,
                "",
                f"The sheet has {has} of a result, but not {lost}, so that nobody can tell which rows are done. "
                "Take the result as it was written, or delete its own columns to import every row anew.",
            )
        )
    return faults


def _plain(title: str) -> str:
    return re.sub(r"[\s*]+", "", unicodedata.normalize("NFKC", title)).casefold()


def _names_of(resource: Resource) -> dict[str, Column]:
    titles = {_plain(column.title): column for column in resource.columns}
    return {**{_plain(column.name): column for column in resource.columns}, **titles}


def _fault(sheet: Sheet, position: int | None, title: str, message: str) -> Finding:
    return Finding(sheet.name, sheet.header_row, position, title, title, "header", message)


def _unknown_header(title: str, resource: Resource) -> str:
    names = {name: column.title for column in resource.columns for name in (column.name, column.title)}
    hint = _did_you_mean(title, names) or f" Its columns are {', '.join(c.title for c in resource.columns)}."
    return f'"{title}" is no column of {resource.full_name}.{hint} Rename or delete the column.'


# Names


def _all(apis: Mapping[str, Api]) -> Iterable[Resource]:
    return (resource for api in apis.values() for resource in api.resources.values())


def _one_of(resources: Iterable[Resource]) -> str:
    return " or ".join(resource.full_name for resource in resources)


def _did_you_mean(text: str, names: Mapping[str, str]) -> str:
    """A suggestion; `names` maps what a person may have meant to how it is written."""
    folded = {name.casefold(): written for name, written in names.items()}
    found = process.extractOne(text.casefold(), list(folded), score_cutoff=_ALIKE)
    return f" Did you mean {folded[found[0]]}?" if found else ""
