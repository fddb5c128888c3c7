"""Reads who the host is: names, kernel, boot, clock, container, cgroup mode. Always collected."""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.reading import HIDDEN, decimal, integer, latest, pairs_of, text, why_hidden
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class Host:
    """Describes the host. `now_s` is its clock (btime + uptime, +-1 s), Unix seconds. `container` is "" on a host proper."""

    hostname: str | Unreadable = fact("", "/proc/sys/kernel/hostname")
    kernel: str | Unreadable = fact("", "/proc/sys/kernel/osrelease")
    boot_id: str | Unreadable = fact("", "/proc/sys/kernel/random/boot_id")
    machine_id: str | Unreadable = fact("", "/etc/machine-id")
    uptime_s: float | Unreadable = fact("s", "/proc/uptime")
    now_s: float | Unreadable = fact("s", "/proc/stat btime + /proc/uptime")
    container: str | Unreadable = fact("", "/run/systemd/container, /.dockerenv, /run/.containerenv")
    cgroup_mode: str | Unreadable = fact("", "/proc/self/cgroup")  # v1 | v2 | hybrid
    init: str | Unreadable = fact("", "/proc/1/status Name")
    is_view_partial: bool | Unreadable = fact("", "/proc (hidepid: fewer tasks visible than /proc/loadavg counts)")
    reader_uid: int | Unreadable = fact("", "/proc/self/status Uid")  # of the account that reads


FACTS = Host


def parse(samples: Sequence[Sample]) -> Host:
    """Return the host as the last complete sample has it. Clock: whole seconds of btime, so `now_s` is exact to 1 s."""
    sample = latest(samples)
    pairs = pairs_of(sample, "host", "is")
    uptime, booted = decimal(pairs.get("uptime")), integer(pairs.get("btime"))
    now = booted if isinstance(booted, Unreadable) else uptime if isinstance(uptime, Unreadable) else booted + uptime
    return Host(
        **{key: text(pairs.get(key)) for key in ("hostname", "kernel", "boot_id", "machine_id", "container", "init")},
        reader_uid=integer(pairs.get("uid")),
        uptime_s=uptime,
        now_s=now,
        cgroup_mode=text(pairs.get("cgroup")),
        is_view_partial=_is_view_partial(sample),
    )


def _is_view_partial(sample: Sample | None) -> bool | Unreadable:
    walk = pairs_of(sample, "walk")
    for key in ("tasks", "total"):
        if isinstance(count := integer(walk.get(key)), Unreadable):
            return count
    return why_hidden(sample).endswith(HIDDEN)
