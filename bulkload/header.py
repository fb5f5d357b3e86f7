"""Which column of a sheet is which: its header held against the resource, and all that is wrong with it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bulkload.models import RESULT_COLUMNS, Finding, Severity, Sheet, column_letter
from bulkload.resource import TYPES, Column, Parameter, Resource

_NO_TITLE = "This column has no title. Give it one, or delete the column."
# The columns of a result by which a row says what became of it: without one of them none can be believed.
CLAIM_COLUMNS = ("Import status", "Import ID", "Import run", "Source row")
# From what likeness on (of 100) a name is suggested.
_ALIKE = 75
# So many columns more than the resource has are each told; a header that is wider is another table's.
_WIDER = 50
# Of the faults of one header the first so many are told.
_FAULTS = 20
# What is in a title but not to be seen: controls, and what joins, parts or turns round the text beside it.
_UNSEEN = frozenset({"Cc", "Cf"})
# What a CSV result guards with an apostrophe more, so that a spreadsheet program runs nothing.
_GUARDED = re.compile(r"^'(?='*[=+\-@\t\r＝＋－＠])")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A sheet and the resource that its rows become.

    `columns` maps the 1-based position of a header cell to its column; positions left out are the tool's own result
    columns, which `own` maps from title to position. `notes` tell which titles were read cleaned.
    """

    sheet: Sheet
    resource: Resource
    columns: Mapping[int, Column]
    own: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Finding, ...] = ()

    @property
    def is_result(self) -> bool:
        """Whether the sheet is a result of an earlier run, to be imported again."""
        return self.own.keys() >= set(CLAIM_COLUMNS)


def match_header(sheet: Sheet, resource: Resource) -> tuple[Assigned, list[Finding]]:
    """Match titles or field names to columns, ignoring case, blanks and the star; all that is wrong comes along."""
    sheet = _unguarded(sheet)
    resource = with_path_parameters(resource, sheet.header)
    names = names_of(resource)
    if wrong := _another_table(sheet, resource, names):
        return Assigned(sheet, resource, {}), [wrong]
    places: dict[str, int] = {}
    columns: dict[int, Column] = {}
    own: dict[str, int] = {}
    faults: list[Finding] = []
    unknown = False
    for position, title in enumerate(map(clean, sheet.header), 1):
        column = None if title in RESULT_COLUMNS else names.get(plain(title))
        name = column.name if column else title
        if not title:
            faults.append(_fault(sheet, position, "", _NO_TITLE))
        elif title not in RESULT_COLUMNS and column is None:
            unknown = True
            faults.append(_fault(sheet, position, title, _unknown_header(title, resource)))
        elif (first := places.setdefault(name, position)) != position:
            there = f"{column_letter(first)}{sheet.header_row} ({clean(sheet.header[first - 1])})"
            message = f'"{title}" is the same column as {there}. Delete one of the two.'
            faults.append(_fault(sheet, position, title, message))
        elif column is None:
            own[title] = position
        else:
            columns[position] = column
    assigned = Assigned(sheet, resource, columns, own, tuple(_cleaned_titles(sheet)))
    choice = [_fault(sheet, None, "", _its_columns(resource))] if unknown else []
    return assigned, [*_first(sheet, faults), *_missing(assigned), *choice]


def unguarded(text: str) -> str:
    """A cell or title of a CSV result as it was before the result guarded it."""
    return _GUARDED.sub("", text)


def _unguarded(sheet: Sheet) -> Sheet:
    """A sheet with the titles as they were before a CSV result guarded them; any other as it is."""
    is_result = sheet.from_text and set(map(clean, sheet.header)).issuperset(CLAIM_COLUMNS)
    return replace(sheet, header=tuple(map(unguarded, sheet.header))) if is_result else sheet


def with_path_parameters(resource: Resource, header: Iterable[str]) -> Resource:
    """The resource with a column for each path parameter of that name in the header: it wins over the setting."""
    wanted = {plain(title) for title in header}
    known = {column.name for column in resource.columns}
    columns = (_path_column(parameter) for parameter in resource.create.parameters if parameter.place == "path")
    extra = tuple(c for c in columns if c.name not in known and {plain(c.name), plain(c.title)} & wanted)
    return replace(resource, columns=(*extra, *resource.columns)) if extra else resource


def _path_column(parameter: Parameter) -> Column:
    kind = parameter.schema.get("type")
    return Column(
        name=parameter.name,
        title=parameter.schema.get("title") or parameter.name,
        place="path",
        pointer=f"/{parameter.name}",
        type=kind if kind in TYPES else "string",
        schema=parameter.schema,
        required=True,
        description=parameter.description,
        examples=tuple(parameter.schema.get("examples", ())),
    )


# Headers


def without_header(sheet: Sheet, resource: Resource) -> Finding | str:
    """What is to be said of a sheet whose header row is blank. Raises UnusableFile where it has rows all the same."""
    if further_down := _further_down(sheet, names_of(resource), 0):
        return further_down
    next(iter(sheet.frames()), None)
    return "it is empty"


def _another_table(sheet: Sheet, resource: Resource, names: Mapping[str, Column]) -> Finding | None:
    """The one fault of a header that isn't this resource's at all: it stands further down, or is another table's."""
    titles = [title for title in map(clean, sheet.header) if title not in RESULT_COLUMNS]
    known = _known(titles, names)
    required = {column.name for column in resource.columns if column.required}
    if len(known) == len(titles) and known >= required:
        return None
    if further_down := _further_down(sheet, names, len(known)):
        return further_down
    most = len(resource.columns) + _WIDER
    if len(titles) > most:
        return _fault(
            sheet,
            None,
            "",
            f"The header has {len(titles):,} columns, and {resource.full_name} has {len(resource.columns)}. "
            "Delete the columns that don't belong to it, or begin with a new template.",
        )
    if not known and any(titles):
        return _fault(
            sheet,
            None,
            "",
            f"None of the titles in this row is a column of {resource.full_name}. {_its_columns(resource)} "
            "Rename the titles, or name the row that has them with --header-row.",
        )
    return None


def _further_down(sheet: Sheet, names: Mapping[str, Column], known: int) -> Finding | None:
    """The fault of a sheet whose header stands in a later row: one of whose titles at least twice as many fit."""
    likely = ((len(_known(map(clean, texts), names)), number) for number, texts in sheet.top)
    fits, number = max(likely, key=lambda one: one[0], default=(0, 0))
    if fits < max(2, 2 * known):
        return None
    said = f"This row is not the header: row {number} looks like it. Take --header-row {number}"
    return _fault(sheet, None, "", f"{said}, or delete the rows above it.")


def _known(titles: Iterable[str], names: Mapping[str, Column]) -> set[str]:
    """The names of the columns that have one of these titles."""
    return {names[key].name for title in titles if (key := plain(title)) in names}


def _first(sheet: Sheet, faults: Sequence[Finding]) -> list[Finding]:
    """The first faults, and how many more there are."""
    if len(faults) <= _FAULTS:
        return list(faults)
    more = f"The header has {len(faults) - _FAULTS:,} more faults like these."
    return [*faults[:_FAULTS], _fault(sheet, None, "", more)]


def _cleaned_titles(sheet: Sheet) -> Iterable[Finding]:
    """A note for each title with characters that are not to be seen, or with blanks that part no words."""
    for position, raw in enumerate(sheet.header, 1):
        title = clean(raw)
        if title and raw != title:
            odd = dict.fromkeys(_named(one) for one in raw if one != " " and (one.isspace() or _is_unseen(one)))
            what = f"read without {', '.join(odd)}" if odd else "read without the blanks around it"
            cause = f"title {what}"
            yield Finding(sheet.name, sheet.header_row, position, title, title, "title", cause, Severity.NOTE, cause)


def _named(one: str) -> str:
    """`line break`, `no-break space (U+00A0)`."""
    known = {"\n": "line break", "\r": "line break", "\t": "tab"}
    return known.get(one) or f"{unicodedata.name(one, 'control character').lower()} (U+{ord(one):04X})"


def _is_unseen(one: str) -> bool:
    return unicodedata.category(one) in _UNSEEN


def clean(title: str) -> str:
    """A title as a person reads it: on one line, single blanks, nothing that is not to be seen."""
    seen = (" " if one.isspace() else one for one in title if one.isspace() or not _is_unseen(one))
    return " ".join("".join(seen).split())


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


def plain(title: str) -> str:
    """What makes two titles the same: case, blanks and the star don't count."""
    return re.sub(r"[\s*]+", "", unicodedata.normalize("NFKC", clean(title))).casefold()


def names_of(resource: Resource) -> dict[str, Column]:
    """The columns by all that their titles may be, as `plain` has it."""
    titles = {plain(column.title): column for column in resource.columns}
    return {**{plain(column.name): column for column in resource.columns}, **titles}


def _fault(sheet: Sheet, position: int | None, title: str, message: str) -> Finding:
    return Finding(sheet.name, sheet.header_row, position, title, title, "header", message)


def _unknown_header(title: str, resource: Resource) -> str:
    names = {name: column.title for column in resource.columns for name in (column.name, column.title)}
    hint = did_you_mean(title, names)
    return f'"{title}" is no column of {resource.full_name}.{hint} Rename or delete the column.'


def _its_columns(resource: Resource) -> str:
    return f"The columns of {resource.full_name} are {', '.join(column.title for column in resource.columns)}."


# Names


def did_you_mean(text: str, names: Mapping[str, str]) -> str:
    """A suggestion; `names` maps what a person may have meant to how it is written."""
    from rapidfuzz import process  # only once a name was wrong

    folded = {name.casefold(): written for name, written in names.items()}
    found = process.extractOne(text.casefold(), list(folded), score_cutoff=_ALIKE)
    return f" Did you mean {folded[found[0]]}?" if found else ""
