"""What sending and asking want of transport and sign-in: the shapes, so that a test can hand in its own."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bulkload.auth import Signed
from bulkload.models import Reply
from bulkload.resource import Operation


class Carrier(Protocol):
    """What carries requests: see transport.py."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply: ...


class Signer(Protocol):
    """What signs requests: see auth.py."""

    async def sign(self, operation: Operation) -> Signed: ...

    async def renew(self, seen: int) -> bool: ...

    def secrets(self) -> frozenset[str]: ...
