"""Reads what a host is configured with on disk, and two settings that no other kind reads (a `run` kind, fixed argv).

The files of pam_limits (limits.conf(5)) and sysctl.d(5) are compared between hosts by their digests; what is in them is not
read. Builtins of the shell, then `exec`: nothing forks.
"""

import re
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

_FOLDERS = ("/etc/security/limits.d", "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_FILES = ("/etc/security/limits.conf", "/etc/sysctl.conf", *(f"{folder}/*.conf" for folder in _FOLDERS))
_SINGLE = {
    "dmesg_restrict": "/proc/sys/kernel/dmesg_restrict",
    "transparent_hugepage": "/sys/kernel/mm/transparent_hugepage/enabled",
}
_SCRIPT = (
    "LC_ALL=C; export LC_ALL; "
    + "".join(f'[ -r {path} ] && read -r v <{path} && echo "{name} $v"; ' for name, path in _SINGLE.items())
    + f'for d in {" ".join(_FOLDERS)}; do [ -d "$d" ] && [ ! -r "$d" ] && echo "denied $d"; done; '
    + f'for f in {" ".join(_FILES)}; do if [ -r "$f" ]; then set -- "$@" "$f"; elif [ -e "$f" ]; then echo "denied $f"; fi; done; '
    + 'echo "files $#"; [ $# = 0 ] || exec sha256sum "$@"'
)
_DIGEST = re.compile(r"\\?([0-9a-f]{64})  (/.*)")
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class SettingsFile:
    """Describes one file; `digest` is the beginning of its SHA-256."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    digest: str = fact("", "{path}")


@dataclass(frozen=True)
class HostSettings:
    """Describes what the host is configured with. `files` is partial where a file or a folder could not be read."""

    files: Collection[SettingsFile]
    dmesg_restrict: str | Unreadable = fact("", _SINGLE["dmesg_restrict"])
    transparent_hugepage: str | Unreadable = fact("", _SINGLE["transparent_hugepage"])  # the mode in brackets


FACTS = HostSettings


def command(subject: str) -> tuple[str, ...]:
    """Return the argv; the only subject is "host".

    Raises:
        ValueError: another subject.
    """
    if subject != "host":
        raise ValueError(f"not a subject of these settings: {safe_text(subject, 80)!r}")
    return ("/bin/sh", "-c", _SCRIPT)


def parse(stdout: str) -> HostSettings | Unreadable:
    """Read the lines of `command`."""
    lines = stdout.split("\n")
    words = {name: rest for name, _, rest in (line.partition(" ") for line in lines) if name in {*_SINGLE, "files"}}
    if not words.get("files", "").isdecimal():
        return Unreadable("the answer was cut")
    files = tuple(
        SettingsFile(safe_text(found[2], 300), found[1][:_SHOWN_DIGITS]) for line in lines if (found := _DIGEST.fullmatch(line))
    )
    denied = [line.removeprefix("denied ") for line in lines if line.startswith("denied ")]
    missing = int(words["files"]) - len(files)
    reasons = [f"{safe_text(path, 300)} cannot be read" for path in denied[:5]]
    reasons += [f"{missing} files have no digest"] if missing > 0 else []
    mode = re.search(r"\[([a-z]+)\]", words.get("transparent_hugepage", ""))
    restrict = words.get("dmesg_restrict", "")
    return HostSettings(
        files=Collection(files, "; ".join(reasons)),
        dmesg_restrict=safe_text(restrict, 40) if restrict else Unreadable("could not be read"),
        transparent_hugepage=mode[1] if mode else Unreadable("could not be read"),
    )
