"""Which sheet is for which resource, and which of its columns is which: decided once, before any row is read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rapidfuzz import process

from bulkload import stamp as stamps
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import RESULT_COLUMNS, Book, Finding, Sheet
from bulkload.resource import Api, Column, Resource

# Sheets that the tool itself writes beside the data.
OWN_SHEETS = frozenset({"About", "Summary", "Problems"})


@dataclass(frozen=True, slots=True)
class Assigned:
    """A sheet and the resource that its rows become.

    `columns` maps the 1-based position of a header cell to its column; positions left out are blank headers or the
    tool's own result columns, which `own` maps from title to position.
    """

    sheet: Sheet
    resource: Resource
    columns: Mapping[int, Column]
    own: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_result(self) -> bool:
        """Whether the sheet is a result of an earlier run, to be imported again."""
        return {"Import status", "Import run", "Source row"} <= self.own.keys()


@dataclass(frozen=True, slots=True)
class Recognised:
    """The sheets to import, from left to right, and what a person must know of the others and of old templates."""

    assigned: tuple[Assigned, ...]
    remarks: tuple[str, ...] = ()


def find_resource(name: str, apis: Mapping[str, Api]) -> Resource:
    """The resource of that full or short name. Raises UsageError where there is none, or several APIs have it."""
    known = {resource.full_name: resource for api in apis.values() for resource in api.resources.values()}
    found = [resource for full, resource in known.items() if name in (full, resource.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f'"{name}" is a resource of several APIs: say {" or ".join(r.full_name for r in found)}.')
    raise UsageError(f'There is no resource "{name}".{_did_you_mean(name, known)} See: bulkload resources')


def recognise(book: Book, apis: Mapping[str, Api], resource: str | None = None) -> Recognised:
    """Find the resource of each sheet: by `resource`, by the stamp of its template, or by the sheet's name.

    Raises UnusableFile with every fault of every header at once, or where no sheet is recognised.
    """
    named = find_resource(resource, apis) if resource else None
    marks = stamps.parse(book.stamp)
    assigned, remarks, faults = [], [], []
    for sheet in book.sheets:
        if sheet.name in OWN_SHEETS and named is None:
            continue
        mark = _stamp_of(sheet, marks)
        target = named or _by_stamp(mark, apis) or _by_name(sheet.name, apis)
        if target is None or not any(sheet.header):
            remarks.append(_left_alone(sheet, target))
            continue
        found, wrong = match_header(sheet, target)
        differences = stamps.differences(mark, target) if mark and mark.resource == target.full_name else ()
        if differences:
            remarks.append(f"{sheet.name}: made from an older template. {' '.join(differences)}")
        faults += wrong
        assigned.append(found)
    if faults:
        raise UnusableFile("\n".join(f"{book.path}: {fault}" for fault in faults))
    if not assigned:
        raise UnusableFile(f"{book.path}: {_nothing_recognised(book, apis)}")
    return Recognised(tuple(assigned), tuple(remarks))


def match_header(sheet: Sheet, resource: Resource) -> tuple[Assigned, list[Finding]]:
    """Match titles or field names to columns, ignoring case, spaces and the star; all that is wrong comes along."""
    resource = with_path_parameters(resource, sheet.header)
    names = _names_of(resource)
    columns: dict[int, Column] = {}
    own: dict[str, int] = {}
    faults: list[Finding] = []
    for position, title in enumerate(sheet.header, 1):
        column = names.get(_plain(title))
        if title in RESULT_COLUMNS:
            own[title] = position
        elif not title.strip():
            faults.append(_fault(sheet, position, "", "this column has no title. Give it one, or delete the column."))
        elif column is None:
            faults.append(_fault(sheet, position, title, _unknown_header(title, resource)))
        elif column in columns.values():
            first = next(place for place, other in columns.items() if other is column)
            here = Finding(sheet.name, sheet.header_row, first, "", "", "header", "").cell
            message = f'"{title}" stands twice, here and in {here}. Delete one of the two columns.'
            faults.append(_fault(sheet, position, title, message))
        else:
            columns[position] = column
    present = {column.name for column in columns.values()}
    faults += [
        _fault(sheet, None, "", f'the column "{column.heading}" is missing. Add it, or begin with a new template.')
        for column in resource.columns
        if column.required and column.name not in present
    ]
    return Assigned(sheet, resource, columns, own), faults


def with_path_parameters(resource: Resource, header: Iterable[str]) -> Resource:
    """The resource with a column for each path parameter of that name in the header: it wins over the setting."""
    wanted = {_plain(title) for title in header}
    extra = tuple(
        Column(
            name=parameter.name,
            title=parameter.schema.get("title", parameter.name),
            place="path",
            pointer=f"/{parameter.name}",
            type="string",
            schema={"type": "string", "minLength": 1},
            required=True,
            description=parameter.description,
        )
        for parameter in resource.create.parameters
        if parameter.place == "path"
        and {_plain(parameter.name), _plain(str(parameter.schema.get("title", "")))} & wanted
        and parameter.name not in {column.name for column in resource.columns}
    )
    return replace(resource, columns=(*extra, *resource.columns)) if extra else resource


def _plain(title: str) -> str:
    return re.sub(r"[\s*]+", "", title).casefold()


def _names_of(resource: Resource) -> dict[str, Column]:
    titles = {_plain(column.title): column for column in resource.columns}
    return {**{_plain(column.name): column for column in resource.columns}, **titles}


def _fault(sheet: Sheet, position: int | None, title: str, message: str) -> Finding:
    return Finding(sheet.name, sheet.header_row, position, title, title, "header", message)


def _unknown_header(title: str, resource: Resource) -> str:
    known = {column.title: column for column in resource.columns}
    hint = _did_you_mean(title, known) or f" Its columns are {', '.join(known)}."
    return f'"{title}" is no column of {resource.full_name}.{hint} Rename or delete the column.'


def _did_you_mean(text: str, names: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in names}
    found = process.extractOne(text.casefold(), list(folded), score_cutoff=60)
    return f" Did you mean {folded[found[0]]}?" if found else ""


def _stamp_of(sheet: Sheet, marks: Sequence[stamps.Stamp]) -> stamps.Stamp | None:
    """The stamp with the sheet's name; if a person renamed the sheet, the one whose headings it has."""
    for mark in marks:
        if mark.sheet == sheet.name:
            return mark
    titles = [title for title in sheet.header if title not in RESULT_COLUMNS]
    return next((mark for mark in marks if [column.heading for column in mark.columns] == titles), None)


def _by_stamp(mark: stamps.Stamp | None, apis: Mapping[str, Api]) -> Resource | None:
    if mark is None:
        return None
    api, _, name = mark.resource.partition("/")
    return apis[api].resources.get(name) if api in apis else None


def _by_name(sheet_name: str, apis: Mapping[str, Api]) -> Resource | None:
    """The resource whose title, name or full name the sheet has; none where several do."""
    wanted = _plain(sheet_name).replace("-", "").replace("/", "")
    found = [
        resource
        for api in apis.values()
        for resource in api.resources.values()
        if wanted in {_plain(name).replace("-", "").replace("/", "") for name in _sheet_names(resource)}
    ]
    return found[0] if len(found) == 1 else None


def _sheet_names(resource: Resource) -> Iterator[str]:
    yield from (resource.title, resource.name, resource.full_name)


def _left_alone(sheet: Sheet, target: Resource | None) -> str:
    why = "it is empty" if target else "it is no resource's; name its resource with --resource if it is to be imported"
    return f'Sheet "{sheet.name}" is left alone: {why}.'


def _nothing_recognised(book: Book, apis: Mapping[str, Api]) -> str:
    sheets = ", ".join(f'"{sheet.name}"' for sheet in book.sheets) or "none"
    known = ", ".join(resource.full_name for api in apis.values() for resource in api.resources.values())
    return (
        f"no sheet is recognised (its sheets: {sheets}). Begin with a template, or name the resource with --resource: "
        f"one of {known}."
    )
