"""A filled-in spreadsheet becomes records in a REST API; every row is accounted for, none is made twice by accident.

The way of a row: read → validate → plan → send → write. `pipeline.py` is the one place that says so.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkload.library import import_file, open_api

    __version__: str

__all__ = ["__version__", "import_file", "open_api"]


def __getattr__(name: str) -> Any:
    """The library's names, loaded when they are asked for: neither `bulkload --help` nor a guarded child waits."""
    if name == "__version__":
        from importlib.metadata import version

        return version("bulkload")
    if name in ("import_file", "open_api"):
        from bulkload import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
