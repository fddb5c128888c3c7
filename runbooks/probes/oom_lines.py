"""Reads what the kernel logs of a process that it killed for memory: whose limit, which process, where it ran. Pure.

Source: mm/oom_kill.c (dump_oom_summary, __oom_kill_process). Kernels before 5.0 print no line `oom-kill:constraint=`.
"""

import re
from collections.abc import Sequence
from typing import Any

from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes.cgroup_path import owner_of

GREP = "oom-kill:constraint=|Out of memory|out of memory|memory[.]oom[.]group"
# A command's name may hold commas, so it is read to the last `,pid=` of the line.
_SUMMARY = re.compile(
    r"oom-kill:constraint=(?P<constraint>CONSTRAINT_\w{1,20}),nodemask=.{0,400}?,mems_allowed=[^,]{0,200}(?:,[0-9-]{1,40}){0,40}"
    r"(?:,global_oom|,oom_memcg=(?P<owner>/[^,]{0,400})),task_memcg=(?P<path>/[^,]{0,400}),task=(?P<comm>.{0,16}),"
    r"pid=(?P<pid>[0-9]{1,9}),uid=(?P<uid>[0-9]{1,10})$"
)
_KILLED = re.compile(
    r"(?P<memcg>Memory cgroup o|O)ut of memory(?: \(oom_kill_allocating_task\))?: Kill(?:ed)? process (?P<pid>[0-9]{1,9}) "
    r"\((?P<comm>.{0,16})\)(?:.{0,80}? anon-rss:(?P<anon>[0-9]{1,15})kB, file-rss:(?P<file>[0-9]{1,15})kB"
    r"(?:, shmem-rss:(?P<shmem>[0-9]{1,15})kB)?)?(?:.{0,80}?oom_score_adj:(?P<adj>-?[0-9]{1,4}))?"
)


def is_kill(line: str) -> bool:
    """Say whether a line tells of a process that the kernel killed for memory."""
    return _KILLED.search(line) is not None or _SUMMARY.search(line) is not None


def last_kill(lines: Sequence[str]) -> dict[str, Any]:
    """Return what the newest kill's lines say, by the names of KernelLog's facts; empty where there is none."""
    killed = summary = None
    for line in lines:
        if (of_line := _SUMMARY.search(line)) is not None:
            killed, summary = None, of_line
        elif (of_line := _KILLED.search(line)) is not None:
            killed, summary = of_line, summary if summary is not None and summary["pid"] == of_line["pid"] else None
    if killed is None and summary is None:
        return {}
    found: dict[str, Any] = {}
    if summary is not None:
        path, owner = safe_text(summary["path"], 400), safe_text(summary["owner"] or "", 400)
        found = {
            "kill_constraint": summary["constraint"],
            "kill_comm": safe_text(summary["comm"], 40),
            "kill_pid": int(summary["pid"]),
            "kill_path": path,
            "kill_unit": owner_of(path, {}).unit,
            "kill_owner": owner,
            "kill_owner_unit": owner_of(owner, {}).unit if owner else "",
        }
    elif killed is not None:
        constraint = "CONSTRAINT_MEMCG" if killed["memcg"].startswith("M") else "CONSTRAINT_NONE"
        found = {"kill_constraint": constraint, "kill_comm": safe_text(killed["comm"], 40), "kill_pid": int(killed["pid"])}
    if killed is not None and killed["anon"]:
        found["kill_rss_bytes"] = sum(int(killed[part] or 0) for part in ("anon", "file", "shmem")) * 1024
    if killed is not None and killed["adj"]:
        found["kill_adj"] = int(killed["adj"])
    return found
