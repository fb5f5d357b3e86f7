"""Connections out of real toml files, against the APIs that ship with the tool."""

import hashlib
import hmac
from pathlib import Path

import pytest

from bulkload.connection import base_url, choose, complete, target, token_url
from bulkload.errors import SettingsError
from bulkload.needs import schemes
from bulkload.openapi import open_api
from bulkload.resource import Api
from tests.toml import CANARY, IN_THE_CLEAR, X, api, load, only, said

CINNOX = open_api("cinnox")
MYREPORTS = open_api("myreports")
AICC = open_api("aicc")

# Choosing


def test_the_only_connection_of_an_api_is_taken_and_another_must_be_named(tmp_path: Path) -> None:
    text = "".join(
        f'[connections.{name}]\napi = "{of}"\n' for name, of in (("a", "cinnox"), ("b", "aicc"), ("c", "aicc"))
    )
    found = load(tmp_path, text)
    assert choose(found, None, CINNOX) is found["a"]
    assert choose(found, "c", AICC) is found["c"]
    for name, of, wrong in (
        (None, AICC, "2 connections are for the API aicc: b, c. Say --connection NAME."),
        (
            "b",
            CINNOX,
            'bulkload.toml, connection "b": it is for the API aicc, not for cinnox. Choose another connection.',
        ),
        ("cc", AICC, 'There is no connection "cc" in bulkload.toml. Did you mean c?'),
        ("live", AICC, 'There is no connection "live" in bulkload.toml. There are: a, b, c.'),
    ):
        with pytest.raises(SettingsError) as caught:
            choose(found, name, of)
        assert said(caught.value, tmp_path) == [wrong]


EXAMPLES = {
    "cinnox": """[connections.cinnox]
api = "cinnox"
base_url = "https://..."
settings = { appID = "..." }
credentials = { token = "env:CINNOX_TOKEN" }""",
    "myreports": """[connections.myreports]
api = "myreports"
base_url = "https://..."
settings = { CUSTOMER_TENANT_ID = "...", accept-charges = "..." }
credentials = { client_id = "env:MYREPORTS_CLIENT_ID", refresh_token = "env:MYREPORTS_REFRESH_TOKEN" }""",
    "aicc": """[connections.aicc]
api = "aicc"
base_url = "https://..."
credentials = { app_key = "env:AICC_APP_KEY", app_secret = "env:AICC_APP_SECRET" }""",
}


@pytest.mark.parametrize("of", [CINNOX, MYREPORTS, AICC], ids=lambda each: each.name)
def test_without_a_connection_the_lines_to_add_are_shown_and_are_complete(tmp_path: Path, of: Api) -> None:
    with pytest.raises(SettingsError) as caught:
        choose({}, None, of)
    lines = EXAMPLES[of.name]
    assert str(caught.value) == f"No connection is for the API {of.name}. Add to bulkload.toml:\n\n{lines}"
    filled = lines.replace("https://...", "https://api.example.com").replace(
        'accept-charges = "..."', 'accept-charges = "true"'
    )
    names = ("CINNOX_TOKEN", "MYREPORTS_CLIENT_ID", "MYREPORTS_REFRESH_TOKEN", "AICC_APP_KEY", "AICC_APP_SECRET")
    found = load(tmp_path, filled, **dict.fromkeys(names, CANARY))
    complete(choose(found, None, of), of, list(of.resources.values()))


def test_others_that_there_are_get_listed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Those there are: x \(cinnox\)\. Add to"):
        choose(load(tmp_path, '[connections.x]\napi = "cinnox"'), None, AICC)


# Checking


def missing(folder: Path, of: Api, lines: str, columns: tuple[str, ...] = (), **environ: str) -> list[str]:
    """What `complete` finds, without the connection's name."""
    connection = only(folder, f'api = "{of.name}"\nbase_url = "https://a"\n{lines}', **environ)
    try:
        complete(connection, of, list(of.resources.values()), columns)
    except SettingsError as error:
        return [line.removeprefix(f"{X}: ") for line in said(error, folder)]
    return []


TOKEN = 'credentials = { token = "env:TOKEN" }'
CHARGES = (
    'the setting accept-charges is missing: add settings = { accept-charges = "true" }. Must be "true" on calls that'
    " create a PBX. The vendor doesn't explain it; the name suggests consent to what is billed. Set it yourself: it is"
    " never set for you."
)


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    connection = only(tmp_path, 'api = "myreports"\nsettings = { tenant = "1" }\ncredentials = { tokn = "env:NONE" }')
    with pytest.raises(SettingsError) as caught:
        complete(connection, MYREPORTS, list(MYREPORTS.resources.values()))
    servers = ", ".join(f"https://api.{region}.myreports.cloud" for region in ("au", "eu", "na", "uk"))
    assert said(caught.value, tmp_path) == [
        f'{X}: base_url is missing: add base_url = "https://..." The document offers {servers}.',
        f'{X}: the API myreports has no setting "tenant". Did you mean CUSTOMER_TENANT_ID?',
        f'{X}: the setting CUSTOMER_TENANT_ID is missing: add settings = {{ CUSTOMER_TENANT_ID = "..." }}.'
        " Tenant ID of the customer (a GUID). A sheet column of this name wins for its row.",
        f"{X}: {CHARGES}",
        f'{X}: the API myreports has no credential "tokn". Did you mean token?',
        f"{X}: credentials are missing. Give refresh_token and client_id; or client_id and client_secret; or token:"
        ' credentials = { refresh_token = "env:...", client_id = "env:..." }',
    ]


def test_a_column_stands_in_for_a_path_parameter_and_never_for_a_header(tmp_path: Path) -> None:
    both = ("CUSTOMER_TENANT_ID", "accept-charges")
    assert missing(tmp_path, MYREPORTS, TOKEN, both, TOKEN="t") == [CHARGES]


def test_a_setting_of_a_closed_list_must_be_of_that_list(tmp_path: Path) -> None:
    settings = 'settings = { CUSTOMER_TENANT_ID = "1", accept-charges = "yes" }'
    wrong = ['the setting accept-charges is "yes"; allowed: true.']
    assert missing(tmp_path, MYREPORTS, f"{settings}\n{TOKEN}", TOKEN="t") == wrong


def test_the_id_of_a_record_is_no_setting(tmp_path: Path) -> None:
    settings = 'settings = { appID = "1", destinationID = "2" }'
    wrong = ['the API cinnox has no setting "destinationID". There are: appID.']
    assert missing(tmp_path, CINNOX, f"{settings}\n{TOKEN}", TOKEN="t") == wrong


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("app_key", "app_secret"), []),
        (("app_key", "token"), []),
        (
            ("app_key",),
            [
                "credentials are missing. Give app_key and app_secret; or token:"
                ' credentials = { app_key = "env:...", app_secret = "env:..." }'
            ],
        ),
        (("token",), ['credentials are missing. Give app_key: credentials = { app_key = "env:..." }']),
    ],
)
def test_a_token_call_may_be_spared_but_the_key_is_always_needed(
    tmp_path: Path, names: tuple[str, ...], wrong: list[str]
) -> None:
    lines = "credentials = { " + ", ".join(f'{name} = "env:{name}"' for name in names) + " }"
    assert missing(tmp_path, AICC, lines, (), **dict.fromkeys(names, "k")) == wrong


def test_a_setting_of_the_token_call_is_known(tmp_path: Path) -> None:
    lines = 'settings = { X-Token-Expire = "3600" }\ncredentials = { app_key = "env:K", app_secret = "env:K" }'
    assert missing(tmp_path, AICC, lines, K="k") == []


def test_typographic_quotes_around_a_token_are_found_before_anything_is_sent(tmp_path: Path) -> None:
    lines = f'settings = {{ appID = "1" }}\n{TOKEN}'
    assert missing(tmp_path, CINNOX, lines, TOKEN=f"“{CANARY}”") == [
        "the credential token holds a character that no header can carry; were typographic quotes pasted with it?"
        " Store it again."
    ]


def test_a_proxy_from_the_environment_is_checked_without_showing_it(tmp_path: Path) -> None:
    lines = f'settings = {{ appID = "1" }}\nproxy = "env:PROXY"\n{TOKEN}'
    secret = f"http://me:{CANARY}@proxy:3128"
    assert missing(tmp_path, CINNOX, lines, TOKEN="t", PROXY=secret) == []
    assert missing(tmp_path, CINNOX, lines, TOKEN="t") == [
        "the credential proxy (env:PROXY) is not there. Set the environment variable PROXY."
    ]


# Where it points to


def test_a_missing_base_url_is_the_documents_only_server(tmp_path: Path) -> None:
    bare = only(tmp_path, 'api = "things.yaml"')
    assert base_url(bare, api(servers=[{"url": "https://api.example.com/v1/"}])) == "https://api.example.com/v1"
    for servers, offered in (
        ([], ""),
        ([{"url": "/v1"}], " The document offers /v1."),
        ([{"url": "https://{domain}"}], " The document offers https://{domain}."),
        ([{"url": "http://a"}], " The document offers http://a."),
        ([{"url": "https://a"}, {"url": "https://b"}], " The document offers https://a, https://b."),
    ):
        with pytest.raises(SettingsError) as caught:
            base_url(bare, api(servers=servers))
        assert said(caught.value, tmp_path) == [f'{X}: base_url is missing: add base_url = "https://..."{offered}']


def test_the_token_call_goes_to_the_apis_own_address_unless_the_connection_says_another(tmp_path: Path) -> None:
    (scheme,) = (each for each in schemes(AICC, AICC.resources.values()) if each.kind == "bearer")
    own = only(tmp_path, 'api = "aicc"\nbase_url = "https://a/base"')
    assert token_url(own, AICC, scheme) == "https://a/base/apigovernance/api/oauth/tokenByAkSk"
    elsewhere = only(tmp_path, 'api = "aicc"\ntoken_url = "https://a:28070/tokens"')
    assert token_url(elsewhere, AICC, scheme) == "https://a:28070/tokens"
    (oauth,) = schemes(MYREPORTS, MYREPORTS.resources.values())
    bare = only(tmp_path, 'api = "myreports"')
    assert token_url(bare, MYREPORTS, oauth) == "https://login.xarios.cloud/connect/token"


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("http://login.example.com", IN_THE_CLEAR),
        ("", "is missing"),
    ],
)
def test_a_document_cannot_have_credentials_sent_in_the_clear(tmp_path: Path, address: str, wrong: str) -> None:
    flow = {"clientCredentials": {"tokenUrl": address, "scopes": {}}}
    of = api(
        components={"securitySchemes": {"o": {"type": "oauth2", "flows": flow}}},
        security=[{"o": []}],
    )
    lines = 'credentials = { client_id = "env:ID", client_secret = "env:ID" }'
    connection = only(tmp_path, f'api = "things.yaml"\nbase_url = "https://a"\n{lines}', ID="1")
    with pytest.raises(SettingsError) as caught:
        complete(connection, of, list(of.resources.values()))
    assert said(caught.value, tmp_path) == [f'{X}: token_url {wrong}. Add token_url = "https://..."']


def test_a_target_is_the_same_however_its_address_is_written(tmp_path: Path) -> None:
    for url in ("https://API.example.com:443/base/", "https://api.example.com/base"):
        one = only(tmp_path, f'api = "cinnox"\nbase_url = "{url}"\nsettings = {{ appID = "1 2" }}')
        assert target(one, CINNOX, b"key") == "https://api.example.com/base appID=1%202"
    one = only(tmp_path, 'api = "cinnox"\nbase_url = "http://[::1]:8080"\nsettings = { appID = "1" }')
    assert target(one, CINNOX, b"key") == "http://[::1]:8080 appID=1"


def test_a_key_that_selects_the_account_is_in_the_target_as_a_keyed_hash(tmp_path: Path) -> None:
    one = only(
        tmp_path,
        'api = "aicc"\nbase_url = "https://a"\ncredentials = { app_key = "env:K", app_secret = "env:K" }',
        K=CANARY,
    )
    digest = hmac.new(b"key", CANARY.encode(), hashlib.sha256).hexdigest()[:16]
    assert target(one, AICC, b"key") == f"https://a app_key=hmac:{digest}"
    assert target(one, AICC, b"other") != target(one, AICC, b"key")


def test_a_key_that_selects_no_account_is_not_in_the_target(tmp_path: Path) -> None:
    of = api(
        components={"securitySchemes": {"k": {"type": "apiKey", "in": "header", "name": "K"}}}, security=[{"k": []}]
    )
    one = only(tmp_path, 'api = "things.yaml"\nbase_url = "https://a"\ncredentials = { k = "env:K" }', K=CANARY)
    assert target(one, of, b"key") == "https://a"


def test_headers_that_select_no_account_are_not_in_the_target(tmp_path: Path) -> None:
    settings = 'settings = { CUSTOMER_TENANT_ID = "90ce", accept-charges = "true" }'
    one = only(tmp_path, f'api = "myreports"\nbase_url = "https://a"\n{settings}')
    assert target(one, MYREPORTS, b"key") == "https://a CUSTOMER_TENANT_ID=90ce"
