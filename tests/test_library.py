"""The library's door: what a program that imports bulkload can do."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import bulkload
from bulkload.errors import SettingsError, UnusableFile
from bulkload.journal import Journal
from bulkload.models import Outcome
from bulkload.sandbox import Sandbox
from samples.make import GOOD, fill
from tests.support import APIS, Desk, connection, document, write_csv
from tests.test_pipeline import destinations, read_csv, routes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(list(APIS.values())) as sandbox:
        yield Desk(tmp_path, sandbox)


def test_an_api_is_a_mapping_of_what_rows_can_become() -> None:
    api = bulkload.open_api("cinnox")
    assert list(api) == ["destination"]
    assert len(api) == 1
    assert api["destination"].resource.full_name == "cinnox/destination"
    with pytest.raises(KeyError):
        api["destnation"]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_template_is_written_and_its_path_given(tmp_path: Path, kind: type) -> None:
    thing = bulkload.open_api("cinnox")["destination"]
    path = thing.template(kind(tmp_path / "d.xlsx"))
    assert openpyxl.load_workbook(path).sheetnames[0] == "Destinations"
    text = thing.template(kind(tmp_path / "d.csv")).read_text(encoding="utf-8-sig")
    assert "Display name *," in text


def test_the_schema_checks_a_frame() -> None:
    schema = bulkload.open_api("aicc")["called-route"].schema
    frame = pd.DataFrame({name: pd.Series(dtype=column.dtype.type) for name, column in schema.columns.items()})
    assert list(schema.validate(frame).columns) == list(schema.columns)


def test_a_file_is_imported_over_a_connection_of_ones_own(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(3))
    outcomes = bulkload.import_file(
        str(file),
        connection=connection(desk.sandbox, APIS["aicc"]),
        journal=str(desk.journal),
        result=desk.folder / "mine.csv",
    )
    assert (desk.journal.exists(), desk.sandbox.requests) == (False, [])
    made = {one.row: one for one in outcomes}
    assert {(one.sheet, str(one.status)) for one in made.values()} == {("called-route", "created")}
    # The API's answer to a create holds no ID: it was asked afterwards, and the last word counts.
    held = {str(record["body"]["accessCode"]): record["id"] for record in desk.sandbox.records("aicc/called-route")}
    assert {row: one.id for row, one in made.items()} == {
        number: held[route["accessCode"]] for number, route in enumerate(routes(3), 2)
    }
    assert [row["Import status"] for row in read_csv(desk.folder / "mine.csv")] == ["created"] * 3


def test_a_connection_of_another_api_is_refused_before_anything_is_sent(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(1))
    other = connection(desk.sandbox, APIS["cinnox"])
    with pytest.raises(SettingsError, match="cinnox, not for aicc"):
        list(bulkload.import_file(file, connection=other, journal=desk.journal))
    assert desk.sandbox.requests == []


def test_connections_are_known_by_name(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    for name in ("cinnox", "aicc"):
        api = APIS[name]
        for credential, value in desk.sandbox.credentials(api).items():
            monkeypatch.setenv(f"T_{name}_{credential}", value)
        kept = ", ".join(f'{one} = "env:T_{name}_{one}"' for one in desk.sandbox.credentials(api))
        settings = ", ".join(f'"{key}" = "{value}"' for key, value in desk.sandbox.settings(api).items())
        lines += [f"[connections.my-{name}]", f'api = "{name}"', f'base_url = "{desk.sandbox.base_url(name)}"',
                  f"settings = {{ {settings} }}", f"credentials = {{ {kept} }}"]  # fmt: skip
    config = desk.folder / "bulkload.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    file = desk.folder / "both.xlsx"
    fill(file, {name: GOOD[name] for name in ("cinnox/destination", "aicc/called-route")})

    def imported(**given: object) -> set[str]:
        made: list[Outcome] = list(bulkload.import_file(file, journal=desk.journal, config=config, **given))  # type: ignore[arg-type]
        return {str(one.status) for one in made}

    assert imported(connection=["my-cinnox", "my-aicc"]) == {"created"}
    assert imported() == set()
    with pytest.raises(SettingsError, match='"nowhere"'):
        imported(connection="nowhere")


def test_a_document_of_ones_own_comes_with_its_connection(tmp_path: Path) -> None:
    path = document(tmp_path / "things.json", {"type": "object", "properties": {"name": {"type": "string"}}})
    api = bulkload.open_api(path).api
    with Sandbox([api]) as sandbox:
        own = replace(connection(sandbox, api), api=str(path))
        file = write_csv(tmp_path / "t.csv", [{"name": "a"}])
        made = list(bulkload.import_file(file, connection=own, resource="things/things", journal=tmp_path / "j.sqlite"))
    assert [str(one.status) for one in made] == ["created"]


def test_who_stops_taking_outcomes_leaves_a_run_that_can_go_on(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(30))
    mine = connection(desk.sandbox, APIS["cinnox"], concurrency=1)
    outcomes = bulkload.import_file(file, connection=mine, journal=desk.journal)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    with Journal(desk.journal) as journal:
        counts = {str(status): count for status, count in journal.run().counts.items()}
    assert counts.keys() == {"created", "not sent"}
    assert len(desk.sandbox.records("cinnox/destination")) == counts["created"]
    assert {str(one.status) for one in bulkload.import_file(file, connection=mine, journal=desk.journal)} == {"created"}
    assert len(desk.sandbox.records("cinnox/destination")) == 30


def test_a_program_may_import_in_a_thread_of_its_own(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(2))
    mine, made = connection(desk.sandbox, APIS["cinnox"]), list[Outcome]()
    thread = threading.Thread(
        target=lambda: made.extend(bulkload.import_file(file, connection=mine, journal=desk.journal))
    )
    thread.start()
    thread.join(30)
    assert [str(one.status) for one in made] == ["created", "created"]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile):
        list(bulkload.import_file(tmp_path / "nowhere.csv", journal=tmp_path / "j.sqlite"))
