"""Defines a runbook as the engine uses it: frozen data. `library.schema` reads it, `library.checking` checks it.

Expressions (CEL) and templates (Jinja2) are kept as text with the place they came from; `expressions` and `template`
compile them. The list order of `checks` is the triage order.
"""

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.plain_data import later

ACTIVE = ("now", "at_limit", "past", "near", "trend")  # most pressing first
STRENGTHS = ("certain", "likely", "possible")  # strongest first
RISKS = ("low", "medium", "high")
NATURES = ("limit", "shortage", "other")
CULPRITS = ("cgroup", "unit", "user", "process", "container", "host")


@dataclass(frozen=True)
class Symptom:
    """Routes an error text to a class of causes: `match` is a regular expression without backtracking traps.

    With `matter` the text is of another matter that no check here judges; `says` names it, `belongs_to` the runbook for it.
    """

    match: str
    error_class: str
    matter: str = later("")
    says: str = later("")
    belongs_to: str = later("")


@dataclass(frozen=True)
class Input:
    """Says what a caller may say about the incident."""

    type: str  # systemd_unit | user | pid | text
    optional: bool = True


@dataclass(frozen=True)
class State:
    """Describes one condition of a check, bound to how pressing it is. The first true one of the list wins."""

    active: str
    strength: str
    when: str
    samples: int = 1
    says: str = ""  # instead of the check's sentence


@dataclass(frozen=True)
class Limit:
    """Describes the one limit a verdict names: its name, the fact with its value and the fact with what is used of it.

    `holds` is CEL: only then has the limit force (empty: always), and only then is its trend worth a word.
    """

    name: str
    value: str
    used: str
    holds: str = ""


@dataclass(frozen=True)
class Consumers:
    """Says who uses up what is full: elements of `each` for which `where` holds (bound to `that`), most `count` first."""

    each: str
    where: str
    count: str


@dataclass(frozen=True)
class Offer:
    """Describes a remediation a finding offers, when it applies, and the parameters the finding fixes."""

    id: str
    when: str
    bind: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """Describes one cause: what it explains, where to look (`each`), its states, and what to say about a match."""

    id: str
    nature: str
    explains: tuple[str, ...]
    each: str
    states: tuple[State, ...]
    culprit: Mapping[str, str]
    limit: Limit | None
    evidence: tuple[str, ...]
    says: str
    next: tuple["Advice", ...]
    scope: Mapping[str, str] = field(default_factory=dict)  # input -> CEL: does this finding concern what the caller named?
    consumers: Consumers | None = None
    offers: tuple[Offer, ...] = ()
    lookups: Mapping[str, str] = field(default_factory=dict)  # probe name -> CEL: the subject to look up with a program
    belongs_to: str = ""
    since: str = ""
    title: str = later("")  # what people call it; see `naming.title_of`

    def conditions_by(self, samples: int) -> "StateConditions":
        """Return the states that so many samples can tell, and their conditions."""
        return self._by_samples[min(samples, len(self._by_samples)) - 1]

    @cached_property
    def _by_samples(self) -> tuple["StateConditions", ...]:
        most = max((state.samples for state in self.states), default=1)
        told = (tuple(state for state in self.states if state.samples <= samples) for samples in range(1, most + 1))
        return tuple((states, tuple(state.when for state in states)) for states in told)


StateConditions = tuple[tuple[State, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Advice:
    """Describes a sentence for the person, when `when` holds (empty: always)."""

    text: str
    when: str = ""


@dataclass(frozen=True)
class Param:
    """Describes a bounded parameter of a remediation; bounds and default are CEL over facts, or text when it is a name."""

    type: str  # int | unit | user | pid | text
    default: str
    min: str = ""
    max: str = ""


@dataclass(frozen=True)
class Remediation:
    """Describes a change a runbook offers: a typed action with bounded parameters, its disruption and how it is undone."""

    id: str
    title: str
    action: str
    risk: str
    params: Mapping[str, Param]
    requires: tuple[str, ...]
    validates_cleared: tuple[str, ...]
    validates_within_s: int
    disruption: str
    undo: str  # captured | none
    persist: str  # separate_step | included | never


@dataclass(frozen=True)
class LoginMeaning:
    """Says what a failed way into the host tells about the causes: evidence, never a verdict."""

    outcome: str  # of tools.transport.base.Login
    says: str
    suspects: tuple[str, ...]  # checks that would explain it


@dataclass(frozen=True)
class Headlines:
    """Describes the first sentence of an answer, by status and by the nature of the cause. Jinja2."""

    limit: str
    shortage: str
    other: str
    healthy: str
    inconclusive: str
    unreachable: str


@dataclass(frozen=True)
class Unexplained:
    """Holds what is said when somebody named an error, a unit, a user or a process and nothing that was found explains it.

    A runbook that has this never calls such a host healthy. Causes that cannot produce the error named do not make the answer
    inconclusive by being unreadable. `lookups` (probe name -> CEL) are asked then; rules see what they answered.
    `lookups_unnamed` are asked where nobody named anything and nothing was found.
    """

    says: str
    next: tuple[Advice, ...] = ()
    lookups: Mapping[str, str] = field(default_factory=dict)
    lookups_unnamed: Mapping[str, str] = later({})


@dataclass(frozen=True)
class Runbook:
    """Describes one version of one runbook. `digest` is the SHA-256 of its canonical content."""

    id: str
    version: str
    title: str
    status: str  # active | deprecated
    symptoms: tuple[Symptom, ...]
    inputs: Mapping[str, Input]
    probes: Mapping[str, str]  # name in expressions -> kind
    checks: tuple[Check, ...]
    remediations: Mapping[str, Remediation]
    headlines: Headlines
    logins: tuple[LoginMeaning, ...]
    advice: tuple[Advice, ...]
    references: tuple[str, ...]
    unexplained: Unexplained | None = later(None)
    asks: Mapping[str, str] = later({})  # probe name -> CEL: when a kind that is costly to read is asked in a second sample
    digest: str = field(default="", compare=False)
    source: str = field(default="", compare=False)  # the file, for messages

    @property
    def name(self) -> str:
        """Return `id@version`."""
        return f"{self.id}@{self.version}"

    def check(self, check_id: str) -> Check:
        """Return the check of that id; KeyError if there is none."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)
