"""The words of a workbook's parts. An unknown one where a word has meaning is damage, not an extension to be ignored.

`<c r="A2" tt="s"><v>5</v></c>` would be the number 5 to a reader that ignores `tt`, and is the sixth shared string.
Extensions have namespaces of their own, and are ignored.
"""

from collections.abc import Iterator
from typing import IO

from bulkload.workbook.markup import Attributes, Damaged, elements

_FLAGS = {"1": True, "true": True, "0": False, "false": False}
# The attributes of the elements that say what cells mean (ISO 29500-1, 18.2, 18.3, 18.8).
_ATTRIBUTES = {
    "c": "r s t cm vm ph",
    "row": "r spans s customFormat ht hidden customHeight outlineLevel collapsed thickTop thickBot ph",
    "col": "min max width style hidden bestFit customWidth phonetic outlineLevel collapsed",
    "mergeCell": "ref",
    "sheet": "name sheetId state r:id",
    "workbookPr": "date1904 dateCompatibility showObjects showBorderUnselectedTables filterPrivacy promptedSolutions "
    "showInkAnnotation backupFile saveExternalLinkValues updateLinks codeName hidePivotFieldList showPivotChartFilter "
    "allowRefreshQuery publishItems checkCompatibility autoCompressPictures refreshAllConnections defaultThemeVersion",
    "xf": "numFmtId fontId fillId borderId xfId quotePrefix pivotButton applyNumberFormat applyFont applyFill "
    "applyBorder applyAlignment applyProtection",
    "numFmt": "numFmtId formatCode",
    "Relationship": "Id Type Target TargetMode",
}
# What may stand in the elements that hold those.
_CHILDREN = {
    "workbook": "fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups "
    "externalReferences definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr smartTagTypes "
    "webPublishing fileRecoveryPr webPublishObjects extLst",
    "sheets": "sheet",
    "numFmts": "numFmt",
    "cellXfs": "xf",
    "Relationships": "Relationship",
    "Types": "Default Override",
}
_KNOWN = {tag: frozenset(names.split()) for tag, names in _ATTRIBUTES.items()}
_INSIDE = {tag: frozenset(names.split()) for tag, names in _CHILDREN.items()}
# What a cell or a shared string may hold besides what is read of it: how its text looks, how it is spoken, and room for
# extensions, whose own elements say nothing of the cell.
EXTENSIONS = "<extLst>"
LOOKS = (
    *("<is>", "<r>", "<rPr>", "<rFont>", "<charset>", "<family>", "<b>", "<i>", "<strike>", "<outline>", "<shadow>"),
    *("<condense>", "<extend>", "<color>", "<sz>", "<u>", "<vertAlign>", "<scheme>", "<phoneticPr>"),
)


def check_attributes(tag: str, attributes: Attributes) -> None:
    """Raise Damaged for an attribute without a namespace that such an element can't have."""
    known = _KNOWN.get(tag)
    if (
        known is not None
        and not attributes.keys() <= known
        and any(" " not in one for one in attributes.keys() - known)
    ):
        raise Damaged(f"{tag} with an attribute that it can't have")


def checked(stream: IO[bytes], part: str, root: str) -> Iterator[tuple[str, str, Attributes]]:
    """The elements of a small part whose first one is `root`, as `markup.elements` tells them.

    Raises Damaged for one that can't stand where it stands, or can't have its attributes.
    """
    for parent, tag, attributes in elements(stream, part):
        inside = _INSIDE.get(parent, None if parent else {root})
        if inside is not None and tag not in inside and (" " not in tag or not parent):
            raise Damaged(f"{parent or 'a part'} with an element that it can't have")
        check_attributes(tag, attributes)
        yield parent, tag, attributes


def flag(attributes: Attributes, name: str) -> bool:
    """Whether an attribute that is left out where it is false says yes. Raises Damaged for what is neither."""
    said = attributes.get(name, "0")
    if said not in _FLAGS:
        raise Damaged(f"{name} that is neither true nor false")
    return _FLAGS[said]
