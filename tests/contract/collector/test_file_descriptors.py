"""Open files beside their limit, by each awk: who is cleared by the size of a table, and who is counted number by number."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable

KINDS = ("host", "file_descriptors")
FULL, DENIED = "counted", "permission denied"


def read(host: Any, tools: Any, awk: str, samples: int = 1) -> Any:
    """What the kind says after one sample, or after more."""
    paced = tools.paced(str(host.root), awk, KINDS)
    paced.read_sample(1)
    for n in range(2, samples + 1):
        paced.ask("sample brief\n")
        paced.read_sample(n)
    assert paced.end().status == 0
    return paced.facts()["file_descriptors"]


def holds(host: Any, pid: int, slots: int, soft: int, numbers: Iterable[int] = (), hard: int = 524288, **about: Any) -> None:
    """A process with that table and that limit, whose open numbers may be looked up."""
    host.process(pid, about.pop("comm", "fdsrv"), uid=1001, cgroup="/system.slice/fdsrv.service", **about)
    host.set_status(pid, "FDSize", str(slots))
    text = (host.root / f"proc/{pid}/limits").read_text()
    host.write(f"proc/{pid}/limits", text.replace(f"{1024:<20} {524288:<20} files", f"{soft:<20} {hard:<20} files"))
    for number in numbers:
        host.write(f"proc/{pid}/fdinfo/{number}", "pos:\t0\nflags:\t0100000\n")


def test_a_table_smaller_than_the_limit_clears_a_process(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 64, 1024)
    holds(host, 91, 512, 1024)
    host.process(92, "kworker", is_kernel=True)
    found = read(host, tools, awk)
    assert (found.limited.items, found.limited.counted, found.limited.partial) == ((), 3, "")
    assert (found.unsure, found.unread, found.largest_slots, found.largest_pid, found.largest_comm) == (0, 0, 512, 91, "fdsrv")


def test_every_number_below_a_usual_limit_is_looked_up(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 256, 100, range(100))
    holds(host, 91, 128, 32, range(100))  # the limit was lowered: what is open above it counts for nothing
    holds(host, 92, 256, 100, [*range(99), 150])  # one number is free
    (lowered, full, almost) = read(host, tools, awk).limited.items
    assert (full.pid, full.how, full.open, full.soft, full.slots, full.unit) == (90, "counted", 100, 100, 256, "fdsrv.service")
    assert (lowered.pid, lowered.how, lowered.open, lowered.soft) == (91, "counted", 32, 32)
    assert (almost.pid, almost.open < almost.soft) == (92, True)


def test_a_large_limit_is_judged_by_a_sample(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 8192, 8192, range(8192))
    holds(host, 91, 8192, 8192, range(100))
    (full, empty) = read(host, tools, awk).limited.items
    assert (full.pid, full.how, full.open) == (90, "sampled", 8192)
    assert (empty.pid, empty.how) == (91, "sampled")
    assert empty.open < 300


def test_a_process_whose_numbers_may_not_be_looked_up_is_unread_by_name(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 1024, 1024)
    found = read(host, tools, awk)
    (item,) = found.limited.items
    assert (item.pid, item.how, item.soft, item.hard) == (90, "unread", 1024, 524288)
    assert isinstance(item.open, Unreadable)
    assert item.open.reason.startswith(DENIED)
    assert (found.unsure, found.unread) == (1, 1)


def test_a_sandbox_that_may_open_next_to_nothing_is_no_reason_to_count(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 64, 1, comm="sshd")
    found = read(host, tools, awk)
    assert [(item.how, item.soft) for item in found.limited.items] == [("unread", 1)]
    assert (found.unsure, found.unread) == (1, 0)


def test_no_limit_is_above_nr_open(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/fs/nr_open", "128\n")
    holds(host, 90, 128, 1024, range(128))
    (item,) = read(host, tools, awk).limited.items
    assert (item.open, item.soft) == (128, 128)


def test_looking_up_is_bounded(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid in range(200, 260):
        holds(host, pid, 64, 64, range(64))
    found = read(host, tools, awk)
    counted = [item for item in found.limited.items if item.how == "counted"]
    skipped = [item for item in found.limited.items if item.how == "unread"]
    assert 0 < len(counted) < 40
    assert all("too many" in item.open.reason for item in skipped)
    assert found.unsure == 60 or "more are not in the answer" in found.limited.partial


def test_a_process_that_has_not_run_is_judged_in_a_brief_sample_too(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    holds(host, 90, 64, 64, range(64))
    (item,) = read(host, tools, awk, samples=4).limited.items
    assert (item.pid, item.open) == (90, 64)


def test_limits_of_the_host_are_read(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/fs/file-nr", "700\t0\t716\n")
    host.write("sys/devices/system/cpu/possible", "0-1,4\n")
    host.write("proc/sys/fs/nr_open", "1048576\n")
    host.write("proc/sys/fs/pipe-user-pages-hard", "0\n")
    host.write("proc/sys/fs/inotify/max_user_instances", "128\n")
    host.write("proc/sys/fs/inotify/max_user_watches", "8192\n")
    found = read(host, tools, awk)
    assert (found.file_used, found.file_max, found.has_file_max, found.file_room) == (700, 716, True, 716 - 700 - 96)
    assert (found.nr_open, found.pipe_pages_hard, found.inotify_instances_max) == (1048576, 0, 128)
    assert (found.inotify_watches_max, found.epoll_watches_max) == (8192, Unreadable("could not be read"))
    assert isinstance(found.file_used_delta, Unreadable)


@pytest.mark.parametrize(("later", "delta"), [("710", 10), ("690", -1)])
def test_what_is_in_use_is_compared_between_two_samples(
    tree: Callable[..., Any], tools: Any, awk: str, later: str, delta: int
) -> None:
    host = tree("v2")
    host.write("proc/sys/fs/file-nr", "700\t0\t9223372036854775807\n")
    paced = tools.paced(str(host.root), awk, KINDS)
    paced.read_sample(1)
    host.write("proc/sys/fs/file-nr", f"{later}\t0\t9223372036854775807\n")
    paced.ask()
    paced.read_sample(2)
    paced.end()
    found = paced.facts()["file_descriptors"]
    assert (found.file_used_delta, found.has_file_max) == (delta, False)


def test_files_that_cannot_be_read_are_not_zero(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    found = read(tree("v2"), tools, awk)
    assert isinstance(found.file_used, Unreadable)
    assert isinstance(found.has_file_max, Unreadable)
    assert isinstance(found.file_room, Unreadable)
