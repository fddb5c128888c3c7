"""Asking a host for a card: the answer comes redacted, as the database keeps it."""

from collections.abc import Callable
from typing import Protocol

from triagebook.bot.slack import kept
from triagebook.bot.slack.kept import Kept
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.service import Question, Service

First = Callable[[Kept], None]


class Asker(Protocol):
    """Asks hosts, here or in a process of its own."""

    def ask(self, question: Question, first: First) -> Kept:
        """One host, one answer. `first` is told a first verdict where a second look follows. Raises RunbookError or UsageError."""
        ...


@dataclass(frozen=True)
class Here:
    """By the service of this process."""

    service: Service

    def ask(self, question: Question, first: First) -> Kept:
        """See Asker."""

        def progress(stage: str, diagnosis: Diagnosis | None) -> None:
            if stage == "first" and diagnosis is not None:
                first(kept.of(diagnosis))

        return kept.of(self.service.diagnose(question, progress).diagnosis)
