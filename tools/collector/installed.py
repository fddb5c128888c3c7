"""The collector as a program that lies on a host: for an account whose key may start it and nothing else.

It reads every kind, ignores what was asked for, and takes pace lines only: for a sample, or for one of the closed set of
readings that a change is planned from. Its first line says which program it is.
"""

import hashlib
import shlex
from functools import cache

from triagebook.runbooks.probes import catalog
from triagebook.tools.collector import program, readings

CPU_LIMIT_S = 600  # a watch may be asking; it sets its own pace
# The program starts itself with this word and says on standard input what for (readings.awk). By its key nobody gives it a word.
_READING = """if [ "${{1-}}" = reading ]; then
IFS= read -r tag && IFS= read -r line || exit 2
{{
printf '%s\\n%s\\n' "$tag" "$line"
(
set -f
# shellcheck disable=SC2086 # split at the spaces
set -- $line
set +f
shift
{script}) 2>/dev/null </dev/null
echo "$?"
}} | awk '{records}'
exit
fi
"""
_RECORDS = """\
NR == 1 { tag = $0; next }
NR == 2 { line = $0; next }
NR > 3 { print tag "\\tread\\t" last }
{ last = $0 }
END { print tag "\\tdone\\t" last "\\t" line }"""


@cache
def source(awk: str = "") -> str:
    """The text of the program, POSIX sh. `awk` names another interpreter than the host's."""
    return f"#!/bin/sh\n{_reading_part()}echo triagebook-collector/1 {digest(awk)}\n{_start_part(awk)}"


def digest(awk: str = "") -> str:
    """SHA-256 of what the program can do, which it says first."""
    return hashlib.sha256((_reading_part() + _start_part(awk)).encode()).hexdigest()


def _reading_part() -> str:
    return _READING.format(script=readings.script(), records=_RECORDS)


def _start_part(awk: str) -> str:
    kinds = tuple(kind for kind in catalog.kinds() if catalog.is_collected(kind))
    argv = program.command(
        program.build(kinds, is_watch=True, takes_readings=True), program.launcher(awk=awk, cpu_limit_s=CPU_LIMIT_S)
    )
    return f'export TRIAGEBOOK_COLLECTOR="$0"\nexec {shlex.join(argv)}\n'
