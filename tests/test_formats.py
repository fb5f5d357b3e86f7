"""A number is shown as its format shows it where that is digits, a percentage, a day or a time; else in full."""

import pytest

from bulkload.cells import Kind
from bulkload.formats import BUILT_IN, NO_DATE, ROUNDED, is_plain, show

N, P, D, T, M, L = Kind.NUMBER, Kind.PERCENT, Kind.DATE, Kind.TIME, Kind.MOMENT, Kind.DURATION


@pytest.mark.parametrize(
    ("number", "code", "text", "kind"),
    [
        ("7", "", "7", N),
        ("-7.0", "General", "-7", N),
        ("1.1000000000000001", "0.0", "1.1", N),
        ("1E-7", "0.00E+00", "0.0000001", N),
        ("1.5", "0", "1.5", N),  # not the 2 that is seen
        ("1234567", "#,##0", "1234567", N),
        ("999999999999999", "@", "999999999999999", N),
        (5.0, "", "5", N),
        ("7", "000", "007", N),
        ("1234", "000", "1234", N),
        ("-7", "000", "-7", N),
        ("7.5", "000", "7.5", N),
        ("20", "000;[Red]-000", "020", N),
        ("123456789", '000"-"00\\-0000', "123-45-6789", N),
        ("85212345678", "+00 0000", "+8521234 5678", N),
        ("7", '00 "pcs"', "7", N),
        ("0.5", "0%", "50%", P),
        ("0.07", "0.00%", "7%", P),
        ("0.12345", "0%", "12.345%", P),
        ("10", "0%", "1000%", P),
        ("-0.5", "0%;-0%", "-50%", P),
        ("46024", "yyyy-mm-dd", "2026-01-02", D),
        ("46024.75", "dd/mm/yy", "2026-01-02", D),  # a date is what its format says
        ("46024", "mmm", "2026-01-02", D),
        ("46024.75", "[$-409]d\\-mmm\\-yyyy\\ h:mm;@", "2026-01-02T18:00:00", M),
        ("46024", "yyyy-mm-dd hh:mm", "2026-01-02", D),
        ("46024.75", "h:mm AM/PM", "18:00:00", T),
        ("0.013888888888888888", "mm:ss", "00:20:00", T),
        ("0.0000057870370370370", "ss.000", "00:00:00.500", T),
        ("1.1284722222222223", "[h]:mm:ss", "27:05:00", L),
        ("-0.5", "[hh]:mm", "-12:00:00", L),
        ("0", "h:mm", "00:00:00", T),
        ("1", "yyyy-mm-dd", "1900-01-01", D),
        ("59", "yyyy-mm-dd", "1900-02-28", D),
        ("61", "yyyy-mm-dd", "1900-03-01", D),
        ("2958465", "yyyy-mm-dd", "9999-12-31", D),
        ("3", '"due "0" days"', "3", N),
        ("1234.5", '"€"#,##0.00', "1234.5", N),
        ("5", "# ?/?", "5", N),
        ("46024", BUILT_IN[14], "2026-01-02", D),
        ("46024", BUILT_IN[31], "2026-01-02", D),
    ],
)
def test_a_number_as_its_format_shows_it(number: str, code: str, text: str, kind: Kind) -> None:
    assert show(number, code) == (text, kind, "")


def test_a_mac_counts_its_days_from_1904() -> None:
    assert show("1", "yyyy-mm-dd", date1904=True) == ("1904-01-02", Kind.DATE, "")
    assert show("0", "yyyy-mm-dd", date1904=True) == ("1904-01-01", Kind.DATE, "")
    assert show("2957003", "yyyy-mm-dd", date1904=True) == ("9999-12-31", Kind.DATE, "")
    assert show("2957004", "yyyy-mm-dd", date1904=True) == ("2957004", Kind.DATE, NO_DATE)


@pytest.mark.parametrize("number", ["0", "0.5", "-1", "60", "60.5", "2958466", "1e300", "1E400"])
@pytest.mark.parametrize("code", ["yyyy-mm-dd", "yyyy-mm-dd h:mm;@"])
def test_a_number_that_is_no_day_is_told(number: str, code: str) -> None:
    assert show(number, code)[2] == NO_DATE


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("9007199254740993", "9007199254740993"),
        ("1000000000000000", "1000000000000000"),
        ("12345678901234500000", "12345678901234500000"),
        ("1.23456789012345E19", "12345678901234500000"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1E400", "1E400"),
    ],
)
def test_more_than_15_digits_were_rounded(number: str, text: str) -> None:
    for code, kind in (("", Kind.NUMBER), ("000", Kind.NUMBER), ("0%", Kind.PERCENT)):
        assert show(number, code) == (text, kind, ROUNDED)


@pytest.mark.parametrize("number", ["", "x", "1_000", "nan", "inf", "1,5", "0x10", "\u0663", float("inf"), "1" * 5000])
def test_what_is_no_number_is_no_number(number: str | float) -> None:
    with pytest.raises(ValueError):
        show(number, "")


def test_a_plain_format_shows_whole_numbers_as_they_are() -> None:
    assert all(map(is_plain, ("", "General", "0", "#,##0.00", "@", "0.00E+00")))
    assert not any(map(is_plain, ("000", "0%", "yyyy", "0;000", "[h]:mm")))
