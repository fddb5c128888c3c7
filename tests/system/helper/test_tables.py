"""Limits of open files and of the network stack: raised, put back byte by byte, and never put back below what is in use."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.actions import process
from triagebook.tools.actions.orders import fields_of, undo_of

from tests.hang import GUARD_S
from tests.system.helper import fake_systemctl
from tests.system.helper.scratch_host import ScratchHost

FILE_MAX, CONNTRACK = "fs.file-max", "net.netfilter.nf_conntrack_max"
TCP_MEM, UDP_MEM, PORTS = "net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.ipv4.ip_local_port_range"
LISTEN = "  sl  local_address rem_address   st\n   0: 00000000:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000\n"


def use_tables(
    host: ScratchHost, *, files: int = 700, tcp: int = 300, orphans: int = 12, tracked: int = 20, aio: int = 1024
) -> None:
    """Kernel files of a host with these in use."""
    for name, value in (
        ("fs/file-max", "716"),
        ("fs/file-nr", f"{files}\t0\t716"),
        ("fs/aio-max-nr", "1024"),
        ("fs/aio-nr", str(aio)),
        ("fs/nr_open", "1048576"),
        ("net/core/somaxconn", "128"),
        ("net/core/optmem_max", "20480"),
        ("net/ipv4/tcp_max_orphans", "20"),
        ("net/ipv4/tcp_mem", "300\t400\t500"),
        ("net/ipv4/udp_mem", "16\t24\t32"),
        ("net/ipv4/ip_local_port_range", "32768\t60999"),
        ("net/ipv4/ip_local_reserved_ports", "10250-10260"),
        ("net/netfilter/nf_conntrack_max", "20"),
        ("net/netfilter/nf_conntrack_count", str(tracked)),
    ):
        host.write(f"proc/sys/{name}", f"{value}\n")
    host.write("proc/net/sockstat", f"sockets: used 9\nTCP: inuse 1 orphan {orphans} tw 0 alloc 9 mem {tcp}\nUDP: inuse 0 mem 2\n")
    host.write("proc/net/tcp", LISTEN.format(port=10255, state="0A"))
    host.write("proc/net/tcp6", LISTEN.format(port=20000, state="01"))


@pytest.mark.parametrize(
    ("key", "before", "value"),
    [
        (FILE_MAX, "716", "1048576"),
        ("fs.aio-max-nr", "1024", "1048576"),
        ("net.core.somaxconn", "128", "4096"),
        ("net.core.optmem_max", "20480", "131072"),
        ("net.ipv4.tcp_max_orphans", "20", "2048"),
        (CONNTRACK, "20", "65536"),
    ],
)
def test_a_table_is_raised_live_then_permanently_and_both_come_back(host: ScratchHost, key: str, before: str, value: str) -> None:
    use_tables(host, files=100, orphans=2, tracked=3, aio=0)
    untouched = host.snapshot()
    live = host.apply(fields_of("sysctl", ("live", key, before, value)))
    kept = host.apply(fields_of("sysctl", ("persist", key, value, value)))
    assert (live["result"], kept["result"], host.sysctl(key.replace(".", "/"))) == ("applied", "applied", value)
    assert host.path(f"etc/sysctl.d/99-zz-triagebook-{key}.conf").read_text() == f"{key} = {value}\n"
    assert [host.apply(undo_of(done["id"]))["result"] for done in (kept, live)] == ["undone", "undone"]
    assert host.snapshot() == untouched


def test_the_table_of_connections_is_made_permanent_only_where_its_module_is_loaded_before_the_files_are_read(
    host: ScratchHost,
) -> None:
    use_tables(host, tracked=3)
    host.write("sys/module/nf_conntrack/initstate", "live\n")
    live = host.apply(fields_of("sysctl", ("live", CONNTRACK, "20", "65536")))
    late = host.apply(fields_of("sysctl", ("persist", CONNTRACK, "65536", "65536")))
    assert (live["result"], late["reason"]) == ("applied", "loaded_late")
    assert late["detail"] == f"nf_conntrack is not in {host.path('etc/modules-load.d')}"
    assert not host.path(f"etc/sysctl.d/99-zz-triagebook-{CONNTRACK}.conf").exists()
    host.write("usr/modules-load.d/firewall.conf", "# first\nnf_conntrack_ftp\nnf_conntrack\n")
    assert host.apply(fields_of("sysctl", ("persist", CONNTRACK, "65536", "65536")))["result"] == "applied"


@pytest.mark.parametrize(
    ("key", "before", "value", "in_use"),
    [
        (FILE_MAX, "716", "1048576", "875"),  # 700 and a quarter: a full one locks every login out but root's
        ("fs.aio-max-nr", "1024", "1048576", "1024"),
        ("net.ipv4.tcp_max_orphans", "20", "2048", "21"),
        (CONNTRACK, "20", "65536", "20"),
    ],
)
def test_a_table_is_not_put_back_below_its_use(host: ScratchHost, key: str, before: str, value: str, in_use: str) -> None:
    use_tables(host, orphans=21)
    live = host.apply(fields_of("sysctl", ("live", key, before, value)))
    refused = host.apply(undo_of(live["id"]))
    assert (live["result"], refused["reason"], refused["detail"]) == ("applied", "undo_unsafe", f"in use {in_use}")
    assert host.sysctl(key.replace(".", "/")) == value


@pytest.mark.parametrize(
    ("key", "before", "value", "detail"),
    [
        (FILE_MAX, "716", "770", "below_use"),  # a tenth above the 700 in use at least
        (FILE_MAX, "716", "700", "not_higher"),
        ("net.ipv4.tcp_max_orphans", "20", "4000", "memory"),
        (CONNTRACK, "20", "400000", "memory"),
        ("fs.inotify.max_user_watches", "8192", "600000", "memory"),
    ],
)
def test_a_table_beyond_its_bounds_is_refused(host: ScratchHost, key: str, before: str, value: str, detail: str) -> None:
    use_tables(host)
    host.write("proc/sys/fs/inotify/max_user_watches", "8192\n")
    answer = host.apply(fields_of("sysctl", ("live", key, before, value)))
    assert (answer["reason"], answer["detail"]) == ("out_of_bounds", detail)


@pytest.mark.parametrize("key", ["kernel.core_pattern", "net.ipv4.tcp_tw_recycle", "net.ipv4.tcp_syncookies"])
def test_other_keys_are_refused(host: ScratchHost, key: str) -> None:
    assert host.apply(fields_of("sysctl", ("live", key, "1", "2")))["reason"] == "order_value"


@pytest.mark.parametrize("place", ["max_user_instances", "max_user_watches"])
def test_inotify_is_not_put_back_below_what_one_user_has(host: ScratchHost, place: str) -> None:
    instances = place == "max_user_instances"
    host.write(f"proc/sys/fs/inotify/{place}", "2\n")
    for number in (3, 4) if instances else (3,):
        host.path("proc/812/fd").mkdir(parents=True, exist_ok=True)
        host.path(f"proc/812/fd/{number}").symlink_to("anon_inode:inotify")
        host.write(f"proc/812/fdinfo/{number}", "pos:\t0\n" + "inotify wd:1 ino:2\n" * 2)
    key = f"fs.inotify.{place}"
    live = host.apply(fields_of("sysctl", ("live", key, "2", "1024")))
    refused = host.apply(undo_of(live["id"]))
    assert (live["result"], refused["reason"], refused["detail"]) == ("applied", "undo_unsafe", "in use 2")


@pytest.mark.parametrize(
    ("key", "before", "value"), [(TCP_MEM, "300:400:500", "2000:2666:4000"), (UDP_MEM, "16:24:32", "50:66:100")]
)
def test_figures_are_changed_as_a_whole_and_come_back(host: ScratchHost, key: str, before: str, value: str) -> None:
    use_tables(host)
    untouched = host.snapshot()
    live = host.apply(fields_of("socket_memory", ("live", key, before, value)))
    kept = host.apply(fields_of("socket_memory", ("persist", key, value, value)))
    assert (live["result"], live["before"], live["after"]) == ("applied", before, value)
    assert host.sysctl(key.replace(".", "/")) == value.replace(":", " ")
    assert host.path(f"etc/sysctl.d/99-zz-triagebook-{key}.conf").read_text() == f"{key} = {value.replace(':', ' ')}\n"
    undone = [host.apply(undo_of(done["id"])) for done in (kept, live)]
    assert [answer["result"] for answer in undone] == ["undone", "undone"]
    assert kept["result"] == "applied"
    host.write(f"proc/sys/{key.replace('.', '/')}", host.sysctl(key.replace(".", "/")).replace(" ", "\t") + "\n")
    assert host.snapshot() == untouched


@pytest.mark.parametrize(
    ("before", "value", "reason", "detail"),
    [
        ("300:400:501", "2000:2666:4000", "changed", "300:400:500"),
        ("300:400:500", "200:2666:4000", "out_of_bounds", "not_higher"),
        ("300:400:500", "300:400:500", "out_of_bounds", "not_higher"),
        ("300:400:500", "3000:2666:4000", "out_of_bounds", "order"),
        ("300:400:500", "300:400:2179", "out_of_bounds", "below_use"),  # 1816 pages in use, and a fifth
        ("300:400:500", "31250:41666:62501", "out_of_bounds", "memory"),  # above a quarter of 1000000 kB
        ("300:400:500", "300:400", "order_value", "value"),
        ("300:400:500", "300:400:", "order_value", "value"),
        ("300:400:500", "300:x:500", "order_value", "value"),
    ],
)
def test_figures_beyond_their_bounds_are_refused(host: ScratchHost, before: str, value: str, reason: str, detail: str) -> None:
    use_tables(host, tcp=1816)
    answer = host.apply(fields_of("socket_memory", ("live", TCP_MEM, before, value)))
    assert (answer["reason"], answer["detail"]) == (reason, detail)
    assert host.sysctl("net/ipv4/tcp_mem") == "300\t400\t500"


@pytest.mark.parametrize(("pages", "result"), [(400, "refused"), (399, "undone")])
def test_tcp_memory_comes_back_only_where_that_is_no_pressure(host: ScratchHost, pages: int, result: str) -> None:
    use_tables(host)
    live = host.apply(fields_of("socket_memory", ("live", TCP_MEM, "300:400:500", "2000:2666:4000")))
    use = f"sockets: used 9\nTCP: inuse 1 orphan 0 tw 0 alloc 9 mem {pages}\n"
    host.write("proc/net/sockstat", use)
    assert host.apply(undo_of(live["id"]))["result"] == result


def test_a_limit_of_the_host_is_refused_inside_of_a_container(host: ScratchHost) -> None:
    use_tables(host)
    host.path("proc/sys/net/ipv4/tcp_mem").unlink()  # a network namespace of its own does not show it
    answer = host.apply(fields_of("socket_memory", ("live", TCP_MEM, "300:400:500", "2000:2666:4000")))
    assert (answer["result"], answer["reason"]) == ("refused", "unreadable")


def test_the_range_of_ports_is_widened_and_comes_back(host: ScratchHost) -> None:
    use_tables(host)
    live = host.apply(fields_of("port_range", ("live", PORTS, "32768:60999", "10240:60999")))
    kept = host.apply(fields_of("port_range", ("persist", PORTS, "10240:60999", "10240:60999")))
    assert (live["result"], kept["result"], host.sysctl("net/ipv4/ip_local_port_range")) == ("applied", "applied", "10240 60999")
    assert [host.apply(undo_of(done["id"]))["result"] for done in (kept, live)] == ["undone", "undone"]
    assert host.sysctl("net/ipv4/ip_local_port_range") == "32768 60999"


@pytest.mark.parametrize(
    ("value", "reserved", "reason", "detail"),
    [
        ("10240:60999", "", "out_of_bounds", "listener 10255"),
        ("10256:60999", "", "ok", ""),
        ("10240:60999", "9000,10255", "ok", ""),
        ("40000:60999", "", "out_of_bounds", "not_higher"),
        ("32768:50000", "", "out_of_bounds", "not_higher"),
        ("32768:60999", "", "no_change", ""),
        ("1000:60999", "10255", "out_of_bounds", ""),
        ("10240:70000", "10255", "out_of_bounds", ""),
    ],
)
def test_ports_that_somebody_listens_on_are_not_given_out(
    host: ScratchHost, value: str, reserved: str, reason: str, detail: str
) -> None:
    use_tables(host)
    host.write("proc/sys/net/ipv4/ip_local_reserved_ports", f"{reserved}\n")
    answer = host.apply(fields_of("port_range", ("live", PORTS, "32768:60999", value)))
    assert (answer["reason"], answer["detail"]) == (reason, detail)


def test_the_hard_limit_of_a_services_files_is_kept(host: ScratchHost) -> None:
    fake_systemctl.install(host)
    use_tables(host)
    change = fields_of("unit_limit", ("persist", fake_systemctl.UNIT, "nofile", "1024:524288", "8192"))
    answer = host.apply(change)
    file = host.path(f"etc/units/{fake_systemctl.UNIT}.d/zz-triagebook-LimitNOFILE.conf")
    assert (answer["result"], file.read_text()) == ("applied", "[Service]\nLimitNOFILE=8192:524288\n")
    assert host.apply(undo_of(answer["id"]))["result"] == "undone"
    for value in ("1048577", "1024"):
        beyond = fields_of("unit_limit", ("persist", fake_systemctl.UNIT, "nofile", "1024:524288", value))
        assert host.apply(beyond)["reason"] == "out_of_bounds"


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds 60 of the 64 files it may have."""
    script = 'i=10; while [ $i -lt 64 ]; do eval "exec $i</dev/null"; i=$((i + 1)); done; exec sleep 600'
    with subprocess.Popen(("prlimit", "--nofile=64:256", "bash", "-c", script)) as holding:
        deadline = time.monotonic() + GUARD_S
        while "sleep" not in Path(f"/proc/{holding.pid}/comm").read_text() and time.monotonic() < deadline:
            pass
        yield holding
        holding.kill()


def test_the_files_of_a_running_process_are_raised_and_not_put_back_below_use(
    host: ScratchHost, holder: subprocess.Popen[bytes]
) -> None:
    host.install(PROC="/proc")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def order(value: str) -> dict[str, str]:
        printed = subprocess.run(process.capture_one(str(holder.pid)).argv, capture_output=True, text=True, check=True).stdout
        (found,) = process.parse(printed)
        about = (str(found.pid), str(found.start), str(found.uid), "nofile", found.limits["nofile"], value)
        return host.apply(fields_of("process_limit", ("live", *about)), boot=boot)

    assert order("1048577")["detail"] == "nr_open"
    answer = order("128")
    assert (answer["result"], answer["before"], answer["after"]) == ("applied", "64:256", "128:256")
    open_files = len(os.listdir(f"/proc/{holder.pid}/fd"))
    undone = host.apply(undo_of(answer["id"]), boot=boot)
    assert (undone["result"], open_files) == ("undone", 57)
    subprocess.run(("prlimit", f"--pid={holder.pid}", "--nofile=57:256"), check=True)
    raised = order("128")
    refused = host.apply(undo_of(raised["id"]), boot=boot)
    assert (refused["reason"], refused["detail"]) == ("undo_unsafe", "in use 57")
