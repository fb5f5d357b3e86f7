"""What findings have in common: how many there are of each cause and where the first stand, in bounded memory."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bulkload.models import Finding, Severity

# Causes that are kept of one rule of one column; a column of a million wrong words has a million of them.
_KINDS = 1_000
# The cells that are named of a cause.
FIRST = 3

_Place = tuple[str, int | None, str, Severity]


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one cause: `cells` and `rows` count them, `first` is the first, `places` are the first cells."""

    text: str
    cells: int
    rows: int
    first: Finding
    places: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    first: Finding
    places: list[str]
    cells: int = 0
    rows: int = 0
    last_row: int = 0

    def add(self, finding: Finding) -> None:
        self.cells += 1 + finding.more
        if finding.row != self.last_row:
            self.rows += 1 + finding.more
            self.last_row = finding.row
            if len(self.places) < FIRST:
                self.places.append(finding.cell)


class Causes:
    """Counts the findings of a file, frame by frame, by sheet, column, cause and severity.

    Of each rule of a column a thousand causes are kept; `others` counts the findings of further ones.
    """

    def __init__(self) -> None:
        self.others: Counter[Severity] = Counter()
        self._groups: dict[tuple[_Place, str], _Group] = {}
        self._kinds: Counter[_Place] = Counter()
        self._cells: Counter[Severity] = Counter()

    def add(self, findings: Iterable[Finding]) -> None:
        """Take in the findings of a frame, in the order of its rows."""
        for finding in findings:
            self._cells[finding.severity] += 1 + finding.more
            place = (finding.sheet, finding.column, finding.rule, finding.severity)
            key = (place, cause_of(finding))
            group = self._groups.get(key)
            if group is None:
                if self._kinds[place] == _KINDS:
                    self.others[finding.severity] += 1 + finding.more
                    continue
                self._kinds[place] += 1
                group = self._groups[key] = _Group(finding, [])
            group.add(finding)

    def count(self, severity: Severity) -> int:
        """How many findings of that severity there were."""
        return self._cells[severity]

    def problems(self) -> list[Cause]:
        """The causes of errors and then of warnings, the most frequent first."""
        return [*self._of(Severity.ERROR), *self._of(Severity.WARNING)]

    def notes(self) -> list[Cause]:
        """What was read how, in the order in which it came up: neither errors nor warnings."""
        return [_cause(text, group) for (place, text), group in self._groups.items() if place[3] is Severity.NOTE]

    def _of(self, severity: Severity) -> list[Cause]:
        found = [_cause(text, group) for (place, text), group in self._groups.items() if place[3] is severity]
        return sorted(found, key=lambda cause: -cause.rows)


def cause_of(finding: Finding) -> str:
    """What a finding has in common with others of its column, in words that stand by themselves.

    A message that goes on after the value has a cause that does so, too: the value is another in each row.
    """
    cause = finding.cause or finding.message
    goes_on = finding.severity is not Severity.NOTE and finding.message.endswith(f" {cause}")
    return f"The value {cause}" if goes_on else cause


def _cause(text: str, group: _Group) -> Cause:
    return Cause(text, group.cells, group.rows, group.first, tuple(group.places))
