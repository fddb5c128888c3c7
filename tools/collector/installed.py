"""The collector as a program that lies on a host: for an account whose key may start it and nothing else.

It reads every kind, ignores what was asked for, and takes pace lines only. Its first line says which program it is.
"""

import hashlib
import shlex
from functools import cache

from triagebook.runbooks.probes import catalog
from triagebook.tools.collector import collect, program

CPU_LIMIT_S = 600  # a watch may be asking; it sets its own pace


@cache
def source() -> str:
    """The text of the program, POSIX sh."""
    return f"#!/bin/sh\necho triagebook-collector/1 {digest()}\n{_started()}"


def digest() -> str:
    """SHA-256 of what the program becomes, which it says first."""
    return hashlib.sha256(_started().encode()).hexdigest()


def _started() -> str:
    kinds = tuple(kind for kind in catalog.kinds() if catalog.is_collected(kind))
    argv = program.command(collect.joined(kinds), program.launcher(cpu_limit_s=CPU_LIMIT_S))
    return f"exec {shlex.join(argv)}\n"
