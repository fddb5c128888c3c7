"""The inventory: the hosts that assistants and chat may name. A name is a plain word, never an address, an account or a path.

apiVersion: triagebook/inventory/v1
hosts:
  web01: {about: "front end, Frankfurt", groups: [web, production]}
  db01: {}
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.nearest import did_you_mean
from triagebook.runbooks.engine.text import safe_text

VERSION = "triagebook/inventory/v1"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}"
CASE = r"replay:[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
MAX_ABOUT = 120
NOT_HOSTS = ("localhost", "127.0.0.1")
HINT = f"write the hosts into inventory.yaml beside config.yaml: `apiVersion: {VERSION}`, `hosts: {{web01: {{}}}}`"


@dataclass(frozen=True)
class InventoryHost:
    """One host: its name is what ssh is asked for; `about` is the operator's own sentence."""

    name: str
    about: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """The hosts by name. `source` is empty when none is configured."""

    hosts: Mapping[str, InventoryHost] = field(default_factory=dict)
    source: str = ""

    def require(self, name: str) -> str:
        """The name, when it may be asked about: of the inventory, or a recorded case. Raises UsageError `inventory`."""
        if re.fullmatch(CASE, name) or name in self.hosts:
            return name
        shown = safe_text(name, 60)
        if not re.fullmatch(NAME, name) or name in NOT_HOSTS:
            raise UsageError(
                f"{shown!r} is not an inventory name: letters, digits, '.', '_', '-'; no localhost", reason="host_name"
            )
        if not self.source:
            raise UsageError(f"{shown!r}: no inventory is configured; {HINT}", reason="no_inventory")
        raise UsageError(f"{shown!r} is not in the inventory{did_you_mean(name, self.hosts)}", reason="inventory")

    def named(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each name once; `group:NAME` stands for its members. Raises UsageError as `require` does."""
        found: dict[str, None] = {}
        for name in names:
            if name.startswith("group:"):
                members = [host.name for host in self.hosts.values() if name.removeprefix("group:") in host.groups]
                if not members:
                    raise UsageError(f"no host is in {safe_text(name, 60)!r}", reason="inventory")
                found.update(dict.fromkeys(members))
            else:
                found[self.require(name)] = None
        return tuple(found)


def read_inventory(file: Path | None) -> Inventory:
    """The inventory of a file; empty where there is none. Raises UsageError naming file and line."""
    if file is None or not file.is_file():
        return Inventory()
    from triagebook.runbooks.engine.document import Document, read_document  # noqa: PLC0415 - only where a file exists

    document: Document = read_document(file.read_text(), str(file))
    data = document.data
    if not isinstance(data, dict) or data.get("apiVersion") != VERSION or not isinstance(data.get("hosts"), dict):
        raise UsageError(str(document.error((), f"expected `apiVersion: {VERSION}` and a mapping `hosts`")))
    for key in data:
        if key not in {"apiVersion", "hosts"}:
            raise UsageError(str(document.error((key,), f"unknown key{did_you_mean(key, ('apiVersion', 'hosts'))}")))
    hosts = {}
    for name, given in data["hosts"].items():
        where = ("hosts", name)
        if not re.fullmatch(NAME, str(name)) or name in NOT_HOSTS:
            raise UsageError(str(document.error(where, f"{name!r} is not a host name: letters, digits, '.', '_', '-'")))
        members = given or {}
        if not isinstance(members, dict) or set(members) - {"about", "groups"}:
            raise UsageError(str(document.error(where, "expected the keys about, groups")))
        groups = members.get("groups") or []
        if not isinstance(groups, list) or not all(re.fullmatch(NAME, str(group)) for group in groups):
            raise UsageError(str(document.error(where, "groups: expected a list of names")))
        about = safe_text(str(members.get("about") or ""), MAX_ABOUT)
        hosts[name] = InventoryHost(name, about, tuple(map(str, groups)))
    return Inventory(hosts, str(file))
