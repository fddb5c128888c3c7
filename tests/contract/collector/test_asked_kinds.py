"""A kind that costs too much for every sample is read in the second one only, where a rule asked for it, within the bound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks import probes
from triagebook.tools.collector import collect

AWK = """
function big_table_asked(    i) {
  emit("is\\t" slurp(ROOT "/proc/sys/kernel/hostname", 1));
  for (i = 1; i <= 900; i++) { emit("row\\t" i); }
}
"""
PYTHON = """
from typing import ClassVar
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import fact
from triagebook.runbooks.probes.reading import latest

@dataclass(frozen=True)
class BigTable:
    IS_ASKED: ClassVar[bool] = True
    rows: int = fact("rows", "/proc/table")

FACTS = BigTable

def parse(samples):
    return BigTable(len(latest(samples).of("big_table")))
"""


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tools: Any) -> tuple[str, ...]:
    """All kinds, and one that is read when it is asked."""
    (tmp_path / "big_table.awk").write_text(AWK)
    (tmp_path / "big_table.py").write_text(PYTHON)
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(tmp_path)])
    return (*tools.kinds, "big_table")


def test_it_is_read_in_the_sample_that_asks_for_it_and_no_other(
    tree: Callable[..., Any], tools: Any, awk: str, kinds: tuple[str, ...]
) -> None:
    host = tree("v2")
    host.process(300)
    ran = tools.paced(str(host.root), awk, kinds)
    ran.read_sample(1)
    assert "big_table" not in ran.facts()
    for n, line in ((2, "sample +big_table 300\n"), (3, "sample 300\n")):
        ran.ask(line)
        ran.read_sample(n)
        assert ("big_table" in ran.facts()) == (n == 2)
    done = ran.end()
    assert (done.status, done.stderr) == (0, b"")
    second = done.samples[1]
    assert second.end["truncated"] == "big_table"  # what was read before it stands whole, and it has what is left
    assert 100 < len(second.of("big_table")) < 900
    assert int(second.end["cut.big_table"]) == 901 - len(second.of("big_table"))
    assert len(second.of("host")) == len(done.samples[0].of("host")) > 0
    lines = [line for line in done.answer.splitlines(keepends=True) if b"\t2\t" in line]
    assert 13_000 < len(b"".join(lines)) <= 14 * 1024


def test_a_reader_asks_by_the_name_of_the_kind(tools: Any, kinds: tuple[str, ...]) -> None:
    collection = collect.start(tools.transport(), "anywhere", kinds)
    collection.take_sample([1], asked=["big_table", "no_such_kind"])
    assert "big_table" in collect.parse(kinds, collection.samples)
    collection.take_sample([1])
    assert "big_table" not in collect.parse(kinds, collection.samples)
    collection.close()
