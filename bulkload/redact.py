"""Secrets are masked in whatever is written or shown, in every form that they may take there."""

import json
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote, quote_plus

from bulkload.models import MASK

# Shorter texts are no secrets, and masking them would black out half of every message.
_SHORTEST_SECRET = 3


def redact(text: str, secrets: Collection[str]) -> str:
    """The text with each secret masked, also as JSON, URLs and forms write it. Of two that overlap, the longer goes."""
    if not text:
        return text
    for form in _all_forms(frozenset(secrets)):
        if form in text:
            text = text.replace(form, MASK)
    return text


# Most rows have no secrets of their own: they share the few of the connection.
@lru_cache(maxsize=16)
def _all_forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """What to look for, the longest first."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
    return tuple(sorted(forms, key=len, reverse=True))


def _forms(secret: str) -> tuple[str, ...]:
    return (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    )
