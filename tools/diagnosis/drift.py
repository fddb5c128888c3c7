"""Compares limits and their sources across hosts: the common value, the hosts that differ, the hosts where it is unknown. Pure.

Unknown is never equal: a host whose value could not be read is listed as unknown, with the reason. A unit or a user is
only compared among the hosts that print it (those far from a limit are counted on the host, not printed).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, source_of

Value = int | float | str | bool
MIB = 1 << 20
MOST_ELEMENTS = 200  # of one sort on one host


@dataclass(frozen=True)
class Setting:
    """One thing compared: its name, the kind and field it is read from. `of_memory`: compared per MiB of memory."""

    name: str
    kind: str
    field: str
    of_memory: bool = False


@dataclass(frozen=True)
class Elements:
    """A limit that each unit or user has: the collection of a kind, what names an element, the field compared."""

    name: str
    kind: str
    collection: str
    label: Callable[[Any], str]
    field: str
    absent: str = ""  # the value where a host's collection is complete and has no such element; "": not known


ASKED = (("settings_files", "host"), ("process_limits", "services"))  # programs that print what is compared besides
SETTINGS = (
    Setting("kernel.pid_max", "kernel_limits", "pid_max"),
    Setting("kernel.threads-max per MiB of memory", "kernel_limits", "threads_max", of_memory=True),
    Setting("vm.max_map_count", "address_spaces", "max_map_count"),
    Setting("vm.overcommit_memory", "meminfo", "overcommit_memory"),
    Setting("vm.overcommit_ratio", "meminfo", "overcommit_ratio"),
    Setting("vm.overcommit_kbytes", "meminfo", "overcommit_bytes"),
    Setting("vm.admin_reserve_kbytes", "meminfo", "admin_reserve_bytes"),
    Setting("vm.user_reserve_kbytes", "meminfo", "user_reserve_bytes"),
    Setting("kernel.dmesg_restrict", "settings_files", "dmesg_restrict"),
    Setting("transparent huge pages", "settings_files", "transparent_hugepage"),
    Setting("LimitNPROC of most services", "process_limits", "usual"),
    Setting("huge pages", "meminfo", "huge_pages_bytes"),
    Setting("swap", "meminfo", "swap_total_bytes"),
    Setting("cgroup mode", "host", "cgroup_mode"),
    Setting("processes are hidden (hidepid)", "host", "is_view_partial"),
    Setting("kernel", "host", "kernel"),
    Setting("init", "host", "init"),
    Setting("container", "host", "container"),
)
PER_ELEMENT = (
    Elements("TasksMax (pids.max) of", "pids_cgroups", "limited", lambda item: item.unit or item.path, "max"),
    Elements("nproc of user", "tasks_by_uid", "limited", lambda item: item.user, "soft"),
    Elements(
        "LimitNPROC of", "process_limits", "special", lambda item: item.unit, "nproc", absent="(as most services, or not there)"
    ),
    Elements("digest of", "settings_files", "files", lambda item: item.path, "digest", absent="(not there)"),
)
TOLERANCE = 0.1  # of what is compared per MiB: MemTotal differs a little between equal machines
Read = Value | Unreadable


@dataclass(frozen=True)
class HostLimits:
    """What is compared of one host: values by name, the unit and file of each. Small: a fleet keeps one for each host."""

    host: str
    values: Mapping[str, Read]
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()  # names of Elements of which this host has no other than in `values`


@dataclass(frozen=True)
class DriftRow:
    """One setting across the hosts. `usual` is None where no value has a majority; then every value is in `others`."""

    setting: str
    unit: str
    source: str
    usual: Value | None
    usual_hosts: int
    others: Mapping[str, tuple[str, ...]]  # value as text -> hosts
    unknown: Mapping[str, tuple[str, ...]]  # reason -> hosts

    @property
    def outliers(self) -> int:
        """How many hosts differ."""
        return sum(len(hosts) for hosts in self.others.values())


def limits_of(host: str, facts: Mapping[str, object]) -> HostLimits:
    """What is compared, from the facts of one host by kind. A kind that was not collected is unknown."""
    values: dict[str, Read] = {}
    sources: dict[str, tuple[str, str]] = {}
    for setting in SETTINGS:
        owner = facts.get(setting.kind)
        value: Any = owner if isinstance(owner, Unreadable) else getattr(owner, setting.field, Unreadable("not collected"))
        if setting.of_memory:
            value = _per_mib(value, getattr(facts.get("meminfo"), "total_bytes", Unreadable("not collected")))
        values[setting.name] = value
        if owner is not None and not isinstance(owner, Unreadable):
            where = source_of(owner, setting.field)
            sources[setting.name] = ("" if setting.of_memory else where.unit, where.path)
    complete = set()
    for elements in PER_ELEMENT:
        collection = getattr(facts.get(elements.kind), elements.collection, None)
        if elements.absent and isinstance(collection, Collection) and not collection.partial:
            complete.add(elements.name)
        for item in collection.items[:MOST_ELEMENTS] if isinstance(collection, Collection) else ():
            name = f"{elements.name} {elements.label(item)}"
            where = source_of(item, elements.field)
            values[name], sources[name] = getattr(item, elements.field), (where.unit, where.path)
    return HostLimits(host, values, sources, frozenset(complete))


def _per_mib(value: Read, total: Read) -> Read:
    for part in (value, total):
        if isinstance(part, Unreadable):
            return part
    if not isinstance(value, int) or not isinstance(total, int) or total < MIB:
        return Unreadable("not a number")
    return round(value / (total / MIB), 2)


def compare(hosts: Sequence[HostLimits]) -> tuple[DriftRow, ...]:
    """Every setting, outliers first: the fewer differ, the more it looks like a mistake; then the unknown, then the rest."""
    names = dict.fromkeys(name for host in hosts for name in host.values)
    fixed = {setting.name: setting for setting in SETTINGS}
    rows = [_row(name, hosts, is_loose=name in fixed and fixed[name].of_memory) for name in names]
    return tuple(sorted(rows, key=_order))


def _order(row: DriftRow) -> tuple[int, int, str]:
    if row.outliers:
        return 0, row.outliers, row.setting
    return (1, -sum(map(len, row.unknown.values())), row.setting) if row.unknown else (2, 0, row.setting)


def _row(name: str, hosts: Sequence[HostLimits], *, is_loose: bool) -> DriftRow:
    known: list[tuple[str, Value]] = []
    unknown: dict[str, list[str]] = {}
    for host in hosts:
        value = host.values[name] if name in host.values else _absent(name, host)
        if isinstance(value, Unreadable):
            unknown.setdefault(value.reason, []).append(host.host)
        else:
            known.append((host.host, value))
    usual, count = _majority([value for _host, value in known], is_loose=is_loose)
    others: dict[str, list[str]] = {}
    for host_name, value in known:
        if usual is None or not _is_equal(value, usual, is_loose=is_loose):
            others.setdefault(_text(value), []).append(host_name)
    unit, source = next((host.sources[name] for host in hosts if name in host.sources), ("", ""))
    return DriftRow(
        setting=name,
        unit=unit,
        source=source,
        usual=usual,
        usual_hosts=count,
        others={value: tuple(names) for value, names in sorted(others.items(), key=lambda item: (len(item[1]), item[0]))},
        unknown={reason: tuple(names) for reason, names in unknown.items()},
    )


def _absent(name: str, host: HostLimits) -> Read:
    """What it means that a host has no such element."""
    for elements in PER_ELEMENT:
        if elements.absent and name.startswith(f"{elements.name} "):
            return elements.absent if elements.name in host.complete else Unreadable("could not be read")
    return Unreadable("not printed: far from its limit, or not there")


def _majority(values: Sequence[Value], *, is_loose: bool) -> tuple[Value | None, int]:
    """The value of more than half of the hosts that have one, and how many that are."""
    if not values:
        return None, 0
    if is_loose:
        ordered = sorted(value for value in values if isinstance(value, (int, float)))
        candidate: Value = ordered[len(ordered) // 2] if ordered else values[0]
    else:
        candidate = Counter(values).most_common(1)[0][0]
    count = sum(_is_equal(value, candidate, is_loose=is_loose) for value in values)
    return (candidate, count) if count * 2 > len(values) else (None, 0)


def _is_equal(value: Value, usual: Value, *, is_loose: bool) -> bool:
    if is_loose and isinstance(value, (int, float)) and isinstance(usual, (int, float)):
        return abs(value - usual) <= TOLERANCE * abs(usual)
    return value == usual


def _text(value: Value) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
