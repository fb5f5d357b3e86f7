"""The number formats that cells point to by the number of their style."""

from typing import IO

from bulkload.errors import UnusableFile
from bulkload.formats import BUILT_IN
from bulkload.workbook.markup import elements

# Excel itself has no more than 65,490.
_STYLES = 65_536


def formats(stream: IO[bytes], part: str) -> list[str]:
    """The format of each style, in their order; "" is General. Raises UnusableFile for more than there can be."""
    codes = dict(BUILT_IN)
    wanted: list[int] = []
    inside = False
    for tag, attributes in elements(stream, part):
        if tag == "numFmt":
            codes[int(attributes["numFmtId"])] = attributes["formatCode"]
        elif tag == "cellXfs":
            inside = True
        elif tag == "cellStyles":
            inside = False
        elif tag == "xf" and inside:
            wanted.append(int(attributes.get("numFmtId", 0)))
            if len(wanted) > _STYLES:
                raise UnusableFile(
                    f"has more than {_STYLES:,} cell formats, more than Excel keeps: copy its values to a new workbook"
                )
    return [codes.get(number, "") for number in wanted]
