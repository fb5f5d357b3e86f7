"""A loader as a competent colleague would write it in an afternoon: the negative control of the kill loop.

It retries three times on errors and on 5xx, writes down each answer once it has come, and after a crash goes on with
the rows that have no answer yet. So it makes duplicates; a test that doesn't show them tests nothing.
"""

import csv
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

_TRIES = 3
_DEADLINE = 1.0


def load(file: Path, url: str, secret: str, done: Path, concurrency: int) -> int:
    """Send every row of the CSV that `done` doesn't name; gives how many could not be sent."""
    finished = set(done.read_text(encoding="utf-8").split()) if done.exists() else set()
    with file.open(encoding="utf-8", newline="") as rows:
        waiting = [row for row in csv.DictReader(rows) if row["sku"] not in finished]
    lock = threading.Lock()
    with httpx.Client(base_url=url, timeout=_DEADLINE) as client, done.open("a", encoding="utf-8") as record:
        token = client.post("/token", json={"secret": secret}).raise_for_status().json()["token"]

        def send(row: dict[str, str]) -> bool:
            body = {**row, "amount": int(row["amount"])}
            for _ in range(_TRIES):
                try:
                    answer = client.post("/things", json=body, headers={"Authorization": f"Bearer {token}"})
                    answer.raise_for_status()
                except httpx.HTTPError:
                    time.sleep(0.05)
                    continue
                with lock:
                    record.write(f"{row['sku']}\n")
                    record.flush()
                return True
            return False

        with ThreadPoolExecutor(concurrency) as pool:
            return sum(not sent for sent in pool.map(send, waiting))


def start(file: Path, url: str, secret: str, done: Path, concurrency: int) -> None:
    """What the kill loop runs as a process: exit status 0 once every row is sent."""
    sys.exit(1 if load(file, url, secret, done, concurrency) else 0)
