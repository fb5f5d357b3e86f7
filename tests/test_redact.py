"""No secret is left in a redacted text, however it is written there."""

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from bulkload.models import MASK
from bulkload.redact import redact


def test_a_secret_is_masked_however_it_is_written() -> None:
    secret = 'a/b "ü" c'
    written = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret),
        quote(secret, safe=""),
    ]
    written.append("a%2Fb+%22%C3%BC%22+c")
    expected = f'{MASK} "{MASK}" "{MASK}" {MASK} {MASK} {MASK}'
    assert redact(" ".join(written), {secret}) == expected


def test_the_longer_of_two_secrets_is_masked_whole_and_very_short_ones_are_left() -> None:
    assert redact("token-12 token-1 ab", {"token-1", "token-12", "ab", ""}) == f"{MASK} {MASK} ab"


@given(st.text(max_size=20), st.sets(st.text(min_size=3, max_size=8), min_size=1, max_size=4), st.text(max_size=20))
def test_no_secret_is_left_in_a_redacted_text(before: str, secrets: set[str], after: str) -> None:
    secrets = {secret for secret in secrets if not set(secret) & set(MASK)}
    text = redact(before + "".join(secrets) + after, secrets)
    assert not any(secret in text for secret in secrets)
