"""Reads from a control group's path whom it belongs to: systemd unit, container, user, and who would undo a change.

Source: systemd.unit(5), systemd.slice(5), kernel documentation cgroup-v2; names that docker, podman, cri-o,
containerd, kubelet and lxc give their groups.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from triagebook.runbooks.engine.dataclass import dataclass

_UNIT = re.compile(r"[^/]+\.(service|scope|slice|socket|mount|swap)")
_GROUPING = re.compile(r"kubepods(-[^/]*)?(\.slice)?|lxc|docker|libpod_parent|crio|garden|ecs|besteffort|burstable")
_CONTAINER = re.compile(r"(docker|libpod|cri-containerd|crio|buildkit)-[^/]*(?<!\.service)|lxc\.(payload|monitor)[.-][^/]*")
_USER_SLICE = re.compile(r"user-([0-9]+)\.slice")


@dataclass(frozen=True)
class CgroupOwner:
    """Names an owner. `unit` is as systemctl takes it (`\\x2d` kept), "" if none. In a container it is the container's
    own scope: a unit inside has a name that may be another unit's here.
    """

    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    manager: str  # system | user | runtime | none


@dataclass(frozen=True)
class _Place:
    """Splits a path as systemd reads it: slices, the system's unit, a user manager's unit, and what was made below them."""

    slices: tuple[str, ...]
    unit: str  # of the system manager: the first element below the slices, if it is a unit; else the last slice
    user_unit: str  # of the manager that `unit` is, in its own tree; "" elsewhere
    rest: tuple[str, ...]  # named by whoever the subtree was delegated to: these names prove nothing
    uid: str  # of a user-UID.slice


def owner_of(path: str, names: Mapping[int, str]) -> CgroupOwner:
    """Return the owner of what runs at a cgroup path. Deeper names, whatever they are, belong to the unit above them."""
    owner = _owner_of(path)
    return replace(owner, user=_login(owner.user, names)) if owner.user else owner


def limit_owner_of(path: str, names: Mapping[int, str]) -> CgroupOwner:
    """Return the owner of a limit set at a path: `unit` is empty below a unit, whose own setting is another limit.

    A unit of a user's manager is named with it ("build.service of user@1000.service"): the system may have one of that name.
    """
    owner, place = owner_of(path, names), _place_of(path)
    if owner.kind == "container" and (not place.rest or _CONTAINER.fullmatch(owner.unit)):
        return owner
    if owner.kind == "container":
        return replace(owner, unit="")
    if place.rest:
        return replace(owner, kind="cgroup", unit="", manager="none")
    return replace(owner, unit=f"{owner.unit} of {place.unit}") if owner.manager == "user" else owner


def system_unit_of(path: str) -> str:
    """Return the system's unit that a process at this path runs in: the one that systemctl changes and restarts."""
    owner, place = _owner_of(path), _place_of(path)
    return place.unit if owner.manager == "user" else owner.unit


@lru_cache(maxsize=4096)
def _owner_of(path: str) -> CgroupOwner:
    """Return the owner with the UID for `user`: the same paths are on many hosts, and their users are not."""
    elements, place = _elements(path), _place_of(path)
    container = _container(elements)
    if container is not None:
        scope = place.user_unit or place.unit
        return CgroupOwner("container", scope if scope in elements[: container + 1] else "", place.uid, "runtime")
    if not place.unit:
        return CgroupOwner("cgroup", "", "", "none")
    return CgroupOwner(
        "user" if place.uid else "unit",
        place.user_unit or place.unit,
        place.uid,
        "user" if place.user_unit else "system",
    )


def _place_of(path: str) -> _Place:
    """Split a path by systemd's rule (cg_path_get_unit): slices are skipped, the next element is the unit."""
    slices, below = _skip_slices(_elements(path))
    uid = _uid_of(slices)
    if not below or not _UNIT.fullmatch(below[0]):
        return _Place(slices, slices[-1] if slices else "", "", below, uid)
    unit, rest = below[0], below[1:]
    if not uid or unit != f"user@{uid}.service":
        return _Place(slices, unit, "", rest, uid)
    inner, deeper = _skip_slices(rest)
    if deeper and _UNIT.fullmatch(deeper[0]):
        return _Place(slices, unit, deeper[0], deeper[1:], uid)
    return _Place(slices, unit, inner[-1] if inner else "", deeper, uid)


def _elements(path: str) -> tuple[str, ...]:
    return tuple([element for element in path.split("/") if element not in {"", ".."}])  # "..": above a cgroup namespace


def _skip_slices(elements: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    end = next((index for index, element in enumerate(elements) if not element.endswith(".slice")), len(elements))
    return elements[:end], elements[end:]


def _uid_of(slices: tuple[str, ...]) -> str:
    """Return the UID of a login's slice. Only below user.slice: elsewhere the name is whatever somebody called it."""
    found = _USER_SLICE.fullmatch(slices[1]) if len(slices) > 1 and slices[0] == "user.slice" else None
    return found[1] if found else ""


def ancestors(path: str) -> tuple[str, ...]:
    """Return the paths above, nearest first, without the root."""
    above = []
    while (path := path.rpartition("/")[0]) != "":
        above.append(path)
    return tuple(above)


def is_login_session(path: str) -> bool:
    """Say whether it is below user-UID.slice: the limits of its processes came with a login (pam_limits), not from a unit."""
    return bool(_place_of(path).uid)


def _container(elements: tuple[str, ...]) -> int | None:
    """Return the index of the outermost container's own element: below /docker or kubepods slices it is further down."""
    for index, element in enumerate(elements):
        if _CONTAINER.fullmatch(element):
            return index
        if _GROUPING.fullmatch(element) and (index == 0 or element.startswith("kubepods")):
            inner = (deeper for deeper in range(index, len(elements)) if not _GROUPING.fullmatch(elements[deeper]))
            return next(inner, len(elements) - 1)
    return None


def _login(uid: str, names: Mapping[int, str]) -> str:
    return names.get(int(uid), uid)
