"""An .xls is read as the .xlsx of the same cells is, or refused in one line."""

import io
import re
from pathlib import Path

import pytest

from bulkload import biff
from bulkload.errors import UnusableFile
from bulkload.models import Spoilt
from tests.office import convert, make_workbook, opened, told


@pytest.fixture(scope="module")
def xls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(make_workbook(tmp_path_factory.mktemp("office") / "people.xlsx"), "xls")


def test_an_xls_says_the_same_as_the_xlsx_that_it_was_made_from(xls: Path) -> None:
    formulas = (  # LibreOffice writes TRUE and FALSE as formulas, too
        "6 cells are formulas, first L2: where one gives 0, an .xls doesn't show whether it was ever worked out, so "
        "that 0 is taken for no value. Save it as .xlsx in Excel to be sure"
    )
    old, new = opened(xls), opened(xls.with_suffix(".xlsx"))
    assert [sheet.facts for sheet in old.sheets] == [(*new.sheets[0].facts, formulas), new.sheets[1].facts]
    assert [{**told(one), "name": ""} for one in old.sheets] == [{**told(one), "name": ""} for one in new.sheets]
    assert old.facts == new.facts == ()


def test_a_formula_that_gives_0_has_no_value(xls: Path, tmp_path: Path) -> None:
    """The record of S2, `=1+1`, has row, column and style, then the value: 2 becomes 0, as if never worked out."""
    two = re.compile(rb"(\x06\0.\0\x01\0\x12\0..)\0{7}\x40", re.DOTALL)
    content, times = two.subn(rb"\1\0\0\0\0\0\0\0\0", xls.read_bytes())
    assert times == 1
    (tmp_path / "a.xls").write_bytes(content)
    (frame,) = opened(tmp_path / "a.xls").sheets[0].frames()
    assert frame.text.loc[2, 19] == ""
    assert Spoilt(2, 19, "formula without value", "a formula") in frame.spoilt


def test_an_xls_is_read_by_what_it_holds_and_its_name_is_told(xls: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(xls.read_bytes())
    assert opened(path).facts == ("Its name ends in .xlsx, but it is an old Excel workbook (.xls).",)


def test_a_damaged_xls_is_refused_or_read_right(xls: Path, tmp_path: Path) -> None:
    content = xls.read_bytes()
    cut = {f"cut{part}.xls": content[: len(content) * part // 8] for part in range(1, 8)}
    for name, data in cut.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnusableFile, match=r"^cut[0-9]\.xls (is damaged or incomplete|is no Excel workbook)"):
            told(opened(tmp_path / name).sheets[0])


def test_an_xls_with_a_password_is_refused() -> None:
    """A stream that begins with BOF and FILEPASS, as Excel writes it."""
    beginning = bytes.fromhex("0908100000060500bb0dcc0741000000060300002f00360001000100") + bytes(200)
    with pytest.raises(UnusableFile, match=r"^a\.xls is protected with a password: save it without one$"):
        biff.open_tables(io.BytesIO(beginning), "a.xls")
