"""Raise a kernel value of a short list, or relax strict overcommit. The live value first; then a file for the next boot."""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.actions.action import WRITE, Action, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading


@dataclass(frozen=True)
class KernelValue:
    """A kernel value that may be raised: no further than `maximum`. `fact` is its name in the facts, where they have it."""

    maximum: int
    fact: str = ""


# The one list. The helper's is made of it; what may be read before a change (`tools/collector/readings.sh`) is held to it.
KERNEL_VALUES = {
    "vm.max_map_count": KernelValue(2147483647, "max_map_count"),
    "vm.overcommit_memory": KernelValue(0, "overcommit_memory"),
    "vm.overcommit_ratio": KernelValue(100, "overcommit_ratio"),
    "vm.overcommit_kbytes": KernelValue(10**12),
    "kernel.pid_max": KernelValue(4194304, "pid_max"),
    "kernel.threads-max": KernelValue(4194304, "threads_max"),
    "fs.file-max": KernelValue(10**15, "file_max"),
    "fs.aio-max-nr": KernelValue(16777216, "aio_max"),
    "fs.inotify.max_user_instances": KernelValue(1048576, "inotify_instances_max"),
    "fs.inotify.max_user_watches": KernelValue(16777216, "inotify_watches_max"),
    "net.core.somaxconn": KernelValue(65535, "somaxconn"),
    "net.core.optmem_max": KernelValue(1048576, "optmem_max_bytes"),
    "net.ipv4.tcp_max_orphans": KernelValue(1048576, "orphans_max"),
    "net.netfilter.nf_conntrack_max": KernelValue(16777216, "conntrack_max"),
}
_PAIR = ("vm.overcommit_ratio", "vm.overcommit_kbytes")  # writing one zeroes the other


def _paths(key: str) -> tuple[str, ...]:
    keys = (key, *(other for other in _PAIR if other != key)) if key in _PAIR else (key,)
    return tuple(each.replace(".", "/") for each in keys)


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (HostReading("sysctl", _paths(str(params["key"]))),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    key, value = str(params["key"]), str(params["value"])
    if int(value) > (maximum := KERNEL_VALUES[key].maximum):
        raise UsageError(f"{key}: {value} is above {maximum}", reason="out_of_bounds")
    values = outputs[0].split()
    if len(values) != len(_paths(key)) or not all(is_whole_number(each) for each in values):
        raise ParseError(f"{key}: {outputs[0]!r}")
    return _live(key, value, values) if step == "live" else _persist(key, value, values[0])


def _live(key: str, value: str, values: Sequence[str]) -> PlannedChange:
    before = values[0]
    if key == "vm.overcommit_memory":
        if before != "2":
            raise UsageError(f"{key} is {before}: only strict overcommit (2) is relaxed", reason="no_effect")
    elif int(value) <= int(before):
        raise UsageError(f"{key} is {before}: {value} would not raise it", reason="not_higher")
    restored = f"{key}={before}"
    if key in _PAIR and before == "0":  # the other one of the pair is in force
        restored = f"{_PAIR[key == _PAIR[0]]}={values[1]}"
    return PlannedChange(
        order={"step": "live", "key": key, "before": before, "value": value},
        what=f"{key}, until the next boot",
        now=before,
        then=value,
        commands=(("sysctl", "-w", f"{key}={value}"),),
        undo_commands=(("sysctl", "-w", restored),),
    )


def _persist(key: str, value: str, before: str) -> PlannedChange:
    if before != value:
        raise UsageError(f"{key} is {before}: make {value} live first, then permanent", reason="not_live")
    file = f"/etc/sysctl.d/99-zz-triagebook-{key}.conf"
    return PlannedChange(
        order={"step": "persist", "key": key, "before": before, "value": value},
        what=f"{key} from the next boot on, in {file}",
        now="not in a file of ours",
        then=f"{key} = {value}",
        commands=((*WRITE, file, f"{key} = {value}"),),
        undo_commands=(("rm", file),),
    )


def _manual_lines(change: ManualChange) -> Lines:
    key = str(change.params["key"])
    fact = KERNEL_VALUES[key].fact
    before = change.before(fact) if fact else None
    if before is None:
        return [("sysctl", "-w", f"{key}={change.params['value']}")], []
    other = (change.before("overcommit_bytes") or 0) // 1024  # overcommit_kbytes, which a written ratio makes zero
    return ACTION.plan_by_hand(change, f"{before}\n{other}\n" if key == "vm.overcommit_ratio" else f"{before}\n")


ACTION = Action(
    name="sysctl",
    parameters={"key": Parameter("word", words=tuple(KERNEL_VALUES)), "value": Parameter("int")},
    fields=("key", "before", "value"),
    steps=("live", "persist"),
    undo="captured",
    disruption="None at once; it holds for the whole host. Overcommit in mode 0 lets the kernel kill "
    "under memory pressure where it refused before. A higher threads-max also raises the default TasksMax "
    "at the next daemon-reload.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
