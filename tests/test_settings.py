"""bulkload.toml as real files: what it may say, and the one line for each thing that is wrong in it."""

from pathlib import Path

import pytest

from bulkload.connection import Connection
from bulkload.credential import Credential
from bulkload.errors import SettingsError
from bulkload.resource import Rate
from bulkload.settings import load_connections
from tests.toml import CANARY, IN_THE_CLEAR, X, load, only, said


def trouble(folder: Path, text: str) -> list[str]:
    """What is wrong with a toml, line by line, with the folder left out of it."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    assert caught.value.__cause__ is None or "TOML" in type(caught.value.__cause__).__name__
    return said(caught.value, folder)


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


def test_a_setting_may_be_a_number_or_a_truth_and_is_sent_as_it_is_written(tmp_path: Path) -> None:
    settings = 'settings = { a = 12345678901234567890, b = 1.10, c = true, d = false, e = "00123", f = -1, g = "" }'
    assert only(tmp_path, f'api = "cinnox"\n{settings}').settings == {
        "a": "12345678901234567890",
        "b": "1.10",
        "c": "true",
        "d": "false",
        "e": "00123",
        "f": "-1",
        "g": "",
    }


def test_lengths_of_time_may_be_numbers(tmp_path: Path) -> None:
    found = only(tmp_path, 'api = "cinnox"\ndeadline = 1.5\nsettle = 90')
    assert (found.deadline, found.settle) == (1.5, 90.0)


FAULTS = {
    "[connections.x]\napi = cinnox\n": [
        "bulkload.toml, line 2: not TOML: Invalid value. Correct that line; text stands in quotes."
    ],
    '[connections.x]\napi = "cinn': [
        "bulkload.toml, last line: not TOML: Unterminated string. Correct that line; text stands in quotes."
    ],
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
    '[connections.x]\napi = "c"\nsettings = { appID = [123], begin = 2025-12-31, end = inf }': [
        f"{X}: settings.{name} must be text in quotes, a number, true or false, such as"
        ' settings = { appID = "12345" }.'
        for name in ("appID", "begin", "end")
    ],
    '[connections.x]\napi = "c"\nsettings = { appID = "1\\n2" }': [
        f"{X}: settings.appID: holds a line break or a control character: write it as one line."
    ],
    '[connections.x]\napi = "c"\nconcurrency = 0\nrate = "fast"\ndeadline = "soon"\nsettle = 0': [
        f'{X}: rate: "fast" is not a rate: write it like 10/s or 500/minute.',
        f"{X}: concurrency must be a whole number from 1.",
        f'{X}: deadline: "soon" is not a length of time: write it like 60s or 2m.',
        f"{X}: settle: must be longer than nothing, such as 60s.",
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
