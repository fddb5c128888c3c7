"""Joins the wanted kinds' awk into one program of one line, and the shell line that becomes it. Pure.

The program is an operand of `sh -c`, so it passes the login shell (sh, bash, zsh, fish, csh) inside single quotes:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PHASES = ("begin", "process", "end", "after")

_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
_AROUND = re.compile(r" *(==|!=|<=|>=|&&|\|\||\+\+|--|\+=|[=<>+*/?:;,{}~]) *")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_END = re.compile(r"[;{}\\]$|^#|^$")


@dataclass(frozen=True)
class Bounds:
    """What one sample may cost the host: bytes printed, PIDs guessed, lines of /proc/PID/maps read."""

    answer_bytes: int = 13_800
    scanned_pids: int = 20_000
    map_lines: int = 300_000


def hooks(awk: str, kind: str) -> tuple[str, ...]:
    """The phases for which a kind's awk defines `KIND_PHASE()`."""
    return tuple(phase for phase in PHASES if re.search(rf"^function {re.escape(kind)}_{phase}\(", awk, re.MULTILINE))


def join(prelude: str, kinds: Mapping[str, str], *, root: str = "", first_sample: int = 1, bounds: Bounds | None = None) -> str:
    """One awk program of `prelude` and each kind's awk, in the mapping's order; `root` stands before every path.

    A walk over the processes happens only when a kind has a `process` hook.

    Raises:
        ValueError: a statement is left open at a line's end, or a character would not survive a login shell.
    """
    bounds = bounds or Bounds()
    found = {kind: hooks(awk, kind) for kind, awk in kinds.items()}
    walks = any("process" in phases for phases in found.values())
    shares = sum("end" in phases or "after" in phases for phases in found.values())
    constants = (
        f'ROOT = "{root}"; FIRST_SAMPLE = {first_sample}; KINDS = {shares}; WALKS = {int(walks)}; '
        f"BUDGET = {bounds.answer_bytes}; SCAN_LIMIT = {bounds.scanned_pids}; MAP_LINES = {bounds.map_lines};"
    )
    generated = [f"function constants() {{ {constants} }}"]
    for phase in PHASES:
        calls = "".join(_call(kind, phase, found[kind]) for kind in kinds if phase in found[kind])
        generated.append(f"function each_{phase}() {{ {calls}}}")
    return squeeze("\n".join([prelude, *kinds.values(), *generated]))


# What awk itself gives a meaning to; every other name is ours and may be shortened.
_AWK_WORDS = frozenset(
    {"BEGIN", "ARGC", "ARGV", "RS", "SUBSEP", "PROCINFO", "break", "close", "continue", "delete", "do", "else", "exit"}
    | {"fflush", "for", "function", "getline", "if", "in", "index", "int", "length", "next", "print", "printf"}
    | {"return", "split", "sprintf", "substr", "while"}
)
# Never given as a short name: words of some awk.
_TAKEN = frozenset({"do", "if", "in", "or", "NR", "NF", "FS", "RS"})


def _call(kind: str, phase: str, phases: tuple[str, ...]) -> str:
    # A share of the answer is opened once, in the phase where the kind prints.
    opens = phase == "end" or (phase == "after" and "end" not in phases)
    return (f'share("{kind}"); ' if opens else f'kind = "{kind}"; ' if phase == "after" else "") + f"{kind}_{phase}(); "


def squeeze(awk: str) -> str:
    """The same program on one line: without comments and indentation, names cut short (4 times fewer packets)."""
    lines = [line.strip() for line in awk.splitlines()]
    for line in lines:
        if not _LINE_END.search(line):
            raise ValueError(f"awk: a line must end in ';', '{{', '}}' or a backslash: {line!r}")
    joined = " ".join(line.removesuffix("\\").rstrip() for line in lines if line and not line.startswith("#"))
    parts = _STRING.split(joined)
    code = [_AROUND.sub(r"\1", part) for part in parts[::2]]
    short = _short_names(code)
    parts[::2] = [_WORD.sub(lambda word: short.get(word[0], word[0]), part) for part in code]
    program = "".join(parts)
    program = re.sub(r"\}(?=function |BEGIN)", "};", program)
    if not re.fullmatch(r"[ -~]*", program) or "'" in program or "\\\\" in program or re.search(r"![^=(]", program):
        raise ValueError("awk: a quote, a doubled backslash, a bare '!' or a character outside ASCII")
    return program


def _short_names(code: Iterable[str]) -> dict[str, str]:
    """A name of one or two letters for each of ours, the most frequent ones first."""
    uses = Counter(word for part in code for word in _WORD.findall(part) if word not in _AWK_WORDS)
    letters = string.ascii_letters
    names = (name for name in (*letters, *(a + b for a in letters for b in letters)) if name not in _TAKEN)
    return dict(zip(sorted(uses, key=lambda word: (-uses[word], word)), names, strict=False))


def launcher(*, root: str = "", awk: str = "", cpu_limit_s: int | None = 5) -> str:
    """The shell line (POSIX sh) that lists the PIDs and becomes awk; its first operand is the program.

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
        f'p=$1; cd "{root}/proc" || exit 3; set -- [0-9]*; {limit}'
        'LC_ALL=C; PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"; export LC_ALL PATH; '
        f'n=; if [ -x /usr/bin/nice ] || [ -x /bin/nice ]; then n="nice -n 10"; fi; {become}'
    )


def command(program: str, shell_line: str) -> tuple[str, ...]:
    """The argv that runs a joined program."""
    return ("/bin/sh", "-c", shell_line, "triagebook", program)
