"""Where the guest's packages come from: the package sources of this machine, with the suite replaced.

So no server is named in this repository. `TRIAGEBOOK_LAB_SOURCES` names a sources.list to use instead.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import NotAvailable

APT = Path("/etc/apt")


@dataclass(frozen=True)
class Source:
    """One suite of one archive, as apt knows it."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str


def parse_list(text: str) -> Iterator[Source]:
    """One-line entries (`deb [options] URI SUITE COMPONENT...`). Source: sources.list(5)."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.split("#")[0])
        if found:
            signed = re.search(r"signed-by=(\S+)", found[1] or "")
            yield Source(found[2], found[3], tuple(found[4].split()), signed[1] if signed else "")


def parse_stanzas(text: str) -> Iterator[Source]:
    """Stanzas of `Types: deb`. Source: sources.list(5), DEB822-STYLE FORMAT."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", plain):
        field = {key.lower(): value.strip() for key, value in re.findall(r"^([\w-]+):(.*)$", stanza, re.MULTILINE)}
        if "deb" not in field.get("types", "").split() or field.get("enabled", "yes").lower() == "no":
            continue
        for uri in field.get("uris", "").split():
            for suite in field.get("suites", "").split():
                yield Source(uri, suite, tuple(field.get("components", "").split()), field.get("signed-by", ""))


def own() -> tuple[Source, ...]:
    """What apt on this machine uses."""
    found: list[Source] = []
    for path in (APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))):
        if path.exists():
            found += parse_list(path.read_text())
    for path in sorted((APT / "sources.list.d").glob("*.sources")):
        found += parse_stanzas(path.read_text())
    return tuple(found)


def for_guest(codename: str) -> str:
    """A sources.list for a guest of that Debian release, its updates and backports.

    Raises:
        NotAvailable: this machine has no Debian sources to take after.
    """
    given = os.environ.get("TRIAGEBOOK_LAB_SOURCES")
    if given:
        return Path(given).read_text()
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    here = release.get("VERSION_CODENAME", "")
    lines: list[str] = []
    for source in own():
        if release.get("ID") != "debian" or "main" not in source.components:
            continue
        option = f"[signed-by={source.signed_by}] " if source.signed_by.startswith("/") else ""
        if source.suite == here:
            lines += [f"deb {option}{source.uri} {codename}{part} main" for part in ("", "-updates", "-backports")]
        elif source.suite == f"{here}-security":
            lines.append(f"deb {option}{source.uri} {codename}-security main")
    if not lines:
        raise NotAvailable("lab: not run, no Debian package sources (set TRIAGEBOOK_LAB_SOURCES)")
    return "\n".join(dict.fromkeys(lines)) + "\n"
