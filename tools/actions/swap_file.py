"""Add a swap file on ext4, xfs or btrfs: in use at once; then in fstab for the next boot."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.actions.action import Action, Argv, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading

FILESYSTEMS = ("ext4", "xfs", "btrfs")


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (HostReading("folder", (_folder(str(params["path"])),)),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    path, size_mib = str(params["path"]), str(params["size_mib"])
    filesystem, free_kb = _filesystem(outputs[0])
    order = {"step": step, "path": path, "size_mib": size_mib}
    if step == "persist":
        line = f"{path} none swap sw,nofail 0 0"
        return PlannedChange(
            order=order,
            what="swap from the next boot on, in /etc/fstab",
            now="not in /etc/fstab",
            then=line,
            commands=(("sh", "-c", 'printf "%s\\n" "$1" >>/etc/fstab', "sh", line),),
            undo_commands=(("sed", "-i", f"\\|^{path} none swap|d", "/etc/fstab"),),
        )
    if filesystem not in FILESYSTEMS:
        raise UsageError(f"{path} would lie on {filesystem}; swap files work on {', '.join(FILESYSTEMS)}", reason="filesystem")
    if free_kb < int(size_mib) * 1024 * 11 // 10:
        raise UsageError(f"{path}: {free_kb} kB are free, {size_mib} MiB and a tenth are needed", reason="disk_space")
    no_copy: tuple[Argv, ...] = (("chattr", "+C", path),) if filesystem == "btrfs" else ()
    return PlannedChange(
        order=order,
        what=f"swap file {path} on {filesystem}",
        now="no such file",
        then=f"{size_mib} MiB of swap in use",
        commands=(
            ("install", "-m", "600", "/dev/null", path),  # mode before mkswap; empty before +C
            *no_copy,
            ("fallocate", "-l", f"{size_mib}MiB", path),
            ("mkswap", path),
            ("swapon", path),
        ),
        undo_commands=(("swapoff", path), ("rm", path)),
    )


def _filesystem(output: str) -> tuple[str, int]:
    """Read type and free kB from `df -P -T -k`."""
    row = (output.splitlines() or [""])[-1].split()
    if len(row) < 7 or not is_whole_number(row[4]):
        raise ParseError(f"df: cannot read row {row!r}")
    return row[1], int(row[4])


def _manual_lines(change: ManualChange) -> Lines:
    """The facts do not tell the filesystem: these are the lines for one that needs nothing of its own."""
    path, size = str(change.params["path"]), change.params["size_mib"]
    make = [("fallocate", "-l", f"{size}MiB", path), ("chmod", "600", path), ("mkswap", path), ("swapon", path)]
    return make, [("swapoff", path), ("rm", path)]


ACTION = Action(
    name="swap_file",
    parameters={"path": Parameter("path"), "size_mib": Parameter("int", 64, 65536)},
    fields=("path", "size_mib"),
    steps=("live", "persist"),
    undo="captured",
    disruption="Writes the file to disk (seconds to minutes). Swapped-out memory is slow; an undo reads it back.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
    outlives_boot=True,  # the file stays on the disk
)
