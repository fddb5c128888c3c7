"""Finds what a verdict names: the limit and what is used of it, the culprit, who uses it up. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from triagebook.runbooks.engine import model, rules
from triagebook.runbooks.engine.diagnosis import Consumer, Culprit, LimitValue, Usage
from triagebook.runbooks.engine.expressions import paths
from triagebook.runbooks.engine.facts import Collection, Unreadable, source_of
from triagebook.runbooks.engine.judge import Facts


def limit_of(check: model.Check, here: Facts) -> tuple[LimitValue | None, Usage | None]:
    """Return the limit a check names and what is used of it; None where it cannot be read."""
    if check.limit is None:
        return None, None
    value, used = rules.evaluate(check.limit.value, here), rules.evaluate(check.limit.used, here)
    limit = usage = None
    if isinstance(value, (int, float)):
        unit, source = _source(check.limit.value, here)
        limit = LimitValue(check.limit.name, value, unit, source)
    if isinstance(used, (int, float)):
        usage = Usage(used, *_source(check.limit.used, here))
    return limit, usage


def _source(expression: str, here: Facts) -> tuple[str, str]:
    """Return unit and file of the first fact that an expression names."""
    for path in paths(expression):
        owner_path, _, name = path.rpartition(".")
        owner = rules.resolve(owner_path, here) if owner_path else None
        if owner is not None and not isinstance(owner, (Unreadable, Mapping)):
            where = source_of(owner, name)
            return where.unit, where.path
    return "", ""


def title_of(check: model.Check) -> str:
    """Return what people call a check: its title, else the limit it is about, else its id in words.

    Released runbooks that came before titles are told by their limits, so that their content stays as it is.
    """
    return check.title or (check.limit.name if check.limit else "") or check.id.replace("_", " ")


def culprit_of(check: model.Check, here: Facts) -> Culprit:
    """Return what is at the limit."""
    values = {name: rules.evaluate(text, here) for name, text in check.culprit.items()}
    known = {name: value for name, value in values.items() if not isinstance(value, Unreadable)}
    pid = known.get("pid", 0)
    return Culprit(
        kind=cast(Any, str(known.get("kind", "host"))),
        id=str(known.get("id", "")),
        unit=str(known.get("unit", "")),
        user=str(known.get("user", "")),
        pid=pid if isinstance(pid, int) else 0,
    )


def consumers_of(check: model.Check, here: Facts) -> tuple[Consumer, ...]:
    """Return the five largest users of what is full."""
    if check.consumers is None:
        return ()
    collection = rules.resolve(check.consumers.each, here)
    if not isinstance(collection, Collection):
        return ()
    found = []
    for that in collection.items:
        scope = {**here, "that": that}
        if rules.evaluate(check.consumers.where, scope) is not True:
            continue
        count = rules.evaluate(check.consumers.count, scope)
        if isinstance(count, (int, float)):
            names = {name: getattr(that, name, "") for name in ("unit", "user", "comm")}
            found.append(Consumer(pid=int(getattr(that, "pid", 0)), count=count, **names))
    return tuple(sorted(found, key=lambda item: -item.count)[:5])
