"""The guest systems: a Debian root file system each, with its kernel and cgroup layout.

They differ in what `pids.events` means: with `owner` (kernel 6.11 and later, cgroup v2) the counter rises in the
cgroup whose limit refused; with `asker` (before, and always on v1) in the cgroup of the process that asked.
"""

from dataclasses import dataclass
from typing import Literal

HYBRID = ("systemd.unified_cgroup_hierarchy=0",)


@dataclass(frozen=True)
class Release:
    """A guest to boot. `kernel_suite` is the apt suite its kernel comes from."""

    name: str
    codename: str
    kernel_suite: str
    cgroup_version: Literal[1, 2]
    pids_events: Literal["asker", "owner"]
    kernel_arguments: tuple[str, ...] = ()

    @property
    def pids_root(self) -> str:
        """The directory in the guest under which `pids.max` files are."""
        return "/sys/fs/cgroup" if self.cgroup_version == 2 else "/sys/fs/cgroup/pids"

    @property
    def memory_root(self) -> str:
        """The directory in the guest under which the memory controller's files are."""
        return "/sys/fs/cgroup" if self.cgroup_version == 2 else "/sys/fs/cgroup/memory"


RELEASES: dict[str, Release] = {
    "debian-12": Release("debian-12", "bookworm", "bookworm", 2, "asker"),
    "debian-12-backports": Release("debian-12-backports", "bookworm", "bookworm-backports", 2, "owner"),
    "debian-13": Release("debian-13", "trixie", "trixie", 2, "owner"),
    # systemd's hybrid layout: the controllers on cgroup v1, an empty v2 tree beside them
    "debian-12-hybrid": Release("debian-12-hybrid", "bookworm", "bookworm", 1, "asker", HYBRID),
}


def kernel_suites(codename: str) -> tuple[str, ...]:
    """The suites whose kernels go with that root file system."""
    return tuple(sorted({release.kernel_suite for release in RELEASES.values() if release.codename == codename}))
