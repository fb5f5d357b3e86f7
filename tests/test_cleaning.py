"""What can't be seen in a cell is taken out and told, or refused; line breaks stay, and a secret is not touched."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.cleaning import clean
from bulkload.models import MASK, Severity
from bulkload.resource import Column

TEXT = Column("note", "Note", "body", "/note", "string", {"type": "string"})
SECRET = replace(TEXT, secret=True)


@pytest.mark.parametrize(
    ("cell", "read", "told"),
    [
        ("a b", "a b", ""),
        ("one\ntwo\r\nthree\x0bfour\u2028five", "one\ntwo\r\nthree\x0bfour\u2028five", ""),
        (" a ", "a", "Removed the blanks around the text."),
        ("5\u00a0km", "5 km", "Replaced U+00A0 (no-break space) with an ordinary blank."),
        ("\u00a0km", "km", "Removed U+00A0 (no-break space)."),
        ("ab\u200bc", "abc", "Removed U+200B (zero width space)."),
        ("\ufeffab\u00adc", "abc", "Removed U+FEFF (byte order mark) and U+00AD (soft hyphen)."),
        ("a\u200db", "ab", "Removed U+200D (zero width joiner)."),
        ("a\ufeff\u200db", "ab", "Removed U+FEFF (byte order mark) and U+200D (zero width joiner)."),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb", ""),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ""),
        ("a\x01b", "ab", "Removed U+0001 (control character)."),
        ("\x1f", "", "Removed U+001F (control character)."),
        ("  ", "", ""),
    ],
)
def test_what_can_not_be_seen_is_taken_out_and_told(cell: str, read: str, told: str) -> None:
    texts, remarks = clean(TEXT, ["other", cell])
    assert texts == ["other", read]
    assert [(place, one.severity, one.cause) for place, one in remarks.items()] == (
        [(1, Severity.NOTE, told)] if told else []
    )
    after = f'It was read as "{read}".' if read else "Nothing was left, so the cell was read as empty."
    assert [one.message for one in remarks.values()] == ([f"{told} {after}"] if told else [])


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("abc\u202edef", '"abc\\u202edef" holds U+202E (right-to-left override), which makes a text look other than'),
        ("\u200eabc", '"\\u200eabc" holds U+200E (left-to-right mark), which makes a text look other than it is.'),
        ("a\x93b", '"a\\x93b" holds U+0093 (control character), which is no character but a rest of one that was read'),
        ("a\ud800", '"a\\ud800" holds U+D800, which is no character but a rest of one that was read wrongly.'),
    ],
)  # fmt: skip
def test_what_makes_a_text_look_other_than_it_is_is_refused(cell: str, says: str) -> None:
    _, remarks = clean(TEXT, [cell])
    assert remarks[0].severity is Severity.ERROR
    assert remarks[0].message.startswith(says)


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        (" pass", "begins or ends with a blank"),
        ("pa\u200bss", "holds U+200B (zero width space), which can't be seen"),
        ("pass\u202e ", "begins or ends with a blank and holds U+202E (right-to-left override), which can't be seen"),
    ],
)
def test_a_secret_is_sent_as_it_stands_and_never_shown(cell: str, what: str) -> None:
    texts, remarks = clean(SECRET, [cell, "  ", "fine"])
    assert texts == [cell, "", "fine"]
    assert [(one.severity, one.message, one.value) for one in remarks.values()] == [
        (Severity.WARNING, f"The value {what}. It is sent as it stands: if that is not meant, type it again.", MASK)
    ]


def test_a_control_character_in_a_path_is_left_for_the_path_to_refuse() -> None:
    texts, remarks = clean(replace(TEXT, place="path"), ["a\x07b", "a\u200bb"])
    assert texts == ["a\x07b", "ab"]
    assert list(remarks) == [1]


@given(st.lists(st.text(st.sampled_from("ab \u00a0\u180e\u200b\u200d\u202e\ufeff\n\x01\x85é"), max_size=6), max_size=5))
def test_whatever_is_changed_is_told_and_what_was_cleaned_is_clean(cells: list[str]) -> None:
    texts, remarks = clean(TEXT, cells)
    for place, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        assert text == cell or place in remarks or not cell.strip()
    good = [
        text for place, text in enumerate(texts) if place not in remarks or remarks[place].severity is Severity.NOTE
    ]
    assert clean(TEXT, good) == (good, {})
