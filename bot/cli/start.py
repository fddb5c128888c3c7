"""The entry point: the one host of `triagebook diagnose HOST` is dialled first, then the command line is parsed.

The imports that parse it take as long as a connection does. What is not plainly one host is left to them.
"""

import gc
import sys

GARBAGE_THRESHOLD = 20_000  # imports make tens of thousands of objects and no garbage; Python's own 700 costs 10 ms of a start


def main() -> None:
    """Connect early where that is possible, then run the command line. Typer reports invalid arguments."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    dialled = None
    if sys.argv[1:2] == ["diagnose"]:
        from triagebook.bot.cli.early_connect import connect  # noqa: PLC0415 - --help needs none of it

        try:
            dialled = connect(sys.argv[1:])
        except KeyboardInterrupt:  # a name may take seconds to look up
            sys.exit(130)
    from triagebook.bot.cli import app  # noqa: PLC0415 - TCP is under way before this

    app.main(dialled)
