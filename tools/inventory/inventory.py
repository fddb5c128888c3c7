"""Which hosts there are and how they are grouped: our own YAML, the names of ssh_config, Ansible's inventory.

    hosts:
      web01:
      db01: {ssh: admin@10.0.0.7}      # where ssh goes by another name
      web09: {site: eu1}               # reached by the workers of a site; without one, from here
    groups:
      web: [web01, web02]
      europe: {hosts: [db01], groups: [web], accept_unknown: [max_map_count]}   # of all its hosts; a host may have it too
      frankfurt: {hosts: [web03], site: eu1}                                    # the site, too

Names are checked before anything is done with them. `@GROUP` on a command line is every host of it, `@all` all.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.node import Node, find_member, read_node
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.settings import is_blank

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
ALL = "all"
SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # one word of a subject of NATS
CHECK_ID = r"[a-z][a-z0-9_]{0,60}"
MOST_HOSTS = 100_000


@dataclass(frozen=True)
class InventoryHost:
    """One host: its name here, what ssh is told (empty: the name), the sources that know it."""

    name: str
    ssh: str = ""
    sources: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()  # checks whose unknown result is a caveat, not inconclusive
    site: str = ""  # whose workers reach it

    @property
    def target(self) -> TargetName:
        """The host as the rest of the product has it."""
        return TargetName(self.name, "remote", self.name, by=self.ssh, accept=self.accept, site=self.site)


@dataclass(frozen=True)
class Inventory:
    """Hosts by name, and groups: the hosts and the groups in each."""

    hosts: Mapping[str, InventoryHost] = field(default_factory=dict)
    groups: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    warnings: tuple[
        str, ...
    ] = ()  # what is not wrong, but hardly meant: a host that only a group names, where `hosts` lists others

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
    warnings: dict[str, None] = {}
    for part in parts:
        warnings.update(dict.fromkeys(part.warnings))
        for name, entry in part.hosts.items():
            known = hosts.get(name, InventoryHost(name))
            accept = tuple(dict.fromkeys((*known.accept, *entry.accept)))
            sources, site = (*known.sources, *entry.sources), known.site or entry.site
            hosts[name] = InventoryHost(name, known.ssh or entry.ssh, sources, accept, site)
        for name, (members, inner) in part.groups.items():
            before = groups.get(name, ((), ()))
            groups[name] = (tuple(dict.fromkeys((*before[0], *members))), tuple(dict.fromkeys((*before[1], *inner))))
    return Inventory(hosts, groups, tuple(warnings))


def read_inventory(file: Path) -> Inventory:
    """Read our own YAML. Raises UsageError: `FILE:LINE: where: what, and the nearest right word`."""
    try:
        text = file.read_text("utf-8")
        return Inventory() if is_blank(text) else _inventory(read_node(text, str(file)), str(file))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{file}: {why}; `inventory:` in config.yaml or --inventory names it") from None
    except RunbookError as error:
        raise UsageError(str(error)) from None


def _inventory(node: Node, file: str) -> Inventory:
    top = node.members(("hosts", "groups"))
    hosts = {
        name: InventoryHost(name, _ssh(member), (file,), _accept(member), _site(member))
        for name, member in _name_nodes(top, "hosts").items()
    }
    named = _name_nodes(top, "groups")
    groups = {name: _group(name, member) for name, member in named.items()}
    warnings = tuple(_warnings(hosts, groups))
    for name in [name for members, _inner in groups.values() for name in members]:
        hosts.setdefault(name, InventoryHost(name, sources=(file,)))
    if len(hosts) > MOST_HOSTS:
        raise top["hosts" if "hosts" in top else "groups"].error(f"more than {MOST_HOSTS} hosts")
    for _members, inner in groups.values():
        for other, where in inner.items():
            if other not in groups:
                raise where.error(f"no group {other!r}{did_you_mean(other, groups)}")
    found = {name: (tuple(members), tuple(inner)) for name, (members, inner) in groups.items()}
    for name in found:
        _refuse_circle(found, (name,), named[name])
    read = Inventory(hosts, found, warnings)
    return merge([_sites_of_groups(read, named), *_accept_of_groups(read, named)])


def _warnings(
    hosts: Mapping[str, InventoryHost], groups: Mapping[str, tuple[Mapping[str, Node], Mapping[str, Node]]]
) -> Iterable[str]:
    """Return a sentence for each host that a group names and `hosts` does not, where it lists any: it may be misspelt."""
    for group, (members, _inner) in groups.items() if hosts else ():
        for name, where in members.items():
            if name not in hosts:
                yield str(where.error(f"group {group!r} names {name!r}, which `hosts` does not{did_you_mean(name, hosts)}"))


def _accept_of_groups(inventory: Inventory, named: Mapping[str, Node]) -> Iterable[Inventory]:
    """Return for each group with an `accept_unknown` its hosts with it."""
    for name, node in named.items():
        if accept := _accept(node):
            yield Inventory({host.name: InventoryHost(host.name, accept=accept) for host in inventory.of(name)})


def _sites_of_groups(inventory: Inventory, named: Mapping[str, Node]) -> Inventory:
    """Return the inventory with the sites of groups. What a host says itself stands. RunbookError: two groups differ."""
    given: dict[str, str] = {}
    hosts = dict(inventory.hosts)
    for group, node in named.items():
        site = _site(node)
        for host in inventory.of(group) if site else ():
            if not host.site and given.setdefault(host.name, site) != site:
                raise node.error(f"{host.name!r} is of site {given[host.name]!r} by another group already: say it at the host")
            hosts[host.name] = replace(host, site=host.site or site)
    return replace(inventory, hosts=hosts)


def _site(node: Node) -> str:
    """Return the site of a host or a group; empty where none is said."""
    if _is_bare(node) or not isinstance(node.value, dict):
        return ""
    found = find_member(node.members(None), "site")
    if found is None:
        return ""
    if not isinstance(found.value, str) or not SITE.fullmatch(found.value):
        raise found.error(f"{found.value!r} is not a site: letters, digits, '_' and '-', at most 63, quoted if it is a number")
    return found.value


def _accept(node: Node) -> tuple[str, ...]:
    """Return the checks whose unknown result is accepted for a host or a group."""
    if _is_bare(node) or not isinstance(node.value, dict):
        return ()
    found = find_member(node.members(None), "accept_unknown")
    return tuple(item.text(CHECK_ID) for item in found.items("a list of checks")) if found else ()


def _ssh(node: Node) -> str:
    """Return the destination that ssh gets for a host."""
    ssh = find_member({} if _is_bare(node) else node.members(("ssh", "accept_unknown", "site")), "ssh")
    if ssh is None or not ssh.value:
        return ""
    try:
        parse_target(str(ssh.value))
    except UsageError as error:
        raise ssh.error(str(error)) from None
    return str(ssh.value)


def _group(name: str, node: Node) -> tuple[Mapping[str, Node], Mapping[str, Node]]:
    """The hosts and the groups in a group, each where it stands."""
    if name == ALL:
        raise node.error(f"{ALL!r} is every host already; give the group another name")
    if isinstance(node.value, list):
        return _names(node), {}
    inner = {} if _is_bare(node) else node.members(("hosts", "groups", "accept_unknown", "site"))
    hosts, groups = find_member(inner, "hosts"), find_member(inner, "groups")
    return _names(hosts) if hosts else {}, _names(groups) if groups else {}


def _is_bare(node: Node) -> bool:
    """A name in a list, or a key with nothing after it: no more is said of it."""
    return isinstance(node.path[-1], int) or not node.value


def _name_nodes(top: Mapping[str, Node], key: str) -> Mapping[str, Node]:
    """The names under a key: a list, or a mapping with more about each."""
    node = find_member(top, key)
    if node is None:
        return {}
    if isinstance(node.value, list):
        return _names(node)
    if not isinstance(node.value, dict):
        raise node.error("expected names")
    return {_check_name(name, member): member for name, member in node.members(None).items()}


def _names(node: Node) -> Mapping[str, Node]:
    """The names of a list, each once."""
    names: dict[str, Node] = {}
    for item in node.items("a list of names"):
        name = _check_name(item.value, item)
        if name in names:
            raise item.error(f"{name!r} stands here twice")
        names[name] = item
    return names


def _check_name(name: object, node: Node) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise node.error(f"{name!r} is not a name: letters, digits, '.', '_' and '-', quoted if it is a number")
    return name


def _refuse_circle(groups: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]], chain: tuple[str, ...], node: Node) -> None:
    for inner in groups[chain[-1]][1]:
        if inner == chain[0]:
            raise node.error(f"is in itself: {' > '.join((*chain, inner))}")
        if inner not in chain:
            _refuse_circle(groups, (*chain, inner), node)
