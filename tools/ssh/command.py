"""Renders an argv as the command of an SSH session: the one place where an argv becomes a string."""

import shlex
from collections.abc import Sequence
from functools import lru_cache


def render(argv: Sequence[str]) -> str:
    """Quote for a POSIX shell. `exec`: the login shell becomes the program, without a fork."""
    return _render(tuple(argv))


@lru_cache(maxsize=8)
def _render(argv: tuple[str, ...]) -> str:
    """A fleet gets the same program, which is long."""
    return "exec " + shlex.join(argv)
