"""The YAML form of a runbook: pydantic models, and their conversion to the engine's frozen data.

Unknown keys are refused, every error says `file:line: path: what, and the nearest right word`. What pydantic cannot
know (facts, expressions, templates, references between parts) is checked in `resolve`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey

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


class ProbeDoc(_Strict):
    """A name in expressions for the facts of a kind."""

    kind: Id


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
    """One cause."""

    id: Id
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


def parse_runbook(document: Document) -> model.Runbook:
    """The document as engine data. Raises RunbookError naming file, line and path."""
    try:
        doc = RunbookDoc.model_validate(document.data)
    except ValidationError as error:
        raise _explain(document, error) from None
    return _convert(doc, document.file)


def json_schema() -> dict[str, Any]:
    """The JSON Schema that editors use."""
    schema = RunbookDoc.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "triagebook runbook", **schema}


def _explain(document: Document, error: ValidationError) -> RunbookError:
    errors = error.errors(include_url=False)
    first = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])  # a typo also leaves a key missing
    path: PathKey = tuple(part for part in first["loc"] if isinstance(part, int) or not part.startswith("function-"))
    if first["type"] == "extra_forbidden":
        return document.error(path, f"unknown key {path[-1]!r}{did_you_mean(str(path[-1]), _keys_at(path[:-1]))}")
    if first["type"] == "missing":
        return document.error(path[:-1], f"the key {path[-1]!r} is missing")
    if first["type"] == "literal_error":
        choices = str(first.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        return document.error(path, f"{first['input']!r} is not possible here{did_you_mean(str(first['input']), choices)}")
    return document.error(path, f"{first['msg']}, got {str(first['input'])[:60]!r}")


def _keys_at(path: PathKey) -> list[str]:
    """The keys allowed at a path of the YAML form."""
    kind: Any = RunbookDoc
    for part in path:
        if isinstance(part, int) or not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            continue
        names = {field.alias or name: field for name, field in kind.model_fields.items()}
        if part in names:
            kind = _inner_model(names[part].annotation)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def _advice(items: list[AdviceDoc]) -> tuple[model.Advice, ...]:
    return tuple(model.Advice(item.text, item.when) for item in items)


def _check(doc: CheckDoc) -> model.Check:
    return model.Check(
        id=doc.id,
        nature=doc.nature,
        explains=tuple(doc.explains),
        each=doc.each,
        states=tuple(model.State(state.active, state.strength, state.when, state.samples, state.says) for state in doc.states),
        culprit={str(name): text for name, text in doc.culprit.items()},
        limit=model.Limit(doc.limit.name, doc.limit.value, doc.limit.used, doc.limit.holds) if doc.limit else None,
        evidence=tuple(doc.evidence),
        says=doc.says,
        next=_advice(doc.next),
        scope=dict(doc.scope),
        consumers=model.Consumers(doc.consumers.each, doc.consumers.where, doc.consumers.count) if doc.consumers else None,
        offers=tuple(model.Offer(offer.id, offer.when, dict(offer.bind)) for offer in doc.offers),
        lookups=dict(doc.lookups),
        belongs_to=doc.belongs_to,
        since=doc.since,
    )


def _remediation(doc: RemediationDoc) -> model.Remediation:
    return model.Remediation(
        id=doc.id,
        title=doc.title,
        action=doc.action,
        risk=doc.risk,
        params={name: model.Param(param.type, param.default, param.min, param.max) for name, param in doc.params.items()},
        requires=tuple(doc.requires),
        validates_cleared=tuple(doc.validates.cleared),
        validates_within_s=doc.validates.within_s,
        disruption=doc.disruption,
        undo=doc.undo,
        persist=doc.persist,
    )


def _symptom(doc: SymptomDoc) -> model.Symptom:
    return model.Symptom(doc.match, doc.error_class, doc.matter, doc.says, doc.belongs_to)


def _unexplained(doc: UnexplainedDoc | None) -> model.Unexplained | None:
    return None if doc is None else model.Unexplained(doc.says, _advice(doc.next), dict(doc.lookups))


def _convert(doc: RunbookDoc, source: str) -> model.Runbook:
    return model.Runbook(
        id=doc.id,
        version=doc.version,
        title=doc.title,
        status=doc.status,
        symptoms=tuple(_symptom(symptom) for symptom in doc.symptoms),
        inputs={name: model.Input(item.type, item.optional) for name, item in doc.inputs.items()},
        probes={name: probe.kind for name, probe in doc.probes.items()},
        checks=tuple(_check(check) for check in doc.checks),
        remediations={item.id: _remediation(item) for item in doc.remediations},
        headlines=model.Headlines(**doc.headlines.model_dump()),
        logins=tuple(model.LoginMeaning(item.outcome, item.says, tuple(item.suspects)) for item in doc.logins),
        advice=_advice(doc.advice),
        references=tuple(doc.references),
        unexplained=_unexplained(doc.unexplained),
        source=source,
    )
