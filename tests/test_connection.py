"""Connections: real toml files, an environment handed in, a real keyring in a process of its own."""

import hashlib
import hmac
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkload.connection import (
    Connection,
    Credential,
    base_url,
    choose,
    complete,
    credential_names,
    load_connections,
    schemes,
    target,
    token_url,
)
from bulkload.document import Document
from bulkload.errors import SettingsError
from bulkload.openapi import open_api, read_api
from bulkload.resource import Api, Rate

CANARY = "canary-9f3b-secret"
CINNOX = open_api("cinnox")
MYREPORTS = open_api("myreports")
AICC = open_api("aicc")


def load(folder: Path, text: str, **environ: str) -> dict[str, Connection]:
    (folder / "bulkload.toml").write_text(text, encoding="utf-8")
    return load_connections(None, folder, folder / "no such folder", environ)


def only(folder: Path, lines: str, **environ: str) -> Connection:
    """The one connection `x` that these lines make."""
    return load(folder, f"[connections.x]\n{lines}", **environ)["x"]


def trouble(folder: Path, text: str) -> list[str]:
    """What is wrong with a toml, line by line, with the folder left out of it."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    assert caught.value.__cause__ is None or "TOML" in type(caught.value.__cause__).__name__
    return said(caught.value, folder)


def said(error: SettingsError, folder: Path) -> list[str]:
    return str(error).replace(f"{folder}{os.sep}", "").splitlines()


def api(**document: Any) -> Api:
    """An API `things` with one resource, and whatever else is given."""
    body = {"type": "object", "properties": {"name": {"type": "string"}}}
    create = {"requestBody": {"content": {"application/json": {"schema": body}}}, "responses": {}}
    base = {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "paths": {"/things": {"post": create}}}
    return read_api(Document({**base, **document}, "things.yaml"), "things")


def test_every_key_is_read_and_paths_stand_beside_the_file(tmp_path: Path) -> None:
    found = only(
        tmp_path,
        """
        api = "apis/things.yaml"
        base_url = "https://api.example.com/v1/"
        settings = { appID = "00123" }
        credentials = { token = "env:TOKEN", client_id = "keyring:id", refresh_token = "file:refresh.txt" }
        rate = "400/minute"
        concurrency = 8
        deadline = "2m"
        settle = 120
        proxy = "http://proxy.example.com:3128"
        ca_file = "ca.pem"
        client_cert = ["cert.pem", "key.pem"]
        token_url = "https://login.example.com/token"
        headers = { X-Gateway = "blue" }
        allow_http = true
        """,
    )
    owner = f'{tmp_path / "bulkload.toml"}, connection "x"'
    assert found == Connection(
        name="x",
        api=str(tmp_path / "apis" / "things.yaml"),
        base_url="https://api.example.com/v1",
        settings={"appID": "00123"},
        credentials={
            "token": Credential("token", owner, "env", "TOKEN"),
            "client_id": Credential("client_id", owner, "keyring", "id"),
            "refresh_token": Credential("refresh_token", owner, "file", str(tmp_path / "refresh.txt")),
        },
        rate=Rate(400, 60.0),
        concurrency=8,
        deadline=120.0,
        settle=120.0,
        proxy=Credential("proxy", owner, "memory", held="http://proxy.example.com:3128"),
        ca_file=str(tmp_path / "ca.pem"),
        client_cert=(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")),
        token_url="https://login.example.com/token",
        headers={"X-Gateway": "blue"},
        allow_http=True,
        source=str(tmp_path / "bulkload.toml"),
    )
    assert found.api_name == "things"


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert only(tmp_path, 'api = "cinnox"') == Connection("x", "cinnox", source=str(tmp_path / "bulkload.toml"))


def test_the_project_wins_over_the_user_by_name(tmp_path: Path) -> None:
    project, user = tmp_path / "project", tmp_path / "user"
    for folder, names in ((project, ("both", "mine")), (user, ("both", "theirs"))):
        folder.mkdir()
        text = "\n".join(f'[connections.{name}]\napi = "{folder.name}"' for name in names)
        (folder / "bulkload.toml").write_text(text)
    found = load_connections(None, project, user, {})
    assert {name: one.api for name, one in found.items()} == {"both": "project", "theirs": "user", "mine": "project"}


def test_no_file_is_no_connection_but_a_named_one_must_be_there(tmp_path: Path) -> None:
    assert load_connections(None, tmp_path, tmp_path, {}) == {}
    with pytest.raises(SettingsError, match=r"my\.toml: can't be read: No such file or directory\. Check the path\."):
        load_connections(tmp_path / "my.toml", tmp_path, tmp_path, {})


def test_a_named_file_is_the_only_one_read(tmp_path: Path) -> None:
    (tmp_path / "bulkload.toml").write_text("not toml at all")
    (tmp_path / "my.toml").write_text('[connections.x]\napi = "cinnox"')
    assert list(load_connections(tmp_path / "my.toml", tmp_path, tmp_path, {})) == ["x"]


def test_a_byte_order_mark_of_a_windows_editor_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "bulkload.toml").write_bytes(b'\xef\xbb\xbf[connections.x]\r\napi = "cinnox"\r\n')
    assert list(load_connections(None, tmp_path, tmp_path, {})) == ["x"]


X = 'bulkload.toml, connection "x"'
IN_THE_CLEAR = "is http://, which anybody on the way can read: write https://, or set allow_http = true"
FAULTS = {
    "[connections.x]\napi = cinnox\n": ["bulkload.toml, line 2: not TOML: Invalid value. Correct that line."],
    '[connections.x]\napi = "cinn': ["bulkload.toml, last line: not TOML: Unterminated string. Correct that line."],
    '[connection.x]\napi = "c"': [
        'bulkload.toml: "connection" is no key here: connections begin with [connections.NAME].'
    ],
    'connections = "x"': [
        "bulkload.toml: a connection begins with [connections.NAME]; its keys stand on the lines below."
    ],
    '[connections]\napi = "c"': [
        "bulkload.toml: a connection begins with [connections.NAME]; its keys stand on the lines below."
    ],
    '[connections.x]\nbase_url = "https://a"': [
        f"{X}: api is missing: it is the name of an API (aicc, cinnox, myreports) or an OpenAPI document."
    ],
    '[connections.x]\napi = ""': [
        f"{X}: api must be the name of an API (aicc, cinnox, myreports) or an OpenAPI document."
    ],
    '[connections.x]\napi = "c"\nbaseurl = "https://a"': [
        f'{X}: "baseurl" is no key of a connection. Did you mean base_url?'
    ],
    '[connections.x]\napi = "c"\nsettings = { appID = 123 }': [
        f'{X}: settings.appID must be text in quotes, such as settings = {{ appID = "12345" }}.'
    ],
    '[connections.x]\napi = "c"\nsettings = { appID = "1\\n2" }': [
        f"{X}: settings.appID: holds a line break or a control character."
    ],
    '[connections.x]\napi = "c"\nconcurrency = 0\nrate = "fast"\ndeadline = "soon"\nsettle = 0': [
        f'{X}: rate: "fast" is not a rate: write it like 10/s or 500/minute.',
        f"{X}: concurrency must be a whole number from 1.",
        f'{X}: deadline: "soon" is not a length of time: write it like 60s or 2m.',
        f"{X}: settle: must be longer than nothing.",
    ],
    '[connections.x]\napi = "c"\nconcurrency = true\nallow_http = "yes"': [
        f"{X}: concurrency must be a whole number from 1.",
        f"{X}: allow_http must be true or false, without quotes.",
    ],
    '[connections.x]\napi = "c"\nclient_cert = ["a", "b", "c"]': [
        f"{X}: client_cert: must be one PEM file with certificate and key, or a list of the two files."
    ],
    f'[connections.x]\napi = "c"\ncredentials = {{ token = "{CANARY}" }}': [
        f"{X}: credentials.token: it is a secret, never in the clear: use env:NAME, keyring:NAME or file:PATH."
    ],
    f'[connections.x]\napi = "c"\nheaders = {{ Authorization = "{CANARY}" }}': [
        f"{X}: headers: Authorization is part of the sign-in: give it as a credential, never in the clear: use"
        " env:NAME, keyring:NAME or file:PATH."
    ],
    f'[connections.x]\napi = "c"\nheaders = {{ X-Name = "{CANARY}\\r\\nX-Two: 2" }}': [
        f'{X}: headers: "X-Name" can\'t be sent: name and value must be plain text of one line.'
    ],
    f'[connections.x]\napi = "c"\nproxy = "http://me:{CANARY}@proxy:3128"': [
        f"{X}: proxy: holds a password, never in the clear: use env:NAME, keyring:NAME or file:PATH."
    ],
    '[connections.x]\napi = "c"\nproxy = "socks5://proxy"': [
        f"{X}: proxy: must be like http://HOST:PORT, or stand at env:NAME, keyring:NAME or file:PATH."
    ],
    f'[connections.x]\napi = "c"\nbase_url = "https://me:{CANARY}@api.example.com"': [
        f"{X}: base_url holds a user name or password: give them as credentials."
    ],
}


@pytest.mark.parametrize(("text", "lines"), FAULTS.items())
def test_a_fault_in_the_file_names_file_connection_key_and_what_is_allowed(
    tmp_path: Path, text: str, lines: list[str]
) -> None:
    assert trouble(tmp_path, text) == lines


@pytest.mark.parametrize(
    ("url", "allow_http", "wrong"),
    [
        ("https://api.example.com", False, ""),
        ("http://127.0.0.1:8000/base", False, ""),
        ("http://localhost", False, ""),
        ("http://[::1]:80", False, ""),
        ("http://intranet", True, ""),
        ("http://intranet", False, IN_THE_CLEAR),
        ("http://localhost.example.com", False, IN_THE_CLEAR),
        ("HTTPS://a", False, "is no valid URL: write https://HOST/PATH"),
        ("ftp://a", False, "is no valid URL: write https://HOST/PATH"),
        ("api.example.com", False, "is no valid URL: write https://HOST/PATH"),
        ("https://a:port", False, "is no valid URL: write https://HOST/PATH"),
        ("https://a b", False, "is no valid URL: write https://HOST/PATH"),
        ("https://a/?q=1", False, "ends in a query or a fragment: leave that off"),
        ("https://a/#top", False, "ends in a query or a fragment: leave that off"),
        ("https://a/?", False, "ends in a query or a fragment: leave that off"),
        ("https://{domain}/", False, "still holds a {variable}: write its value"),
    ],
)
def test_only_https_is_sent_to_or_http_where_nobody_listens(
    tmp_path: Path, url: str, allow_http: bool, wrong: str
) -> None:
    for key in ("base_url", "token_url"):
        text = f'[connections.x]\napi = "cinnox"\n{key} = "{url}"\nallow_http = {str(allow_http).lower()}'
        if wrong:
            assert trouble(tmp_path, text) == [f"{X}: {key} {wrong}."]
        else:
            assert load(tmp_path, text)


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


# Credentials


def test_a_credential_is_read_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(b"\xef\xbb\xbf two words \r\n")
    found = only(
        tmp_path, 'api = "cinnox"\ncredentials = { token = "env:TOKEN", password = "file:secret.txt" }', TOKEN=CANARY
    )
    assert {name: each.read() for name, each in found.credentials.items()} == {
        "token": CANARY,
        "password": " two words ",
    }
    assert Credential.in_memory("token", CANARY).read() == CANARY


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("env:NONE", "(env:NONE) is not there. Set the environment variable NONE."),
        ("env:EMPTY", "(env:EMPTY) is not there. Set the environment variable EMPTY."),
        ("env:LINES", "(env:LINES) holds a line break or a control character. Store it again as one line."),
        ("file:none", "(file:none) can't be read: No such file or directory."),
        ("file:latin-1", "(file:latin-1) can't be read: the file is not UTF-8 text."),
        ("file:empty", "(file:empty) is not there. Write it into empty."),
    ],
)
def test_a_credential_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path, place: str, wrong: str) -> None:
    (tmp_path / "latin-1").write_bytes(b"caf\xe9")
    (tmp_path / "empty").write_bytes(b"\n")
    found = only(
        tmp_path, f'api = "cinnox"\ncredentials = {{ token = "{place}" }}', EMPTY="", LINES=f"{CANARY}\n{CANARY}"
    )
    with pytest.raises(SettingsError) as caught:
        found.credentials["token"].read()
    assert said(caught.value, tmp_path) == [f"{X}: the credential token {wrong}"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_a_rotated_secret_replaces_its_file_whole_and_private(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    found = only(tmp_path, 'api = "myreports"\ncredentials = { refresh_token = "file:link.txt" }')
    credential = found.credentials["refresh_token"]
    credential.write("new")
    assert (credential.read(), (tmp_path / "real.txt").read_text()) == ("new", "new\n")
    assert stat.S_IMODE((tmp_path / "real.txt").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bulkload.toml", "link.txt", "real.txt"]


def test_a_secret_in_the_environment_or_in_memory_cannot_be_replaced(tmp_path: Path) -> None:
    found = only(tmp_path, 'api = "myreports"\ncredentials = { token = "env:TOKEN" }', TOKEN="old")
    for credential in (found.credentials["token"], Credential.in_memory("token", "old")):
        assert not credential.writable
        with pytest.raises(SettingsError, match="can't be written"):
            credential.write("new")
        assert credential.read() == "old"


KEYRING = """
import json, os, pathlib
from keyring.backend import KeyringBackend
class FileKeyring(KeyringBackend):
    priority = 1
    path = pathlib.Path(os.environ["KEYRING_FILE"])
    def get_password(self, service, username):
        return json.loads(self.path.read_text()).get(f"{service} {username}")
    def set_password(self, service, username, password):
        self.path.write_text(json.dumps({f"{service} {username}": password}))
"""


def in_process(folder: Path, code: str, **environ: str) -> str:
    """What a process prints that has the credential `c` = keyring:refresh, or its last line where it fails."""
    start = 'from bulkload.connection import Credential\nc = Credential("refresh_token", "x", "keyring", "refresh")\n'
    path = os.pathsep.join([str(folder), str(Path.cwd())])
    done = subprocess.run(
        [sys.executable, "-c", start + code],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_the_keyring_is_read_and_written(tmp_path: Path) -> None:
    (tmp_path / "file_keyring.py").write_text(KEYRING)
    (tmp_path / "ring.json").write_text('{"bulkload refresh": "old"}')
    environ = {
        "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
        "KEYRING_FILE": str(tmp_path / "ring.json"),
    }
    assert in_process(tmp_path, 'print(c.read()); c.write("new")', **environ) == "old"
    assert in_process(tmp_path, "print(c.read())", **environ) == "new"
    (tmp_path / "ring.json").write_text("{}")
    assert in_process(tmp_path, "c.read()", **environ) == (
        "bulkload.errors.SettingsError: x: the credential refresh_token (keyring:refresh) is not there."
        " Store it: keyring set bulkload refresh."
    )


def test_a_machine_without_keyring_is_told_what_to_use_instead(tmp_path: Path) -> None:
    assert in_process(tmp_path, "c.read()", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring") == (
        "bulkload.errors.SettingsError: x: the credential refresh_token (keyring:refresh) can't be read: this machine"
        " has no keyring. Use env:NAME or file:PATH."
    )
    (tmp_path / "keyring.py").write_text("raise ImportError")
    assert in_process(tmp_path, "c.read()") == (
        "bulkload.errors.SettingsError: x: the credential refresh_token (keyring:refresh) needs an optional package:"
        ' pip install "bulkload[keyring]".'
    )


def test_no_repr_or_str_shows_a_secret(tmp_path: Path) -> None:
    lines = """
        api = "cinnox"
        proxy = "env:PROXY"
        headers = { X-Gateway = "canary-9f3b-secret" }
        credentials = { token = "env:TOKEN" }
        """
    found = only(tmp_path, lines, TOKEN=CANARY, PROXY=f"http://me:{CANARY}@proxy")
    shown = [found, *found.credentials.values(), found.proxy, Credential.in_memory("token", CANARY)]
    assert CANARY not in "".join(f"{each!r}{each}" for each in shown)
    assert found.credentials["token"].read() == CANARY


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
        ("b", CINNOX, 'bulkload.toml, connection "b": it is for the API aicc, not for cinnox.'),
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
        f'{X}: the API myreports has no setting "tenant". Did you mean CUSTOMER_TENANT_ID?',
        f'{X}: the API myreports has no credential "tokn". Did you mean token?',
        f'{X}: base_url is missing: add base_url = "https://..." The document offers {servers}.',
        f'{X}: the setting CUSTOMER_TENANT_ID is missing: add settings = {{ CUSTOMER_TENANT_ID = "..." }}.'
        " Tenant ID of the customer (a GUID). A sheet column of this name wins for its row.",
        f"{X}: {CHARGES}",
        f"{X}: credentials are missing. Give refresh_token and client_id; or client_id and client_secret; or token:"
        ' credentials = { refresh_token = "env:...", client_id = "env:..." }',
        f"{X}: the credential tokn (env:NONE) is not there. Set the environment variable NONE.",
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
    ]


def test_a_proxy_from_the_environment_is_checked_without_showing_it(tmp_path: Path) -> None:
    lines = f'settings = {{ appID = "1" }}\nproxy = "env:PROXY"\n{TOKEN}'
    secret = f"http://me:{CANARY}@proxy:3128"
    assert missing(tmp_path, CINNOX, lines, TOKEN="t", PROXY=secret) == []
    assert missing(tmp_path, CINNOX, lines, TOKEN="t") == [
        "the credential proxy (env:PROXY) is not there. Set the environment variable PROXY."
    ]


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


# The target


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
