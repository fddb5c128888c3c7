"""The one way to write a file whole, files and directories that only one account may read, and a cache of such files.

Where a file must be private, lax modes, other owners and symbolic links are refused.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError

MAX_BYTES = 64 * 1024
MAX_CACHED_BYTES = 4 << 20


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, is_synced: bool = True) -> None:
    """Replace the file with `content`, whole or not at all: a temporary file beside it is written and renamed. Raises OSError.

    `is_synced` waits until the disk has it, so that a crash of the machine leaves the one or the other.
    """
    with _temporary_file(path, content, mode, is_synced=is_synced) as temporary:
        os.replace(temporary, path)


@contextlib.contextmanager
def _temporary_file(path: Path, content: bytes, mode: int, *, is_synced: bool) -> Iterator[Path]:
    """A new file beside `path` with that content; it is removed if the caller leaves it there."""
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            if is_synced:
                os.fsync(descriptor)
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@dataclass(frozen=True)
class FileCache:
    """Content that can be made again, in a folder of this account's own. What cannot be kept or trusted is only slower."""

    folder: Path

    def read(self, name: str) -> bytes | None:
        """The content kept under that name; None when there is none, it is damaged, or others may have written it."""
        try:
            kept = read_private(self.folder / name, MAX_CACHED_BYTES)
        except (OSError, TrustError):
            return None
        digest, _, content = kept.partition(b"\n")
        return content if digest == _digest_line(content) else None

    def write(self, name: str, content: bytes) -> None:
        """Keep the content under that name, whole or not at all."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.folder / name, _digest_line(content) + b"\n" + content, is_synced=False)


def _digest_line(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")


def private_directory(path: Path) -> Path:
    """The directory, made 0700 if it is not there. TrustError `lax_mode` unless it is ours alone and no link."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise TrustError(f"{path}: {error.strerror}", reason="data_directory") from error
    _require_ours(path, os.lstat(path), stat.S_ISDIR, "a directory", 0o700)
    return path


def read_private(path: Path, most_bytes: int = MAX_BYTES) -> bytes:
    """Content of a 0600 file, up to `most_bytes`. TrustError `lax_mode` unless it is ours alone and no link; FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TrustError(f"{path}: {error.strerror} (a symbolic link is refused)", reason="lax_mode") from error
    with open(descriptor, "rb") as file:
        _require_ours(path, os.fstat(file.fileno()), stat.S_ISREG, "a plain file", 0o600)
        return file.read(most_bytes)


def check_private(path: Path) -> None:
    """The check of `read_private` for a file that something else opens, such as a database. Absent is fine."""
    try:
        _require_ours(path, os.lstat(path), stat.S_ISREG, "a plain file", 0o600)
    except FileNotFoundError:
        return


def require_unwritable(*paths: Path | None) -> None:
    """Refuse files that others than root and this account can write. TrustError `lax_mode`. Absent ones are fine."""
    for path in filter(None, paths):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        if found.st_mode & 0o022 or found.st_uid not in {0, os.geteuid()}:
            message = f"{path}: others can write it: it must belong to root or this account; chmod go-w {path}"
            raise TrustError(message, reason="lax_mode")


def create_private(path: Path, content: bytes) -> None:
    """Write a new 0600 file, whole or not at all. FileExistsError when it is there."""
    with _temporary_file(path, content, 0o600, is_synced=True) as temporary:
        os.link(temporary, path)  # unlike a rename, this never replaces


def _require_ours(path: Path, found: os.stat_result, is_kind: object, kind: str, mode: int) -> None:
    if not is_kind(found.st_mode):  # type: ignore[operator]
        raise TrustError(f"{path}: is not {kind} (a symbolic link is refused)", reason="lax_mode")
    if found.st_uid != os.geteuid():
        raise TrustError(f"{path}: belongs to uid {found.st_uid}, not to uid {os.geteuid()} of this process", reason="lax_mode")
    lax = stat.S_IMODE(found.st_mode) & ~mode
    if lax:
        wanted, present = f"{mode:04o}", f"{stat.S_IMODE(found.st_mode):04o}"
        raise TrustError(f"{path}: mode {present} lets others in; chmod {wanted} {path}", reason="lax_mode")
