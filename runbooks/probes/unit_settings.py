"""Probes by a program with a fixed argv (a `run` kind): what systemd was told about one unit, from systemctl(1) show.

The configured intent, not what is enforced: a percentage is recalculated here at once, while the cgroup keeps the old
value until daemon-reload. The cgroup's files (pids_cgroups) are the truth.
"""

import re
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

PROPERTIES = (
    *("Id", "LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "MainPID", "TasksMax"),
    *("TasksCurrent", "EffectiveTasksMax", "LimitNPROC", "LimitAS", "Slice", "User", "DropInPaths", "FragmentPath"),
    *("LimitDATA", "LimitMEMLOCK", "LimitSTACK"),
    *("MemoryMax", "MemoryHigh", "OOMPolicy", "ExecMainCode", "LimitCORE"),
)

# systemd.unit(5): unit names have letters, digits and ":-_.\@"; a leading "-" (only "-.slice" and "-.mount" have it) is
# refused, and the name stands behind "--" all the same.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,200}\.(service|scope|slice|socket|mount|swap)")

_UNSET = Unreadable("not set")
_UNLIMITED = Unreadable("not limited")
_NO_LIMIT = str(2**64 - 1)  # systemd up to 24x prints it for "infinity" and for "[not set]"


@dataclass(frozen=True)
class UnitSettings:
    """Describes one unit. A limit that is unset or "infinity" is Unreadable and says which. `restarts` are automatic ones."""

    IS_ASKED: ClassVar[bool] = True

    unit: str | Unreadable = fact("", "systemctl show Id")
    load_state: str | Unreadable = fact("", "systemctl show LoadState")
    active_state: str | Unreadable = fact("", "systemctl show ActiveState")
    sub_state: str | Unreadable = fact("", "systemctl show SubState")
    result: str | Unreadable = fact("", "systemctl show Result")
    exit_status: int | Unreadable = fact("", "systemctl show ExecMainStatus")
    restarts: int | Unreadable = fact("restarts", "systemctl show NRestarts")
    main_pid: int | Unreadable = fact("", "systemctl show MainPID")
    tasks_max: int | Unreadable = fact("tasks", "systemctl show TasksMax")
    tasks_current: int | Unreadable = fact("tasks", "systemctl show TasksCurrent")
    effective_tasks_max: int | Unreadable = fact("tasks", "systemctl show EffectiveTasksMax")
    limit_nproc: int | Unreadable = fact("tasks", "systemctl show LimitNPROC")
    limit_as_bytes: int | Unreadable = fact("bytes", "systemctl show LimitAS")
    slice: str | Unreadable = fact("", "systemctl show Slice")
    user: str | Unreadable = fact("", "systemctl show User")
    drop_in_paths: tuple[str, ...] | Unreadable = fact("", "systemctl show DropInPaths")
    fragment_path: str | Unreadable = fact("", "systemctl show FragmentPath")
    limit_data_bytes: int | Unreadable = fact("bytes", "systemctl show LimitDATA")
    limit_memlock_bytes: int | Unreadable = fact("bytes", "systemctl show LimitMEMLOCK")
    limit_stack_bytes: int | Unreadable = fact("bytes", "systemctl show LimitSTACK")
    memory_max_bytes: int | Unreadable = fact("bytes", "systemctl show MemoryMax", _UNSET)
    memory_high_bytes: int | Unreadable = fact("bytes", "systemctl show MemoryHigh", _UNSET)
    oom_policy: str | Unreadable = fact("", "systemctl show OOMPolicy", _UNSET)  # stop | continue | kill
    exit_code: int | Unreadable = fact("", "systemctl show ExecMainCode", _UNSET)  # 1 exited, 2 killed, 3 dumped; 0 while it runs
    limit_core_bytes: int | Unreadable = fact("bytes", "systemctl show LimitCORE", _UNSET)


FACTS = UnitSettings


def command(subject: str) -> tuple[str, ...]:
    """Return the argv that shows one unit.

    Raises:
        ValueError: the subject is not the name of a unit.
    """
    if not _UNIT.fullmatch(subject):
        raise ValueError(f"not the name of a systemd unit: {safe_text(subject, 80)!r}")
    return ("systemctl", "show", "--no-pager", f"--property={','.join(PROPERTIES)}", "--", subject)


def parse(stdout: str) -> UnitSettings | Unreadable:
    """Read KEY=VALUE lines. A unit that is not loaded still prints defaults: then no limit of it is a fact."""
    shown = {key: value for line in stdout.split("\n") for key, found, value in (line.partition("="),) if found}
    if "LoadState" not in shown:
        return Unreadable("systemctl showed no unit")
    is_loaded = shown["LoadState"] == "loaded"

    def word(key: str) -> str | Unreadable:
        return safe_text(shown[key], 300) if shown.get(key) else _UNSET

    def count(key: str) -> int | Unreadable:
        value = shown.get(key, "")
        if not is_loaded:
            return Unreadable(f"the unit is {safe_text(shown['LoadState'], 40)}")
        if value == "infinity" or (value == _NO_LIMIT and key != "TasksCurrent"):
            return _UNLIMITED
        return int(value) if re.fullmatch(r"[0-9]{1,20}", value) and value != _NO_LIMIT else _UNSET

    return UnitSettings(
        unit=word("Id"),
        load_state=word("LoadState"),
        active_state=word("ActiveState"),
        sub_state=word("SubState"),
        result=word("Result"),
        exit_status=count("ExecMainStatus"),
        restarts=count("NRestarts"),
        main_pid=count("MainPID"),
        tasks_max=count("TasksMax"),
        tasks_current=count("TasksCurrent"),
        effective_tasks_max=count("EffectiveTasksMax"),
        limit_nproc=count("LimitNPROC"),
        limit_as_bytes=count("LimitAS"),
        slice=word("Slice"),
        user=word("User"),
        drop_in_paths=tuple(safe_text(path, 300) for path in shown.get("DropInPaths", "").split()[:20]),
        fragment_path=word("FragmentPath"),
        limit_data_bytes=count("LimitDATA"),
        limit_memlock_bytes=count("LimitMEMLOCK"),
        limit_stack_bytes=count("LimitSTACK"),
        memory_max_bytes=count("MemoryMax"),
        memory_high_bytes=count("MemoryHigh"),
        oom_policy=word("OOMPolicy"),
        exit_code=count("ExecMainCode"),
        limit_core_bytes=count("LimitCORE"),
    )
