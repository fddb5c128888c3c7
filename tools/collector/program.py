"""Joins the wanted kinds' awk into one program of one line, and gives the shell line that becomes it.

The program is an operand of `sh -c`, so it passes the login shell (sh, bash, zsh, fish, csh) inside single quotes:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.library.catalog import ContentCache
from triagebook.runbooks.probes import catalog
from triagebook.tools.collector.minify import minify

_SHARED = ("prelude.awk", "processes.awk", "cgroups.awk")
_MOST_CORES = 300  # of about 100 characters each: an argument list is bounded
PHASES = ("begin", "process", "end", "after", "asked", "pace")


@dataclass(frozen=True)
class HostBounds:
    """What one sample may cost the host: bytes printed, PIDs guessed, lines of /proc/PID/maps read, CPU of the walk."""

    answer_bytes: int = 13_800
    scanned_pids: int = 20_000
    map_lines: int = 300_000
    walk_us: int = 1_500_000


@lru_cache(maxsize=64)
def build(
    kinds: tuple[str, ...],
    root: str = "",
    bounds: HostBounds | None = None,
    *,
    takes_readings: bool = False,
    cache: ContentCache | None = None,
) -> str:
    """Return the program for these kinds, as it is sent; it reads below `root`. `takes_readings`: as it is installed.

    Minifying takes 8 % of the instructions of a diagnosis, so its result is kept in `cache`, named by the digest of all
    that it was made from.

    Raises:
        RunbookError: an unknown kind.
        ValueError: a statement is left open at a line's end, or a character would not survive a login shell.
    """
    folder = Path(__file__).parent
    shared = "".join((folder / name).read_text(encoding="ascii") for name in _SHARED)
    parts = catalog.awk_parts(kinds)
    if takes_readings:
        parts["readings"] = (folder / "readings.awk").read_text(encoding="ascii")
    joined = _join(shared, parts, root, bounds or HostBounds())
    if cache is None:
        return minify(joined)
    made_by = (folder / "minify.py").read_bytes()
    name = f"program-{hashlib.sha256(made_by + joined.encode('ascii')).hexdigest()}.awk"
    cached = cache.read(name)
    if cached is not None:
        return cached.decode("ascii")
    program = minify(joined)
    cache.write(name, program.encode("ascii"))
    return program


def _join(shared: str, kinds: Mapping[str, str], root: str, bounds: HostBounds) -> str:
    """Put each kind's awk behind what they share, in the mapping's order; `root` stands before every path.

    A walk over the processes happens only when a kind has a `process` hook.
    """
    found = {kind: _hooks(awk, kind) for kind, awk in kinds.items()}
    walks = any("process" in phases for phases in found.values())
    shares = sum("end" in phases or "after" in phases for phases in found.values())
    constants = (
        f'ROOT = "{root}"; FIRST_SAMPLE = 1; KINDS = {shares}; WALKS = {int(walks)}; '
        f"BUDGET = {bounds.answer_bytes}; SCAN_LIMIT = {bounds.scanned_pids}; MAP_LINES = {bounds.map_lines}; "
        f"WALK_US = {bounds.walk_us};"
    )
    generated = [f"function constants() {{ {constants} }}"]
    early = [kind for kind in kinds if "end" in found[kind] and "process" not in found[kind]]
    generated.append(f"function each_early() {{ {''.join(_call(kind, 'end', found[kind]) for kind in early)}}}")
    for phase in PHASES:
        those = [kind for kind in kinds if phase in found[kind] and (phase != "end" or kind not in early)]
        generated.append(f"function each_{phase}() {{ {''.join(_call(kind, phase, found[kind]) for kind in those)}}}")
    return "\n".join([shared, *kinds.values(), *generated])


def _hooks(awk: str, kind: str) -> tuple[str, ...]:
    """The phases for which a kind's awk defines `KIND_PHASE()`."""
    lines = f"\n{awk}"
    return tuple(phase for phase in PHASES if f"\nfunction {kind}_{phase}(" in lines)


def _call(kind: str, phase: str, phases: tuple[str, ...]) -> str:
    if phase == "asked":
        return f'if ("{kind}" in is_asked) {{ share("{kind}"); {kind}_asked(); }} '
    # A share of the answer is opened once, in the phase where the kind prints.
    opens = phase == "end" or (phase == "after" and "end" not in phases)
    return (f'share("{kind}"); ' if opens else f'kind = "{kind}"; ' if phase == "after" else "") + f"{kind}_{phase}(); "


def launcher(*, root: str = "", awk: str = "", cpu_limit_s: int | None = 8) -> str:
    """The shell line (POSIX sh) that lists the PIDs and becomes awk; its first operand is the program.

    What else only a shell can list without a fork goes along behind the PIDs: groups of the first level, which may have no
    process, and the names of stored core dumps, up to a number.
    Builtins only, then `exec`: it never forks. mawk reads pace lines in time only with `-W interactive`, which
    other awks refuse. `awk` names another interpreter. `cpu_limit_s` is RLIMIT_CPU, soft.
    """
    limit = f"ulimit -S -t {cpu_limit_s} 2>/dev/null; " if cpu_limit_s is not None else ""
    become = (
        f'exec $n {awk} "$p" "$@"'
        if awk
        else 'if [ -x /usr/bin/mawk ]; then exec $n /usr/bin/mawk -W interactive "$p" "$@"; else exec $n awk "$p" "$@"; fi'
    )
    return (
        f'p=$1; {_cores(root)}cd "{root}/proc" || exit 3; '
        f'set -- [0-9]* "$@" "{root}"/sys/fs/cgroup/*/memory.events "{root}"/sys/fs/cgroup/memory/*/memory.failcnt; {limit}'
        'LC_ALL=C; PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"; export LC_ALL PATH; '
        f'n=; if [ -x /usr/bin/nice ] || [ -x /bin/nice ]; then n="nice -n 10"; fi; {become}'
    )


def _cores(root: str) -> str:
    """The part of the shell line that lists stored core dumps: `cores=N` for too many, `cores=none` where they cannot be listed."""
    return (
        f'd="{root}/var/lib/systemd/coredump"; if [ -r "$d" ]; then set -- "$d"/core.*; else set -- cores=none; fi; '
        f'if [ $# -gt {_MOST_CORES} ]; then set -- "cores=$#"; fi; '
    )


def command(program: str, shell_line: str) -> tuple[str, ...]:
    """The argv that runs a joined program."""
    return ("/bin/sh", "-c", shell_line, "triagebook", program)
