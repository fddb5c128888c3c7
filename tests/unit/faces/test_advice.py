"""Every reason with which the product refuses has advice, and each face shows the same advice in its own form."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import refusal
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.faces.advice import ADVICE, advice_for
from triagebook.tools.mcp_server.failures import refusal_text

from tests.layers import ROOT, sources

RAISED = {"RefusedError", "UsageError", "PlanError", "PolicyError", "RunbookError", "ParseError", "TrustError", "TriagebookError"}
ASKED_FOR = {"Stale": 0, "Decision": 1}  # where the reason stands among the arguments
PASSED_ON = {"option", "reason"}  # a variable, attribute or member of this name holds a reason that was found elsewhere
YES = {"allowed"}  # a decision's reason to allow


def reasons() -> Iterator[tuple[str, str]]:
    """(place, reason) of everything that can be refused, read from the source."""
    for file in sources():
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and (node.name in RAISED or _is_error(node)):
                yield from ((_place(file, node), reason) for reason in _own_reason(node))
            elif isinstance(node, ast.Call):
                for expression in _given(node):
                    for reason in _values(expression, tree):
                        yield _place(file, node), reason
        if file.name == "freshness.py":  # its table of what must not have changed: (reason, name, then, now)
            rows = [node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 4]
            yield from ((_place(file, row), reason) for row in rows for reason in _values(row.elts[0], tree))


def _given(call: ast.Call) -> list[ast.expr]:
    """The expressions that give a refusal its reason."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in RAISED or name == "kind":
        return [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    if name == "listen":  # an option of the command line, which is the reason when nothing can listen there
        return [given for given in call.args[2:3] if isinstance(given, ast.Constant)]
    if name in ASKED_FOR and not (name == "Decision" and isinstance(call.args[0], ast.Constant) and call.args[0].value is True):
        return [call.args[ASKED_FOR[name]]]
    return []


def _values(expression: ast.expr, tree: ast.Module) -> list[str]:
    match expression:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp():
            return _values(expression.body, tree) + _values(expression.orelse, tree)
        case ast.Name():
            found = [*_constants(tree, expression.id), *_assigned(tree, expression.id)]
            return found or ([] if expression.id in PASSED_ON else [f"?{expression.id}"])
        case ast.Attribute(attr="reason") | ast.Subscript(slice=ast.Constant(value="reason")):
            return []
    return [f"?{ast.unparse(expression)}"]


def _constants(tree: ast.Module, name: str) -> list[str]:
    """A constant of the module, or one that it imports."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name and isinstance(node.value, ast.Constant):
            return [str(node.value.value)]
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names} and node.module:
            file = ROOT / f"{node.module.removeprefix('triagebook.').replace('.', '/')}.py"
            return _constants(ast.parse(file.read_text()), name) if file.exists() else []
    return []


def _assigned(tree: ast.Module, name: str) -> list[str]:
    """What a variable of this name is set to where it is a literal of one of two."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name]
    return [text for value in values if isinstance(value, ast.IfExp) for text in _values(value, tree) if text not in YES]


def _is_error(node: ast.ClassDef) -> bool:
    return any(getattr(base, "id", "") in RAISED for base in node.bases)


def _own_reason(node: ast.ClassDef) -> list[str]:
    return [
        str(item.value.value)
        for item in node.body
        if isinstance(item, ast.Assign) and getattr(item.targets[0], "id", "") == "reason" and isinstance(item.value, ast.Constant)
    ]


def _place(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_every_reason_to_refuse_has_advice_of_its_own() -> None:
    found = list(reasons())
    assert len({reason for _place, reason in found}) > 80
    assert [(place, reason) for place, reason in found if reason not in ADVICE] == []


@pytest.mark.parametrize("reason", ADVICE)
def test_advice_is_short_plain_english_and_names_no_colleague_of_the_reader(reason: str) -> None:
    text = advice_for(reason).text
    assert (text[0].isupper(), text[-1], text.count("`") % 2) == (True, ".", 0), text
    assert len(text) < 240, text
    assert "whoever" not in text.lower(), text


def test_a_reason_nobody_thought_of_has_advice_too() -> None:
    assert "triagebook administrator" in advice_for("new_reason").text


def test_slack_sets_the_commands_of_advice_in_code() -> None:
    error = RefusedError("no rule allows ann", reason="no_rule")
    (_what, advice, _reason) = refusal.refusal(error).blocks
    runs = [(run["text"], "style" in run) for run in advice["elements"][0]["elements"]]
    assert runs == [
        ("What to do: ", True),
        ("Ask the policy owner; ", False),
        ("triagebook policy check", True),
        (" explains the decision.", False),
    ]


def test_an_assistant_passes_on_what_only_a_person_can_do() -> None:
    says = refusal_text("self_approval", "F-1: ann asked for it")
    assert "refused [self_approval]. Next: Tell the person, an assistant cannot do this: Another person must decide." in says
    assert "Use the host's name as the inventory has it" in refusal_text("host_name", "no")
    assert "Tool: list_hosts." in refusal_text("host_name", "no")


def test_the_tools_that_advice_names_are_tools() -> None:
    server = (ROOT / "tools" / "mcp_server").glob("*_tools.py")
    methods = {
        node.name for file in server for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.AsyncFunctionDef)
    }
    assert {advice.tool for advice in ADVICE.values()} - {""} <= methods
