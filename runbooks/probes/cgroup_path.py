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
_USER_MANAGER = re.compile(r"user@[0-9]+\.service")


@dataclass(frozen=True)
class CgroupOwner:
    """Names an owner. `unit` is as systemctl takes it (`\\x2d` kept), "" if none. In a container it is the container's
    own scope: a unit inside has a name that may be another unit's here.
    """

    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    manager: str  # system | user | runtime | none


def owner_of(path: str, names: Mapping[int, str]) -> CgroupOwner:
    """Return the owner of a cgroup path. Deeper plain names belong to the unit above them (delegation)."""
    owner = _owner_of(path)
    return replace(owner, user=_login(owner.user, names)) if owner.user else owner


@lru_cache(maxsize=4096)
def _owner_of(path: str) -> CgroupOwner:
    """Return the owner with the UID for `user`: the same paths are on many hosts, and their users are not."""
    elements = [element for element in path.split("/") if element]
    user = next((match[1] for element in elements if (match := _USER_SLICE.fullmatch(element))), "")
    container = _container(elements)
    if container is not None:
        scopes = [element for element in elements[: container + 1] if _UNIT.fullmatch(element)]
        return CgroupOwner("container", scopes[-1] if scopes else "", user, "runtime")
    unit = next((element for element in reversed(elements) if _UNIT.fullmatch(element)), "")
    if not unit:
        return CgroupOwner("cgroup", "", "", "none")
    managers = [index for index, element in enumerate(elements) if _USER_MANAGER.fullmatch(element)]
    is_below_manager = bool(managers) and elements.index(unit, managers[0]) > managers[0]
    return CgroupOwner("user" if user else "unit", unit, user, "user" if is_below_manager else "system")


def ancestors(path: str) -> tuple[str, ...]:
    """Return the paths above, nearest first, without the root."""
    above = []
    while (path := path.rpartition("/")[0]) != "":
        above.append(path)
    return tuple(above)


def is_login_session(path: str) -> bool:
    """Say whether it is below user-UID.slice: the limits of its processes came with a login (pam_limits), not from a unit."""
    return any(_USER_SLICE.fullmatch(element) for element in path.split("/"))


def _container(elements: list[str]) -> int | None:
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
