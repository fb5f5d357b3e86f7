"""Blocks of cells become frames; those of a file that isn't large are kept, so that it is parsed once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from bulkload.cells import Block
from bulkload.models import FRAME_ROWS, Frame

# Cells that are kept of a file; larger ones are read again each time.
KEPT = 2_000_000


def frames(blocks: Iterable[Block], width: int) -> Iterator[Frame]:
    """The same rows as frames of at most FRAME_ROWS rows; a block has no more than that."""
    gathered: list[Block] = []
    rows = 0
    for block in blocks:
        if gathered and rows + len(block.numbers) > FRAME_ROWS:
            yield _frame(gathered, width)
            gathered, rows = [], 0
        gathered.append(block)
        rows += len(block.numbers)
    if rows:
        yield _frame(gathered, width)


def _frame(blocks: Sequence[Block], width: int) -> Frame:
    columns = {
        place + 1: pd.array(list(chain.from_iterable(block.columns[place] for block in blocks)), dtype="str")
        for place in range(width)
    }
    numbers = pd.Index([number for block in blocks for number in block.numbers], name="row")
    kinds = {
        place + 1: np.frombuffer(b"".join(b.kinds[place] or bytes(len(b.numbers)) for b in blocks), np.uint8)
        for place in range(width)
        if any(block.kinds[place] for block in blocks)
    }
    return Frame(
        pd.DataFrame(columns, index=numbers),
        tuple(cell for block in blocks for cell in block.spoilt),
        kinds,
        sum(block.blank_rows for block in blocks),
        sum(block.hidden_rows for block in blocks),
    )


class Shelf:
    """Keeps the frames of a file's sheets once they were read to their end, as long as they have KEPT cells at most."""

    def __init__(self) -> None:
        self._frames: dict[str, list[Frame]] = {}
        self._room = KEPT

    def frames(self, sheet: str, read: Callable[[], Iterator[Frame]]) -> Iterator[Frame]:
        """The frames of a sheet, kept or read."""
        if sheet in self._frames:
            yield from self._frames[sheet]
            return
        mine: list[Frame] | None = []
        cells = 0
        for frame in read():
            cells += frame.text.size
            mine = [*mine, frame] if mine is not None and cells <= self._room else None
            yield frame
        if mine is not None and sheet not in self._frames and cells <= self._room:
            self._frames[sheet] = mine
            self._room -= cells
