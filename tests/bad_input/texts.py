"""Bad CSV files: a function a kind, which makes the file's bytes and is called what the kind is called."""

import gzip

_HEAD = "name,value\n"


def _csv(body: str, head: str = _HEAD) -> bytes:
    return (head + body).encode()


def _values(*values: str) -> bytes:
    """A row for each value, with names n0, n1..."""
    return _csv("".join(f"n{place},{value}\n" for place, value in enumerate(values)))


# --- encodings --------------------------------------------------------------------------------------------------------


def a_good_csv() -> bytes:
    return _csv("a,1\nb,2\n")


def utf_8_with_a_mark() -> bytes:
    return b"\xef\xbb\xbf" + _csv("José,1\n")


def utf_16_with_a_mark() -> bytes:
    return "\ufeffname\tvalue\r\nJosé\t1\r\n".encode("utf-16-le")


def utf_16_big_endian_with_a_mark() -> bytes:
    return "\ufeffname,value\r\nJosé,1\r\n".encode("utf-16-be")


def utf_16_without_a_mark() -> bytes:
    return "name,value\r\nJosé,1\r\n".encode("utf-16-le")


def windows_1252() -> bytes:
    return "name,value\nJosé,“5 €”\n".encode("cp1252")


def one_line_of_windows_1252() -> bytes:
    return _csv("José,1\nb,2\n") + "Müller,3\n".encode("cp1252")


def one_odd_byte_after_200_000_lines() -> bytes:
    return _csv("a,1\n" * 200_000) + "Müller,3\n".encode("cp1252")


def shift_jis() -> bytes:
    return "name,value\n東京,1\n".encode("shift_jis")


def text_that_was_encoded_twice() -> bytes:
    return _csv("José".encode().decode("cp1252") + ",1\nAna,2\n")


def bytes_that_utf_8_forbids() -> bytes:
    return _csv("a,1\n") + b"\xc0\xaf\xed\xa0\x80,2\n"


def nul_bytes() -> bytes:
    return _csv("a,1\nb\0,2\n")


def a_gzip_file() -> bytes:
    return gzip.compress(_csv("a,1\n"))


# --- delimiters and quotes --------------------------------------------------------------------------------------------


def semicolons_and_decimal_commas() -> bytes:
    return b"name;value\na;1,5\nb;2,5\n"


def decimal_commas_in_a_column_of_numbers() -> bytes:
    return b"name;amount\na;1,5\nb;2\n"


def a_line_that_names_the_delimiter() -> bytes:
    return b"sep=;\r\nname;value\r\na;1\r\n"


def tabs() -> bytes:
    return b"name\tvalue\na\t1\n"


def pipes() -> bytes:
    return b"name|value\na|1\n"


def a_quote_that_never_closes() -> bytes:
    return _csv('a,1\nb,"2\nc,3\nd,4\n')


def a_quote_in_the_middle() -> bytes:
    return _csv('a,5" pipe\nb,2\n')


def quotes_after_backslashes() -> bytes:
    return _csv('a,"5\\" pipe"\nb,2\n')


def line_ends_within_quotes() -> bytes:
    return _csv('a,"x\r\ny"\r\nb,"x\ny"\nc,"x\ry"\rd,4\r\n')


def a_bad_cell_below_a_cell_of_three_lines() -> bytes:
    return _csv('a,"x\ny\nz",1\nb,2,many\n', "name,value,count\n")


def hash_signs() -> bytes:
    return _csv("#1,# no remark\nb,2\n")


# --- fields -----------------------------------------------------------------------------------------------------------


def a_row_with_a_field_too_many() -> bytes:
    return _csv("a,1\nb,2,3\n")


def a_row_with_a_field_missing() -> bytes:
    return _csv("a,1\nb\n")


def rows_that_end_in_a_comma() -> bytes:
    return _csv("a,1,\nb,2,\n")


def rows_with_one_field_more_than_the_header() -> bytes:
    return _csv("7,a,1\n8,b,2\n")


def csv_titles_that_stand_twice() -> bytes:
    return _csv("a,1,b,c,d\n", "name,value,name,,Name\n")


def titles_with_blanks_and_line_ends() -> bytes:
    return _csv("a,1,2\n", ' name ,"val\u00a0ue","co\nunt"\n'.replace("val\u00a0ue", "value\u00a0"))


def nothing_in_a_csv() -> bytes:
    return b""


def only_blank_lines() -> bytes:
    return b"\n\r\n\n"


def only_a_header() -> bytes:
    return _HEAD.encode()


def a_field_of_ten_megabytes() -> bytes:
    return _csv("a,1\nb," + "x" * 10_000_000 + "\n")


def twenty_megabytes_without_a_line_end() -> bytes:
    return _csv("x" * 21_000_000)


def a_hundred_thousand_columns() -> bytes:
    return ",".join(["name", "value", *(f"c{place}" for place in range(3, 100_001))]).encode() + b"\na,1\n"


def more_rows_than_a_sheet_holds() -> bytes:
    return b"name\n" + b"\n" * 1_048_575 + b"a\n"  # blank ones count, and take little time


# --- values -----------------------------------------------------------------------------------------------------------


def csv_words_that_mean_nothing_to_other_readers() -> bytes:
    return _csv("".join(f"{word},{word}\n" for word in ("NA", "null", "None", "nan", "N/A")))


def codes_that_look_like_numbers() -> bytes:
    return _values("00123", "1e5", "12345678901234567890", "1_000", "0x10", " 1 ", "1.0", "+1", "infinity")


def dates_that_can_be_read_two_ways_or_none() -> bytes:
    days = ("01/02/2024", "2024-02-30", "29/02/2023", "2024-02-29")
    return _csv("".join(f"n{place},{day}\n" for place, day in enumerate(days)), "name,when\n")


def yes_and_no() -> bytes:
    return _csv("".join(f"{word},{word}\n" for word in ("TRUE", "true", "Yes", "no")), "name,flag\n")


def csv_text_that_could_be_a_formula() -> bytes:
    return _values("=1+1", "+1", "-1+1", "@SUM(A1)", "\uff1d1+1")


def ctrl_z_at_the_end() -> bytes:
    return _csv("a,1\n\x1a")


def signs_that_some_take_for_line_ends() -> bytes:
    return _values("x\u2028y", "x\u0085y", "x\x0by", "x\x0cy")


def csv_signs_that_nobody_sees() -> bytes:
    return _values("ab\u200bc", "a\u00a0b", "a\u00adb")


def csv_text_that_runs_backwards() -> bytes:
    return _csv("a,gpj\u202eexe\nb,2\n")
