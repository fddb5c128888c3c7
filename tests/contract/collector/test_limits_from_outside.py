"""Limits that are counted elsewhere: by a provider around this host, of memory with swap, of kernel memory, of threads."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable

from tests.contract.collector.test_world_kinds import facts

BEANS = """Version: 2.5
       uid  resource                     held              maxheld              barrier                limit              failcnt
      101:  kmemsize                  2752512              2936012             11055923             11377049                    0
            lockedpages                     0                    0                  256                  256                    0
            privvmpages                 21320                65436                65536                69632                    7
            numproc                        60                   60                   60                   60                  405
            dummy                           0                    0                    0                    0                    0
"""
NO_LIMIT = "9223372036854771712\n"


def test_what_openvz_refused_is_counted_by_resource(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.write("proc/user_beancounters", BEANS)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.write("proc/user_beancounters", BEANS.replace("405", "409"))
    paced.ask()
    paced.read_sample(2)
    paced.end()
    found = paced.facts()["kernel_tables"]
    assert (found.provider, found.provider_refusals, found.provider_refusals_delta) == ("openvz", 416, 4)
    assert found.provider_resources == "privvmpages numproc"


@pytest.mark.parametrize(
    ("release", "file", "provider"),
    [
        ("2.6.32-042stab140.1", "", "openvz"),
        ("3.10.0-1160.41.1.vz7.183.5", "", "openvz"),
        ("4.18.0-513.24.1.lve.2.el8.x86_64", "", "cloudlinux"),
        ("5.14.0-427.el9.x86_64", "proc/lve/list", "cloudlinux"),
        ("3.10.0-1160.el7.x86_64", "proc/vz/veinfo", "openvz"),
        ("6.1.0-40-amd64", "", ""),
        ("5.15.0-helve-2", "", ""),
    ],
)
def test_a_provider_is_known_by_its_kernel_or_its_files(
    tree: Callable[..., Any], tools: Any, awk: str, release: str, file: str, provider: str
) -> None:
    host = tree("v2")
    host.write("proc/sys/kernel/osrelease", f"{release}\n")
    if file:
        host.write(file, "101 0\n")
    found = facts(host, tools, awk)["kernel_tables"]
    assert found.provider == provider
    assert isinstance(found.provider_refusals, Unreadable) if provider == "openvz" else found.provider_refusals == 0


def memory_v1(host: Any, path: str, name: str, *, limit: str, usage: int = 0, hits: int = 0) -> None:
    """One limit of a v1 group: memory, memory.memsw or memory.kmem."""
    there = f"sys/fs/cgroup/memory{path}/{name}"
    host.write(f"{there}.limit_in_bytes", limit)
    host.write(f"{there}.usage_in_bytes", f"{usage}\n")
    host.write(f"{there}.failcnt", f"{hits}\n")


def test_a_limit_of_memory_and_swap_together_is_the_one_that_is_met(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.process(90, "vic", cgroup="/docker/abc")
    host.process(91, "far", cgroup="/docker/far")
    for path, swapped in (("/docker/abc", 67108864), ("/docker/far", 134217728)):
        memory_v1(host, path, "memory", limit="67108864\n", usage=60000000)
        memory_v1(host, path, "memory.memsw", limit=f"{swapped}\n", usage=67100000, hits=31)
    items = {item.path: item for item in facts(host, tools, awk)["memory_cgroups"].limited.items}
    found = [(one.max_bytes, one.current_bytes, one.limit_hits, one.counts_swap) for one in items.values()]
    assert found == [(67108864, 67100000, 31, 1), (67108864, 60000000, 31, 0)]


def test_a_limit_of_the_kernels_own_memory_is_told_also_where_memory_has_none(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v1")
    host.process(90, "dockerd-child", cgroup="/docker/abc")
    host.process(91, "free", cgroup="/docker/free")
    memory_v1(host, "/docker/abc", "memory", limit=NO_LIMIT)
    memory_v1(host, "/docker/abc", "memory.kmem", limit="52428800\n", usage=52424704, hits=90)
    memory_v1(host, "/docker/free", "memory.kmem", limit=NO_LIMIT)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    memory_v1(host, "/docker/abc", "memory.kmem", limit="52428800\n", usage=52424704, hits=97)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    (item,) = paced.facts()["memory_cgroups"].kernel.items
    assert (item.path, item.kind, item.room_bytes, item.limit_hits, item.limit_hits_delta) == (
        "/docker/abc",
        "container",
        4096,
        97,
        7,
    )


@pytest.mark.parametrize(("maps", "uncounted"), [("", 31200), ("00400000-00401000 r-xp 0 0:0 1 /a\n" * 40000, 0)])
def test_threads_are_told_where_mappings_cannot_be_counted(
    tree: Callable[..., Any], tools: Any, awk: str, maps: str, uncounted: int
) -> None:
    host = tree("v2")
    host.process(90, "java", uid=1001, threads=31200, size_kb=700000)
    if maps:
        host.write("proc/90/maps", maps)
    (item,) = facts(host, tools, awk)["address_spaces"].mapped.items
    assert (item.pid, item.uncounted_threads) == (90, uncounted)
