"""`runbook kinds` and `runbook explain` tell every word of a runbook, read off the code; a word that is none gets the nearest."""

import dataclasses
import json
from itertools import takewhile
from pathlib import Path

import pytest
from triagebook.bot.cli.runbook_words import text_of
from triagebook.bot.render.style import Style
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.library.catalog import catalog, load_text
from triagebook.runbooks.library.vocabulary import describe_kind
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.actions import ACTIONS

from tests.command import ROOT, Triagebook

RUNBOOKS = catalog()


def said(word: str) -> str:
    return text_of(word, RUNBOOKS, Style())


def test_the_list_of_kinds_has_each_with_a_sentence(tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("runbook", "kinds")
    assert [line.split()[0] for line in takewhile(bool, run.out.splitlines()) if not line.startswith(" ")] == list(probes.kinds())
    as_json = Triagebook(tmp_path)("runbook", "kinds", "--json").json()
    assert [line["kind"] for line in as_json] == list(probes.kinds())
    assert json.loads(json.dumps(as_json[0]))["facts"]


@pytest.mark.parametrize("kind", probes.kinds())
def test_a_kind_has_all_its_facts_with_their_units_and_files(kind: str) -> None:
    described, text = describe_kind(kind), said(kind)
    outer = {field.name: field for field in dataclasses.fields(probes.load(kind).FACTS)}
    assert {fact.path for fact in described.facts if "." not in fact.path} == set(outer)
    for fact in described.facts:
        assert f"  {fact.path}  {fact.type}" in text
        if fact.path in outer:
            assert (fact.unit, fact.source) == tuple(outer[fact.path].metadata.get(name, "") for name in ("unit", "source"))


def test_a_fact_of_a_list_is_told_by_its_path() -> None:
    assert said("address_spaces.mapped.maps").splitlines()[-2:] == [
        "  mapped.maps  whole number, maps, or unreadable",
        "      from /proc/{pid}/maps (lines, [vsyscall] not counted)",
    ]
    listed = said("address_spaces.mapped")
    assert "  mapped  list\n" in listed
    assert "  mapped.room  " in listed
    assert "  limited" not in listed


def test_a_check_is_told_with_its_states_in_order() -> None:
    text = said("enomem.max_map_count")
    assert text.startswith("max_map_count: vm.max_map_count. A check of enomem@1.2.0, limit.\n")
    assert text.index("at_limit, certain\n    it.room <= 1") < text.index("near, likely\n")
    assert "  raise_max_map_count\n" in text
    assert said("max_map_count") == text
    assert "enomem@1.0.0" in said("enomem@1.0.0.max_map_count")


def test_a_remediation_and_its_action_are_told_with_their_bounds() -> None:
    text = said("raise_tasks_max")
    assert "limit  int, default max(it.current * 2, 64), from it.current + 1 to min(" in text
    assert "triagebook runbook explain unit_tasks_max" in text
    assert "  raise_tasks_max  (enomem@1.2.0)\n" in said("unit_tasks_max")
    assert "  resource  one of nproc, as, nofile, memlock, data, sigpending\n" in said("unit_limit")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_told_with_each_parameter(action: str) -> None:
    lines = said(action).splitlines()
    for name in ACTIONS[action].parameters:
        assert any(line.startswith(f"  {name}  ") for line in lines)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("pids_cgrops", "did you mean 'pids_cgroups'?"),
        ("address_spaces.mapped.mips", "did you mean 'mapped.maps'?"),
        ("enomem.max_map_cont", "did you mean 'max_map_count'?"),
        ("unit_task_max", "did you mean 'unit_tasks_max'?"),
        ("enomem", "say enomem.CHECK"),
        ("xyzzy", "triagebook runbook kinds"),
    ],
)
def test_a_word_that_is_none_gets_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        said(word)
    assert near in str(caught.value)


def test_a_runbook_with_a_kind_that_is_none_says_where_all_kinds_are_told() -> None:
    text = (ROOT / "runbooks" / "enomem" / "1.1.0" / "runbook.yaml").read_text().replace("kind: meminfo", "kind: filesystems")
    with pytest.raises(RunbookError, match="unknown kind 'filesystems'; all kinds: triagebook runbook kinds"):
        load_text(text, "x.yaml")
