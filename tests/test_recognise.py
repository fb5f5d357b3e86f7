"""Which sheet is for which resource and which column is which; what is wrong with headers is told all at once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from bulkload import stamp, template
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import Book, Frame, Sheet
from bulkload.openapi import BUILT_IN, open_api
from bulkload.read import ReadOptions, open_book
from bulkload.recognise import find_resource, recognise
from bulkload.resource import Resource

APIS = {name: open_api(name) for name in BUILT_IN}
RESOURCES = [resource for api in APIS.values() for resource in api.resources.values()]
DESTINATION = APIS["cinnox"].resources["destination"]
AGENTS = APIS["aicc"].resources["agent-settings"]
KAZOO = APIS["myreports"].resources["pbx-kazoo"]
NOT_OURS = "it is no resource's; name its resource with --resource if it is to be imported"


def no_rows() -> Iterator[Frame]:
    return iter(())


def sheet(name: str, *header: str) -> Sheet:
    return Sheet(name, header, 1, no_rows)


def filled(name: str, resource: Resource) -> Sheet:
    return sheet(name, *(column.heading for column in resource.columns))


def book(*sheets: Sheet, stamped: dict[str, Resource] | None = None) -> Book:
    return Book("agents.xlsx", "", sheets, stamp.rows(stamped.items()) if stamped else ())


def found(one: Book, resource: str | None = None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The resource of each sheet to import, by sheet name, and what is said of the others and of old templates."""
    recognised = recognise(one, APIS, resource)
    said = (*map(str, recognised.left_alone), *recognised.remarks)
    return {a.sheet.name: a.resource.full_name for a in recognised.assigned}, said


def alone(name: str, why: str) -> str:
    return f'Sheet "{name}" is left alone: {why}.'


# --- sheets -----------------------------------------------------------------------------------------------------------


def test_a_template_is_recognised_by_its_stamp_whatever_its_sheets_are_called(tmp_path: Path) -> None:
    path = tmp_path / "all.xlsx"
    template.workbook(RESOURCES, path)
    workbook = openpyxl.load_workbook(path)
    for number, resource in enumerate(RESOURCES):
        workbook[resource.title].title = f"List {number}"
    workbook.save(path)
    assert found(open_book(path, ReadOptions())) == (
        {f"List {number}": resource.full_name for number, resource in enumerate(RESOURCES)},
        (),
    )


def test_a_renamed_sheet_with_a_column_more_is_still_recognised() -> None:
    renamed = sheet("My agents", *(column.heading for column in AGENTS.columns), "Remarks")
    with pytest.raises(UnusableFile, match=r'My agents!G1 \(Remarks\): "Remarks" is no column of aicc/agent-settings'):
        recognise(book(renamed, stamped={"Agent settings": AGENTS}), APIS)


@pytest.mark.parametrize(
    "name", ["Agent settings", "agent-settings", "AGENT SETTINGS", "aicc/agent-settings", "aicc agent_settings"]
)
def test_a_sheet_without_a_stamp_is_recognised_by_its_name(name: str) -> None:
    assert found(book(filled(name, AGENTS))) == ({name: "aicc/agent-settings"}, ())


@pytest.mark.parametrize("resource", ["agent-settings", "aicc/agent-settings"])
def test_a_sheet_of_any_name_is_what_resource_says(resource: str) -> None:
    assert found(book(filled("Sheet1", AGENTS)), resource) == ({"Sheet1": "aicc/agent-settings"}, ())


def test_a_csv_result_is_recognised_by_the_name_of_its_input() -> None:
    names = ("destination.result", "aicc-called-route.result-2")
    sheets = [
        replace(filled(name, resource), from_text=True)
        for name, resource in zip(names, (DESTINATION, APIS["aicc"].resources["called-route"]), strict=True)
    ]
    assert found(book(*sheets)) == (dict(zip(names, ("cinnox/destination", "aicc/called-route"), strict=True)), ())
    other = replace(sheet("destination.old", "Display name *"), from_text=True)
    assert found(book(other, sheets[0]))[0].keys() == {names[0]}


def test_a_csv_of_any_name_is_recognised_by_all_the_headings_of_a_template() -> None:
    template_of = replace(filled("May", DESTINATION), from_text=True)
    shuffled = replace(template_of, header=tuple(reversed(template_of.header)))
    assert found(book(shuffled)) == ({"May": "cinnox/destination"}, ())
    with pytest.raises(UnusableFile):
        found(book(replace(template_of, header=template_of.header[1:])))
    with pytest.raises(UnusableFile):
        found(book(replace(template_of, from_text=False)))


def test_other_sheets_are_left_alone_and_told() -> None:
    own = [sheet(name, "Anything") for name in ("About", "Summary", "Problems")]
    assert found(book(filled("Destinations", DESTINATION), *own, sheet("Notes", "To do"))) == (
        {"Destinations": "cinnox/destination"},
        (*(alone(one.name, "it holds no rows to import") for one in own), alone("Notes", NOT_OURS)),
    )


def test_with_a_resource_named_the_sheets_that_are_clearly_others_are_left_alone_and_told() -> None:
    sheets = [
        filled("Agents", AGENTS),
        filled("Destinations", DESTINATION),
        sheet("About", "How to"),
        sheet("Notes", "To do"),
    ]
    assert found(book(*sheets, stamped={"Destinations": DESTINATION}), "agent-settings") == (
        {"Agents": "aicc/agent-settings"},
        (
            alone("Destinations", "it is for cinnox/destination, not for aicc/agent-settings"),
            alone("About", "it has no column of aicc/agent-settings"),
            alone("Notes", "it has no column of aicc/agent-settings"),
        ),
    )


def test_a_sheet_for_an_api_that_is_not_at_hand_is_never_sent_to_another() -> None:
    elsewhere = replace(DESTINATION, api="things")
    one = book(
        filled("Destinations", DESTINATION),
        filled("Agents", AGENTS),
        stamped={"Destinations": elsewhere, "Agents": AGENTS},
    )
    why = "it is for things/destination, which no API at hand has; name its document with --api"
    assert found(one) == ({"Agents": "aicc/agent-settings"}, (alone("Destinations", why),))
    only = book(filled("Destinations", DESTINATION), stamped={"Destinations": elsewhere})
    assert found(only, "cinnox/destination") == ({"Destinations": "cinnox/destination"}, ())


def test_where_no_sheet_is_recognised_it_is_said_why_and_what_to_do() -> None:
    known = ", ".join(resource.full_name for resource in RESOURCES)
    with pytest.raises(UnusableFile) as refused:
        recognise(book(sheet("Sheet1", "User ID")), APIS)
    assert str(refused.value).splitlines() == [
        "agents.xlsx can't be read as it is:",
        f"  {alone('Sheet1', NOT_OURS)}",
        f"  No sheet is recognised. Begin with a template, or name the resource with --resource: one of {known}.",
    ]


def test_a_name_that_several_apis_have_is_never_guessed() -> None:
    apis = {
        **APIS,
        "other": replace(APIS["cinnox"], name="other", resources={"destination": replace(DESTINATION, api="other")}),
    }
    with pytest.raises(UsageError) as refused:
        find_resource("destination", apis)
    assert str(refused.value) == (
        '"destination" is a resource of several APIs: say cinnox/destination or other/destination.'
    )
    assert find_resource("other/destination", apis).api == "other"
    why = "it fits several resources; say which with --resource: cinnox/destination or other/destination"
    recognised = recognise(book(filled("Destinations", DESTINATION), filled("agent-settings", AGENTS)), apis)
    assert [str(one) for one in recognised.left_alone] == [alone("Destinations", why)]


def test_an_unknown_resource_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        find_resource("destinatoin", APIS)
    assert str(refused.value) == (
        'There is no resource "destinatoin". Did you mean cinnox/destination? See: bulkload resources'
    )


def test_an_old_template_is_told_with_what_has_changed() -> None:
    shorter = replace(AGENTS, columns=AGENTS.columns[:-1])
    assert found(book(filled("Agents", shorter), stamped={"Agents": shorter})) == (
        {"Agents": "aicc/agent-settings"},
        ('Sheet "Agents" was made from an older template. The column «Default display number» (optional) is new.',),
    )


def test_of_sheets_whose_names_differ_by_case_alone_the_exact_one_is_read() -> None:
    why = 'its name differs from "Destinations" by case alone; if it is meant, name it with --sheet'
    both = book(filled("destinations", DESTINATION), filled("Destinations", DESTINATION))
    assert found(both) == ({"Destinations": "cinnox/destination"}, (alone("destinations", why),))


def test_a_hidden_sheet_is_called_so() -> None:
    hidden = replace(sheet("Notes", "To do"), hidden=True)
    said = found(book(filled("Destinations", DESTINATION), hidden))[1]
    assert said == (f'Sheet "Notes" (hidden) is left alone: {NOT_OURS}.',)


def test_an_empty_sheet_is_left_alone_but_rows_without_a_header_are_refused(tmp_path: Path) -> None:
    assert found(book(sheet("Destinations"), filled("Agent settings", AGENTS)))[1] == (
        alone("Destinations", "it is empty"),
    )
    path = tmp_path / "blank.xlsx"
    workbook = openpyxl.Workbook()
    workbook.active.title = "Destinations"  # type: ignore[union-attr]
    workbook.active["A2"] = "English Support"  # type: ignore[index]
    workbook.save(path)
    with pytest.raises(UnusableFile, match="row 1 is blank: name the header's row with --header-row"):
        recognise(open_book(path, ReadOptions()), APIS)


# --- headers ----------------------------------------------------------------------------------------------------------


def test_the_faults_of_all_sheets_come_at_once() -> None:
    one = book(sheet("Destinations", "Display name"), sheet("Agent settings", "User", "User ID", "User ID"))
    with pytest.raises(UnusableFile) as refused:
        recognise(one, APIS)
    first, *lines = str(refused.value).splitlines()
    assert first == "agents.xlsx can't be read as it is:"
    places = [line.strip().split(": ")[0] for line in lines]
    assert places == ["Destinations row 1"] * 3 + [
        "Agent settings!A1 (User)",
        "Agent settings!C1 (User ID)",
        "Agent settings row 1",
    ]
