"""The commands beside an offer; and that a runbook which lint would refuse stops no diagnosis."""

from dataclasses import replace
from typing import Any

import pytest
from triagebook.runbooks.engine.diagnosis import ParamBounds
from triagebook.tools.actions.manual import with_commands

from tests.system.fixes import samples

UNIT = ParamBounds("unit", samples.UNIT)
LIMIT = ParamBounds("int", 200, 101, 1000)


def commands(action: str, **params: ParamBounds) -> tuple[str, ...]:
    found: Any = samples.diagnosis()
    return with_commands(replace(found.remediations[0], action=action, params=params), found, [{}]).commands


def test_they_are_those_of_the_plan_where_the_facts_tell_as_much() -> None:
    assert commands("unit_tasks_max", unit=UNIT, limit=LIMIT) == (f"systemctl set-property --runtime {samples.UNIT} TasksMax=200",)


@pytest.mark.parametrize(
    ("action", "params", "why"),
    [
        ("unit_task_max", {"unit": UNIT, "limit": LIMIT}, "no action 'unit_task_max' (did you mean 'unit_tasks_max'?)"),
        ("unit_tasks_max", {"unit": UNIT, "limt": LIMIT}, "unit_tasks_max has no parameter 'limt' (did you mean 'limit'?)"),
        ("unit_tasks_max", {"unit": UNIT}, "unit_tasks_max needs 'limit'"),
        (
            "unit_limit",
            {"unit": UNIT, "resource": ParamBounds("text", "nprocs"), "limit": LIMIT},
            "resource: 'nprocs' is not possible (did you mean 'nproc'?)",
        ),
        (
            "sysctl",
            {"key": ParamBounds("text", "kernel.core_pattern"), "value": LIMIT},
            "key: 'kernel.core_pattern' is not possible (one of: fs.aio-max-nr, ",
        ),
    ],
)
def test_what_the_action_does_not_take_is_said_in_their_place(action: str, params: dict[str, ParamBounds], why: str) -> None:
    (said,) = commands(action, **params)
    assert said.startswith(f"# cannot be written down from these facts: {why}")
