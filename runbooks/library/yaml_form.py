"""Defines the YAML form of a runbook by pydantic models: which keys there are, and what each may hold. Unknown keys are refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
RunbookId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Expression = Annotated[str, Field(min_length=1, max_length=500)]
Sentence = Annotated[str, Field(min_length=1, max_length=2000)]
InputType = Literal["systemd_unit", "user", "pid", "text"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SymptomDoc(_Strict):
    """Error text -> class."""

    match: Annotated[str, Field(min_length=3, max_length=900)]
    error_class: Annotated[Id, Field(alias="class")]
    matter: Annotated[str, Field(max_length=60)] = ""
    says: Annotated[str, Field(max_length=600)] = ""
    belongs_to: Annotated[str, Field(max_length=32)] = ""


class InputDoc(_Strict):
    """What a caller may say."""

    type: InputType
    optional: bool = True


class KeyDoc(_Strict):
    """A setting below /proc/sys, such as `fs.aio-max-nr`. `column`: which figure of its line."""

    key: Annotated[str, Field(max_length=120)]
    unit: Annotated[str, Field(max_length=20)] = ""
    column: Annotated[int, Field(ge=1, le=16)] = 1
    type: Literal["int", "text"] = "int"


class ColumnDoc(_Strict):
    """A column of a table below /proc, by its position from 1."""

    column: Annotated[int, Field(ge=1, le=64)]
    unit: Annotated[str, Field(max_length=20)] = ""
    type: Literal["int", "text"] = "int"


class ProbeDoc(_Strict):
    """A name in expressions for the facts of a kind. `when`: of a kind that is costly to read, when a second sample reads it.

    `keys` is of the kind `sysctl`; `file` to `rows` of `proc_table`; `row`, `use` and `near_percent` of `rlimits`.
    """

    kind: Id
    when: Annotated[str, Field(max_length=500)] = ""
    keys: dict[Id, KeyDoc] = {}
    file: Annotated[str, Field(max_length=120)] = ""
    skip_lines: Annotated[int, Field(ge=0, le=20)] = 0
    separators: Annotated[str, Field(max_length=4)] = ""
    columns: dict[Id, ColumnDoc] = {}
    identity: str = ""
    largest: str = ""
    rows: int = 20
    row: str = ""
    use: str = ""
    near_percent: int = 90


class StateDoc(_Strict):
    """One condition of a check."""

    active: Literal["now", "at_limit", "past", "near", "trend"]
    strength: Literal["certain", "likely", "possible"]
    when: Expression
    samples: Annotated[int, Field(ge=1, le=2)] = 1
    says: Annotated[str, Field(max_length=2000)] = ""


class LimitDoc(_Strict):
    """The limit a verdict names."""

    name: Sentence
    value: Expression
    used: Expression
    holds: Annotated[str, Field(max_length=500)] = ""


class ConsumersDoc(_Strict):
    """Who uses it up; elements are bound to `that`."""

    each: Expression
    where: Expression
    count: Expression


class OfferDoc(_Strict):
    """A remediation this finding offers; `with` fixes parameters from the finding."""

    id: Id
    when: Expression = "true"
    bind: Annotated[dict[Id, Expression], Field(alias="with")] = {}


class AdviceDoc(_Strict):
    """A sentence, when a condition holds."""

    text: Sentence
    when: Annotated[str, Field(max_length=500)] = ""


class CheckDoc(_Strict):
    """One cause. People read its title beside its id; without one they read the name of its limit."""

    id: Id
    title: Annotated[str, Field(max_length=80)] = ""
    nature: Literal["limit", "shortage", "other"] = "limit"
    explains: list[Id]
    each: str = ""
    states: Annotated[list[StateDoc], Field(min_length=1, max_length=8)]
    culprit: dict[Literal["kind", "id", "unit", "user", "pid"], Expression]
    limit: LimitDoc | None = None
    evidence: list[Expression]
    says: Sentence
    next: list[AdviceDoc] = []
    scope: dict[Id, Expression] = {}
    consumers: ConsumersDoc | None = None
    offers: list[OfferDoc] = []
    lookups: dict[Id, Expression] = {}
    belongs_to: str = ""
    since: str = ""


class ParamDoc(_Strict):
    """A bounded parameter; expressions over facts."""

    type: Literal["int", "unit", "user", "pid", "text"]
    default: Expression
    min: str = ""
    max: str = ""


class ValidatesDoc(_Strict):
    """What fresh facts must show after the change."""

    cleared: Annotated[list[Id], Field(min_length=1)]
    within_s: Annotated[int, Field(ge=1, le=600)] = 30


class RemediationDoc(_Strict):
    """A change the runbook offers."""

    id: Id
    title: Sentence
    action: Id
    risk: Literal["low", "medium", "high"]
    params: dict[Id, ParamDoc] = {}
    requires: Annotated[list[Id], Field(min_length=1)]
    validates: ValidatesDoc
    disruption: Sentence
    undo: Literal["captured", "none"]
    persist: Literal["separate_step", "included", "never"] = "separate_step"


class LoginDoc(_Strict):
    """What a failed way in tells."""

    outcome: Literal["refused", "no_banner", "no_session", "cut", "timeout"]
    says: Sentence
    suspects: list[Id] = []


class HeadlinesDoc(_Strict):
    """The first sentence of an answer."""

    limit: Sentence
    shortage: Sentence
    other: Sentence
    healthy: Sentence
    inconclusive: Sentence
    unreachable: Sentence


class UnexplainedDoc(_Strict):
    """What is said when nothing explains the error, unit, user or process that was named."""

    says: Sentence
    next: list[AdviceDoc] = []
    lookups: dict[Id, Expression] = {}
    lookups_unnamed: dict[Id, Expression] = {}


class RunbookDoc(_Strict):
    """One version of a runbook."""

    api_version: Annotated[Literal["triagebook/v1"], Field(alias="apiVersion")]
    id: RunbookId
    version: Annotated[str, Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")]
    title: Sentence
    status: Literal["active", "deprecated"] = "active"
    symptoms: list[SymptomDoc] = []
    inputs: dict[Id, InputDoc] = {}
    probes: Annotated[dict[Id, ProbeDoc], Field(min_length=1)]
    checks: Annotated[list[CheckDoc], Field(min_length=1, max_length=40)]
    remediations: list[RemediationDoc] = []
    headlines: HeadlinesDoc
    logins: list[LoginDoc] = []
    advice: list[AdviceDoc] = []
    references: list[Sentence] = []
    unexplained: UnexplainedDoc | None = None
