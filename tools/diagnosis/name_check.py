"""Whether the unit, user or process that a person named exists on the host: a misspelt name must never read as "healthy".

The facts name only what is near a limit, so a name that they do not have is asked for by a program. Of a host that can
start none it is said that the name was not seen.
"""

from collections.abc import Iterator, Mapping, Sequence

from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.text import nearest, safe_text
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector.collect import HostReader

TIMEOUT_S = 10.0
NEAR = 0.8  # as like as this a name is one that was misspelt
WORDS: Mapping[str, str] = {"unit": "unit", "user": "user", "pid": "process"}
NOT_FOUND = {"user": 2, "pid": 1}  # exit statuses of getent(1) and test(1)


def absent_names(reader: HostReader | None, facts: Facts, inputs: Mapping[str, object], host: str) -> tuple[str, ...]:
    """Return a sentence for each thing named that the host does not have. `reader` is None for recorded facts."""
    said = []
    for name, word in WORDS.items():
        wanted = str(inputs.get(name) or "")
        if not wanted:
            continue
        seen = _known_values(facts, name)
        if wanted in seen:
            continue
        exists = _exists(reader, name, wanted) if reader is not None else None
        if exists:
            continue
        near = nearest(wanted, seen, NEAR) if name != "pid" else None
        if name == "unit" and "." not in wanted and reader is not None and _exists(reader, name, f"{wanted}.service"):
            near = f"{wanted}.service"
        hint = f" (did you mean {near}?)" if near else ""
        shown = safe_text(wanted, 200)
        if exists is False:
            said.append(f"There is no {word} {shown} on {host}{hint}.")
        else:
            asked = "" if near or reader is None else "; whether there is one could not be found out"
            said.append(f"No {word} {shown} was seen on {host}{hint}{asked}.")
    return tuple(said)


def _known_values(facts: Facts, name: str) -> set[str]:
    """Return the units, users (names and numbers) or PIDs that any fact names."""
    attributes = {"user": ("user", "uid")}.get(name, (name,))
    found: set[str] = set()
    for element in _elements(facts):
        values = (getattr(element, attribute, "") for attribute in attributes)
        found.update(str(value) for value in values if value != "" and not isinstance(value, Unreadable))
    return found


def _elements(facts: Facts) -> Iterator[object]:
    for probe in facts.values():
        for value in getattr(probe, "__dict__", {}).values():
            if isinstance(value, Collection):
                yield from value.items


def _exists(reader: HostReader, name: str, wanted: str) -> bool | None:
    """Ask the host. None: it could not be asked, or did not say."""
    if name == "unit":
        return _is_loaded(reader, wanted)
    argv = _argv(name, wanted)
    output = reader.run(argv, TIMEOUT_S) if argv else None
    if output is None or isinstance(output, Unreadable):
        return None
    return {0: True, NOT_FOUND[name]: False}.get(-1 if output.exit.status is None else output.exit.status)


def _is_loaded(reader: HostReader, unit: str) -> bool | None:
    module = probes.load("unit_settings")
    try:
        argv = module.command(unit)
    except ValueError:  # no unit has such a name
        return False
    output = reader.run(argv, TIMEOUT_S)
    state = None if isinstance(output, Unreadable) else getattr(module.parse(output.stdout), "load_state", None)
    return None if not isinstance(state, str) or not state else state != "not-found"


def _argv(name: str, wanted: str) -> Sequence[str]:
    if name == "pid":
        return ("test", "-d", f"/proc/{wanted}") if wanted.isdecimal() else ()
    return ("getent", "passwd", wanted) if not wanted.startswith("-") else ()
