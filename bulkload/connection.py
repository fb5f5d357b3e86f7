"""A connection: where to send, and as whom; which one an API takes, and whether it holds all that the API needs."""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from bulkload.address import wrong_url
from bulkload.credential import Credential
from bulkload.errors import SettingsError
from bulkload.needs import credential_names, known_credentials, known_settings, needed_settings, schemes
from bulkload.resource import Api, Parameter, Rate, Resource, Scheme

FILE_NAME = "bulkload.toml"


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
        return Path(self.api).stem if is_document(self.api) else self.api


def is_document(api: str) -> bool:
    """Whether this names a document, `things.yaml` or `apis/things`, and not an API that comes with bulkload."""
    return bool(Path(api).suffix or len(Path(api).parts) > 1)


# Where it points to


def base_url(connection: Connection, api: Api) -> str:
    """Where requests go, without a slash at the end: the connection's, else the document's only server.

    Raises SettingsError if the connection says none and the document leaves a choice.
    """
    if connection.base_url:
        return connection.base_url
    server = api.servers[0].rstrip("/") if len(api.servers) == 1 else ""
    if server and not wrong_url(server, allow_http=connection.allow_http):
        return server
    offered = f" The document offers {', '.join(api.servers)}." if api.servers else ""
    raise SettingsError(f'{connection.place}: base_url is missing: add base_url = "https://..."{offered}')


def token_url(connection: Connection, api: Api, scheme: Scheme) -> str:
    """The whole URL of the sign-in call: the connection's, else the document's. Raises SettingsError if neither is."""
    if connection.token_url:
        return connection.token_url
    if api.token:
        values = {p.name: _value(connection, p) for p in api.token.operation.parameters if p.place == "path"}
        path = re.sub(r"{([^}]+)}", lambda found: quote(values.get(found[1], ""), safe=""), api.token.operation.path)
        return base_url(connection, api) + path
    wrong = wrong_url(scheme.token_url, allow_http=connection.allow_http) if scheme.token_url else "is missing"
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


def grant(connection: Connection, api: Api, scheme: Scheme) -> tuple[str, ...]:
    """The credentials that a new token is asked for with; empty where it can't be, or none is needed."""
    if scheme.kind not in ("bearer", "oauth2"):
        return ()
    ways = (names for names in credential_names(api, scheme) if names != ("token",))
    return next((names for names in ways if all(name in connection.credentials for name in names)), ())


def _value(connection: Connection, parameter: Parameter) -> str:
    """What counts for a parameter: the connection's setting, else the document's default, "" where neither is."""
    return connection.settings.get(parameter.name) or parameter.default or ""


# Choosing


def choose(connections: Mapping[str, Connection], name: str | None, api: Api) -> Connection:
    """The connection of that name, or the only one of the API. Raises SettingsError that says what to write."""
    if name is not None:
        if name not in connections:
            files = ", ".join(dict.fromkeys(one.source for one in connections.values())) or FILE_NAME
            raise SettingsError(f'There is no connection "{name}" in {files}.{nearest(name, connections)}')
        one = connections[name]
        if one.api_name != api.name:
            raise SettingsError(
                f"{one.place}: it is for the API {one.api_name}, not for {api.name}. Choose another connection."
            )
        return one
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
    settings = [name for name, one in needed_settings(api.resources.values()).items() if one.default is None]
    ways = (credential_names(api, scheme)[0] for scheme in schemes(api, api.resources.values()))
    names = sorted({name for way in ways for name in way})
    server = api.servers[0] if len(api.servers) == 1 and not wrong_url(api.servers[0], allow_http=False) else ""
    lines = [
        f"[connections.{_toml_key(api.name)}]",
        f'api = "{api.name}"',
        f'base_url = "{server or "https://..."}"',
    ]
    if settings:
        lines.append(f"settings = {_toml_table(dict.fromkeys(settings, '...'))}")
    if names:
        places = {name: f"env:{re.sub(r'[^A-Z0-9]', '_', f'{api.name}_{name}'.upper())}" for name in names}
        lines.append(f"credentials = {_toml_table(places)}")
    return "\n".join(lines)


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _toml_table(values: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f'{_toml_key(name)} = "{value}"' for name, value in values.items()) + " }"


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean X?`, or the whole list where nothing is near."""
    from rapidfuzz import process, utils  # only once a name was wrong

    names = sorted(known)
    near = process.extractOne(word, names, processor=utils.default_process, score_cutoff=60)
    if near:
        return f" Did you mean {near[0]}?"
    return f" There are: {', '.join(names)}." if names else " There are none."


# Checking


def complete(
    connection: Connection, api: Api, resources: Collection[Resource], columns: Collection[str] = frozenset()
) -> None:
    """Check, before anything is sent, that all is there that the resources' operations ask for.

    `columns` are the columns that the sheet has: one of a path parameter's name stands in for the setting. Raises
    SettingsError with one line for each thing that is missing, unreadable, unknown or not allowed.
    """
    used = schemes(api, resources)
    problems = [
        *_address_problems(connection, api, used),
        *_setting_problems(connection, api, resources, columns),
        *_credential_problems(connection, api, used),
    ]
    if problems:
        raise SettingsError("\n".join(problems))


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
    known = known_settings(api)
    for name, value in connection.settings.items():
        if name not in known:
            yield f'{connection.place}: the API {api.name} has no setting "{name}".{nearest(name, known)}'
        elif value and known[name].allowed and value not in known[name].allowed:
            allowed = ", ".join(known[name].allowed)
            yield f'{connection.place}: the setting {name} is "{value}"; allowed: {allowed}.'
    for name, parameter in needed_settings(resources).items():
        by_column = parameter.place == "path" and name in columns
        if not by_column and not _value(connection, parameter):
            lines = _toml_table({name: next(iter(parameter.allowed), "...")})
            about = f" {parameter.description}" if parameter.description else ""
            yield f"{connection.place}: the setting {name} is missing: add settings = {lines}.{about}"


def _credential_problems(connection: Connection, api: Api, used: Iterable[Scheme]) -> Iterator[str]:
    known = known_credentials(api)
    for name in connection.credentials:
        if name not in known:
            yield f'{connection.place}: the API {api.name} has no credential "{name}".{nearest(name, known)}'
    for scheme in used:
        ways = credential_names(api, scheme)
        if not any(all(name in connection.credentials for name in names) for names in ways):
            lines = "; or ".join(" and ".join(names) for names in ways)
            yield (
                f"{connection.place}: credentials are missing. Give {lines}:"
                f" credentials = {_toml_table(dict.fromkeys(ways[0], 'env:...'))}"
            )
    for credential in (*connection.credentials.values(), connection.proxy):
        if credential and (credential is connection.proxy or credential.name in known):
            yield from _unreadable(connection, credential)


def _unreadable(connection: Connection, credential: Credential) -> Iterator[str]:
    try:
        value = credential.read()
    except SettingsError as error:
        yield str(error)
    else:
        if not value.isascii() and credential.name not in ("username", "password"):
            yield (
                f"{connection.place}: the credential {credential.name} holds a character that no header can carry;"
                " were typographic quotes pasted with it? Store it again."
            )
