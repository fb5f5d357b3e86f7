"""`python -m tests.bad_input [WORD...]`: what becomes of each kind of bad file whose name has a word, as it is said."""

import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from tests.bad_input.door import Apart, Door
from tests.bad_input.judge import Kind, Seen, faults
from tests.bad_input.kinds import KINDS

# Of what is said, the first so many lines are shown.
_LINES = 8


def _seen(door: Door, apart: Apart, kind: Kind) -> Seen:
    file = door.file(kind)
    if kind.hostile:
        ended = door.check_apart(file, apart)
        return Seen(ended.status, f"{ended.said}\n({ended.peak:,.0f} MiB, {ended.cpu:.1f} s of CPU)")
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = door.check(file, kind.sheet)
        rows = None if kind.rows is None else door.rows(file, kind.sheet)
    return Seen(status, said.getvalue(), rows)


def main(words: list[str]) -> int:
    """Show the kinds; gives how many did not become what the table says."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Apart() as apart:
        door = Door.of(Path(folder))
        for kind in KINDS:
            if words and not any(word in kind.name for word in words):
                continue
            seen = _seen(door, apart, kind)
            found = faults(kind, seen)
            wrong += bool(found)
            print(f"{'WRONG' if found else 'right'} {kind.name}: {kind.verdict.name}, ends with {seen.status}")
            print(*(f"      - {fault}" for fault in found), sep="\n", end="\n" if found else "")
            for line in seen.said.replace(folder, "").strip().splitlines()[:_LINES]:
                print(f"      | {line:.300}")
    print(f"{wrong} of {len(KINDS)} kinds did not become what the table says.")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
