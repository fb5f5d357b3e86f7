"""Sign-in: the headers that prove who we are (bearer, API key, basic, OAuth2, token call), and their renewal."""

import asyncio
import json
import re
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from bulkload.answer import evaluate
from bulkload.connection import Connection, grant, token_url
from bulkload.errors import SettingsError, SignInError, UnusableDocument
from bulkload.models import Answer, HeadOnly, Reply
from bulkload.needs import schemes
from bulkload.redact import redact
from bulkload.resource import Api, Operation, Scheme, Token

# Seconds before the second and the third try of a token call that got no answer. Asking again does no harm.
_PAUSES = (1.0, 4.0)
# A token is renewed this many seconds before its end, enough for a request to wait for its turn and arrive; but not
# before nine tenths of its life are over, so that one that lives for a minute isn't asked for all the time.
_MARGIN, _MARGIN_SHARE = 30.0, 0.1
_LONGEST_WORDS = 200
# Refusals that the same call need not meet again: timeout, too early, too many requests.
_LATER = frozenset({408, 425, 429})
_OAUTH2_WORDS = ("$response.body#/error_description", "$response.body#/error")
# What a credential may fill: a header, a query parameter or a field at the top of the body.
_FILLED = re.compile(r"\$request\.(body#/|header\.|query\.)([^/~]+)")
_ADVICE = "Check the credentials and the address."


class Sender(Protocol):
    """What a token call needs of a transport."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = ...,
        headers: Mapping[str, str] = ...,
        body: bytes | None = ...,
    ) -> Reply:
        """Send one request, and tell what came of it; wire trouble is a reply, never raised."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """What signs one request: headers, and query parameters for a key that belongs there.

    `generation` says which token it holds: hand it to `SignIn.renew` if the API refuses it. 0: it holds none.
    """

    headers: Mapping[str, str] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(repr=False)
    generation: int


@dataclass(frozen=True, slots=True)
class _Bearer:
    """A token; `renew_at` is by the clock handed in, infinite where its life isn't known."""

    value: str = field(repr=False)
    generation: int
    renew_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class _Call:
    """A token call ready to be sent to `url`."""

    url: str
    method: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Granted:
    """What a token call gave. `life` is in seconds, None where the answer doesn't say."""

    token: str = field(repr=False)
    life: float | None
    refresh_token: str = field(default="", repr=False)


class SignIn:
    """Signs the requests of one connection, and renews its token: once for all who ask, however many do.

    `open_transport` gives a transport for a base URL. `notes` are lines that a person should read after the run.
    """

    def __init__(
        self,
        api: Api,
        connection: Connection,
        open_transport: Callable[[str], AbstractAsyncContextManager[Sender]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._connection = connection
        self._open_transport = open_transport
        self._clock = clock
        self._sleep = sleep
        # One token serves all operations, so it is asked for with the scopes of all.
        used = schemes(api, api.resources.values())
        self._scheme = next((scheme for scheme in used if scheme.kind in ("bearer", "oauth2")), None)
        self._grant = grant(connection, api, self._scheme) if self._scheme else ()
        self._bearer: _Bearer | None = None
        self._refused = ""
        self._rotated = ""
        self._lock = asyncio.Lock()
        self._values: dict[str, str] = {}
        self._secrets: set[str] = set()
        self.notes: list[str] = []

    async def sign(self, operation: Operation) -> Signed:
        """What signs a request of this operation, with a token that lives long enough to arrive.

        Raises SettingsError for a credential that isn't there, SignInError if no token could be had.
        """
        headers, query = self._keys(operation)
        if not any(scheme.kind in ("bearer", "oauth2") for scheme in operation.security):
            return Signed(headers, query, 0)
        bearer = await self._living()
        return Signed({**headers, "Authorization": f"Bearer {bearer.value}"}, query, bearer.generation)

    async def renew(self, seen: int) -> bool:
        """See to it that there is a newer token than the one `seen`. False where there can be none.

        Raises SignInError if the sign-in service refuses, and to everyone who asks after that, without another call.
        """
        if not self._grant or not seen:
            return False
        await self._renewed(seen)
        return True

    def secrets(self) -> frozenset[str]:
        """All secret values used so far: credentials, tokens of now and before, and basic's Base64."""
        return frozenset(self._secrets)

    async def _living(self) -> _Bearer:
        if self._bearer is None and "token" in self._connection.credentials:
            self._bearer = _Bearer(self._read("token"), 1)
        if self._bearer is None or self._clock() >= self._bearer.renew_at:
            return await self._renewed(self._bearer.generation if self._bearer else 0)
        return self._bearer

    async def _renewed(self, seen: int) -> _Bearer:
        async with self._lock:
            if self._bearer is not None and self._bearer.generation != seen:
                return self._bearer
            if self._refused:
                raise SignInError(self._refused)
            asked_at = self._clock()
            try:
                granted = await self._ask()
            except SignInError as error:
                self._refused = str(error)
                raise
            life = granted.life
            renew_at = float("inf") if life is None else asked_at + life - min(_MARGIN, life * _MARGIN_SHARE)
            self._bearer = _Bearer(granted.token, seen + 1, renew_at)
            return self._bearer

    async def _ask(self) -> _Granted:
        """Make the token call and keep what it gave. Raises SignInError."""
        call = self._call()
        answer = await self._exchange(call)
        granted = self._granted(call, answer)
        self._secrets |= {secret for secret in (granted.token, granted.refresh_token) if secret}
        if granted.refresh_token:
            self._keep(granted.refresh_token)
        return granted

    # What is sent

    def _keys(self, operation: Operation) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
        """Headers and query parameters of the schemes that need no token."""
        headers: dict[str, str] = {}
        query: list[tuple[str, str]] = []
        for scheme in operation.security:
            if scheme.kind == "basic":
                pair = b64encode(f"{self._read('username')}:{self._read('password')}".encode()).decode()
                self._secrets.add(pair)
                headers["Authorization"] = f"Basic {pair}"
            elif scheme.kind == "apiKey" and scheme.place == "header":
                headers[scheme.field] = self._read(scheme.name)
            elif scheme.kind == "apiKey":
                query.append((scheme.field, self._read(scheme.name)))
        return headers, tuple(query)

    def _call(self) -> _Call:
        if self._scheme is None or not self._grant:
            raise self._missing("token")
        url = token_url(self._connection, self._api, self._scheme)
        if self._api.token:
            return self._token_call(url, self._api.token)
        return self._oauth2_call(url, self._scheme)

    def _token_call(self, url: str, token: Token) -> _Call:
        operation = token.operation
        headers, query = self._keys(operation)
        for parameter in operation.parameters:
            value = self._connection.settings.get(parameter.name) or (parameter.default if parameter.required else None)
            if value and parameter.place == "header":
                headers[parameter.name] = value
            elif value and parameter.place == "query":
                query = (*query, (parameter.name, value))
        body: dict[str, str] = {}
        for name, expression in token.credentials.items():
            found = _FILLED.fullmatch(expression)
            if not found:
                raise UnusableDocument(
                    f'{self._api.name}: the token call fills {name} into "{expression}"; write'
                    " $request.body#/FIELD, $request.header.NAME or $request.query.NAME."
                )
            place, key, value = found[1], found[2], self._read(name)
            if place == "body#/":
                body[key] = value
            elif place == "header.":
                headers[key] = value
            else:
                query = (*query, (key, value))
        # A token service elsewhere has no business with headers that are meant for the API's own host.
        extra = {} if self._connection.token_url else self._connection.headers
        kind = {"Content-Type": "application/json"} if body else {}
        headers = {"Accept": "application/json", **kind, **extra, **headers}
        return _Call(url, operation.method, query, headers, json.dumps(body).encode() if body else None)

    def _oauth2_call(self, url: str, scheme: Scheme) -> _Call:
        """Client authentication stands in the body (RFC 6749, 2.3.1); a refresh keeps its scopes (6)."""
        if "refresh_token" in self._grant:
            refresh_token = self._rotated or self._read("refresh_token", anew=True)
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        else:
            form = {"grant_type": "client_credentials", "scope": " ".join(scheme.scopes)}
        for name in ("client_id", "client_secret"):
            if name in self._connection.credentials:
                form[name] = self._read(name)
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        return _Call(url, "POST", headers=headers, body=body)

    def _read(self, name: str, *, anew: bool = False) -> str:
        """A credential's value, read from its place once; `anew`: again, since another run may have changed it."""
        if name not in self._values or anew:
            credential = self._connection.credentials.get(name)
            if credential is None:
                raise self._missing(name)
            self._values[name] = credential.read()
            self._secrets.add(self._values[name])
        return self._values[name]

    def _missing(self, name: str) -> SettingsError:
        place = self._connection.place
        return SettingsError(f'{place}: the credential {name} is missing: add credentials = {{ {name} = "env:NAME" }}')

    # What comes back

    async def _exchange(self, call: _Call) -> Answer:
        """The 2xx answer to a token call. Raises SignInError."""
        parts = urlsplit(call.url)
        reason = ""
        for pause in (0.0, *_PAUSES):
            if pause:
                await self._sleep(pause)
            async with self._open_transport(f"{parts.scheme}://{parts.netloc}") as transport:
                reply = await transport.send(
                    call.method, parts.path or "/", query=call.query, headers=call.headers, body=call.body
                )
            match reply:
                case Answer(status) if 200 <= status < 300:
                    return reply
                case Answer(status) | HeadOnly(status) if 300 <= status < 500 and status not in _LATER:
                    raise self._trouble(call, f"refused with status {status}{self._words(reply)}. {_ADVICE}")
                case Answer(status):
                    reason = f"it answered {status}{self._words(reply)}"
                case _:
                    reason = reply.reason
        raise self._trouble(call, f"can't be reached, in {len(_PAUSES) + 1} tries: {reason}. Try again later.")

    def _granted(self, call: _Call, answer: Answer) -> _Granted:
        said = self._api.token
        body = _json(answer)
        token = evaluate(said.value if said else "$response.body#/access_token", answer, body)
        life = evaluate(said.expires if said else "$response.body#/expires_in", answer, body)
        refresh_token = "" if said else evaluate("$response.body#/refresh_token", answer, body)
        kind = "" if said else evaluate("$response.body#/token_type", answer, body)
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
            raise self._trouble(call, f"answered {answer.status} without a usable token. {_ADVICE}")
        if isinstance(kind, str) and kind.lower() not in ("", "bearer"):
            what = f'gave a token of type "{self._tidy(kind)}"; only bearer tokens are supported.'
            raise self._trouble(call, f"{what} Ask the API's vendor for one.")
        return _Granted(token, _seconds(life), refresh_token if isinstance(refresh_token, str) else "")

    def _keep(self, refresh_token: str) -> None:
        """Put a rotated refresh token in the old one's place, or else keep it in memory and say so once."""
        credential = self._connection.credentials["refresh_token"] if "refresh_token" in self._grant else None
        if credential is None or refresh_token == (self._rotated or self._values["refresh_token"]):
            return
        why = f"{credential} can't be written"
        if credential.writable:
            try:
                credential.write(refresh_token)
                self._rotated = ""
                return
            except SettingsError as error:
                why = str(error)
        if not self._rotated:
            self.notes.append(
                f"{self._connection.place}: the sign-in service replaced the refresh token; the new one is gone after"
                f" this run, as {why}. Get a new one, and keep it as keyring:NAME or file:PATH."
            )
        self._rotated = refresh_token

    def _words(self, reply: Answer | HeadOnly) -> str:
        """The server's own words, redacted and cut, as `: "..."`; empty where it says nothing for a person."""
        if isinstance(reply, HeadOnly):
            return ""
        said = self._api.token.operation.message if self._api.token else ()
        body = _json(reply)
        found = (evaluate(each, reply, body) for each in (*said, *_OAUTH2_WORDS))
        text = next((each for each in found if isinstance(each, str) and each), None)
        if text is None:
            text = reply.body.decode("utf-8", "replace")
            text = "" if text.lstrip().startswith("<") else text
        text = self._tidy(text)
        return f': "{text}"' if text else ""

    def _tidy(self, text: str) -> str:
        """Somebody else's words as one line for a terminal: redacted first, while each secret is still whole."""
        text = redact(text, self._secrets)
        return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_LONGEST_WORDS]

    def _trouble(self, call: _Call, what: str) -> SignInError:
        return SignInError(f"{self._connection.place}: the sign-in service {call.url} {what}")


def _json(answer: Answer) -> Any:
    """The body as JSON, None where it is something else."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _seconds(life: Any) -> float | None:
    """A life as a number or its text; None for anything else: such a token is renewed once it is refused."""
    try:
        seconds = float(life)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None
