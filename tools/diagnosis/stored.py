"""A diagnosis as the database keeps it for its card: JSON without secrets, read back as the same noun."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.redact import redact


@dataclass(frozen=True)
class StoredDiagnosis:
    """A diagnosis as it is kept, and as it is read back."""

    text: str
    diagnosis: Diagnosis


def redact_diagnosis(diagnosis: Diagnosis) -> StoredDiagnosis:
    """What may be shown and stored of it."""
    return read_stored(dump(diagnosis))


def read_stored(text: str) -> StoredDiagnosis:
    """Of what `dump` wrote."""
    return StoredDiagnosis(text, load(text))


def dump(diagnosis: Diagnosis) -> str:
    """Redacted JSON of the published schema."""
    return json.dumps(_clean(to_plain(diagnosis)), ensure_ascii=False)


def load(text: str) -> Diagnosis:
    """Read what `dump` wrote. Raises ValueError."""
    return from_plain(Diagnosis, json.loads(text), "diagnosis")


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return redact(value) if isinstance(value, str) else value


OnFirstVerdict = Callable[[StoredDiagnosis], None]


class Asker(Protocol):
    """Asks hosts, here or in a process of its own."""

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        """Diagnose one host. `first` gets the first verdict if a second sample follows. Raises RunbookError or UsageError."""
        ...


@dataclass(frozen=True)
class LocalAsker:
    """By the service of this process."""

    service: Service

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        """See Asker."""

        def progress(stage: str, answer: Answer | None) -> None:
            if stage == "first" and answer is not None:
                first(redact_diagnosis(answer.diagnosis))

        return redact_diagnosis(self.service.diagnose(question, progress).diagnosis)
