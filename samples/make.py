"""Makes the sheets in this folder, as people would fill them in: python samples/make.py [FOLDER]."""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from bulkload import template
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Resource

Rows = Sequence[Mapping[str, Any]]

RESOURCES = {resource.full_name: resource for name in BUILT_IN for resource in open_api(name).resources.values()}

GOOD: Mapping[str, Rows] = {
    "cinnox/destination": [
        {
            "displayName": "English Support",
            "supportLanguages": "*",
            "supportLocations": "*",
            "types": "PHONE, STAFF",
            "phoneTargets": "+85294667788",
            "staffTargets": "5f3a9c1e",
        },
        {
            "displayName": "Deutsche Hotline",
            "supportLanguages": "de, en",
            "supportLocations": "DE, AT, CH",
            "types": "PHONE",
            "phoneTargets": "+4930901820; +4930901821",
        },
        {
            "displayName": "Night desk",
            "supportLanguages": "*",
            "supportLocations": "*",
            "types": "STAFF",
            "staffTargets": "5f3a9c1e, 60b1d2aa",
        },
    ],
    "myreports/pbx-kazoo": [
        {
            "name": "Customers Kazoo Pbx",
            "hostRest": "https://rest.example.com",
            "hostWebsocket": "wss://ws.example.com",
            "accountId": "12345",
            "apiKey": "ABCDEF",
        },
        {
            "name": "Branch office",
            "hostRest": "https://rest.example.com",
            "hostWebsocket": "wss://ws.example.com",
            "accountId": "00777",
            "apiKey": "GHIJKL",
            "countryCode": "GB",
            "monitorSubAccounts": True,
        },
    ],
    "myreports/pbx-3cx": [
        {
            "name": "3CX Connection",
            "licenseKey": "licenseKey-licenseKey-licenseKey",
            "username": "username-username-username",
            "password": "password-password",
            "enableRecordingArchive": "true",
            "recordingArchiveFrequency": "00:20:00",
        },
        {
            "name": "3CX Warehouse",
            "licenseKey": "WARE-HOUS-E001",
            "username": "reports",
            "password": "correct horse",
            "enableRecordingArchive": "false",
            "recordingArchiveFrequency": "01:00:00",
        },
    ],
    "aicc/agent-settings": [
        {
            "userId": "1660270845627002401",
            "callType": "1 (bidirectional call)",
            "callerPresent": "12323, 232232, 12323, 12323",
            "callNumber": "12323, 232343, 233, 232343",
            "callNumberDefault": "23232323",
            "callerPresentDefault": "1212121212",
        },
        {"userId": "10gg000000y6OOrNaUFs", "callType": "0 (direct call)", "callNumber": "0041587"},
    ],
    "aicc/called-route": [
        {
            "accessCode": "9911411",
            "extCode": "11",
            "mediaTypeId": "19 (video)",
            "devicetype": "1 (skill queue)",
            "deviceId": 1,
        },
        {"accessCode": "00800123", "devicetype": "3 (IVR)", "deviceId": 7},
        {"accessCode": "00800123", "extCode": "01", "mediaTypeId": 5, "devicetype": 1, "deviceId": 12},
    ],
}

# Each sheet also holds a good row, which is sent while the others are not.
FAULTY: Mapping[str, Rows] = {
    "cinnox/destination": [
        {
            "displayName": "Sales",
            "supportLanguages": "en",
            "supportLocations": "*",
            "types": "FAX",
            "phoneTargets": "+85230020723",
        },
        {"displayName": "Sales Asia", "supportLanguages": "zh", "supportLocations": "HK", "types": "PHONE"},
        {"supportLanguages": "en", "supportLocations": "*", "types": "STAFF", "staffTargets": "5f3a9c1e"},
        {
            "displayName": "A name that is a good deal longer than forty characters",
            "supportLanguages": "en",
            "supportLocations": "*",
            "types": "phone",
            "phoneTargets": "+85230020723",
        },
        GOOD["cinnox/destination"][0],
        {**GOOD["cinnox/destination"][0], "types": "STAFF"},
    ],
    "myreports/pbx-kazoo": [
        {**GOOD["myreports/pbx-kazoo"][0], "hostRest": "rest example"},
        {**GOOD["myreports/pbx-kazoo"][1], "countryCode": "Great Britain", "monitorSubAccounts": "perhaps"},
        {**GOOD["myreports/pbx-kazoo"][1], "accountId": "99001", "apiKey": None},
        {**GOOD["myreports/pbx-kazoo"][1], "accountId": "99002"},
        {**GOOD["myreports/pbx-kazoo"][1], "accountId": "99002", "name": "The same account again"},
    ],
    "myreports/pbx-3cx": [
        {**GOOD["myreports/pbx-3cx"][0], "recordingArchiveFrequency": "20 minutes"},
        {**GOOD["myreports/pbx-3cx"][1], "enableRecordingArchive": "maybe", "password": None},
        GOOD["myreports/pbx-3cx"][1],
        {**GOOD["myreports/pbx-3cx"][1], "licenseKey": "WARE-HOUS-E002"},
    ],
    "aicc/agent-settings": [
        {"userId": 1660270845627002401, "callType": "1"},
        {"userId": "1.66027E+18"},
        {"userId": "1660270845627002402", "callType": "3"},
        {"userId": "1660270845627002403", "callNumber": "1, 2, 3, 4, 5, 6", "callNumberDefault": "1234567890123456"},
        {"userId": "1660270845627002404", "callType": "bidirectional call"},
    ],
    "aicc/called-route": [
        {"accessCode": "9911411", "devicetype": "2", "deviceId": "first"},
        {"accessCode": "9911412", "mediaTypeId": 53, "devicetype": 3, "deviceId": 1},
        {"accessCode": "9911413", "extCode": "1234567890123", "devicetype": 1, "deviceId": 1.5},
        {"accessCode": "9911414", "devicetype": 1, "deviceId": 20000},
        {"accessCode": "9911414", "devicetype": 1, "deviceId": 3},
    ],
}

# As an old system exports it: field names for titles, semicolons, no stamp.
LEGACY = [
    ["userId", "callType", "callNumber", "callNumberDefault"],
    ["1660270845627002401", "1", "12323,232343", "23232323"],
    ["1,66027E+18", "1", "12324", ""],
    ["10gg000000y6OOrNaUFs", "direct call", "0041587", "0041587"],
]


def sheet_file(name: str) -> str:
    """`cinnox/destination` → `cinnox-destination`."""
    return name.replace("/", "-")


def fill(path: Path, sheets: Mapping[str, Rows]) -> None:
    """Make a template and type the rows into it."""
    resources = [RESOURCES[name] for name in sheets]
    template.write(resources, path)
    book = load_workbook(path)
    for resource in resources:
        sheet = book[resource.title]
        places = {column.name: place for place, column in enumerate(resource.columns, 1)}
        for number, row in enumerate(sheets[resource.full_name], 2):
            for name, value in row.items():
                sheet.cell(number, places[name], value)
    book.save(path)


def fill_csv(path: Path, resource: Resource, rows: Rows) -> None:
    """A CSV as `bulkload template` begins it, filled in."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(column.heading for column in resource.columns)
        writer.writerows([row.get(column.name, "") for column in resource.columns] for row in rows)


def make(folder: Path) -> None:
    """Make all samples in the folder."""
    for name, rows in GOOD.items():
        fill(folder / f"{sheet_file(name)}.xlsx", {name: rows})
        fill(folder / f"{sheet_file(name)}-faulty.xlsx", {name: FAULTY[name]})
    fill(folder / "everything.xlsx", GOOD)
    fill_csv(folder / "aicc-called-route.csv", RESOURCES["aicc/called-route"], GOOD["aicc/called-route"])
    with (folder / "legacy-agents.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows(LEGACY)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
