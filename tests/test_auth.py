"""Sign-in against a real token service on loopback, through the real transport, with clock and sleep handed in."""

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from bulkload.auth import Signed, SignIn
from bulkload.connection import Connection
from bulkload.credential import Credential
from bulkload.document import Document
from bulkload.errors import SettingsError, SignInError, UnusableDocument
from bulkload.models import MASK
from bulkload.openapi import open_api, read_api
from bulkload.resource import Api, Operation
from bulkload.transport import USER_AGENT, Transport, Wire
from tests.wire import dead_port

AICC = open_api("aicc")
CINNOX = open_api("cinnox")
MYREPORTS = open_api("myreports")
CANARY = "canary-9f3b-secret"
WORKERS = 16
BASIC = b64encode("jé:b:c".encode()).decode()


@dataclass(frozen=True, slots=True)
class Call:
    """A token call as it arrived. Headers that every HTTP client sends are left out, names in lower case."""

    path: str
    headers: dict[str, str]
    body: str


# An answer as status and body; None: the connection is closed without one.
Said = tuple[int, str] | None
_EVERYONES = {"host", "user-agent", "accept-encoding", "content-length", "connection"}


@dataclass(slots=True)
class TokenService:
    """What the service answers, one after the other and the last again and again, and the calls that came.

    No answer goes out before `open` is set; `asked` is set by the first call.
    """

    answers: list[Said]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def answer(self, call: Call) -> Said:
        self.calls.append(call)
        self.asked.set()
        self.open.wait(10)
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


@contextmanager
def serving(*answers: Said, is_open: bool = True) -> Iterator[TokenService]:
    service = TokenService(list(answers))
    if is_open:
        service.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["User-Agent"] == USER_AGENT
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in _EVERYONES}
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            said = service.answer(Call(self.path, headers, body))
            if said is not None:
                self.send_response(said[0])
                self.end_headers()
                self.wfile.write(said[1].encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            service.open.set()
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Hands:
    """What a SignIn is handed: a clock that the test sets, and a sleep that only notes its length."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def sign_in(self, api: Api, connection: Connection) -> SignIn:
        return SignIn(api, connection, open_transport, clock=self.clock, sleep=self.sleep)


def open_transport(base_url: str) -> Transport:
    return Transport(Wire(base_url, deadline=10.0, in_flight=1))


def connected(api: Api, url: str, **credentials: str) -> Connection:
    """A connection `live` to the service; `client_id="abc"` is a credential."""
    held = {name: Credential.in_memory(name, value) for name, value in credentials.items()}
    return Connection("live", api.name, url, credentials=held)


def api(scheme: dict[str, Any], **extension: Any) -> Api:
    """An API with one resource whose operations are signed with one scheme, `sign`."""
    body = {"type": "object", "properties": {"name": {"type": "string"}}}
    create = {"requestBody": {"content": {"application/json": {"schema": body}}}, "security": [{"sign": ["write"]}]}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things": {"post": {**create, "x-bulkload": {"resource": "thing"}}},
            "/things/{id}": {"get": {"security": [{"sign": ["read"]}]}},
            "/tokens": {"post": {"operationId": "makeToken", "security": []}},
        },
        "components": {"securitySchemes": {"sign": scheme}},
        "x-bulkload": extension,
    }
    return read_api(Document(document, "things.yaml"), "things")


def create_of(api: Api) -> Operation:
    return next(iter(api.resources.values())).create


def oauth2(url: str) -> Api:
    flow = {"tokenUrl": f"{url}/connect/token", "scopes": {}}
    return api({"type": "oauth2", "flows": {"clientCredentials": flow}})


def aicc_token(value: str = "token-1", expires: Any = "600") -> Said:
    return 200, json.dumps({"AccessToken": value, "ApplyType": "Bearer", "Expires": expires, "UserID": "Anonymous"})


def oauth2_token(value: str, **more: Any) -> Said:
    return 200, json.dumps({"access_token": value, "token_type": "Bearer", **more})


def aicc(url: str) -> Connection:
    return connected(AICC, url, app_key="the-app-key", app_secret=CANARY)


def signed(sign_in: SignIn, operation: Operation) -> Signed:
    return asyncio.run(sign_in.sign(operation))


def trouble(sign_in: SignIn, operation: Operation) -> str:
    with pytest.raises(SignInError) as caught:
        signed(sign_in, operation)
    return str(caught.value)


# What signs a request


def test_a_bearer_token_is_sent_as_it_is_and_cannot_be_renewed() -> None:
    sign_in = Hands().sign_in(CINNOX, connected(CINNOX, "https://a", token=CANARY))
    assert signed(sign_in, create_of(CINNOX)) == Signed({"Authorization": f"Bearer {CANARY}"}, (), 1)
    assert asyncio.run(sign_in.renew(1)) is False
    assert sign_in.secrets() == {CANARY}


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ({"type": "http", "scheme": "basic"}, Signed({"Authorization": f"Basic {BASIC}"}, (), 0)),
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, Signed({"X-Key": "k-1"}, (), 0)),
        ({"type": "apiKey", "in": "query", "name": "key"}, Signed({}, (("key", "k-1"),), 0)),
    ],
)
def test_a_scheme_without_a_token_is_signed_with_the_credentials_themselves(
    scheme: dict[str, Any], expected: Signed
) -> None:
    of = api(scheme)
    sign_in = Hands().sign_in(of, connected(of, "https://a", sign="k-1", username="jé", password="b:c"))
    assert signed(sign_in, create_of(of)) == expected
    assert asyncio.run(sign_in.renew(0)) is False
    assert {value.removeprefix("Basic ") for value in expected.headers.values()} <= sign_in.secrets()


def test_an_operation_without_security_is_sent_bare() -> None:
    of = api({"type": "http", "scheme": "bearer"})
    bare = replace(create_of(of), security=())
    assert signed(Hands().sign_in(of, connected(of, "https://a")), bare) == Signed({}, (), 0)


def test_a_missing_credential_is_named() -> None:
    sign_in = Hands().sign_in(CINNOX, connected(CINNOX, "https://a"))
    with pytest.raises(SettingsError, match=r'connection "live": the credential token is missing: add credentials = '):
        signed(sign_in, create_of(CINNOX))


# The token call


def test_the_token_call_is_built_from_its_operation() -> None:
    with serving(aicc_token()) as service:
        sign_in = Hands().sign_in(AICC, replace(aicc(f"{service.url}/base"), headers={"X-Gateway": "blue"}))
        found = signed(sign_in, create_of(AICC))
    assert found == Signed({"Authorization": "Bearer token-1", "X-APP-Key": "the-app-key"}, (), 1)
    (call,) = service.calls
    assert replace(call, body="") == Call(
        "/base/apigovernance/api/oauth/tokenByAkSk",
        {
            "accept": "application/json",
            "content-type": "application/json",
            "x-gateway": "blue",
            "x-token-expire": "600",
        },
        "",
    )
    assert json.loads(call.body) == {"app_key": "the-app-key", "app_secret": CANARY}
    assert sign_in.secrets() == {"the-app-key", CANARY, "token-1"}


def test_a_setting_wins_over_the_default_and_another_host_gets_no_extra_headers() -> None:
    with serving(aicc_token()) as service:
        elsewhere = replace(
            aicc("https://api.example.com"),
            token_url=f"{service.url}/own/tokens",
            settings={"X-Token-Expire": "3600"},
            headers={"X-Gateway": "blue"},
        )
        signed(Hands().sign_in(AICC, elsewhere), create_of(AICC))
    (call,) = service.calls
    assert (call.path, call.headers) == (
        "/own/tokens",
        {"accept": "application/json", "content-type": "application/json", "x-token-expire": "3600"},
    )


def test_credentials_go_where_the_document_says() -> None:
    token = {
        "operation": "makeToken",
        "credentials": {"user": "$request.header.X-User", "pin": "$request.query.pin"},
        "value": "$response.header.X-Token",
    }
    of = api({"type": "http", "scheme": "bearer"}, token=token)
    with serving((204, "")) as service:
        message = trouble(Hands().sign_in(of, connected(of, service.url, user="me", pin="1 2")), create_of(of))
    assert service.calls == [Call("/tokens?pin=1%202", {"accept": "application/json", "x-user": "me"}, "")]
    assert message == (
        f'bulkload.toml, connection "live": the sign-in service {service.url}/tokens answered 204 without a usable'
        " token. Check the credentials and the address."
    )


@pytest.mark.parametrize("place", ["$response.body#/pin", "$request.body#/login/pin", "$request.path.pin", "pin"])
def test_a_document_that_says_it_wrongly_is_refused(place: str) -> None:
    token = {"operation": "makeToken", "credentials": {"pin": place}, "value": "$response.body#/t"}
    of = api({"type": "http", "scheme": "bearer"}, token=token)
    with pytest.raises(UnusableDocument) as caught:
        signed(Hands().sign_in(of, connected(of, "https://a", pin="1")), create_of(of))
    assert str(caught.value) == (
        f'things: the token call fills pin into "{place}"; write $request.body#/FIELD, $request.header.NAME or'
        " $request.query.NAME."
    )


def test_sixteen_workers_who_ask_at_once_make_one_call_and_one_renewal() -> None:
    async def work() -> None:
        first = await asyncio.gather(*(sign_in.sign(operation) for _ in range(WORKERS)))
        assert {each.headers["Authorization"] for each in first} == {"Bearer token-1"}
        assert await asyncio.gather(*(sign_in.renew(1) for _ in range(WORKERS))) == [True] * WORKERS
        second = await asyncio.gather(*(sign_in.sign(operation) for _ in range(WORKERS)))
        assert {(each.headers["Authorization"], each.generation) for each in second} == {("Bearer token-2", 2)}
        # One who was refused with the first token, and heard of it late.
        assert await sign_in.renew(1)

    operation = create_of(AICC)
    with serving(aicc_token(), aicc_token("token-2"), aicc_token("token-3")) as service:
        sign_in = Hands().sign_in(AICC, aicc(service.url))
        asyncio.run(work())
        assert len(service.calls) == 2
    assert {"token-1", "token-2"} <= sign_in.secrets()


def test_a_worker_that_is_cancelled_while_it_asks_leaves_the_others_a_token() -> None:
    async def work() -> Signed:
        first = asyncio.ensure_future(sign_in.sign(create_of(AICC)))
        await asyncio.to_thread(service.asked.wait)
        second = asyncio.ensure_future(sign_in.sign(create_of(AICC)))
        first.cancel()
        service.open.set()
        return await second

    with serving(aicc_token(), is_open=False) as service:
        sign_in = Hands().sign_in(AICC, aicc(service.url))
        assert asyncio.run(work()).headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("expires", "still_good", "renewed"),
    [("600", 569.0, 570.0), (3600, 3569.0, 3570.0), ("60", 53.9, 54.0), (0.5, 0.44, 0.45)],
)
def test_a_token_is_renewed_shortly_before_its_end(expires: Any, still_good: float, renewed: float) -> None:
    hands = Hands(now=1000.0)
    with serving(aicc_token("token-1", expires), aicc_token("token-2", expires)) as service:
        sign_in = hands.sign_in(AICC, aicc(service.url))
        found = []
        for now in (0.0, still_good, renewed):
            hands.now = 1000.0 + now
            found.append(signed(sign_in, create_of(AICC)).generation)
    assert found == [1, 1, 2]


@pytest.mark.parametrize("expires", [None, "", "soon", -1, 0, "nan", "inf", [600]])
def test_a_token_of_unknown_life_is_kept_until_it_is_refused(expires: Any) -> None:
    hands = Hands()
    with serving(aicc_token("token-1", expires)) as service:
        sign_in = hands.sign_in(AICC, aicc(service.url))
        signed(sign_in, create_of(AICC))
        hands.now = 1e9
        assert signed(sign_in, create_of(AICC)).generation == 1
        assert asyncio.run(sign_in.renew(1))
    assert len(service.calls) == 2


def test_a_token_that_was_given_is_used_until_it_is_refused() -> None:
    with serving(aicc_token()) as service:
        given_too = connected(AICC, service.url, app_key="the-app-key", app_secret=CANARY, token="token-0")
        sign_in = Hands().sign_in(AICC, given_too)
        assert signed(sign_in, create_of(AICC)).headers["Authorization"] == "Bearer token-0"
        assert asyncio.run(sign_in.renew(1))
        assert signed(sign_in, create_of(AICC)).headers["Authorization"] == "Bearer token-1"


# When it goes wrong


def test_a_refusal_is_told_redacted_to_all_and_asked_for_once() -> None:
    async def work() -> set[str]:
        asking = (sign_in.sign(create_of(AICC)) for _ in range(WORKERS))
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(each) for each in found} == {SignInError}
        return {str(each) for each in found}

    words = json.dumps({"message": f"no  such\n\n{CANARY} for the-app-key, {quote('a/b+c')}"})
    with serving((403, words)) as service:
        sign_in = Hands().sign_in(AICC, aicc(service.url))
        assert asyncio.run(work()) == {
            'bulkload.toml, connection "live": the sign-in service'
            f" {service.url}/apigovernance/api/oauth/tokenByAkSk refused with status 403:"
            f' "no such {MASK} for {MASK}, a/b%2Bc". Check the credentials and the address.'
        }
        assert len(service.calls) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": "invalid_client", "error_description": "Unknown client."}', ': "Unknown client."'),
        ('{"error": "invalid_client"}', ': "invalid_client"'),
        (f"no {CANARY}, " + "x" * 500, f': "no {MASK}, ' + "x" * 189 + '"'),
        ("\x1b[2Jno\x07 such\nclient", ': "[2Jno such client"'),
        ("<html>Not found</html>", ""),
        ("", ""),
    ],
)
def test_the_words_of_a_refusal_are_the_services_own(body: str, words: str) -> None:
    with serving((400, body)) as service:
        of = oauth2(service.url)
        sign_in = Hands().sign_in(of, connected(of, service.url, client_id="id-1", client_secret=CANARY))
        assert trouble(sign_in, create_of(of)) == (
            f'bulkload.toml, connection "live": the sign-in service {service.url}/connect/token refused with status 400'
            f"{words}. Check the credentials and the address."
        )


def test_a_service_that_cannot_be_reached_is_tried_three_times() -> None:
    hands = Hands()
    with dead_port() as port:
        message = trouble(hands.sign_in(AICC, aicc(f"http://127.0.0.1:{port}")), create_of(AICC))
    assert hands.slept == [1.0, 4.0]
    assert message == (
        f'bulkload.toml, connection "live": the sign-in service http://127.0.0.1:{port}/apigovernance/api/oauth/tokenByAkSk'
        f" can't be reached, in 3 tries: connection refused by 127.0.0.1:{port}. Try again later."
    )


@pytest.mark.parametrize("first", [None, (500, "x"), (503, ""), (429, "{}")])
def test_a_token_call_without_a_usable_answer_is_made_again(first: Said) -> None:
    hands = Hands()
    with serving(first, first, aicc_token()) as service:
        assert signed(hands.sign_in(AICC, aicc(service.url)), create_of(AICC)).generation == 1
    assert (len(service.calls), hands.slept) == (3, [1.0, 4.0])


def test_a_service_that_keeps_failing_is_quoted() -> None:
    with serving((500, f'{{"message": "business failure of {CANARY}"}}')) as service:
        message = trouble(Hands().sign_in(AICC, aicc(service.url)), create_of(AICC))
    assert message.endswith(
        f'can\'t be reached, in 3 tries: it answered 500: "business failure of {MASK}". Try again later.'
    )


@pytest.mark.parametrize(
    "body",
    ["", "<html>welcome</html>", "[]", "{}", '"token"', '{"AccessToken": ""}', '{"AccessToken": 5}',
     '{"AccessToken": "a\\r\\nX-Evil: 1"}', '{"AccessToken": "a b"}', '{"AccessToken": "é"}', "[" * 100_000],
)  # fmt: skip
def test_an_answer_without_a_token_stops_the_run(body: str) -> None:
    with serving((200, body)) as service:
        message = trouble(Hands().sign_in(AICC, aicc(service.url)), create_of(AICC))
    assert message.endswith("answered 200 without a usable token. Check the credentials and the address.")
    assert len(service.calls) == 1


def test_a_redirect_of_the_token_call_is_not_followed() -> None:
    with serving((307, "")) as service:
        assert "refused with status 307." in trouble(Hands().sign_in(AICC, aicc(service.url)), create_of(AICC))
    assert len(service.calls) == 1


# OAuth2


def forms(service: TokenService) -> list[dict[str, str]]:
    kind = "application/x-www-form-urlencoded"
    assert {(c.path, c.headers["content-type"]) for c in service.calls} == {("/connect/token", kind)}
    return [dict(parse_qsl(call.body, strict_parsing=True)) for call in service.calls]


def test_client_credentials_are_traded_for_a_token_with_the_scopes_of_all_operations() -> None:
    with serving(oauth2_token("token-1", expires_in=3600)) as service:
        of = oauth2(service.url)
        sign_in = Hands().sign_in(of, connected(of, service.url, client_id="id-1", client_secret=f"{CANARY}&+"))
        assert signed(sign_in, create_of(of)) == Signed({"Authorization": "Bearer token-1"}, (), 1)
    assert forms(service) == [
        {
            "grant_type": "client_credentials",
            "scope": "write read",
            "client_id": "id-1",
            "client_secret": f"{CANARY}&+",
        }
    ]


def test_a_token_that_is_not_a_bearer_token_is_refused() -> None:
    with serving(oauth2_token("token-1", token_type="DPoP")) as service:
        of = oauth2(service.url)
        sign_in = Hands().sign_in(of, connected(of, service.url, client_id="id-1", client_secret=CANARY))
        assert trouble(sign_in, create_of(of)).endswith(
            'gave a token of type "DPoP"; only bearer tokens are supported. Ask the API\'s vendor for one.'
        )


def refreshing(url: str, credential: Credential) -> Connection:
    found = connected(MYREPORTS, "https://a", client_id="id-1")
    return replace(
        found, token_url=f"{url}/connect/token", credentials={**found.credentials, "refresh_token": credential}
    )


def refresh_form(refresh_token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "id-1"}


def test_a_rotated_refresh_token_goes_back_to_its_file(tmp_path: Path) -> None:
    path = tmp_path / "refresh.txt"
    path.write_text("refresh-0\n")
    answers = [oauth2_token(f"token-{n}", refresh_token=f"refresh-{n}") for n in (1, 2)]
    with serving(*answers) as service:
        connection = refreshing(service.url, Credential("refresh_token", "live", "file", str(path)))
        sign_in = Hands().sign_in(MYREPORTS, connection)
        signed(sign_in, create_of(MYREPORTS))
        assert path.read_text() == "refresh-1\n"
        assert asyncio.run(sign_in.renew(1))
    assert path.read_text() == "refresh-2\n"
    assert forms(service) == [refresh_form("refresh-0"), refresh_form("refresh-1")]
    assert sign_in.notes == []
    assert {"refresh-0", "refresh-1", "refresh-2", "token-1", "token-2"} <= sign_in.secrets()


def test_another_runs_rotated_refresh_token_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "refresh.txt"
    path.write_text("refresh-0")
    with serving(oauth2_token("token-1"), oauth2_token("token-2")) as service:
        connection = refreshing(service.url, Credential("refresh_token", "live", "file", str(path)))
        sign_in = Hands().sign_in(MYREPORTS, connection)
        signed(sign_in, create_of(MYREPORTS))
        path.write_text("refresh-9")
        assert asyncio.run(sign_in.renew(1))
    assert forms(service) == [refresh_form("refresh-0"), refresh_form("refresh-9")]


@pytest.mark.parametrize("place", ["environment", "lost folder"])
def test_a_rotated_refresh_token_that_cannot_be_kept_is_used_and_told_once(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "refresh.txt").write_text("refresh-0")
    held = {
        "environment": Credential("refresh_token", "live", "env", "REFRESH", environ={"REFRESH": "refresh-0"}),
        "lost folder": Credential("refresh_token", "live", "file", str(folder / "refresh.txt")),
    }[place]
    why = {
        "environment": "env:REFRESH can't be written",
        "lost folder": f"live: the credential refresh_token (file:{folder / 'refresh.txt'}) can't be written:",
    }[place]

    def lose_folder() -> None:
        (folder / "refresh.txt").unlink()
        folder.rmdir()

    answers = [oauth2_token(f"token-{n}", refresh_token=f"refresh-{n}") for n in (1, 2, 3)]
    with serving(*answers, is_open=False) as service:
        sign_in = Hands().sign_in(MYREPORTS, refreshing(service.url, held))
        asyncio.run(while_asking(sign_in, service, lose_folder))
        for generation in (1, 2):
            assert asyncio.run(sign_in.renew(generation))
    assert forms(service) == [refresh_form(f"refresh-{n}") for n in (0, 1, 2)]
    (note,) = sign_in.notes
    assert f"the new one is gone after this run, as {why}" in note
    assert not any(f"refresh-{n}" in note for n in range(4))


async def while_asking(sign_in: SignIn, service: TokenService, act: Callable[[], None]) -> None:
    """Sign once, and do something between the token call's arrival and its answer."""
    asking = asyncio.ensure_future(sign_in.sign(create_of(MYREPORTS)))
    await asyncio.to_thread(service.asked.wait)
    act()
    service.open.set()
    await asking


# Secrets


def test_no_repr_or_str_shows_a_secret() -> None:
    with serving(aicc_token(f"{CANARY}-token")) as service:
        sign_in = Hands().sign_in(AICC, connected(AICC, service.url, app_key=f"{CANARY}-key", app_secret=CANARY))
        found = signed(sign_in, create_of(AICC))
    shown = [sign_in, found, *(vars(sign_in)[name] for name in ("_bearer", "_connection", "_grant", "_refused"))]
    assert CANARY not in "".join(f"{each!r}{each}" for each in shown)
