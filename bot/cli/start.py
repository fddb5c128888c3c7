"""The entry point: the one host of `triagebook diagnose HOST` is dialled first, then the command line is parsed.

The imports that parse it take as long as a connection does. What is not plainly one host is left to them.
"""

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.dataclass import dataclass

if TYPE_CHECKING:
    from triagebook.tools.transport.ssh import SshTransport

GARBAGE_THRESHOLD = 20_000  # imports make tens of thousands of objects and no garbage; Python's own 700 costs 10 ms of a start
_FLAGS = {"--json", "--explain"}
_WITH_VALUE = {"-F", "-r", "--runbook", "--symptom", "--unit", "--user", "--pid", "--sample", "--save", "--accept-unknown"}


@dataclass(frozen=True)
class Dialled:
    """What was dialled, and for which words."""

    hosts: tuple[str, ...]
    ssh_config: str
    transport: "SshTransport | None"


def plain_target(words: Sequence[str]) -> tuple[str, str] | None:
    """(host, file of -F) where the words are `diagnose`, one host, and options known here; else None."""
    if not words or words[0] != "diagnose":
        return None
    hosts, ssh_config, rest = [], "", iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            value = next(rest, None)
            if value is None:
                return None
            ssh_config = value if word == "-F" else ssh_config
        elif not word.startswith("-"):
            hosts.append(word)
        elif word not in _FLAGS:
            return None
    return (hosts[0], ssh_config) if len(hosts) == 1 else None


def main() -> None:
    """See the module. A mistake in the words is told by who parses them."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    dialled = None
    if (plain := plain_target(sys.argv[1:])) is not None:
        from triagebook.runbooks.engine.errors import TriagebookError  # noqa: PLC0415 - --help needs none of it
        from triagebook.tools import dial  # noqa: PLC0415

        try:
            dialled = Dialled((plain[0],), plain[1], dial.dial((plain[0],), plain[1]))
        except TriagebookError:
            pass  # whoever parses the words meets it again
        except KeyboardInterrupt:  # a name may take seconds to look up
            sys.exit(130)
    from triagebook.bot.cli import app  # noqa: PLC0415 - TCP is under way before this

    app.main(dialled)
