"""A runbook says when a costly kind is to be read: by the error's class or a first fact, and then in a second sample."""

from pathlib import Path

import pytest
from triagebook.runbooks import probes
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.judge import needs
from triagebook.runbooks.engine.model import Runbook
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.runbooks.library.catalog import load_text
from triagebook.runbooks.probes.catalog import load

PAIR = """
from typing import ClassVar
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import fact

@dataclass(frozen=True)
class BigTable:
    IS_ASKED: ClassVar[bool] = True
    rows: int = fact("rows", "/proc/table")

FACTS = BigTable
"""
TEXT = """
apiVersion: triagebook/v1
id: toy
version: 0.1.0
title: Toy
symptoms: [{{class: ports, match: "no port"}}]
inputs: {{symptom: {{type: text}}}}
probes:
  mem: {{kind: meminfo{memory}}}
  table: {{kind: big_table{table}}}
checks:
  - id: full
    explains: [ports]
    states: [{{active: at_limit, strength: certain, when: has(table.rows) && table.rows > 5}}]
    culprit: {{kind: "'host'", id: "'table'"}}
    evidence: [table.rows]
    says: Full.
headlines: {{limit: a, shortage: a, other: a, healthy: a, inconclusive: a, unreachable: a}}
"""
WHEN = ", when: \"inputs.symptom_class == 'ports' || mem.available_bytes < 100\""


@pytest.fixture(autouse=True)
def costly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "big_table.awk").write_text("function big_table_asked() { }\n")
    (tmp_path / "big_table.py").write_text(PAIR)
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(tmp_path)])


def toy(table: str = WHEN, memory: str = "") -> Runbook:
    types = {kind: load(kind).FACTS for kind in ("meminfo", "big_table")}
    return load_text(TEXT.format(table=table, memory=memory), "toy/0.1.0/runbook.yaml", types)


def test_it_is_asked_in_a_second_sample_where_its_condition_holds() -> None:
    runbook, meminfo, table = toy(), load("meminfo").FACTS, load("big_table").FACTS
    calm, short = ({"mem": from_plain(meminfo, {"available_bytes": size})} for size in (5000, 50))
    asked = {"symptom": "there is no port left"}
    for facts, inputs, wanted in ((calm, {}, False), (short, {}, True), (calm, asked, True)):
        found = needs(runbook, facts, 1, inputs)
        assert (found.sample, found.asked) == (wanted, ("big_table",) if wanted else ())
    assert not needs(runbook, {**short, "table": table(rows=1)}, 2, asked)


@pytest.mark.parametrize(
    ("table", "memory", "says"),
    [
        (
            "",
            "",
            "yaml:10: probes.table: 'big_table' is costly to read: say `when` a second sample",
        ),
        (WHEN, ", when: 'true'", "runbook.yaml:9: probes.mem.when: 'meminfo' is read without a condition"),
        (
            ', when: "mem.availabel_bytes < 1"',
            "",
            "yaml:10: probes.table.when: unknown fact 'mem.availabel_bytes' .did you mean",
        ),
    ],
)
def test_a_condition_that_is_missing_or_wrong_is_refused(table: str, memory: str, says: str) -> None:
    with pytest.raises(RunbookError, match=says):
        toy(table, memory)
