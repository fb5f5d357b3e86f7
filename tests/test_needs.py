"""What the APIs that ship with the tool, and a small one, need of a connection."""

from collections.abc import Mapping
from typing import Any

import pytest

from bulkload.needs import credential_names, known_credentials, known_settings, needed_settings, schemes
from bulkload.openapi import open_api
from bulkload.resource import Api
from tests.toml import api

CINNOX = open_api("cinnox")
MYREPORTS = open_api("myreports")
AICC = open_api("aicc")


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (CINNOX, {"token": (("token",),)}),
        (
            MYREPORTS,
            {"oauth": (("refresh_token", "client_id"), ("client_id", "client_secret"), ("token",))},
        ),
        (AICC, {"token": (("app_key", "app_secret"), ("token",)), "app_key": (("app_key",),)}),
    ],
    ids=lambda each: each.name if isinstance(each, Api) else "",
)
def test_an_api_says_which_credentials_it_wants(of: Api, expected: Mapping[str, Any]) -> None:
    assert {each.name: credential_names(of, each) for each in schemes(of, of.resources.values())} == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (CINNOX, {"token"}),
        (MYREPORTS, {"refresh_token", "client_id", "client_secret", "token"}),
        (AICC, {"app_key", "app_secret", "token"}),
    ],
    ids=lambda each: each.name if isinstance(each, Api) else "",
)
def test_every_credential_of_every_way_is_known(of: Api, expected: set[str]) -> None:
    assert known_credentials(of) == expected


@pytest.mark.parametrize(
    ("of", "needed", "known"),
    [
        (CINNOX, {"appID"}, {"appID"}),
        (MYREPORTS, {"CUSTOMER_TENANT_ID", "accept-charges"}, {"CUSTOMER_TENANT_ID", "accept-charges"}),
        (AICC, set[str](), {"X-Token-Expire"}),
    ],
    ids=lambda each: each.name if isinstance(each, Api) else "",
)
def test_settings_are_neither_a_records_id_nor_a_credential(of: Api, needed: set[str], known: set[str]) -> None:
    assert set(needed_settings(of.resources.values())) == needed
    assert set(known_settings(of)) >= known


def test_a_key_is_a_credential_however_the_document_writes_its_header() -> None:
    key = {"components": {"securitySchemes": {"k": {"type": "apiKey", "in": "header", "name": "X-Key"}}}}
    header = {"name": "x-key", "in": "header", "required": True, "schema": {"type": "string"}}
    body = {"type": "object", "properties": {"name": {"type": "string"}}}
    create = {"parameters": [header], "requestBody": {"content": {"application/json": {"schema": body}}}}
    of = api(paths={"/things": {"post": create}}, security=[{"k": []}], **key)
    assert (needed_settings(of.resources.values()), known_settings(of)) == ({}, {})


def test_defaults_and_allowed_values_are_written_as_they_are_sent() -> None:
    schema = {"type": "boolean", "default": True, "enum": [True, 600, 1.5, "yes"]}
    header = {"name": "Dry", "in": "header", "required": True, "schema": schema}
    body = {"type": "object", "properties": {"name": {"type": "string"}}}
    create = {"parameters": [header], "requestBody": {"content": {"application/json": {"schema": body}}}}
    found = known_settings(api(paths={"/things": {"post": create}}))["Dry"]
    assert (found.default, found.allowed) == ("true", ("true", "600", "1.5", "yes"))
