"""Crashes as the kernel's lines, systemd's results and its unit states tell them."""

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes import crash_lines, crashed_units, crashes

BOOT = "2026-11-30T00:01:00+0000 h kernel: Linux version 6.1.0-42-amd64\n"
AT = "2026-11-30T00:02:00+0000 h kernel: "
NEW = "in acmed[1432,55d86ac33000+1000] likely on CPU 1 (core 1, socket 0)"
STACK = "segfault at 7ffd8403f5f8 ip 000055d86ac33432 sp 00007ffd8403f5f0 error 6"
LINES = (
    # of Linux 6.1 and 6.18, as they were printed for a program that was made to crash so
    (f"acmed[22344]: segfault at 0 ip 000055d86ac33432 sp 00007ffffd17ec10 error 6 {NEW}", "null_pointer", "acmed+1432"),
    ("acmed[9]: segfault at 18 ip 000055a014d532f9 sp 00007ffffd17ec10 error 4 in acmed[55a014d53000+1000]", "null_pointer", "acmed+2f9"),
    ("acmed[9]: segfault at 0 ip 0000000000000000 sp 00007ffffd17ec10 error 14 in acmed[55a014d53000+1000]", "jump", ""),
    ("acmed[9]: segfault at 7f00aa00 ip 000000007f00aa00 sp 00007ffffd17ec10 error 15", "data", ""),
    (f"acmed[9]: {STACK} {NEW}", "stack", "acmed+1432"),
    ("acme-main[8]: segfault at 7f73bc41d0c8 ip 000055d86ac33432 sp 00007f73bc41d0c0 error 6", "thread_stack", ""),
    (  # of a public report: the stack of a thread lies just below the libraries
        "als-controller[29781]: segfault at 7ff19934dfe0 ip 00007ff19b6da8ef sp 00007ff19934dfd0 error 6 in libc-2.21.so[7ff19b659000+1c0000]",
        "thread_stack",
        "libc-2.21.so+818ef",
    ),
    ("acmed[9]: segfault at ffffffffffffffff ip 000055d86ac33432 sp 00007ffffd17ec10 error 7", "failed_call", ""),
    ("acmed[9]: segfault at ffff888000000000 ip 000055d86ac33432 sp 00007ffffd17ec10 error 5", "kernel_half", ""),
    ("acmed[9]: segfault at 55d86ac34004 ip 000055d86ac33432 sp 00007ffffd17ec10 error 7", "readonly", ""),
    ("acmed[9]: segfault at 7f73bc41e000 ip 000055d86ac33432 sp 00007ffffd17ec10 error 4", "wild", ""),
    ("acmed[9]: segfault at 7f73bc41e000 ip 000055d86ac33432 sp 00007ffffd17ec10 error c", "table", ""),
    ("traps: acmed[9] general protection fault ip:55d86ac33432 sp:7ffffd17ec10 error:0 in acmed[1432,55d86ac33000+1000]", "noncanonical", "acmed+1432"),
    ("traps: acmed[9] trap invalid opcode ip:55d86ac33432 sp:7ffffd17ec10 error:0 in acmed[55d86ac33000+1000]", "opcode", "acmed+432"),
    ("traps: acmed[9] trap divide error ip:55d86ac33432 sp:7ffffd17ec10 error:0", "divide", ""),
    ("traps: acmed[9] trap int3 ip:55d86ac33432 sp:7ffffd17ec10 error:0", "trap", ""),
    ("acmed[9]: unhandled exception: DABT (lower EL), ESR 0x0000000092000046, level 2 translation fault in acmed[aaaab0000000+1000]", "wild", "acmed"),
    ('audit: type=1326 audit(1.2:3): auid=0 uid=0 gid=0 ses=1 pid=9 comm="ls" exe="/usr/bin/ls" sig=31 arch=c000003e syscall=217', "filtered_call", ""),
)  # fmt: skip


@pytest.mark.parametrize(("line", "sort", "place"), LINES)
def test_the_numbers_of_a_line_tell_the_sort_of_crash(line: str, sort: str, place: str) -> None:
    found = crash_lines.read_line(AT + line)
    assert found is not None
    assert (found.sort, found.place) == (sort, place)


def test_lines_of_one_place_are_counted_together_newest_first() -> None:
    one, two = (f"{AT}{LINES[index][0]}\n" for index in (0, 4))
    found = crashes.parse(BOOT + one + two + one.replace("22344", "22399").replace("00:02:00", "00:09:00"))
    assert isinstance(found, crashes.Crashes)
    assert [(one.name, one.sort, one.tid, one.count) for one in found.groups.items] == [
        ("acmed at acmed+1432", "null_pointer", 22399, 2),
        ("acmed at acmed+1432", "stack", 9, 1),
    ]
    assert (found.lines, found.programs, found.suppressed, found.hardware_lines) == (3, 1, 0, 0)
    assert "22399" in found.newest


def test_what_else_the_log_says_of_crashes_is_counted() -> None:
    found = crashes.parse(
        f"{BOOT}{AT}show_signal_msg: 33 callbacks suppressed\n{AT}mce: [Hardware Error]: Machine check events logged\n"
    )
    assert isinstance(found, crashes.Crashes)
    assert (found.lines, found.suppressed, found.hardware_lines, found.groups.items) == (0, 1, 1, ())


@pytest.mark.parametrize("stdout", ["", "-- No entries --\n"])
def test_a_journal_that_is_not_to_be_read_is_not_an_empty_one(stdout: str) -> None:
    assert isinstance(crashes.parse(stdout), Unreadable)
    assert isinstance(crashed_units.parse(stdout), Unreadable)


def test_only_the_kernel_and_the_services_are_asked() -> None:
    assert crashes.command()[:3] == ("env", "LC_ALL=C", "journalctl")
    assert crashed_units.command()[-2:] == ("--", "*.service")
    for kind in (crashes, crashed_units):
        with pytest.raises(ValueError, match="not a"):
            kind.command("--file=/etc/shadow")


def block(unit: str, result: str, code: int, status: int, restarts: int, **more: str) -> str:
    shown = {"Id": unit, "LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": result}
    shown |= {
        "ExecMainCode": str(code),
        "ExecMainStatus": str(status),
        "NRestarts": str(restarts),
        "LimitCORE": str(2**64 - 1),
        **more,
    }
    return "".join(f"{key}={value}\n" for key, value in shown.items())


def test_services_that_a_signal_of_a_crash_ended_are_told_and_those_that_were_restarted() -> None:
    found = crashed_units.parse(
        "\n".join(
            (
                block("ok.service", "success", 1, 11, 0),
                block("loop.service", "success", 0, 0, 4, ActiveState="active"),
                block("crash.service", "core-dump", 3, 11, 2),
                block("killed.service", "signal", 2, 9, 0),
                block("abort.service", "signal", 2, 6, 0),
            )
        )
    )
    assert isinstance(found, crashed_units.CrashedUnits)
    assert [(one.unit, one.signal, one.is_dumped, one.restarts) for one in found.units.items] == [
        ("crash.service", "SIGSEGV", True, 2),
        ("abort.service", "SIGABRT", False, 0),
        ("loop.service", "", False, 4),
    ]
    assert (found.services, found.units.counted, found.units.items[0].limit_core) == (5, 2, "infinity")
