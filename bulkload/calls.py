"""Typed rows → the Requests of those to send. Nothing here can send."""

from collections.abc import Mapping

from bulkload.models import UPDATE, Request, Row
from bulkload.resource import Operation, Resource

# Path, query and headers of a request.
_Place = tuple[str, tuple[tuple[str, str], ...], Mapping[str, str]]


class Calls:
    """Makes the calls of one sheet's rows; what is the same for each row is worked out once.

    `settings` and `headers` are those of the connection.
    """

    def __init__(self, resource: Resource, sheet: str, settings: Mapping[str, str], headers: Mapping[str, str]) -> None:
        self._resource = resource
        self._sheet = sheet
        self._settings = settings
        self._headers = headers
        self._paths = [column.name for column in resource.columns if column.place == "path"]
        self._id_name = resource.id_column.name if resource.id_column else ""
        self._body = resource.bodies()
        self._has_secrets = any(column.secret for column in resource.columns)
        # Where rows go that say nothing of it themselves, by operation.
        self._places: dict[str, _Place] = {}

    def operation(self, action: str) -> Operation:
        """The operation by which a row is created or updated."""
        return self._resource.update if action == UPDATE and self._resource.update else self._resource.create

    def call(self, row: Row, action: str, record: str) -> Request:
        """The call that a row becomes. `record` is the ID of the record to update, "" for a new one."""
        operation = self.operation(action)
        own = {name: str(row.values[name]) for name in self._paths if name in row.values}
        if record and self._id_name:
            own[self._id_name] = record
        path, query, headers = self._place(operation, own)
        return Request(
            sheet=self._sheet,
            row=row.number,
            action=action,
            method=operation.method,
            path=path,
            query=query,
            headers=headers,
            body=self._body(row.values),
            secrets=self._resource.secrets(row.values) if self._has_secrets else (),
        )

    def _place(self, operation: Operation, own: Mapping[str, str]) -> _Place:
        if own:
            return self._placed(operation, own)
        if operation.id not in self._places:
            self._places[operation.id] = self._placed(operation, own)
        return self._places[operation.id]

    def _placed(self, operation: Operation, own: Mapping[str, str]) -> _Place:
        settings = self._settings
        path, query, asked = operation.placed({**settings, **own})
        # Only the path may come from the sheet; a header or query parameter of the same name is the connection's.
        theirs = own.keys() - settings.keys()
        headers = _merged(
            {"Content-Type": operation.media_type, "Accept": "application/json"},
            self._headers,
            {name: settings.get(name, value) for name, value in asked.items() if name not in theirs},
        )
        return path, tuple((name, settings.get(name, value)) for name, value in query if name not in theirs), headers


def _merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of which the later win, whatever case their names are in."""
    return dict({name.casefold(): (name, value) for some in headers for name, value in some.items()}.values())
