"""The number formats that cells point to by the number of their style."""

from typing import IO

from bulkload.errors import UnusableFile
from bulkload.formats import BUILT_IN
from bulkload.workbook.words import checked

# Excel itself has no more than 65,490.
_STYLES = 65_536
# The first number of those formats that a file has to bring along.
_OWN = 164


def formats(stream: IO[bytes], part: str) -> list[str | None]:
    """The format of each style, in their order; "" is General, None one of the file's own that it doesn't have.

    Raises UnusableFile for more than there can be, and Damaged.
    """
    codes = {number: BUILT_IN.get(number, "") for number in range(_OWN)}
    wanted: list[int] = []
    for parent, tag, attributes in checked(stream, part, "styleSheet"):
        if tag == "numFmt" and parent == "numFmts":
            codes[int(attributes["numFmtId"])] = attributes["formatCode"]
        elif tag == "xf" and parent == "cellXfs":
            wanted.append(int(attributes.get("numFmtId", 0)))
            if len(wanted) > _STYLES:
                raise UnusableFile(
                    f"has more than {_STYLES:,} cell formats, more than Excel keeps: copy its values to a new workbook"
                )
    return [codes.get(number) for number in wanted]
