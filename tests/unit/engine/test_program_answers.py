"""What a program says reaches the rules of a check that speaks of it; a check that rests on it is not open while nobody asked."""

from dataclasses import replace
from typing import Any

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.judge import Facts, judge, needs
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.runbooks.probes.process_limits import ProcessLimits, ServiceLimit

from tests.runbooks import CATALOG

ENOMEM = CATALOG.load("enomem@1.1.0")
LIMITS = model.Check(
    id="service_limits",
    nature="other",
    explains=(),
    each="limits.special",
    states=(model.State("past", "certain", "has(limits.usual) && it.nproc != limits.usual"),),
    culprit={"kind": "'unit'", "id": "it.unit"},
    limit=None,
    evidence=(),
    says="{{ it.unit }} may have {{ it.nproc }} tasks.",
    next=(),
)
RUNBOOK = replace(ENOMEM, checks=(LIMITS,), probes={**ENOMEM.probes, "limits": "process_limits"})
ASKED = ProcessLimits(Collection((ServiceLimit("a.service", "10"),)), "infinity")


def facts(case: str = "healthy") -> Facts:
    return read_case(CATALOG.find("enomem@1.1.0"), case, facts_types(), ENOMEM).history[0]


def outcome(**more: Any) -> tuple[str, str]:
    (found,) = conclude(RUNBOOK, [{**facts(), **more}], {}).checks
    return found.outcome, found.says


def test_elements_of_an_answer_that_nobody_asked_for_leave_nothing_open() -> None:
    assert outcome() == ("skipped", "it rests on what a program says, and none was asked")
    assert outcome(limits=Unreadable("no systemctl")) == ("skipped", "no systemctl")
    assert outcome(limits=ASKED) == ("matched", "a.service may have 10 tasks.")


def test_elements_that_the_collector_reads_are_unknown_without_it() -> None:
    check = replace(LIMITS, each="pids.limited", states=(model.State("past", "certain", "it.refused > 0"),))
    (found,) = judge(replace(RUNBOOK, checks=(check,)), {"host": facts()["host"], "inputs": {}}, 1)
    assert found.outcome == "unknown"


def test_rules_see_what_a_check_asks_for_where_it_speaks_of_it() -> None:
    full = replace(ENOMEM.check("pids_cgroup"), lookups={"units": "it.unit", "log": "'kernel'"})
    for says, told in (
        ("Full.", ()),
        ("Full; systemd restarted it {{ units.restarts }} times.", (("units", "worker.service"),)),
        ("Full: {{ log.rejected_path }}, {{ units.restarts }}.", (("units", "worker.service"), ("log", "kernel"))),
    ):
        wanted = needs(replace(ENOMEM, checks=(replace(full, says=says),)), facts("unit-tasksmax"), 2, {})
        assert wanted.for_rules == told
        assert wanted.lookups[:2] == (("units", "unit_settings", "worker.service"), ("log", "kernel_log", "kernel"))
    cited = needs(
        replace(ENOMEM, checks=(replace(full, says="Full.", evidence=("units.restarts",)),)), facts("unit-tasksmax"), 2, {}
    )
    assert cited.for_rules == (("units", "worker.service"),)


def test_of_several_subjects_rules_see_the_first() -> None:
    check = replace(ENOMEM.check("pids_cgroup"), says="{{ units.restarts }}")
    here = facts("unit-tasksmax")
    first = here["pids"].limited.items[0]  # type: ignore[attr-defined]
    two = replace(here["pids"], limited=Collection((first, replace(first, path="/b", unit="b.service"))))  # type: ignore[type-var]
    wanted = needs(replace(ENOMEM, checks=(check,)), {**here, "pids": two}, 2, {})
    assert wanted.for_rules == (("units", "worker.service"),)
    assert [subject for probe, _kind, subject in wanted.lookups if probe == "units"] == ["worker.service", "b.service"]
