"""A second runbook is a folder and a probe pair, and nothing else: the fixture `open-files` proves it, on this machine too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.runbooks import probes
from triagebook.runbooks.library.cases import read_cases, run_case
from triagebook.runbooks.library.catalog import Catalog, catalog
from triagebook.runbooks.library.coverage import gaps
from triagebook.runbooks.probes.catalog import facts_types, kinds
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The catalogue with one more folder of runbooks, and one more of probes."""
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(FIXTURES / "second_runbook_probes")])
    return catalog([FIXTURES / "second_runbook"])


def test_its_kind_is_found_by_name(second: Catalog) -> None:
    assert "open_files" in kinds()


def test_its_cases_prove_it(second: Catalog) -> None:
    entry = second.find("open-files")
    runbook = second.load("open-files")
    cases = read_cases(entry, facts_types(), runbook)
    assert [result.failures for result in (run_case(runbook, case) for case in cases)] == [()] * 4
    assert gaps(runbook, cases) == ()


def test_it_diagnoses_this_machine_by_its_own_awk(second: Catalog) -> None:
    service = Service(second, lambda _target: LocalTransport())
    answer = service.diagnose(Question(parse_target("localhost"), "open-files"))
    used = int(Path("/proc/sys/fs/file-nr").read_text().split()[0])
    assert answer.diagnosis.status == "healthy"
    assert answer.diagnosis.runbook.id == "open-files"
    facts = answer.history[0]["files"]
    assert abs(facts.used - used) < max(2000, used)  # type: ignore[attr-defined]
