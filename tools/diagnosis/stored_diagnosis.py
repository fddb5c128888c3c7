"""An answer as the database keeps it for its card: JSON without secrets, read back as the same noun, one runbook's or several."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.runbooks.engine.triage import SCHEMA as TRIAGE
from triagebook.runbooks.engine.triage import Found, Triage, diagnoses_of
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.redact import redact

RECENT = 64  # answers that are read again within seconds, for the card and the table: 13 ms each, a fifth of what an alert costs


@dataclass(frozen=True)
class StoredDiagnosis:
    """An answer as it is kept, and as it is read back: of several runbooks it is a triage."""

    text: str
    found: Found

    @property
    def diagnosis(self) -> Diagnosis:
        """Return the diagnosis that the first sentence is about."""
        return diagnoses_of(self.found)[0]

    def as_told(self, found: Found) -> "StoredDiagnosis":
        """Return the same answer as one asker is shown it."""
        return self if found is self.found else redact_diagnosis(found)


def redact_diagnosis(found: Found) -> StoredDiagnosis:
    """What may be shown and stored of it."""
    return read_stored(dump(found))


def read_stored(text: str) -> StoredDiagnosis:
    """Of what `dump` wrote."""
    return StoredDiagnosis(text, load(text))


def dump(found: Found) -> str:
    """Return redacted JSON of the published schema, in ASCII: a name may hold what no database takes."""
    return json.dumps(redact_plain(to_plain(found)))


@lru_cache(maxsize=RECENT)
def load(text: str) -> Found:
    """Read what `dump` wrote. Raises ValueError."""
    return read_plain(json.loads(text))


def read_plain(data: object) -> Found:
    """Read an answer of its plain data, such as a server sends it. Raises ValueError."""
    if isinstance(data, dict) and data.get("schema") == TRIAGE:
        return from_plain(Triage, data, "triage")
    return from_plain(Diagnosis, data, "diagnosis")


def redact_plain(value: Any) -> Any:
    """Plain data whose texts are without secrets."""
    if isinstance(value, dict):
        return {key: redact_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_plain(item) for item in value]
    return redact(value) if isinstance(value, str) else value


OnFirstVerdict = Callable[[StoredDiagnosis], None]


class Asker(Protocol):
    """Asks hosts, here or in a process of its own."""

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        """Ask one host. `first` gets the first verdict if a second sample follows. Raises RunbookError or UsageError."""
        ...


@dataclass(frozen=True)
class LocalAsker:
    """By the service of this process."""

    service: Service

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        """See Asker."""

        def progress(stage: str, answer: Callable[[], Answer] | None) -> None:
            if stage == "first" and answer is not None:
                first(redact_diagnosis(answer().result))

        return redact_diagnosis(self.service.diagnose(question, progress).result)
