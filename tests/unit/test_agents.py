"""The benchmark of tests/agents: its rules on small texts, and docs/benchmark.md as what the recorded texts give."""

import json
import re

import pytest

from tests.agents import page, texts
from tests.agents.faults import FAULTS, INNOCENT, Fault, full
from tests.agents.policies import ARMS, SERVERS, SHELL
from tests.agents.score import facts_in, is_failed, records, suspects_in, verdict_of
from tests.agents.texts import Call

FULL = full("a.service", r"\ba\.service", 24)


def test_the_page_and_its_picture_are_what_the_recorded_texts_give() -> None:
    assert (page.DOCS / "benchmark.md").read_text() == page.page(), "make bench-agents"
    assert (page.DOCS / "benchmark.svg").read_text() == page.picture(), "make bench-agents"


def test_every_fault_is_recorded_with_all_that_an_arm_reads() -> None:
    assert {group for arm in ARMS for group in arm.groups} == {*SHELL, *SERVERS}
    found = {release: texts.read(release) for release in page.RELEASES}
    assert {name for release in found.values() for name in release.faults} == set(FAULTS)
    for release in found.values():
        assert all(set(one.groups) == {*SHELL, *SERVERS} for one in release.faults.values())
        assert len(release.tools["diagnose"]) == 9
    assert {name for name in FAULTS if not FAULTS[name].causes}, "some are not known"


def test_a_figure_counts_beside_its_subject_and_a_second_time_where_it_is_needed_twice() -> None:
    assert facts_in(["pids.max 24", "b.service 24 24"], FULL) == []
    assert facts_in(["a.service has 24"], FULL) == list(FULL[:1])
    assert facts_in(["a.service has 24 of 24"], FULL) == list(FULL)
    assert facts_in(["cat a.service/pids.max: 24", "cat a.service/pids.current: 24"], FULL) == list(FULL)


def test_what_was_asked_belongs_to_each_line_and_an_object_of_json_to_itself() -> None:
    plain = Call("cat /a/pids.max", "24\n\n", 0.1)
    tool = Call("list", json.dumps({"of": "x", "rows": [{"name": "a", "n": 1}, {"name": "b", "text": "one\ntwo"}]}), 0.1)
    assert list(records([plain, tool])) == [
        "cat /a/pids.max: 24",
        "list: of x",
        "list: name a n 1",
        "list: name b",
        "list: one",
        "list: two",
    ]


def test_an_innocent_is_suspect_where_its_figures_stand_and_nothing_rules_it_out() -> None:
    assert suspects_in(["ledger.service 18"]) == set()
    assert suspects_in(["ledger.service 18 of 20"]) == {"ledger.service"}
    assert suspects_in(["ledger.service 18 of 20: does not explain it"]) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CAUSE_FOUND on x\nCause: pids_cgroup, now, certain\na.service", "right"),
        ("CAUSE_FOUND on x\nCause: pids_cgroup, now, certain\nb.service", "inconclusive"),
        ("CAUSE_FOUND on x\nCause: overcommit, now, certain\nAlso: pids_cgroup, now, certain\na.service", "wrong"),
        ("CAUSE_FOUND on x\nCause: pids_cgroup, now, certain\nAlso: user_nproc, near, likely\na.service", "right"),
        ("HEALTHY on x\nNothing.", "wrong"),
        ("UNREACHABLE on x", "inconclusive"),
        ("", "inconclusive"),
    ],
)
def test_a_verdict_is_judged_by_cause_and_culprit(text: str, said: str) -> None:
    assert verdict_of(text, Fault("", "", causes=("pids_cgroup",)), FULL) == said


def test_of_a_fault_that_is_not_known_only_inconclusive_is_right() -> None:
    unknown, healthy = Fault("", ""), Fault("", "", is_healthy=True)
    assert verdict_of("INCONCLUSIVE on x", unknown, ()) == "right"
    assert verdict_of("HEALTHY on x", unknown, ()) == "wrong"
    assert verdict_of("CAUSE_FOUND on x\nCause: pids_cgroup, now, certain", unknown, ()) == "wrong"
    assert verdict_of("WARNING on x\nCause: pids_cgroup, near, likely", healthy, ()) == "right"
    assert verdict_of("WARNING on x\nCause: pids_cgroup, past, likely", healthy, ()) == "wrong"


def test_a_call_that_gave_only_a_refusal_or_nothing_has_failed() -> None:
    assert is_failed(Call("x", "Connection closed by 127.0.0.1 port 22\n[exit status 255]\n", 1))
    assert is_failed(Call("x", "", 1))
    assert not is_failed(Call("x", "24\n", 1))
    assert not is_failed(Call("x", "smem: not found\n[exit status 127]\n", 1))


def test_no_recorded_text_names_the_machine_that_recorded_it() -> None:
    for release in page.RELEASES:
        for name, found in texts.read(release).faults.items():
            said = "\n".join(call.asked + call.text for group in found.groups.values() for call in group.calls)
            assert not re.search(r"/wor[k]/|/tmp/tmp|lab-agents|\.cache/", said), name
    assert {fact.who for fact in INNOCENT} == {"ledger.service", "indexer.service", "archive.service"}
