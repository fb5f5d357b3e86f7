"""What differs between operating systems: file modes, durable files, replacing one that is open elsewhere, locks."""

import errno
import getpass
import os
import re
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bulkload.errors import DiskError

_PRIVATE = 0o600
_SHARED = 0o666  # less what the user's umask takes away
# `NAME (2)` to `NAME (99)`; then somebody should tidy up.
_NUMBERS = range(2, 100)
# File systems whose files stand on another machine, as Linux calls them; `fuse.sshfs` and the like are told by a part.
_SHARES = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|ceph|lustre|gpfs|beegfs|ocfs2|gfs2|pvfs2|vboxsf|davfs"
    r"|fuse\..*(sshfs|glusterfs|davfs|rclone|s3fs|smb|gvfs|vmhgfs|ceph).*"
)
_REMOTE_DRIVE = 4
# Windows lets nobody read the bytes that are locked, so the lock lies behind the words.
_LOCK_AT = 1 << 30
# Where Linux's tcp_info has tcpi_bytes_received, since 4.1.
_BYTES_RECEIVED = slice(128, 136)
# Of the environment, what Python needs to start.
_NEEDED = frozenset({"PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"})


def create_private(path: Path) -> None:
    """Make an empty file, and its folder, that only its owner may read; one that holds something stays as it is.

    Windows knows no such modes: there the folder's own permissions hold. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _create(path, _PRIVATE)
    except FileExistsError:
        if path.is_file() and not path.stat().st_size:
            path.chmod(_PRIVATE)


def user_name(ask: Callable[[], str] = getpass.getuser) -> str:
    """The signed-in user's name, or the number of one that has none, as in many a container."""
    try:
        return ask()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def as_typed(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """A command as a person can paste it into this system's shell."""
    return subprocess.list2cmdline(words) if windows else shlex.join(words)


@contextmanager
def _borrowed(connection: int) -> Iterator[socket.socket]:
    """A connection that is somebody else's, and stays open. Raises OSError for a number that is that of none."""
    own = socket.socket(fileno=connection)
    try:
        yield own
    finally:
        own.detach()


def own_end(connection: int) -> tuple[str, int] | None:
    """The address and the port of our end of a connection, None where it has been closed."""
    with suppress(OSError), _borrowed(connection) as own:
        host, port, *_ = own.getsockname()
        return host, port
    return None


def bytes_read(connection: int) -> int | None:
    """How many bytes of a TCP connection have been read, by whomever; None where the system doesn't tell. Linux does.

    Its end counts as one, once that has come.
    """
    with suppress(OSError), _borrowed(connection) as own:
        come, before = _bytes_come(own), None
        while come != before:  # What comes between two questions would be counted once only.
            before = come
            waiting = _bytes_waiting(own)
            come = _bytes_come(own)
        return None if come is None else come - waiting
    return None


def readable(connection: int) -> bool:
    """Whether there is something to read on a connection, or its other side has closed it; reads nothing."""
    if hasattr(select, "poll"):
        # Takes numbers that select does not, where many files are open; Windows has none, and no such limit.
        look = select.poll()
        look.register(connection, select.POLLIN)
        return bool(look.poll(0))
    return bool(select.select([connection], [], [], 0)[0])


def network_share(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of network share that `path` stands on (`nfs4`), "" where it stands on none or nobody can tell.

    Linux says it in its table of mounts, Windows by the kind of the drive. macOS has no such file: there "" is all.
    """
    if sys.platform == "win32":
        import ctypes

        remote = ctypes.windll.kernel32.GetDriveTypeW(path.resolve().anchor) == _REMOTE_DRIVE
        return "network drive" if remote else ""
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    kinds = {Path(_unescape(place)): kind for _, place, kind, *_ in map(str.split, table.splitlines())}
    place = path.resolve()
    kind = next((kinds[folder] for folder in (place, *place.parents) if folder in kinds), "")
    return kind if _SHARES.fullmatch(kind) else ""


@contextmanager
def lock(path: Path, words: str) -> Iterator[None]:
    """Hold the lock file `path`, with `words` in it that say who does. The system frees it when its holder dies.

    Raises BlockingIOError whose `strerror` is the other holder's words, and OSError where the file can't be made.
    """
    number = _locked(path)
    try:
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
        os.write(number, words.encode())
        yield
    finally:
        # Gone while it is still held, so that it can't be another's. Windows keeps an open file: it stays, unlocked.
        with suppress(OSError):
            path.unlink()
        os.close(number)


def limit_this_process(memory: int, seconds: int) -> None:
    """Let this process take no more than that many bytes, then MemoryError, and seconds of processor time, then death.

    It leaves no core file, which would hold data. Windows has no such limits, and macOS does not keep the one on
    memory: there what a file may unpack to limits a reader, and the patience of the process that waits for it.
    """
    if sys.platform == "win32":
        return
    import resource

    for name, limit in (("RLIMIT_AS", memory), ("RLIMIT_CPU", seconds), ("RLIMIT_CORE", 0)):
        kind = getattr(resource, name)
        _, most = resource.getrlimit(kind)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def start_child(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a program of ours whose stdin and stdout are pipes, and that Ctrl-C doesn't reach: its parent ends it.

    Its environment has what a program needs to start, and nothing that a file could be after.
    """
    return subprocess.Popen(  # noqa: S603 (the words are our own)
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name.upper() in _NEEDED},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def limit_reached(code: int) -> str:
    """What a process with this exit status had too much of: `time`, `memory` (the system killed it), or ""."""
    if sys.platform == "win32":
        return ""
    return {-signal.SIGXCPU: "time", -signal.SIGKILL: "memory"}.get(code, "")


@contextmanager
def interrupts(first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
    """While this lasts, Ctrl-C or a request to end calls `first`; another one `second`, and raises KeyboardInterrupt.

    A request to end is SIGTERM, on Windows Ctrl-Break. Signals that are ignored stay so. Only the main thread may set
    handlers: in another one nothing changes.
    """
    asked = False

    def handle(*_: object) -> None:
        nonlocal asked
        if asked:
            second()
            raise KeyboardInterrupt
        asked = True
        first()

    mine = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if mine and hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heard = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, old in heard.items():
            signal.signal(number, old)


def write_whole(path: Path, fill: Callable[[Path], None], *, private: bool = True) -> Path:
    """Let `fill` write a temporary file beside `path`, then put it in place: `path` is whole, or as it was before.

    Where `path` can't be replaced (Windows, while it is open in Excel), the file becomes `NAME (2)`, never one that
    is there already. Returns where it stands now. Raises DiskError naming path and reason. `private`: mode 0600.
    """
    temporary = _beside(path)
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


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def refuse_place(path: Path) -> None:
    """Raise DiskError where no file can be made beside `path`, as `write_whole` will."""
    temporary = _beside(path)
    try:
        _create(temporary, _PRIVATE)
        temporary.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiskError(f"{path} can't be written: {reason}. Choose another place with -o.") from error


def _locked(path: Path) -> int:
    """Open and lock the file that stands at `path`, not one that its last holder has just taken away."""
    while True:
        number = os.open(path, os.O_CREAT | os.O_RDWR, _PRIVATE)
        try:
            if not _take(number):
                os.lseek(number, 0, os.SEEK_SET)
                raise BlockingIOError(errno.EWOULDBLOCK, os.read(number, 1000).decode(errors="replace"))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(number), path.stat()):
                    return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)


if sys.platform == "win32":
    import msvcrt

    def _take(number: int) -> bool:
        os.lseek(number, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(number: int) -> bool:
        # flock, not lockf: it also keeps out a second run of this very process.
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


if sys.platform == "linux":
    import termios

    def _bytes_come(connection: socket.socket) -> int | None:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
        return int.from_bytes(told[_BYTES_RECEIVED], sys.byteorder) if len(told) == _BYTES_RECEIVED.stop else None

    def _bytes_waiting(connection: socket.socket) -> int:
        return int.from_bytes(fcntl.ioctl(connection, termios.FIONREAD, bytes(4)), sys.byteorder)

else:

    def _bytes_come(connection: socket.socket) -> int | None:
        return None

    def _bytes_waiting(connection: socket.socket) -> int:
        return 0


def _unescape(place: str) -> str:
    """A path in the table of mounts has its blanks as octal numbers: `/mnt/my\\040share`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)


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
