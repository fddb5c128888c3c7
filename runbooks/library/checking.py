"""Checks what must hold of a runbook beyond its shape, before any host is seen: names, expressions, templates, references.

Every message is `file:line: path: what, and the nearest right word`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triagebook.runbooks.engine import model, template
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.expressions import matches, paths
from triagebook.runbooks.engine.rule_check import NameScope, check_rule, element_type
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey
from triagebook.runbooks.probes import catalog as probes
from triagebook.runbooks.probes.generic_kinds import base_of

INPUT_TYPES: Mapping[str, Any] = {"systemd_unit": str, "user": str, "pid": int, "text": str}
SYMPTOM_FACTS: Mapping[str, Any] = {"symptom_class": str, "symptom_bytes": int, "symptom_path": str, "about_unit": str}
_CULPRIT_KINDS = set(model.CULPRITS)


def scope_of(runbook: model.Runbook, facts_types: Mapping[str, Any]) -> NameScope:
    """Return the names a rule outside of `each` may use: probes, inputs, and the symptom's class."""
    inputs = {name: INPUT_TYPES[item.type] for name, item in runbook.inputs.items()}
    roots: dict[str, Any] = {"inputs": {**inputs, **SYMPTOM_FACTS}}
    for name, kind in runbook.probes.items():
        roots[name] = facts_types[kind]
    return NameScope(roots)


def check_runbook(runbook: model.Runbook, document: Document, facts_types: Mapping[str, Any]) -> None:
    """Raise RunbookError at the first thing that is wrong."""
    for name, kind in runbook.probes.items():
        if base_of(kind) not in facts_types:
            raise document.error(
                ("probes", name, "kind"), f"unknown kind {kind!r}{did_you_mean(kind, facts_types) or probes.ALL_KINDS}"
            )
        if name in {"it", "that", "inputs", "verdict", "params", "host"} and not (name == "host" and kind == "host"):
            raise document.error(("probes", name), f"{name!r} is a reserved name")
    _unique([check.id for check in runbook.checks], "checks", document)
    _unique(list(runbook.remediations), "remediations", document)
    _check_symptoms(runbook, document)
    scope = scope_of(runbook, facts_types)
    _check_asks(runbook, document, scope, facts_types)
    for index, check in enumerate(runbook.checks):
        _Checker(runbook, document, scope, ("checks", index)).check(check)
    for index, remediation in enumerate(runbook.remediations.values()):
        _check_remediation(runbook, remediation, document, ("remediations", index))
    _check_texts(runbook, document, scope)


def _check_asks(runbook: model.Runbook, document: Document, scope: NameScope, facts_types: Mapping[str, Any]) -> None:
    """Refuse a condition for a kind that is read anyway, and a costly kind without one."""
    for name, kind in runbook.probes.items():
        is_costly = probes.is_collected(kind) and getattr(facts_types[kind], "IS_ASKED", False)
        if is_costly and name not in runbook.asks:
            raise document.error(("probes", name), f"{kind!r} is costly to read: say `when` a second sample is to read it")
        if name in runbook.asks and not is_costly:
            raise document.error(("probes", name, "when"), f"{kind!r} is read without a condition; `when` is for costly kinds")
    for name, when in runbook.asks.items():
        with _at(document, ("probes", name, "when")):
            check_rule(when, scope, is_condition=True)


def _unique(ids: list[str], where: str, document: Document) -> None:
    for index, item in enumerate(ids):
        if item in ids[:index]:
            raise document.error((where, index, "id"), f"{item!r} stands here twice")


def _check_symptoms(runbook: model.Runbook, document: Document) -> None:
    classes = {name for check in runbook.checks for name in check.explains}
    for index, symptom in enumerate(runbook.symptoms):
        if symptom.matter and not symptom.says:
            raise document.error(("symptoms", index, "says"), "a text of another matter needs a sentence that names it")
        if symptom.error_class not in classes and not symptom.matter:
            raise document.error(
                ("symptoms", index, "class"),
                f"no check explains {symptom.error_class!r}{did_you_mean(symptom.error_class, classes)}",
            )
        with _at(document, ("symptoms", index, "match")):
            matches(symptom.match, "")
    known = {symptom.error_class for symptom in runbook.symptoms}
    for number, check in enumerate(runbook.checks):
        for index, name in enumerate(check.explains):
            if runbook.symptoms and name not in known:
                raise document.error(
                    ("checks", number, "explains", index),
                    f"no symptom has the class {name!r}{did_you_mean(name, known)}",
                )


class _at:  # noqa: N801 - reads as a statement
    """Gives an error of the inner check its place in the file."""

    def __init__(self, document: Document, path: PathKey) -> None:
        self.document, self.path = document, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RunbookError) and not str(error).startswith(self.document.file):
            raise self.document.error(self.path, str(error)) from None


class _Checker:
    """Checks the expressions of one check, in the scope of its element."""

    def __init__(self, runbook: model.Runbook, document: Document, scope: NameScope, path: PathKey) -> None:
        self.runbook, self.document, self.outer, self.path = runbook, document, scope, path
        self.scope = scope

    def at(self, *parts: str | int) -> _at:
        return _at(self.document, (*self.path, *parts))

    def expression(self, text: str, *parts: str | int, condition: bool = False, possible: bool = False) -> None:
        with self.at(*parts):
            check_rule(text, self.scope, is_condition=condition, may_ask_presence=possible)

    def check(self, check: model.Check) -> None:
        if check.each:
            with self.at("each"):
                self.scope = NameScope({**self.outer.roots, "it": element_type(self.outer, check.each)})
        for index, state in enumerate(check.states):
            self.expression(state.when, "states", index, "when", condition=True, possible=state.strength == "possible")
            if state.when in [other.when for other in check.states[:index] if other.samples <= state.samples]:
                raise self.document.error((*self.path, "states", index, "when"), "the same condition stands above: never reached")
        if {"kind", "id"} - set(check.culprit):
            raise self.document.error((*self.path, "culprit"), "needs `kind` and `id`")
        for name, text in check.culprit.items():
            self.expression(text, "culprit", name)
        kind = check.culprit["kind"].strip("'\"")
        if kind != check.culprit["kind"] and kind not in _CULPRIT_KINDS:
            raise self.document.error((*self.path, "culprit", "kind"), f"unknown kind {kind!r}{did_you_mean(kind, _CULPRIT_KINDS)}")
        if check.limit:
            self.expression(check.limit.value, "limit", "value")
            self.expression(check.limit.used, "limit", "used")
            if check.limit.holds:
                self.expression(check.limit.holds, "limit", "holds")
        for index, text in enumerate(check.evidence):
            if paths(text) != (text,):
                raise self.document.error((*self.path, "evidence", index), f"{text!r} is not the path of a fact")
            self.expression(text, "evidence", index)
        for name, text in check.scope.items():
            if name not in self.runbook.inputs:
                raise self.document.error((*self.path, "scope", name), f"unknown input{did_you_mean(name, self.runbook.inputs)}")
            self.expression(text, "scope", name, condition=True)
        self._consumers(check)
        self._offers(check)
        for name, text in check.lookups.items():
            if name not in self.runbook.probes:
                raise self.document.error((*self.path, "lookups", name), f"unknown probe{did_you_mean(name, self.runbook.probes)}")
            self.expression(text, "lookups", name)
        self._texts(check)

    def _consumers(self, check: model.Check) -> None:
        if check.consumers is None:
            return
        with self.at("consumers", "each"):
            that = element_type(self.outer, check.consumers.each)
        inner = NameScope({**self.scope.roots, "that": that})
        for name, text in (("where", check.consumers.where), ("count", check.consumers.count)):
            with self.at("consumers", name):
                check_rule(text, inner, is_condition=name == "where")

    def _offers(self, check: model.Check) -> None:
        for index, offer in enumerate(check.offers):
            remediation = self.runbook.remediations.get(offer.id)
            if remediation is None:
                near = did_you_mean(offer.id, self.runbook.remediations)
                raise self.document.error((*self.path, "offers", index, "id"), f"unknown remediation {offer.id!r}{near}")
            if check.id not in remediation.requires:
                raise self.document.error(
                    (*self.path, "offers", index, "id"), f"{offer.id!r} does not list {check.id!r} in `requires`"
                )
            self.expression(offer.when, "offers", index, "when", condition=True)
            for name, text in offer.bind.items():
                if name not in remediation.params:
                    near = did_you_mean(name, remediation.params)
                    raise self.document.error(
                        (*self.path, "offers", index, "with", name), f"{offer.id!r} has no such parameter{near}"
                    )
                self.expression(text, "offers", index, "with", name)
            for name, param in remediation.params.items():
                if name in offer.bind:
                    continue
                for part in ("default", "min", "max"):
                    if text := getattr(param, part):
                        with self.at("offers", index):
                            check_rule(text, self.scope, is_condition=False)

    def _texts(self, check: model.Check) -> None:
        for text, where in _texts_of(check):
            with self.at(*where):
                for path in template.check(text):
                    self.scope.type_of(path)
        for index, advice in enumerate(check.next):
            if advice.when:
                self.expression(advice.when, "next", index, "when", condition=True)


def _texts_of(check: model.Check) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    yield check.says, ("says",)
    for index, state in enumerate(check.states):
        if state.says:
            yield state.says, ("states", index, "says")
    if check.since:
        yield check.since, ("since",)
    for index, advice in enumerate(check.next):
        yield advice.text, ("next", index, "text")


def _check_remediation(runbook: model.Runbook, remediation: model.Remediation, document: Document, path: PathKey) -> None:
    ids = {check.id for check in runbook.checks}
    for part, names in (("requires", remediation.requires), ("validates", remediation.validates_cleared)):
        for name in names:
            if name not in ids:
                raise document.error((*path, part), f"unknown check {name!r}{did_you_mean(name, ids)}")
    if remediation.undo == "none" and remediation.risk != "high":
        raise document.error((*path, "risk"), "a change that cannot be undone has risk: high")
    if not any(offer.id == remediation.id for check in runbook.checks for offer in check.offers):
        raise document.error(path, f"{remediation.id!r} is offered by no check")
    for name, param in remediation.params.items():
        if param.type == "int" and not (param.min and param.max):
            raise document.error((*path, "params", name), "an int needs `min` and `max`")


def _check_texts(runbook: model.Runbook, document: Document, scope: NameScope) -> None:
    known = NameScope(
        {
            **scope.roots,
            "verdict": {"summary": str, "cause": str},
            "login": {"phase": str, "message": str, "outcome": str},
        }
    )
    check_text: Callable[[str, PathKey], None] = lambda text, path: _check_text(text, path, document, known)  # noqa: E731
    for name in ("limit", "shortage", "other", "healthy", "inconclusive", "unreachable"):
        check_text(getattr(runbook.headlines, name), ("headlines", name))
    ids = {check.id for check in runbook.checks}
    for index, login in enumerate(runbook.logins):
        check_text(login.says, ("logins", index, "says"))
        for name in login.suspects:
            if name not in ids:
                raise document.error(("logins", index, "suspects"), f"unknown check {name!r}{did_you_mean(name, ids)}")
    if runbook.unexplained is not None:
        _check_unexplained(runbook.unexplained, document, scope, runbook.probes)
    for index, advice in enumerate(runbook.advice):
        check_text(advice.text, ("advice", index, "text"))
        if advice.when:
            with _at(document, ("advice", index, "when")):
                check_rule(advice.when, scope, is_condition=True)


def _check_unexplained(said: model.Unexplained, document: Document, scope: NameScope, probes: Mapping[str, str]) -> None:
    _check_text(said.says, ("unexplained", "says"), document, scope)
    for index, advice in enumerate(said.next):
        _check_text(advice.text, ("unexplained", "next", index, "text"), document, scope)
        if advice.when:
            with _at(document, ("unexplained", "next", index, "when")):
                check_rule(advice.when, scope, is_condition=True)
    for key, lookups in (("lookups", said.lookups), ("lookups_unnamed", said.lookups_unnamed)):
        for name, text in lookups.items():
            if name not in probes:
                raise document.error(("unexplained", key, name), f"unknown probe{did_you_mean(name, probes)}")
            with _at(document, ("unexplained", key, name)):
                check_rule(text, scope, is_condition=False)


def _check_text(text: str, path: PathKey, document: Document, scope: NameScope) -> None:
    with _at(document, path):
        for name in template.check(text):
            scope.type_of(name)
