"""What a bulkload.toml may say of a connection, and what is wrong with it, a line each; loaded only where one is."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from bulkload.address import wrong_url
from bulkload.connection import Connection, is_document, nearest
from bulkload.credential import Credential
from bulkload.errors import SettingsError
from bulkload.resource import Rate, parse_seconds

_PLACE = re.compile(r"(env|keyring|file):(\S.*)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIGN_IN_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_NOT_HERE = "never in the clear: use env:NAME, keyring:NAME or file:PATH"


def read_file(path: Path, environ: Mapping[str, str]) -> dict[str, Connection]:
    """The connections of one file, by name. Raises SettingsError, one line for each thing that is wrong in it."""
    try:
        file = _File.model_validate(_parsed(path))
    except ValidationError as error:
        lines = [_explained(path, one) for one in error.errors(include_url=False)]
        # Without the cause: it holds what stands in the file, a credential in the clear among it.
        raise SettingsError("\n".join(lines)) from None
    return {name: _connection(name, entry, path, environ) for name, entry in file.connections.items()}


def _parsed(path: Path) -> dict[str, Any]:
    """The file as TOML; its fractions as Decimal, which keeps the digits of a setting such as 1.10."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line = re.match(r"line [0-9]+", where)
        at = f", {line[0]}" if line else ", last line"
        raise SettingsError(f"{path}{at}: not TOML: {what}. Correct that line; text stands in quotes.") from error


def _connection(name: str, entry: "_Entry", path: Path, environ: Mapping[str, str]) -> Connection:
    owner = f'{path}, connection "{name}"'
    folder = path.parent

    def credential(key: str, place: str) -> Credential:
        kind, _, rest = place.partition(":")
        if kind == "file":
            return Credential(key, owner, "file", str(folder / Path(rest).expanduser()))
        return Credential(key, owner, "env" if kind == "env" else "keyring", rest, environ=environ)

    def proxy(url: str) -> Credential:
        return credential("proxy", url) if _PLACE.fullmatch(url) else Credential("proxy", owner, "memory", held=url)

    return Connection(
        name=name,
        api=str(folder / entry.api) if is_document(entry.api) else entry.api,
        base_url=entry.base_url.rstrip("/"),
        settings=entry.settings,
        credentials={key: credential(key, place) for key, place in entry.credentials.items()},
        rate=entry.rate,
        concurrency=entry.concurrency,
        deadline=entry.deadline,
        settle=entry.settle,
        proxy=proxy(entry.proxy) if entry.proxy else None,
        ca_file=str(folder / entry.ca_file) if entry.ca_file else None,
        client_cert=tuple(str(folder / each) for each in entry.client_cert),
        token_url=entry.token_url,
        headers=entry.headers,
        allow_http=entry.allow_http,
        source=str(path),
    )


# What the keys may hold


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError(f"it is a secret, {_NOT_HERE}")
    return text


def _literal(value: Any) -> Any:
    """A number or a truth as the text that is sent, in JSON's words; anything else as it stands."""
    if isinstance(value, bool):
        return "true" if value else "false"
    finite = isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite())
    return str(value) if finite else value


def _setting(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a line break or a control character: write it as one line")
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ValueError(f'"{name}" can\'t be sent: name and value must be plain text of one line')
        if name.lower() in _SIGN_IN_HEADERS:
            raise ValueError(f"{name} is part of the sign-in: give it as a credential, {_NOT_HERE}")
    return headers


def _proxy(text: str) -> str:
    if _PLACE.fullmatch(text):
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be like http://HOST:PORT, or stand at env:NAME, keyring:NAME or file:PATH")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"holds a password, {_NOT_HERE}")
    return text


def _rate(value: Any) -> Rate:
    return Rate.parse(str(value))


def _seconds(value: Any) -> float:
    seconds = parse_seconds(value)
    if not seconds:
        raise ValueError("must be longer than nothing, such as 60s")
    return seconds


def _files(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) not in (1, 2) or not all(isinstance(each, str) for each in names):
        raise ValueError("must be one PEM file with certificate and key, or a list of the two files")
    return tuple(names)


class _Model(BaseModel):
    # Hidden, since an input may be a credential in the clear.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Entry(_Model):
    """One connection as the file says it. A description says what is allowed, after «must be»."""

    api: str = Field(min_length=1, description="the name of an API (aicc, cinnox, myreports) or an OpenAPI document")
    base_url: str = Field(default="", description='a URL in quotes: "https://..."')
    settings: dict[str, Annotated[str, BeforeValidator(_literal), AfterValidator(_setting)]] = Field(
        default={}, description='text in quotes, a number, true or false, such as settings = { appID = "12345" }'
    )
    credentials: dict[str, Annotated[str, AfterValidator(_place)]] = Field(
        default={}, description='text such as credentials = { token = "env:NAME" }'
    )
    rate: Annotated[Rate | None, PlainValidator(_rate)] = None
    concurrency: int | None = Field(default=None, ge=1, description="a whole number from 1")
    deadline: Annotated[float, PlainValidator(_seconds)] = 60.0
    settle: Annotated[float | None, PlainValidator(_seconds)] = None
    proxy: Annotated[str, AfterValidator(_proxy)] = Field(default="", description='a URL in quotes: "http://HOST:PORT"')
    ca_file: str = Field(default="", description="the path of a PEM file, in quotes")
    client_cert: Annotated[tuple[str, ...], PlainValidator(_files)] = ()
    token_url: str = Field(default="", description='a URL in quotes: "https://..."')
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default={}, description='text in quotes, such as headers = { X-Name = "value" }'
    )
    allow_http: bool = Field(default=False, description="true or false, without quotes")

    @model_validator(mode="after")
    def _urls(self) -> Self:
        for key, url in (("base_url", self.base_url), ("token_url", self.token_url)):
            wrong = url and wrong_url(url, allow_http=self.allow_http)
            if wrong:
                raise ValueError(f"{key} {wrong}")
        return self


class _File(_Model):
    connections: dict[str, _Entry] = {}


def _explained(path: Path, error: ErrorDetails) -> str:
    """One error of pydantic's in our words: file, connection, key, what is allowed."""
    kind, where = error["type"], [str(part) for part in error["loc"]]
    if len(where) == 1 and kind == "extra_forbidden":
        return f'{path}: "{where[0]}" is no key here: connections begin with [connections.NAME].'
    if len(where) == 1 or (len(where) == 2 and kind == "model_type"):
        return f"{path}: a connection begins with [connections.NAME]; its keys stand on the lines below."
    _, name, *keys = where
    place = f'{path}, connection "{name}"'
    if kind == "extra_forbidden":
        return f'{place}: "{keys[0]}" is no key of a connection.{nearest(keys[0], _Entry.model_fields)}'
    key = ".".join(keys)
    if kind == "missing":
        return f"{place}: {key} is missing: it is {_Entry.model_fields[key].description}."
    if kind == "value_error":
        return ": ".join(filter(None, (place, key, f"{error['ctx']['error']}.")))
    return f"{place}: {key} must be {_Entry.model_fields[keys[0]].description}."
