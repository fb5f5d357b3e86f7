"""What the journal can be asked of its rows: what became of them, which are left, and what earlier runs have made."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bulkload.models import Once, Outcome, Status
from bulkload.rows import Known, OpenRow, Repeat
from bulkload.runs import Runs, local, shown, stored

# What an earlier row with this status says of a new row of the same content; the first that there is counts.
_WEIGHT = {
    Status.SENDING: 0,
    Status.UNKNOWN: 0,
    Status.CREATED: 1,
    Status.UPDATED: 1,
}
_IN_ONE_QUERY = 400
# What stands behind the name of a sheet for rows that are in the file no more.
GONE = " (gone)"
# Where rows of this target may stand as those of another: that target → what they are known by there → and here.
Elsewhere = Mapping[str, Mapping[str, str]]
_NOWHERE: Elsewhere = MappingProxyType({})
# A row between others: what its status weighs, and its time.
_Weighed = tuple[int, str, Known]
CUT_OFF = "Sent, but the program was cut off before an answer came: it may exist."


class Ledger(Runs):
    """The rows of an open journal, to be read."""

    def to_send(self, run: str) -> dict[str, int]:
        """How many rows of the run are not sent or failed, or unknown with a key that still lives, by action."""
        query = (
            "SELECT action, count(*) FROM rows WHERE run = ? AND (status IN ('not sent', 'failed')"
            " OR (status = 'unknown' AND action != '' AND once_until > ?)) GROUP BY action"
        )
        with self._trouble():
            return dict(self._db.execute(query, (run, stored(self._clock()))).fetchall())

    def repeats(self, run: str) -> int:
        """How many unknown rows of the run may be sent again: the key that they were sent with still lives."""
        query = "SELECT count(*) FROM rows WHERE run = ? AND status = 'unknown' AND action != '' AND once_until > ?"
        with self._trouble():
            return int(self._db.execute(query, (run, stored(self._clock()))).fetchone()[0])

    def open_rows(self, run: str, target: str, after: tuple[str, int] = ("", 0), most: int = -1) -> list[OpenRow]:
        """The run's rows on this target that may exist, and those that were created without an ID being known.

        They are the first `most` after this sheet and row; -1: all. Rows that are unknown because of another run are
        that run's to ask about.
        """
        query = (
            "SELECT * FROM rows WHERE run = ? AND target = ? AND action != ''"
            " AND (status IN ('unknown', 'sending') OR (status = 'created' AND id = ''))"
            " AND (sheet, row) > (?, ?) ORDER BY sheet, row LIMIT ?"
        )
        with self._trouble():
            return [
                OpenRow(_outcome(row), row["action"], row["resource"], row["fingerprint"])
                for row in self._db.execute(query, (run, target, *after, most))
            ]

    def unknown_in(self, run: str) -> list[str]:
        """The runs whose rows have to be settled for this one's unknown rows: itself, or those that sent them."""
        query = (
            "SELECT run FROM rows WHERE run = ?1 AND action != '' AND status IN ('unknown', 'sending') UNION "
            "SELECT other.run FROM rows AS mine JOIN rows AS other ON other.target = mine.target"
            " AND other.resource = mine.resource AND other.fingerprint = mine.fingerprint AND other.fingerprint != ''"
            " AND other.action != '' AND other.status IN ('unknown', 'sending')"
            " WHERE mine.run = ?1 AND mine.action = '' AND mine.status = 'unknown' UNION "
            "SELECT named FROM (SELECT DISTINCT because AS named FROM rows WHERE run = ?1 AND status = 'unknown')"
            " WHERE EXISTS (SELECT 1 FROM rows WHERE run = named AND action != ''"
            " AND status IN ('unknown', 'sending')) ORDER BY 1"
        )
        with self._trouble():
            return [name for (name,) in self._db.execute(query, (run,))]

    def outcomes(self, run: str, sheet: str, first: int, last: int) -> dict[int, Outcome]:
        """The outcomes of the sheet's rows from `first` to `last`, by row number."""
        query = "SELECT * FROM rows WHERE run = ? AND sheet = ? AND row BETWEEN ? AND ? ORDER BY row"
        with self._trouble():
            return {row["row"]: _outcome(row) for row in self._db.execute(query, (run, sheet, first, last))}

    def all_outcomes(self, run: str) -> Iterator[Outcome]:
        """The outcomes of all rows of a run, sheet by sheet."""
        query = "SELECT * FROM rows WHERE run = ? AND (sheet, row) > (?, ?) ORDER BY sheet, row LIMIT 10000"
        place: tuple[str, int] = ("", 0)
        while True:
            with self._trouble():
                some = [_outcome(row) for row in self._db.execute(query, (run, *place))]
            if not some:
                return
            yield from some
            place = (some[-1].sheet, some[-1].row)

    def waiting(self, run: str, sheet: str, first: int, last: int) -> dict[int, tuple[str, str]]:
        """The sheet's rows from `first` to `last` that are still to be sent: row number → (action, known ID or "").

        A row that failed is one of them: the API did nothing with it.
        """
        query = (
            "SELECT row, action, id FROM rows WHERE run = ? AND sheet = ? AND row BETWEEN ? AND ?"
            " AND status IN ('not sent', 'failed') ORDER BY row"
        )
        with self._trouble():
            return {row: (action, record) for row, action, record in self._db.execute(query, (run, sheet, first, last))}

    def repeatable(self, run: str, sheet: str, first: int, last: int) -> dict[int, Repeat]:
        """The sheet's rows from `first` to `last` that were sent with a key and may be sent again, by row number."""
        query = (
            "SELECT row, action, id, fingerprint, status, once, once_until FROM rows WHERE run = ? AND sheet = ?"
            " AND row BETWEEN ? AND ? AND action != '' AND once != '' AND status IN ('not sent', 'failed', 'unknown')"
        )
        with self._trouble():
            return {
                row["row"]: Repeat(
                    row["action"], row["id"], row["fingerprint"],
                    Once(row["once"], local(row["once_until"])), row["status"] == Status.UNKNOWN,
                )
                for row in self._db.execute(query, (run, sheet, first, last))
            }  # fmt: skip

    def rows(
        self, run: str, target: str, resource: str, sheet: str, after: int = 0, last: int | None = None
    ) -> list[Known]:
        """What a run knows of its rows of one resource: what a file that is read again is matched with.

        They are those of one sheet after row `after`, up to row `last`; None: to the end.
        """
        query = (
            "SELECT * FROM rows WHERE run = ? AND sheet = ? AND row > ? AND row <= ifnull(?, row)"
            " AND target = ? AND resource = ? ORDER BY row"
        )
        with self._trouble():
            return [_known_row(row) for row in self._db.execute(query, (run, sheet, after, last, target, resource))]

    def repeated(self, run: str, target: str, resource: str) -> frozenset[str]:
        """The fingerprints that several of the run's rows have, and perhaps others."""
        query = (
            "SELECT DISTINCT fingerprint FROM rows WHERE run = ? AND target = ? AND resource = ? AND fingerprint != ''"
            " AND ordinal > 1"  # of equal rows one at most is the first
        )
        with self._trouble():
            return frozenset(name for (name,) in self._db.execute(query, (run, target, resource)))

    def known(
        self, target: str, resource: str, fingerprints: Iterable[str], elsewhere: Elsewhere = _NOWHERE
    ) -> dict[str, dict[int, Known]]:
        """Rows of any run on the target that are done or may be: fingerprint → ordinal → the row.

        Each that is known elsewhere is one more of its equals, under the fingerprint and an ordinal that are free here.
        """
        found: dict[str, dict[int, Known]] = {}
        for row in self._known(target, resource, "fingerprint", dict.fromkeys(fingerprints)):
            found.setdefault(row.fingerprint, {})[row.ordinal] = row
        for place, there in elsewhere.items():
            others = self._known(place, resource, "fingerprint", there)
            for row in {(row.fingerprint, row.ordinal): row for row in others}.values():
                mine = found.setdefault(there[row.fingerprint], {})
                ordinal = max(mine) + 1 if row.ordinal in mine else row.ordinal
                mine[ordinal] = replace(row, fingerprint=there[row.fingerprint], ordinal=ordinal)
        return found

    def known_keys(
        self, target: str, resource: str, keys: Iterable[str], elsewhere: Elsewhere = _NOWHERE
    ) -> dict[str, Known]:
        """Rows of any run on the target, or elsewhere, with these natural keys that are done or may be, by key."""
        found = self._weighed(target, resource, "key", dict.fromkeys(keys))
        for place, there in elsewhere.items():
            others = self._weighed(place, resource, "key", there)
            found += [(*weight, replace(row, key=there[row.key])) for *weight, row in others]  # type: ignore[misc]
        return {row.key: row for _, _, row in sorted(found, key=_weight)}

    def _known(self, target: str, resource: str, column: str, wanted: Collection[str]) -> list[Known]:
        """What stands last wins in a dict: the weightiest status, and of those the latest."""
        return [row for _, _, row in sorted(self._weighed(target, resource, column, wanted), key=_weight)]

    def _weighed(self, target: str, resource: str, column: str, wanted: Collection[str]) -> list[_Weighed]:
        """The rows that are done or may be, each with what it weighs and its time.

        A row that was not to be sent says nothing: where it is `unknown`, another is, and that one is found itself.
        """
        found: list[_Weighed] = []
        values = list(wanted)
        statuses = ", ".join(f"'{status}'" for status in _WEIGHT)
        for start in range(0, len(values), _IN_ONE_QUERY):
            some = values[start : start + _IN_ONE_QUERY]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT * FROM rows WHERE target = ? AND resource = ? AND {column} IN ({marks})"  # noqa: S608
                f" AND {column} != '' AND action != '' AND status IN ({statuses})"
            )
            with self._trouble():
                found += [
                    (-_WEIGHT[Status(row["status"])], row["time"] or row["sent"] or "", _known_row(row))
                    for row in self._db.execute(query, (target, resource, *some))
                ]
        return found

    def claimed(self, target: str, run: str, sheet: str, rows: Sequence[int]) -> dict[int, Known]:
        """The rows of an earlier run on this target that a result workbook speaks of, by source row.

        The sheet may have been renamed since where the run had only one. Empty where the run is not known here.
        """
        names = [name for name in self.sheets(run) if not name.endswith(GONE)]
        if sheet not in names and len(names) == 1:
            sheet = names[0]
        found: dict[int, Known] = {}
        for start in range(0, len(rows), _IN_ONE_QUERY):
            some = rows[start : start + _IN_ONE_QUERY]
            marks = ", ".join("?" * len(some))
            query = f"SELECT * FROM rows WHERE target = ? AND run = ? AND sheet = ? AND row IN ({marks})"  # noqa: S608
            with self._trouble():
                found |= {row["row"]: _known_row(row) for row in self._db.execute(query, (target, run, sheet, *some))}
        return found


def _weight(one: _Weighed) -> tuple[int, str]:
    return one[:2]


def _outcome(row: Mapping[str, Any] | sqlite3.Row) -> Outcome:
    time = row["time"] or row["sent"]
    return Outcome(
        sheet=row["sheet"],
        row=row["row"],
        status=shown(row["status"]),
        id=row["id"],
        error=CUT_OFF if row["status"] == Status.SENDING else row["error"],
        note=row["note"],
        http_status=row["http_status"],
        attempts=row["attempts"],
        request_id=row["request_id"],
        time=local(time) if time else None,
        run=row["run"],
    )


def _known_row(row: sqlite3.Row) -> Known:
    names = ("run", "sheet", "row", "id", "fingerprint", "ordinal", "open_fingerprint", "key")
    return Known(status=Status(row["status"]), **{name: row[name] for name in names})
