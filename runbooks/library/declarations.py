"""Checks what a runbook declares of a generic kind (`sysctl`, `proc_table`, `rlimits`) and makes the kind's name of it.

Nothing declared is a command: a key, a file below /proc and numbers, each of a narrow shape. What a host should not be asked
for (a secret, a file that blocks, mounts something or is huge) is refused by name.
"""

import re
from typing import Any

from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey
from triagebook.runbooks.library.yaml_form import ProbeDoc
from triagebook.runbooks.probes.generic_kinds import spec_of
from triagebook.runbooks.probes.rlimits import ROWS, USES

MOST_KEYS, MOST_COLUMNS, MOST_ROWS = 32, 12, 100
TREES = ("abi", "debug", "fs", "kernel", "net", "sunrpc", "user", "vm")  # below /proc/sys
_KEY = re.compile(r"[a-z]+(\.[A-Za-z0-9_][A-Za-z0-9_-]*){1,6}")
_SECRET = re.compile(r"secret|_key$|\.random\.|binfmt_misc")
_FILE = re.compile(r"/proc/[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*){0,3}")
# Blocks, changes something, is huge, costs more than all the rest, or is of one process and not of the host.
_NOT_A_TABLE = re.compile(
    r"/proc/(self|thread-self|sys|kcore|kmsg|kallsyms|kpage\w*|sysrq-trigger|acpi|bus|fs|irq|scsi|driver|tty|timer_list|sched_debug"
    r"|net/(tcp6?|udp6?|nf_conntrack|ip_conntrack|fib_trie\w*|packet))(/.*)?"
)
_SEPARATORS = re.compile(r"[:/,=]{0,4}")
TAKES = {
    "sysctl": ("keys",),
    "proc_table": ("file", "skip_lines", "separators", "columns", "identity", "largest", "rows"),
    "rlimits": ("row", "use", "near_percent"),
}
NEEDS = {"sysctl": ("keys",), "proc_table": ("file", "columns", "identity"), "rlimits": ("row", "use")}


def kind_of(document: Document, name: str, probe: ProbeDoc) -> str:
    """Return the kind that a probe names, with what it declares. Raises RunbookError with file, line and nearest word."""
    path: PathKey = ("probes", name)
    takes = TAKES.get(probe.kind, ())
    for key in probe.model_fields_set - {"kind", "when"}:
        if key not in takes:
            known = f" (it takes {', '.join(takes)})" if takes else ""
            raise document.error((*path, key), f"the kind {probe.kind!r} takes no {key!r}{known}")
    if probe.kind not in TAKES:
        return probe.kind
    for key in NEEDS[probe.kind]:
        if key not in probe.model_fields_set:
            raise document.error(path, f"the kind {probe.kind!r} needs {key!r}")
    parameters = {"sysctl": _sysctl, "proc_table": _table, "rlimits": _rlimits}[probe.kind](document, path, probe)
    return spec_of(probe.kind, parameters)


def _sysctl(document: Document, path: PathKey, probe: ProbeDoc) -> dict[str, Any]:
    if not 0 < len(probe.keys) <= MOST_KEYS:
        raise document.error((*path, "keys"), f"from 1 to {MOST_KEYS} keys")
    keys = {}
    for name, entry in probe.keys.items():
        where, tree = (*path, "keys", name, "key"), entry.key.partition(".")[0]
        if not _KEY.fullmatch(entry.key):
            raise document.error(where, f"{entry.key[:80]!r} is no key such as fs.aio-max-nr: a file below /proc/sys, with dots")
        if tree not in TREES:
            raise document.error(where, f"/proc/sys has no {tree!r}{did_you_mean(tree, TREES)}")
        if _SECRET.search(entry.key):
            raise document.error(where, f"{entry.key!r} is not read: it holds a secret, or reading it does something")
        keys[name] = {"key": entry.key, "unit": entry.unit, "column": entry.column, "type": entry.type}
    return {"keys": keys}


def _table(document: Document, path: PathKey, probe: ProbeDoc) -> dict[str, Any]:
    if not _FILE.fullmatch(probe.file):
        raise document.error((*path, "file"), f"{probe.file[:80]!r} is no file below /proc such as /proc/sysvipc/sem")
    if _NOT_A_TABLE.fullmatch(probe.file):
        raise document.error((*path, "file"), f"{probe.file!r} is no table of the host, or costs too much to read")
    if not _SEPARATORS.fullmatch(probe.separators):
        raise document.error((*path, "separators"), "up to four of : / , = besides blanks")
    if not 0 < len(probe.columns) <= MOST_COLUMNS:
        raise document.error((*path, "columns"), f"from 1 to {MOST_COLUMNS} columns")
    for key, column in (("identity", probe.identity), ("largest", probe.largest)):
        if column and column not in probe.columns:
            raise document.error((*path, key), f"no column {column!r}{did_you_mean(column, probe.columns)}")
    if not 0 < probe.rows <= MOST_ROWS:
        raise document.error((*path, "rows"), f"from 1 to {MOST_ROWS} rows are printed; all are counted and summed")
    columns = {name: {"column": entry.column, "unit": entry.unit, "type": entry.type} for name, entry in probe.columns.items()}
    return {
        "file": probe.file,
        "skip_lines": probe.skip_lines,
        "separators": probe.separators,
        "columns": columns,
        "identity": probe.identity,
        "largest": probe.largest,
        "rows": probe.rows,
    }


def _rlimits(document: Document, path: PathKey, probe: ProbeDoc) -> dict[str, Any]:
    for key, word, known in (("row", probe.row, ROWS), ("use", probe.use, USES)):
        if word not in known:
            raise document.error((*path, key), f"no {key} {word[:60]!r}{did_you_mean(word, known)}")
    if not 1 <= probe.near_percent <= 100:
        raise document.error((*path, "near_percent"), "from 1 to 100")
    return {"row": probe.row, "use": probe.use, "near_percent": probe.near_percent}
