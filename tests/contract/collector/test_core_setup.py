"""Where core dumps go and which are stored, memory that failed, stacks near their limit."""

from collections.abc import Callable
from typing import Any

from triagebook.runbooks.engine.facts import Unreadable

KIND = ("host", "core_setup")
BOOT = "1" * 8 + "2" * 4 + "3" * 4 + "4" * 4 + "5" * 12
CORES = "var/lib/systemd/coredump"


def read(host: Any, tools: Any, awk: str, change: Callable[[], None] | None = None) -> Any:
    paced = tools.paced(str(host.root), awk, KIND)
    paced.read_sample(1)
    if change:
        change()
        paced.ask()
        paced.read_sample(2)
    assert paced.end().status == 0
    return paced.facts()["core_setup"]


def test_stored_dumps_of_this_boot_are_counted_by_program_and_user(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.name(1002, "acme")
    for name in (
        f"core.acmed.1002.{BOOT}.430.1795968268000000.zst",
        f"core.acmed.1002.{BOOT}.431.1795968269000000.zst",
        f"core.a\\x2eb.0.{BOOT}.77.1795968267000000",
        f"core.old.0.{'9' * 32}.78.1795968267000000.zst",
    ):
        host.write(f"{CORES}/{name}", "x")
    found = read(host, tools, awk)
    assert [(one.comm, one.uid, one.pid, one.count, one.at_s) for one in found.stored.items] == [
        ("acmed", 1002, 431, 2, 1795968269.0),
        ("a.b", 0, 77, 1, 1795968267.0),
    ]
    assert found.stored.partial == ""


def test_too_many_stored_dumps_are_said_and_no_folder_is_none(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    assert (read(host, tools, awk).stored.partial, read(host, tools, awk).stored.items) == ("", ())
    for number in range(301):
        host.write(f"{CORES}/core.acmed.0.{BOOT}.{number}.1795968268000000.zst", "x")
    assert read(host, tools, awk).stored.partial == "301 dumps are stored, too many to be listed"


def test_what_becomes_of_a_dump_is_read(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/kernel/core_pattern", "|/lib/systemd/systemd-coredump %P %u %g %s %t 9223372036854775808 %h\n")
    host.write("proc/sys/debug/exception-trace", "0\n")
    host.write("sys/devices/system/edac/mc/mc0/ue_count", "1\n")
    host.write("sys/devices/system/edac/mc/mc0/ce_count", "12\n")
    found = read(host, tools, awk, lambda: host.write("sys/devices/system/edac/mc/mc0/ue_count", "3\n"))
    assert (found.pipe_to, found.exception_trace, found.memory_errors, found.memory_errors_delta, found.corrected_errors) == (
        *("/lib/systemd/systemd-coredump", 0, 3, 2, 12),
    )
    assert (found.processes, found.without_core) == (1, 1)
    assert isinstance(found.suid_dumpable, Unreadable)


def test_no_driver_that_counts_errors_is_not_no_error(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/kernel/core_pattern", "core\n")
    found = read(host, tools, awk)
    assert (found.memory_errors, found.counts_errors, found.corrupted_bytes) == (0, False, 0)
    host.write("proc/meminfo", "MemTotal:  1000 kB\nHardwareCorrupted:     4 kB\n")
    assert read(host, tools, awk).corrupted_bytes == 4096
    assert (found.pipe_to, found.core_pattern) == ("", "core")


def test_a_stack_near_its_limit_is_told(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "deep", uid=1002, cgroup="/system.slice/deep.service")
    host.set_status(90, "VmStk", "    7800 kB")
    host.process(91, "calm", uid=1002)
    host.set_status(91, "VmStk", "    4000 kB")
    host.loadavg(host.tasks)
    found = read(host, tools, awk).stacks
    assert [(one.pid, one.used_bytes, one.soft_bytes, one.unit) for one in found.items] == [(90, 7987200, 8388608, "deep.service")]
    assert found.partial == ""
