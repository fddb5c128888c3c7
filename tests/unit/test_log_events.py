"""The table of log events is complete: the product logs each of them and nothing else, and the page says so."""

import ast
import re
from collections.abc import Iterator

from triagebook.tools.log import DEBUG, DETAIL, ERROR, EVENTS, INFO, WARNING

from tests.documents import LOG_EVENTS, ROOT, log_events
from tests.layers import sources


def names_logged() -> Iterator[tuple[str, str]]:
    """(place, pattern of the event's name) for every first argument of log_event and is_logged in the product."""
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"log_event", "is_logged"}:
                where = f"{file.relative_to(ROOT)}:{node.lineno}"
                for pattern in patterns(node.args[0], file.name):
                    yield where, pattern


def patterns(name: ast.expr, file: str) -> list[str]:
    """A name as a regular expression: a literal, a literal with holes, one of two, or (in is_logged) one given before."""
    match name:
        case ast.Constant():
            return [re.escape(str(name.value))]
        case ast.JoinedStr():
            return ["".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+" for part in name.values)]
        case ast.IfExp():
            return patterns(name.body, file) + patterns(name.orelse, file)
        case ast.NamedExpr():
            return patterns(name.value, file)
    assert isinstance(name, ast.Name), f"{file}: the name of an event is a literal"
    return []  # a variable that got its literal in is_logged, or in an assignment which `test_every_event...` finds


def test_only_events_of_the_table_are_logged() -> None:
    found = list(names_logged())
    assert len(found) > 20
    unknown = [(where, pattern) for where, pattern in found if not any(re.fullmatch(pattern, name) for name in EVENTS)]
    assert unknown == []


def test_every_event_of_the_table_is_logged_somewhere() -> None:
    text = "\n".join(file.read_text() for file in sources() if file.name != "log.py")
    logged = [pattern for _where, pattern in names_logged()]
    idle = [name for name in EVENTS if f'"{name}"' not in text and not any(re.fullmatch(pattern, name) for pattern in logged)]
    assert idle == []


def test_an_event_has_a_dotted_name_a_level_and_a_title() -> None:
    for name, (level, title) in EVENTS.items():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name), name
        assert level in {DEBUG, DETAIL, INFO, WARNING, ERROR}, name
        assert re.fullmatch(r"[A-Z][^|\n]*[^.|\n]", title), name


def test_the_page_of_log_events_is_made_from_the_table() -> None:
    assert LOG_EVENTS.read_text() == log_events(), "python -m tests.documents"
