"""The kill loop's oracle must know a row that was never intended from one that was given up."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults import MIXES, SECRET, SHEET, Things
from tests.wire import PATIENCE, Exchange, Seen, head

NOW = datetime.now(UTC).isoformat(timespec="microseconds")
# What the journal says of the row, whether the client has gone when the server looks, and whether that may be.
CASES = {
    "in flight": ("sending", 1, False, True),
    "in flight, and gone": ("sending", 1, True, True),
    "given up, and gone": ("unknown", 1, True, True),
    "given up, but it waits": ("unknown", 1, False, False),
    "never intended": ("not sent", 0, False, False),
    "never intended, and gone": ("not sent", 0, True, False),
}


def journal(path: Path, status: str, attempts: int) -> Path:
    """As much of a journal as the oracle looks at."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE runs (id)")
        db.execute("CREATE TABLE rows (run, sheet, row, status, attempts, sent)")
        db.execute("INSERT INTO runs VALUES ('r')")
        db.execute("INSERT INTO rows VALUES ('r', ?, 2, ?, ?, ?)", (SHEET, status, attempts, NOW if attempts else None))
    return path


class Busy(Things):
    """It looks at a thing to make only once the client has gone, if it goes."""

    client_goes = False

    async def _create(self, exchange: Exchange, seen: Seen) -> bool:
        async with asyncio.timeout(PATIENCE):
            while self.client_goes and not exchange.left():
                await asyncio.sleep(0.01)
        return await super()._create(exchange, seen)


@pytest.mark.parametrize("name", CASES)
def test_a_row_that_was_given_up_is_told_from_one_that_was_never_intended(name: str, tmp_path: Path) -> None:
    status, attempts, gone, right = CASES[name]
    with Busy(MIXES["none"], journal=journal(tmp_path / "journal.sqlite", status, attempts)) as server:
        server.client_goes = gone
        asyncio.run(post(server.port, gone=gone))
        server.wait_until_quiet()
    assert [one.intent for one in server.tries["S2"]] == [right]


async def post(port: int, *, gone: bool) -> None:
    """Sign in, and make the thing of row 2; a client that is gone does not wait for the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    def write(path: str, body: dict[str, str], *headers: str) -> None:
        raw = json.dumps(body).encode()
        lines = head(0, f"Content-Length: {len(raw)}", *headers).split(b"\r\n", 1)[1]
        writer.write(f"POST {path} HTTP/1.1\r\n".encode() + lines + raw)

    write("/token", {"secret": SECRET})
    await reader.readuntil(b"\r\n\r\n")
    token = json.loads(await reader.readuntil(b"}"))["token"]
    write("/things", {"sku": "S2", "name": "two"}, f"Authorization: Bearer {token}")
    if gone:
        writer.close()
    else:
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
    await writer.wait_closed()
