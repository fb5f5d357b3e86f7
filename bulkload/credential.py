"""Where a secret stands: the environment, the keyring or a file of its own; read when asked for, kept nowhere."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from bulkload.errors import DiskError, SettingsError
from bulkload.system import write_whole

# The name under which the keyring keeps our credentials.
KEYRING_SERVICE = "bulkload"


@dataclass(frozen=True, slots=True)
class Credential:
    """Where a secret stands; the secret itself is read each time that it is asked for and kept nowhere.

    `kind` and `place` are what the toml says (`env:NAME`, `keyring:NAME`, `file:PATH`), `owner` is the connection as
    messages name it. `held` is the secret itself where the program made it (`memory`), which no toml can say.
    """

    name: str
    owner: str
    kind: Literal["env", "keyring", "file", "memory"]
    place: str = ""
    held: str = field(default="", repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)

    @classmethod
    def in_memory(cls, name: str, value: str) -> Self:
        """A credential that the program itself made, for the sandbox."""
        return cls(name, "sandbox", "memory", held=value)

    @property
    def writable(self) -> bool:
        """Whether a new value can be kept where the old one stands."""
        return self.kind in ("keyring", "file")

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}" if self.place else self.kind

    def read(self) -> str:
        """The secret. Raises SettingsError if it isn't there, is empty, or can't be what a person meant."""
        match self.kind:
            case "env":
                value = self.environ.get(self.place, "")
                advice = f"Set the environment variable {self.place}"
            case "keyring":
                value = self._from_keyring()
                advice = f"Store it: keyring set {KEYRING_SERVICE} {self.place}"
            case "file":
                value = self._from_file()
                advice = f"Write it into {self.place}"
            case "memory":
                value = self.held
                advice = "This is a fault of the program"
        if not value:
            raise self._trouble(f"is not there. {advice}.")
        if not value.isprintable():
            raise self._trouble("holds a line break or a control character. Store it again as one line.")
        return value

    def write(self, value: str) -> None:
        """Put a new value in the old one's place: a refresh token that was rotated. Raises SettingsError."""
        if not self.writable:
            raise self._trouble("can't be written. Keep it as keyring:NAME or file:PATH.")
        if self.kind == "file":
            self._to_file(value)
        else:
            keyring, errors = self._keyring()
            try:
                keyring.set_password(KEYRING_SERVICE, self.place, value)
            except errors.KeyringError as error:
                raise self._trouble(f"can't be written: {type(error).__name__}. Unlock the keyring.") from None

    def _from_keyring(self) -> str:
        keyring, errors = self._keyring()
        try:
            return keyring.get_password(KEYRING_SERVICE, self.place) or ""
        except errors.NoKeyringError as error:
            raise self._trouble("can't be read: this machine has no keyring. Use env:NAME or file:PATH.") from error
        except errors.KeyringError as error:
            raise self._trouble(f"can't be read: {type(error).__name__}. Unlock the keyring.") from error

    def _keyring(self) -> tuple[Any, Any]:
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            raise self._trouble('needs an optional package: pip install "bulkload[keyring]".') from error
        return keyring, keyring.errors

    def _from_file(self) -> str:
        try:
            text = Path(self.place).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise self._trouble(f"can't be read: {error.strerror}. Check the path.") from error
        except UnicodeDecodeError:
            # Without the cause: it holds what the file holds.
            raise self._trouble("can't be read: the file is not UTF-8 text. Save it as UTF-8.") from None
        return text.removesuffix("\n").removesuffix("\r")

    def _to_file(self, value: str) -> None:
        path = Path(self.place).resolve()
        try:
            written = write_whole(path, lambda new: _write_line(new, value))
        except DiskError as error:
            raise self._trouble(f"can't be written: {error}") from error
        if written != path:
            raise self._trouble(f"could not be replaced. Its new value stands in {written}: rename that file.")

    def _trouble(self, what: str) -> SettingsError:
        return SettingsError(f"{self.owner}: the credential {self.name} ({self}) {what}")


def _write_line(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8")
