"""The entry point opens the TCP connection of `triagebook diagnose HOST` first, then parses the command line.

The imports needed for parsing take as long as the connection. Anything but exactly one host is left to the parser.
"""

import gc
import sys

from triagebook.bot.cli.verbosity import FLAGS

GARBAGE_THRESHOLD = 20_000  # imports make tens of thousands of objects and no garbage; the default of 700 costs 10 ms of a start


def main() -> None:
    """Connect early where that is possible, then run the command line. Typer reports invalid arguments."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    dialled = None
    words = sys.argv[1:]
    while words and words[0] in FLAGS:
        words = [*words[1:], words[0]]
    if words[:1] == ["diagnose"]:
        from triagebook.bot.cli.early_connect import connect  # noqa: PLC0415 - --help needs none of it

        try:
            dialled = connect(words)
        except KeyboardInterrupt:  # a name lookup may take seconds
            sys.exit(130)
    from triagebook.bot.cli import app  # noqa: PLC0415 - after TCP has started to connect

    app.main(dialled)
