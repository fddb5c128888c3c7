"""Which hosts there are and how they are grouped: our own YAML, the names of ssh_config, Ansible's inventory.

    hosts:
      web01:
      db01: {ssh: admin@10.0.0.7}      # where ssh goes by another name
    groups:
      web: [web01, web02]
      europe: {hosts: [db01], groups: [web]}

Names are checked before anything is done with them. `@GROUP` on a command line is every host of it, `@all` all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey, read_document
from triagebook.tools.inventory.target import TargetName, parse_target

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
ALL = "all"
MOST_HOSTS = 100_000


@dataclass(frozen=True)
class InventoryHost:
    """One host: its name here, what ssh is told (empty: the name), the sources that know it."""

    name: str
    ssh: str = ""
    sources: tuple[str, ...] = ()

    @property
    def target(self) -> TargetName:
        """The host as the rest of the product has it."""
        return TargetName(self.name, "remote", self.name, by=self.ssh)


@dataclass(frozen=True)
class Inventory:
    """Hosts by name, and groups: the hosts and the groups in each."""

    hosts: Mapping[str, InventoryHost] = field(default_factory=dict)
    groups: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def of(self, group: str) -> tuple[InventoryHost, ...]:
        """Every host of a group and the groups in it, in order, once. Raises UsageError: no such group."""
        if group == ALL:
            return tuple(self.hosts.values())
        if group not in self.groups:
            raise UsageError(f"no group {group!r} in the inventory{did_you_mean(group, (*self.groups, ALL))}", reason="group")
        names: dict[str, None] = {}
        self._gather(group, names, set())
        return tuple(self.hosts[name] for name in names)

    def _gather(self, group: str, names: dict[str, None], seen: set[str]) -> None:
        if group in seen:
            return
        seen.add(group)
        hosts, groups = self.groups[group]
        names.update(dict.fromkeys(hosts))
        for inner in groups:
            self._gather(inner, names, seen)

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups that name it themselves."""
        return tuple(name for name, (hosts, _groups) in self.groups.items() if host in hosts)


def merge(parts: Iterable[Inventory]) -> Inventory:
    """Several sources as one: the first that says how ssh reaches a host is right; groups of one name are united."""
    hosts: dict[str, InventoryHost] = {}
    groups: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for part in parts:
        for name, entry in part.hosts.items():
            known = hosts.get(name, InventoryHost(name))
            hosts[name] = InventoryHost(name, known.ssh or entry.ssh, (*known.sources, *entry.sources))
        for name, (members, inner) in part.groups.items():
            before = groups.get(name, ((), ()))
            groups[name] = (tuple(dict.fromkeys((*before[0], *members))), tuple(dict.fromkeys((*before[1], *inner))))
    return Inventory(hosts, groups)


def read_inventory(file: Path) -> Inventory:
    """Our own YAML. Raises UsageError: `FILE:LINE: where: what, and the nearest right word`."""
    try:
        return _InventoryReader(read_document(file.read_text("utf-8"), str(file))).inventory()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    except RunbookError as error:
        raise UsageError(str(error)) from None


class _InventoryReader:
    """One document becoming an inventory."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def inventory(self) -> Inventory:
        top = self._members(self.document.data, (), ("hosts", "groups"))
        hosts = {name: self._host(name, value) for name, value in self._names_with_values(top.get("hosts"), ("hosts",)).items()}
        groups = {name: self._group(name, value) for name, value in self._names_with_values(top.get("groups"), ("groups",)).items()}
        for members, _inner in groups.values():
            for name in members:
                hosts.setdefault(name, InventoryHost(name, sources=(self.document.file,)))
        if len(hosts) > MOST_HOSTS:
            raise self.document.error(("hosts",), f"more than {MOST_HOSTS} hosts")
        for name, (_members, inner) in groups.items():
            for other in inner:
                if other not in groups:
                    where = ("groups", name, "groups", inner.index(other))
                    raise self.document.error(where, f"no group {other!r}{did_you_mean(other, groups)}")
            self._refuse_circle(name, groups, (name,))
        return Inventory(hosts, groups)

    def _host(self, name: str, value: object) -> InventoryHost:
        where: PathKey = ("hosts", name)
        ssh = str(self._members(value or {}, where, ("ssh",)).get("ssh") or "")
        if ssh:
            try:
                parse_target(ssh)
            except UsageError as error:
                raise self.document.error((*where, "ssh"), str(error)) from None
        return InventoryHost(name, ssh, (self.document.file,))

    def _group(self, name: str, value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
        where: PathKey = ("groups", name)
        if name == ALL:
            raise self.document.error(where, f"{ALL!r} is every host already; give the group another name")
        if isinstance(value, list):
            return self._names(value, where), ()
        inner = self._members(value or {}, where, ("hosts", "groups"))
        hosts = self._names(inner.get("hosts") or [], (*where, "hosts"))
        return hosts, self._names(inner.get("groups") or [], (*where, "groups"))

    def _names(self, value: object, where: PathKey) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.document.error(where, "expected a list of names")
        for index, name in enumerate(value):
            self._check_name(name, (*where, index))
            if name in value[:index]:
                raise self.document.error((*where, index), f"{name!r} stands here twice")
        return tuple(value)

    def _names_with_values(self, value: object, where: PathKey) -> Mapping[str, object]:
        if value is None:
            return {}
        if not isinstance(value, (dict, list)):
            raise self.document.error(where, "expected names")
        pairs = dict.fromkeys(self._names(value, where)) if isinstance(value, list) else value
        for name in pairs:
            self._check_name(name, (*where, name))
        return pairs

    def _check_name(self, name: object, where: PathKey) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise self.document.error(where, f"{name!r} is not a name: letters, digits, '.', '_' and '-', quoted if it is a number")

    def _members(self, value: object, where: PathKey, keys: Sequence[str]) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.document.error(where, f"expected the keys {', '.join(keys)}")
        for key in value:
            if key not in keys:
                raise self.document.error((*where, key), f"unknown key{did_you_mean(key, keys)}")
        return value

    def _refuse_circle(
        self, group: str, groups: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]], way: tuple[str, ...]
    ) -> None:
        for inner in groups[group][1]:
            if inner == way[0]:
                raise self.document.error(("groups", way[0]), f"is in itself: {' > '.join((*way, inner))}")
            if inner not in way and inner in groups:
                self._refuse_circle(inner, groups, (*way, inner))
