"""What a run keeps other runs away from while it is at work: its targets, and other doors to the same places."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from bulkload.errors import UsageError
from bulkload.job import Part
from bulkload.journal import Journal
from bulkload.models import Run

# How many runs to different accounts of one place may be at work at once.
_KEYS = 8


def hold_targets(journal: Journal, targets: Iterable[str], run: Run) -> ExitStack:
    """Keep other runs away from these targets. Raises UsageError that names a run at work there."""
    with ExitStack() as stack:
        for target in sorted(set(targets)):
            stack.enter_context(journal.hold(target, run.id))
        return stack.pop_all()


def hold_parts(journal: Journal, parts: Sequence[Part], run: Run) -> ExitStack:
    """Keep other runs away from the targets of these parts. Raises UsageError that names a run at work there.

    Where a column names the accounts, all of the place are this run's, and it takes all keys of the place; a run to one
    account takes one of them. So runs to different accounts may be at work at once, at most as many as there are keys.
    """
    with ExitStack() as stack:
        stack.enter_context(hold_targets(journal, (part.target for part in parts), run))
        alone = {part.place for part in parts if part.by_row}
        for place in sorted(alone):
            for number in range(_KEYS):
                stack.enter_context(journal.hold(place, run.id, f" #{number}"))
        for place in sorted({part.place for part in parts if part.place != part.target} - alone):
            stack.enter_context(_key(journal, place, run))
        return stack.pop_all()


def _key(journal: Journal, place: str, run: Run) -> ExitStack:
    """One of the keys of a place. Raises UsageError where none is left."""
    for number in range(_KEYS):
        with ExitStack() as stack:
            try:
                stack.enter_context(journal.hold(place, run.id, f" #{number}"))
            except UsageError:
                if number == _KEYS - 1:
                    raise
            else:
                return stack.pop_all()
    raise AssertionError("There is a last key.")
