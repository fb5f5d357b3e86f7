"""The number formats that cells point to by the number of their style."""

from typing import IO

from bulkload.formats import BUILT_IN
from bulkload.workbook.markup import Damaged, elements

# Excel itself has no more than 65,490.
_STYLES = 65_536


def formats(stream: IO[bytes], part: str) -> list[str]:
    """The format of each style, in their order; "" is General."""
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
                raise Damaged(f"more than {_STYLES} styles in {part}")
    return [codes.get(number, "") for number in wanted]
