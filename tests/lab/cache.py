"""The cache directory: everything built, and the state of running machines.

Layout: `packages-CODENAME/` `keys/` `image-CODENAME-KEY/` (disk, kernels, initial ramdisks) `snapshots/RELEASE/` (disk and
RAM after the first boot) `run/NAME/` (a running machine) `probe.json` (whether KVM works).
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
GUEST = HERE / "guest"
REPOSITORY = HERE.parents[1]


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
