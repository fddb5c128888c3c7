"""The cache directory: everything built, and the state of running machines.

Layout: `packages-CODENAME/` `keys/` `image-CODENAME-KEY/` (disk, kernels, initial ramdisks) `snapshot-RELEASE-KEY/`
(disk and RAM after the first boot) `run/NAME/` (a running machine) `probe.json` (whether KVM works).
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
GUEST = HERE / "guest"
REPOSITORY = HERE.parents[1]
KEPT_SECONDS = 24 * 3600


def directory() -> Path:
    """`TRIAGEBOOK_LAB_CACHE`, else `.cache/lab` of the repository (ignored by git)."""
    given = os.environ.get("TRIAGEBOOK_LAB_CACHE")
    path = Path(given) if given else REPOSITORY / ".cache" / "lab"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def run_directory(name: str) -> Path:
    """Where the running machine `name` keeps its disk, ssh configuration and state."""
    return directory() / "run" / name


def digest(*parts: str | bytes | Path) -> str:
    """Twelve hex digits over texts and the content of files: a changed source makes a new cache entry."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()[:12]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """One builder at a time for one thing; the others wait and find it built."""
    with (directory() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def use(entry: Path) -> Path:
    """Mark an entry as used now, and drop those of the same kind (`KIND-KEY`) that nobody used for a day.

    Two checkouts may share a cache: what is merely not ours may be in use.
    """
    os.utime(entry)
    for other in entry.parent.glob(f"{entry.name.rpartition('-')[0]}-*"):
        if other.is_dir() and time.time() - other.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return entry
