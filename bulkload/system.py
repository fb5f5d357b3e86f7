"""What differs between operating systems: file modes, making a file durable, replacing one that is open elsewhere."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bulkload.errors import DiskError

_PRIVATE = 0o600
_SHARED = 0o666  # less what the user's umask takes away
# `NAME (2)` to `NAME (99)`; then somebody should tidy up.
_NUMBERS = range(2, 100)


def create_private(path: Path) -> None:
    """Make an empty file, and its folder, that only its owner may read; one that is there stays as it is.

    Windows knows no such modes: there the folder's own permissions hold. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _create(path, _PRIVATE)


def write_whole(path: Path, fill: Callable[[Path], None], *, private: bool = True) -> Path:
    """Let `fill` write a temporary file beside `path`, then put it in place: `path` is whole, or as it was before.

    Where `path` can't be replaced (Windows, while it is open in Excel), the file becomes `NAME (2)`, never one that
    is there already. Returns where it stands now. Raises DiskError naming path and reason. `private`: mode 0600.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        _create(temporary, _PRIVATE if private else _SHARED)
        fill(temporary)
        _make_durable(temporary)
        written = _put_in_place(temporary, path)
        _make_folder_durable(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiskError(f"{path} can't be written: {reason}. Make room, or choose another place.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return written


def _create(path: Path, mode: int) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))


def _make_durable(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _make_folder_durable(folder: Path) -> None:
    """Make the new name durable too. Windows can't, and some network shares refuse; the file itself is safe."""
    if os.name != "posix":
        return
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _put_in_place(temporary: Path, path: Path) -> Path:
    try:
        return temporary.replace(path)
    except (PermissionError, IsADirectoryError):
        free = _claim_numbered(path, temporary.stat().st_mode & 0o777)
    return temporary.replace(free)


def _claim_numbered(path: Path, mode: int) -> Path:
    """Make the first `NAME (2)` that isn't there, so that no other program takes it meanwhile."""
    for number in _NUMBERS:
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
        with suppress(FileExistsError):
            _create(free, mode)
            return free
    raise FileExistsError(f"it can't be replaced, and {path.stem} (2) to ({_NUMBERS[-1]}) are there too")
