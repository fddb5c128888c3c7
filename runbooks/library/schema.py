"""Reads a runbook's YAML form as the engine's frozen data, and writes its JSON Schema.

Every error says `file:line: path: what, and the nearest right word`. What pydantic cannot know (facts, expressions,
templates, references between parts) is checked in `checking`.
"""

from typing import Any

from pydantic import BaseModel, ValidationError
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.declarations import kind_of
from triagebook.runbooks.library.document import Document, PathKey
from triagebook.runbooks.library.yaml_form import AdviceDoc, CheckDoc, RemediationDoc, RunbookDoc, SymptomDoc, UnexplainedDoc


def parse_runbook(document: Document) -> model.Runbook:
    """Return the document as engine data. Raises RunbookError naming file, line and path."""
    try:
        doc = RunbookDoc.model_validate(document.data)
    except ValidationError as error:
        raise _explain(document, error) from None
    return _convert(doc, document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema that editors use."""
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
    """Return the keys allowed at a path of the YAML form."""
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
        title=doc.title,
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
    return None if doc is None else model.Unexplained(doc.says, _advice(doc.next), dict(doc.lookups), dict(doc.lookups_unnamed))


def _convert(doc: RunbookDoc, document: Document) -> model.Runbook:
    return model.Runbook(
        id=doc.id,
        version=doc.version,
        title=doc.title,
        status=doc.status,
        symptoms=tuple(_symptom(symptom) for symptom in doc.symptoms),
        inputs={name: model.Input(item.type, item.optional) for name, item in doc.inputs.items()},
        probes={name: kind_of(document, name, probe) for name, probe in doc.probes.items()},
        checks=tuple(_check(check) for check in doc.checks),
        remediations={item.id: _remediation(item) for item in doc.remediations},
        headlines=model.Headlines(**doc.headlines.model_dump()),
        logins=tuple(model.LoginMeaning(item.outcome, item.says, tuple(item.suspects)) for item in doc.logins),
        advice=_advice(doc.advice),
        references=tuple(doc.references),
        unexplained=_unexplained(doc.unexplained),
        asks={name: probe.when for name, probe in doc.probes.items() if probe.when},
        source=document.file,
    )
