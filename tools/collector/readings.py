"""What may be read on a host before a change: a closed set of looks, each about one thing, with one text (`readings.sh`).

An account that may run programs runs that text. Where it may start the installed collector only, the same text is a part
of that program, and a pace line `read NAME SUBJECT...` asks for it.
"""

import re
from functools import cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.probes.records import HEADER

READ, DONE = "read", "done"  # kinds of record: a line that was printed, and the exit status
_SUBJECT = re.compile(r"(?!-)(?!.*\.\.)[A-Za-z0-9:_.@/\\-]+")  # as readings.sh has it


@dataclass(frozen=True)
class HostReading:
    """One look. `name` is a case of `readings.sh`.

    Raises:
        UsageError: a subject that the host would refuse.
    """

    name: str
    subjects: tuple[str, ...]

    def __post_init__(self) -> None:
        if wrong := [subject for subject in self.subjects if not _SUBJECT.fullmatch(subject)]:
            raise UsageError(f"not the subject of a reading: {wrong[0]!r}")

    @property
    def argv(self) -> tuple[str, ...]:
        """The program: one constant script; what it reads about is an argument."""
        return ("sh", "-c", script(), "sh", self.name, *self.subjects)

    @property
    def pace_line(self) -> str:
        """What asks an installed collector for it."""
        return " ".join((READ, self.name, *self.subjects))

    def parse_answer(self, text: str) -> tuple[str, int] | None:
        """What a collector that was asked for it said: the printed text and the exit status; None when that is not all there.

        An answer names the line it answers, so that a late one is not taken for another's.
        """
        header = HEADER.search(text)
        rows = [line.split("\t") for line in text.split("\n") if header and line.startswith(f"{header[1]}\t")]
        status = next((row[2] for row in rows if row[1] == DONE and row[3:] == [self.pace_line]), "")
        if not status.isdecimal() or len(status) > 3:
            return None
        return "".join("\t".join(row[2:]) + "\n" for row in rows if row[1] == READ), int(status)


@cache
def script() -> str:
    """The text of `readings.sh`."""
    return Path(__file__).with_name("readings.sh").read_text("ascii")
