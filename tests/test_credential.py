"""Credentials: an environment handed in, real files, a real keyring in a process of its own."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bulkload.credential import Credential
from bulkload.errors import SettingsError
from tests.toml import CANARY, X, only, said


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
        ("file:none", "(file:none) can't be read: No such file or directory. Check the path."),
        ("file:latin-1", "(file:latin-1) can't be read: the file is not UTF-8 text. Save it as UTF-8."),
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
        with pytest.raises(SettingsError, match=r"can't be written\. Keep it as keyring:NAME or file:PATH\."):
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
    start = 'from bulkload.credential import Credential\nc = Credential("refresh_token", "x", "keyring", "refresh")\n'
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
