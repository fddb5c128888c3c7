"""Files and directories that only one account may read. Lax modes, other owners and symbolic links are refused."""

import os
import stat
from pathlib import Path

from triagebook.runbooks.engine.errors import TrustError

MAX_BYTES = 64 * 1024


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


def read_private(path: Path) -> bytes:
    """Content of a 0600 file. TrustError `lax_mode` unless it is ours alone and no link; FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TrustError(f"{path}: {error.strerror} (a symbolic link is refused)", reason="lax_mode") from error
    with open(descriptor, "rb") as file:
        _require_ours(path, os.fstat(file.fileno()), stat.S_ISREG, "a plain file", 0o600)
        return file.read(MAX_BYTES)


def check_private(path: Path) -> None:
    """The check of `read_private` for a file that something else opens, such as a database. Absent is fine."""
    try:
        _require_ours(path, os.lstat(path), stat.S_ISREG, "a plain file", 0o600)
    except FileNotFoundError:
        return


def create_private(path: Path, content: bytes) -> None:
    """Write a new 0600 file, whole or not at all. FileExistsError when it is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, this never replaces
    finally:
        os.unlink(temporary)


def _require_ours(path: Path, found: os.stat_result, is_kind: object, kind: str, mode: int) -> None:
    if not is_kind(found.st_mode):  # type: ignore[operator]
        raise TrustError(f"{path}: is not {kind} (a symbolic link is refused)", reason="lax_mode")
    if found.st_uid != os.geteuid():
        raise TrustError(f"{path}: belongs to uid {found.st_uid}, not to uid {os.geteuid()} of this process", reason="lax_mode")
    lax = stat.S_IMODE(found.st_mode) & ~mode
    if lax:
        wanted, present = f"{mode:04o}", f"{stat.S_IMODE(found.st_mode):04o}"
        raise TrustError(f"{path}: mode {present} lets others in; chmod {wanted} {path}", reason="lax_mode")
