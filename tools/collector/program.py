"""Joins the wanted kinds' awk into one program of one line, and gives the shell line that becomes it.

The program is an operand of `sh -c`, so it passes the login shell (sh, bash, zsh, fish, csh) inside single quotes:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.library.catalog import ContentCache
from triagebook.runbooks.probes import catalog
from triagebook.tools.collector.minify import minify

_SHARED = ("prelude.awk", "processes.awk", "cgroups.awk")
_MOST_CORES = 300  # of about 100 characters each: an argument list is bounded
_BRIEF_ONLY = re.compile(r"^ *# <brief>\n.*?^ *# </brief>\n", re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r"\b(ROOT|FIRST_SAMPLE|KINDS|WALKS|BUDGET|SCAN_LIMIT|MAP_LINES|WALK_US)\b")
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
    is_watch: bool = False,
    takes_readings: bool = False,
    cache: ContentCache | None = None,
) -> str:
    """Return the program for these kinds, as it is sent; it reads below `root`.

    `is_watch`: it can take brief samples, which only a watch asks for. `takes_readings`: it is installed on a host, and can
    read what a change is planned from.

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
    if not is_watch:
        joined = _BRIEF_ONLY.sub("", joined)
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
    constants = {"FIRST_SAMPLE": 1, "KINDS": shares, "WALKS": int(walks), "BUDGET": bounds.answer_bytes}
    constants |= {"SCAN_LIMIT": bounds.scanned_pids, "MAP_LINES": bounds.map_lines, "WALK_US": bounds.walk_us}
    generated = []
    early = [kind for kind in kinds if "end" in found[kind] and "process" not in found[kind]]
    generated.append(f"function each_early() {{ {''.join(_call(kind, 'end', found[kind]) for kind in early)}}}")
    for phase in PHASES:
        those = [kind for kind in kinds if phase in found[kind] and (phase != "end" or kind not in early)]
        generated.append(f"function each_{phase}() {{ {''.join(_call(kind, phase, found[kind]) for kind in those)}}}")
    joined = "\n".join([shared, *kinds.values(), *generated]).replace('ROOT "/', f'"{root}/')
    return _CONSTANT.sub(lambda found: f'"{root}"' if found[0] == "ROOT" else str(constants[found[0]]), joined)


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
        else '[ -x /usr/bin/mawk ] && exec $n /usr/bin/mawk -W interactive "$p" "$@"; exec $n awk "$p" "$@"'
    )
    return (
        f'p=$1; {_cores(root)}cd "{root}/proc" || exit 3; '
        f'set -- [0-9]* "$@" "{root}"/sys/fs/cgroup/*/memory.events "{root}"/sys/fs/cgroup/memory/*/memory.failcnt; {limit}'
        'export LC_ALL=C PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"; '
        f'n=; [ -x /usr/bin/nice ] || [ -x /bin/nice ] && n="nice -n 10"; {become}'
    )


def _cores(root: str) -> str:
    """The part of the shell line that lists stored core dumps: `cores=N` for too many, `cores=none` where they cannot be listed."""
    return (
        f'd="{root}/var/lib/systemd/coredump"; set -- cores=none; [ -r "$d" ] && set -- "$d"/core.*; '
        f'[ $# -gt {_MOST_CORES} ] && set -- "cores=$#"; '
    )


def command(program: str, shell_line: str) -> tuple[str, ...]:
    """The argv that runs a joined program."""
    return ("/bin/sh", "-c", shell_line, "triagebook", program)
