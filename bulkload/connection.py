"""Connections and credentials from bulkload.toml, the environment and the keyring: where to send, and as whom."""

import hashlib
import hmac
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from platformdirs import user_config_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails
from rapidfuzz import process, utils

from bulkload.errors import DiskError, SettingsError
from bulkload.resource import Api, Operation, Parameter, Rate, Resource, Scheme, parse_seconds
from bulkload.system import write_whole

FILE_NAME = "bulkload.toml"
USER_DIR = user_config_path("bulkload", appauthor=False)
# The name under which the keyring keeps our credentials.
KEYRING_SERVICE = "bulkload"

_PLACE = re.compile(r"(env|keyring|file):(\S.*)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIGN_IN_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_NOT_HERE = "never in the clear: use env:NAME, keyring:NAME or file:PATH"


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
            raise self._trouble("can't be written.")
        if self.kind == "file":
            self._to_file(value)
        else:
            keyring, errors = self._keyring()
            try:
                keyring.set_password(KEYRING_SERVICE, self.place, value)
            except errors.KeyringError as error:
                raise self._trouble(f"can't be written: {type(error).__name__}.") from None

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
            raise self._trouble(f"can't be read: {error.strerror}.") from error
        except UnicodeDecodeError:
            # Without the cause: it holds what the file holds.
            raise self._trouble("can't be read: the file is not UTF-8 text.") from None
        return text.removesuffix("\n").removesuffix("\r")

    def _to_file(self, value: str) -> None:
        path = Path(self.place).resolve()
        try:
            written = write_whole(path, lambda new: _write_text(new, value + "\n"))
        except DiskError as error:
            raise self._trouble(f"can't be written: {error}") from error
        if written != path:
            raise self._trouble(f"could not be replaced. Its new value stands in {written}.")

    def _trouble(self, what: str) -> SettingsError:
        return SettingsError(f"{self.owner}: the credential {self.name} ({self}) {what}")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Connection:
    """A name for one place to send to.

    `api` is the name of an API that comes with bulkload, or the path of a document. `base_url` is empty where the
    document is to say it. `rate`, `concurrency` and `settle` are None where the API's own count; `deadline` and
    `settle` are in seconds. `proxy` is read like a credential, since it may hold a password. `source` is the file that
    all of this stands in.
    """

    name: str
    api: str
    base_url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    rate: Rate | None = None
    concurrency: int | None = None
    deadline: float = 60.0
    settle: float | None = None
    proxy: Credential | None = None
    ca_file: str | None = None
    client_cert: tuple[str, ...] = ()
    token_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_http: bool = False
    source: str = FILE_NAME
    sandbox: bool = False

    @property
    def place(self) -> str:
        """`bulkload.toml, connection "cinnox-live"`: how messages name it."""
        return f'{self.source}, connection "{self.name}"'

    @property
    def api_name(self) -> str:
        """What the API is called: a document `things.yaml` is the API `things`."""
        return Path(self.api).stem if _is_path(self.api) else self.api


# Reading the file


def load_connections(
    config: Path | None = None,
    cwd: Path = Path(),
    user_dir: Path = USER_DIR,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Connection]:
    """The connections of `config` alone, or else of the project's and the user's bulkload.toml, by name.

    The project's wins over the user's connection of the same name. No file is no connection, but `config` must be
    there. Raises SettingsError, one line for each thing that is wrong in a file.
    """
    if config is not None:
        return _read_file(config, environ)
    found = [path for path in (user_dir / FILE_NAME, cwd / FILE_NAME) if path.is_file()]
    return {name: one for path in found for name, one in _read_file(path, environ).items()}


def _read_file(path: Path, environ: Mapping[str, str]) -> dict[str, Connection]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line = re.match(r"line [0-9]+", where)
        at = f", {line[0]}" if line else ", last line"
        raise SettingsError(f"{path}{at}: not TOML: {what}. Correct that line.") from error
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        lines = [_explained(path, one) for one in error.errors(include_url=False)]
        # Without the cause: it holds what stands in the file, a credential in the clear among it.
        raise SettingsError("\n".join(lines)) from None
    return {name: _connection(name, entry, path, environ) for name, entry in file.connections.items()}


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
        api=str(folder / entry.api) if _is_path(entry.api) else entry.api,
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


def _is_path(api: str) -> bool:
    """Whether this names a document, `things.yaml` or `apis/things`, and not an API that comes with bulkload."""
    return bool(Path(api).suffix or len(Path(api).parts) > 1)


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError(f"it is a secret, {_NOT_HERE}")
    return text


def _setting(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a line break or a control character")
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
        raise ValueError("must be longer than nothing")
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
    settings: dict[str, Annotated[str, AfterValidator(_setting)]] = Field(
        default={}, description='text in quotes, such as settings = { appID = "12345" }'
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
            wrong = url and _wrong_url(url, allow_http=self.allow_http)
            if wrong:
                raise ValueError(f"{key} {wrong}")
        return self


class _File(_Model):
    connections: dict[str, _Entry] = {}


def _explained(path: Path, error: ErrorDetails) -> str:
    """One error of pydantic's in our words: file, connection, key, what is allowed."""
    _, name, *keys = [str(part) for part in error["loc"]] + [""] * (2 - len(error["loc"]))
    kind = error["type"]
    if not name and kind == "extra_forbidden":
        return f'{path}: "{error["loc"][0]}" is no key here: connections begin with [connections.NAME].'
    if not name or (not keys and kind == "model_type"):
        return f"{path}: a connection begins with [connections.NAME]; its keys stand on the lines below."
    place = f'{path}, connection "{name}"'
    if kind == "extra_forbidden":
        return f'{place}: "{keys[0]}" is no key of a connection.{_nearest(keys[0], _Entry.model_fields)}'
    key = ".".join(keys)
    if kind == "missing":
        return f"{place}: {key} is missing: it is {_Entry.model_fields[key].description}."
    if kind == "value_error":
        return ": ".join(filter(None, (place, key, f"{error['ctx']['error']}.")))
    return f"{place}: {key} must be {_Entry.model_fields[keys[0]].description}."


def _nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean X?`, or the whole list where nothing is near."""
    names = sorted(known)
    near = process.extractOne(word, names, processor=utils.default_process, score_cutoff=60)
    if near:
        return f" Did you mean {near[0]}?"
    return f" There are: {', '.join(names)}." if names else " There are none."


# Addresses


def _wrong_url(url: str, *, allow_http: bool) -> str:
    """What keeps us from sending there, empty where nothing does. It quotes no URL, which might hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no valid URL: write https://HOST/PATH"
    if not url.startswith(("http://", "https://")) or not host or not url.isprintable() or " " in url:
        return "is no valid URL: write https://HOST/PATH"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password: give them as credentials"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "ends in a query or a fragment: leave that off"
    if "{" in url:
        return "still holds a {variable}: write its value"
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        return "is http://, which anybody on the way can read: write https://, or set allow_http = true"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def base_url(connection: Connection, api: Api) -> str:
    """Where requests go, without a slash at the end: the connection's, else the document's only server.

    Raises SettingsError if the connection says none and the document leaves a choice.
    """
    if connection.base_url:
        return connection.base_url
    server = api.servers[0].rstrip("/") if len(api.servers) == 1 else ""
    if server and not _wrong_url(server, allow_http=connection.allow_http):
        return server
    offered = f" The document offers {', '.join(api.servers)}." if api.servers else ""
    raise SettingsError(f'{connection.place}: base_url is missing: add base_url = "https://..."{offered}')


def token_url(connection: Connection, api: Api, scheme: Scheme) -> str:
    """The whole URL of the sign-in call: the connection's, else the document's. Raises SettingsError if neither is."""
    if connection.token_url:
        return connection.token_url
    if api.token:
        values = {p.name: _value(connection, p) or "" for p in api.token.operation.parameters if p.place == "path"}
        path = re.sub(r"{([^}]+)}", lambda found: quote(values.get(found[1], ""), safe=""), api.token.operation.path)
        return base_url(connection, api) + path
    wrong = _wrong_url(scheme.token_url, allow_http=connection.allow_http) if scheme.token_url else "is missing"
    if wrong:
        raise SettingsError(f'{connection.place}: token_url {wrong}. Add token_url = "https://..."')
    return scheme.token_url


def target(connection: Connection, api: Api, hmac_key: bytes) -> str:
    """What the journal knows rows by: `https://host/base appID=12345`, never the connection's name or a secret.

    Origin and base path, the settings that select the account, and an HMAC of each key that does, sorted by name.
    """
    parts = urlsplit(base_url(connection, api))
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default_port = {"http": 80, "https": 443}[parts.scheme]
    port = f":{parts.port}" if parts.port and parts.port != default_port else ""
    selecting = {p.name: p for operation in api.operations for p in operation.parameters if p.account}
    words = {name: quote(value, safe="") for name, p in selecting.items() if (value := _value(connection, p))}
    for scheme in schemes(api, api.resources.values()):
        if scheme.kind == "apiKey" and scheme.account and scheme.name in connection.credentials:
            value = connection.credentials[scheme.name].read()
            words[scheme.name] = "hmac:" + hmac.new(hmac_key, value.encode(), hashlib.sha256).hexdigest()[:16]
    said = [f"{quote(name, safe='')}={value}" for name, value in sorted(words.items())]
    return " ".join([f"{parts.scheme}://{host}{port}{parts.path}", *said])


# Choosing and checking


def choose(connections: Mapping[str, Connection], name: str | None, api: Api) -> Connection:
    """The connection of that name, or the only one of the API. Raises SettingsError that says what to write."""
    if name is not None:
        if name not in connections:
            raise SettingsError(f'There is no connection "{name}" in {FILE_NAME}.{_nearest(name, connections)}')
        if connections[name].api_name != api.name:
            one = connections[name]
            raise SettingsError(f"{one.place}: it is for the API {one.api_name}, not for {api.name}.")
        return connections[name]
    fitting = [one for one in connections.values() if one.api_name == api.name]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(sorted(one.name for one in fitting))
        raise SettingsError(f"{len(fitting)} connections are for the API {api.name}: {names}. Say --connection NAME.")
    others = ", ".join(f"{one.name} ({one.api_name})" for one in connections.values())
    there_are = f" Those there are: {others}." if others else ""
    raise SettingsError(f"No connection is for the API {api.name}.{there_are} Add to {FILE_NAME}:\n\n{example(api)}")


def example(api: Api) -> str:
    """The lines of a bulkload.toml for this API, to be filled in."""
    settings = {p.name: p for p in _wanted(api.resources.values()) if p.default is None}
    names = {
        name
        for scheme in schemes(api, api.resources.values())
        for name in credential_names(api, scheme)[0]
    }  # fmt: skip
    variable = re.sub(r"[^A-Z0-9]", "_", api.name.upper())
    places = {name: f"env:{variable}_{re.sub(r'[^A-Z0-9]', '_', name.upper())}" for name in sorted(names)}
    server = api.servers[0] if len(api.servers) == 1 and not _wrong_url(api.servers[0], allow_http=False) else ""
    lines = [
        f"[connections.{_toml_key(api.name)}]",
        f'api = "{api.name}"',
        f'base_url = "{server or "https://..."}"',
    ]
    if settings:
        lines.append(f"settings = {_toml_table(dict.fromkeys(settings, '...'))}")
    if places:
        lines.append(f"credentials = {_toml_table(places)}")
    return "\n".join(lines)


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _toml_table(values: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f'{_toml_key(name)} = "{value}"' for name, value in values.items()) + " }"


def schemes(api: Api, resources: Iterable[Resource]) -> tuple[Scheme, ...]:
    """What the operations of the resources are signed with: each scheme once, with all its scopes that they name."""
    found: dict[str, Scheme] = {}
    scopes: dict[str, dict[str, None]] = {}
    for resource in resources:
        for operation in _operations(resource):
            for scheme in operation.security:
                found.setdefault(scheme.name, scheme)
                scopes.setdefault(scheme.name, {}).update(dict.fromkeys(scheme.scopes))
    return tuple(replace(scheme, scopes=tuple(scopes[name])) for name, scheme in found.items())


def credential_names(api: Api, scheme: Scheme) -> tuple[tuple[str, ...], ...]:
    """Which credentials a security scheme asks for: alternatives, of which the first that is there whole counts.

    - apiKey: one of the scheme's own name (`app_key`)
    - basic: `username` and `password`
    - bearer: `token`
    - oauth2: `refresh_token` and `client_id` (and `client_secret`, if there is one), or `client_id` and
      `client_secret`, or `token`
    - bearer or oauth2 where the API has a token call: what that call asks for, or `token`

    A bare `token` comes last, since it can't be renewed. Beside the others it is used until it is refused.
    """
    if scheme.kind == "apiKey":
        return ((scheme.name,),)
    if scheme.kind == "basic":
        return (("username", "password"),)
    if api.token:
        signing = (name for each in api.token.operation.security for name in credential_names(api, each)[0])
        return (tuple(dict.fromkeys([*api.token.credentials, *signing])), ("token",))
    if scheme.kind == "oauth2":
        return (("refresh_token", "client_id"), ("client_id", "client_secret"), ("token",))
    return (("token",),)


def complete(
    connection: Connection, api: Api, resources: Collection[Resource], columns: Collection[str] = frozenset()
) -> None:
    """Check, before anything is sent, that all is there that the resources' operations ask for.

    `columns` are the columns that the sheet has: one of a path parameter's name stands in for the setting. Raises
    SettingsError with one line for each thing that is missing, unreadable, unknown or not allowed.
    """
    used = schemes(api, resources)
    problems = [
        *_unknown(connection, api),
        *_address_problems(connection, api, used),
        *_setting_problems(connection, api, resources, columns),
        *_credential_problems(connection, api, used),
    ]
    if problems:
        raise SettingsError("\n".join(problems))


def _unknown(connection: Connection, api: Api) -> Iterator[str]:
    settings = _setting_names(api)
    for name in connection.settings:
        if name not in settings:
            yield f'{connection.place}: the API {api.name} has no setting "{name}".{_nearest(name, settings)}'
    credentials = {
        name
        for scheme in schemes(api, api.resources.values())
        for names in (*credential_names(api, scheme), ("client_secret",) if scheme.kind == "oauth2" else ())
        for name in names
    }
    for name in connection.credentials:
        if name not in credentials:
            yield f'{connection.place}: the API {api.name} has no credential "{name}".{_nearest(name, credentials)}'


def _address_problems(connection: Connection, api: Api, used: Iterable[Scheme]) -> Iterator[str]:
    try:
        base_url(connection, api)
        for scheme in used:
            if grant(connection, api, scheme):
                token_url(connection, api, scheme)
    except SettingsError as error:
        yield str(error)


def _setting_problems(
    connection: Connection, api: Api, resources: Iterable[Resource], columns: Collection[str]
) -> Iterator[str]:
    wanted = {p.name: p for p in _wanted(resources) if p.name not in columns or p.place != "path"}
    for name, parameter in wanted.items():
        if not _value(connection, parameter):
            allowed = _allowed(parameter)
            example = allowed[0] if allowed else "..."
            about = f" {parameter.description}" if parameter.description else ""
            yield (
                f"{connection.place}: the setting {name} is missing:"
                f" add settings = {_toml_table({name: example})}.{about}"
            )
    every = {p.name: p for operation in api.operations for p in operation.parameters}
    for name, value in connection.settings.items():
        allowed = _allowed(every[name]) if name in every else ()
        if value and allowed and value not in allowed:
            yield f'{connection.place}: the setting {name} is "{value}"; allowed: {", ".join(allowed)}.'


def _credential_problems(connection: Connection, api: Api, used: Iterable[Scheme]) -> Iterator[str]:
    for scheme in used:
        ways = credential_names(api, scheme)
        if not any(all(name in connection.credentials for name in names) for names in ways):
            lines = "; or ".join(" and ".join(names) for names in ways)
            yield (
                f"{connection.place}: credentials are missing. Give {lines}:"
                f" credentials = {_toml_table(dict.fromkeys(ways[0], 'env:...'))}"
            )
    for credential in (*connection.credentials.values(), *filter(None, [connection.proxy])):
        try:
            value = credential.read()
        except SettingsError as error:
            yield str(error)
        else:
            if not value.isascii() and credential.name not in ("username", "password"):
                yield (
                    f"{connection.place}: the credential {credential.name} holds a character that no header can carry;"
                    " were typographic quotes pasted with it?"
                )


def grant(connection: Connection, api: Api, scheme: Scheme) -> tuple[str, ...]:
    """The credentials that a new token is asked for with; empty where it can't be, or none is needed."""
    if scheme.kind not in ("bearer", "oauth2"):
        return ()
    ways = (names for names in credential_names(api, scheme) if names != ("token",))
    return next((names for names in ways if all(name in connection.credentials for name in names)), ())


def _operations(resource: Resource) -> list[Operation]:
    """What an import of the resource calls, and the settling of its unknown rows."""
    siblings = (resource.update, resource.read, resource.find.operation if resource.find else None)
    return [resource.create, *(operation for operation in siblings if operation)]


def _wanted(resources: Iterable[Resource]) -> Iterator[Parameter]:
    """The required parameters that a connection must set: no row, look-up or credential gives them."""
    for resource in resources:
        own = {parameter.name for parameter in resource.create.parameters}
        given = resource.find.given if resource.find else {}
        for operation in _operations(resource):
            keys = {scheme.field.lower() for scheme in operation.security if scheme.kind == "apiKey"}
            finding = resource.find is not None and operation is resource.find.operation
            for parameter in operation.parameters:
                # A path parameter that creating doesn't have is the ID of the record.
                of_record = parameter.place == "path" and parameter.name not in own
                by_row = parameter.name in given if finding else of_record
                if parameter.required and not by_row and parameter.name.lower() not in keys:
                    yield parameter


def _setting_names(api: Api) -> set[str]:
    every = {parameter.name for operation in api.operations for parameter in operation.parameters}
    keys = {s.field for s in schemes(api, api.resources.values()) if s.kind == "apiKey"}
    ids = set[str]()
    for resource in api.resources.values():
        own = {parameter.name for parameter in resource.create.parameters}
        ids |= {column.name for column in resource.columns if column.place == "path"} - own
    return every - keys - ids


def _value(connection: Connection, parameter: Parameter) -> str | None:
    """What is sent for a parameter: the connection's setting, else the document's default; None or empty is nothing."""
    return connection.settings.get(parameter.name) or parameter.default


def _allowed(parameter: Parameter) -> tuple[str, ...]:
    values = parameter.schema.get("enum", ())
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in values)
