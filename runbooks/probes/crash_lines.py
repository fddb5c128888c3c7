"""Reads the kernel's lines of crashed processes, and what the addresses and error bits in them say. Pure.

Source: arch/x86/mm/fault.c show_signal_msg, arch/x86/kernel/traps.c, mm/memory.c print_vma_addr, arch/arm64/kernel/traps.c. All
numbers of a segfault line are hexadecimal, the error code too; the number in brackets is a thread's. Before Linux 6.9 the file
named may be the next one above the instruction: it counts only where the instruction lies in it.
"""

import re

from triagebook.runbooks.engine.dataclass import dataclass

_FILE = r"(?: in (?P<file>\S.{0,120}?)\[(?:(?P<offset>[0-9a-f]{1,16}),)?(?P<base>[0-9a-f]{1,16})\+(?P<size>[0-9a-f]{1,16})\])?"
_HEX = "[0-9a-f]{1,16}"
_SEGFAULT = re.compile(
    rf"kernel: (?P<comm>.{{1,16}})\[(?P<tid>[0-9]{{1,9}})\]: segfault at (?P<address>{_HEX}) ip (?P<ip>{_HEX}) sp (?P<sp>{_HEX}) "
    rf"error (?P<error>[0-9a-f]{{1,8}}){_FILE}"
)
_TRAP = re.compile(
    rf"kernel: traps: (?P<comm>.{{1,16}})\[(?P<tid>[0-9]{{1,9}})\] (?P<trap>general protection(?: fault)?|trap [a-z0-9 ]{{3,24}}?)"
    rf"(?:,[^:]{{0,60}})? ip:(?P<ip>{_HEX}) sp:(?P<sp>{_HEX}) error:{_HEX}{_FILE}"
)
_ARM = re.compile(
    r"kernel: (?P<comm>.{1,16})\[(?P<tid>[0-9]{1,9})\]: unhandled exception: .{0,80}?(?:ESR|esr)[: ]+0x(?P<esr>[0-9a-f]{1,16})"
    rf".{{0,60}}?{_FILE}$"
)
_SECCOMP = re.compile(
    r'type=1326 .{0,200}?pid=(?P<tid>[0-9]{1,9}) comm="(?P<comm>[^"]{1,16})".{0,300}? sig=31 .{0,80}?syscall=(?P<call>[0-9]{1,4})'
)
_PROTECTION, _WRITE, _RESERVED, _FETCH = 1, 2, 8, 0x10
_PAGE, _NULL_END, _STACK_NEAR = 4096, 0x10000, 65536 + 4096  # vm.mmap_min_addr; how far below its pointer a stack is touched
_KERNEL_HALF, _LAST_PAGE = 0xFFFF800000000000, 0xFFFFFFFFFFFFF000
# The main stack begins in the last 16 GiB below 2^47, and mappings, threads' stacks among them, end below those (mmap_base()):
# a main stack of up to 4 GiB is told from a thread's.
_MAIN_STACK = 0x7FFB00000000


@dataclass(frozen=True)
class CrashLine:
    """Describes one line: who, where, and what sort of crash its numbers are (`sort` as `sort_of` has it)."""

    comm: str
    tid: int
    sort: str
    address: str
    place: str  # FILE+OFFSET, which compares between crashes and hosts; FILE alone or "" where that is not known


def read_line(line: str) -> CrashLine | None:
    """Return what a line tells; None when it is not of a crash."""
    if (found := _SEGFAULT.search(line)) is not None:
        address, ip, sp, error = (int(found[name], 16) for name in ("address", "ip", "sp", "error"))
        return CrashLine(found["comm"], int(found["tid"]), sort_of(address, ip, sp, error), found["address"], _place(found, ip))
    if (found := _TRAP.search(line)) is not None:
        sort = "noncanonical" if found["trap"].startswith("general") else _sort_of_trap(found["trap"])
        return CrashLine(found["comm"], int(found["tid"]), sort, "", _place(found, int(found["ip"], 16)))
    if (found := _ARM.search(line)) is not None:
        return CrashLine(found["comm"], int(found["tid"]), "wild", "", found["file"] or "")
    if (found := _SECCOMP.search(line)) is not None:
        return CrashLine(found["comm"], int(found["tid"]), "filtered_call", found["call"], "")
    return None


def sort_of(address: int, ip: int, sp: int, error: int) -> str:
    """Return the sort of an x86 page fault by its address and error bits.

    table | data | jump | failed_call | kernel_half | null_pointer | stack | thread_stack | readonly | wild
    """
    if error & _RESERVED:
        return "table"
    if error & _FETCH:
        return "data" if error & _PROTECTION else "jump" if ip == address else "wild"
    if address >= _LAST_PAGE:
        return "failed_call"
    if address >= _KERNEL_HALF:
        return "kernel_half"
    if address < _NULL_END and not error & _PROTECTION:
        return "null_pointer"
    if abs(address - sp) <= _STACK_NEAR and not error & _PROTECTION:
        return "stack" if sp >= _MAIN_STACK else "thread_stack"
    return "readonly" if error & _PROTECTION and error & _WRITE else "wild"


def _sort_of_trap(trap: str) -> str:
    if "invalid opcode" in trap:
        return "opcode"
    return "divide" if "divide" in trap else "trap"


def _place(found: "re.Match[str]", ip: int) -> str:
    if not found["file"]:
        return ""
    base, size = int(found["base"], 16), int(found["size"], 16)
    if not base <= ip < base + size:
        return ""
    offset = int(found["offset"], 16) if found["offset"] else ip - base
    return f"{found['file']}+{offset:x}"
