"""Who the host is: names, kernel, boot, clock, container, cgroup mode. Always collected."""

from collections.abc import Sequence
from dataclasses import dataclass

from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class Host:
    """`now_s` is the host's clock (btime + uptime, +-1 s), Unix seconds. `container` is "" on a host proper."""

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


FACTS = Host


def parse(samples: Sequence[Sample]) -> Host:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
