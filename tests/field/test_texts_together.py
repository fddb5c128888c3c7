"""Error texts of the world, put to all runbooks at once: the right one leads, and a refusal leads before the crash it ended in."""

from pathlib import Path

import pytest
from triagebook.runbooks.engine.routes import route_text

from tests.runbooks import CATALOG

RUNBOOKS = [CATALOG.load(name) for name in ("enomem", "oom", "emfile", "tcp-memory", "segfault")]
LINES = [
    line.split("\t") for line in Path(__file__).with_name("texts-together.tsv").read_text().splitlines() if not line.startswith("#")
]


def test_the_table_holds_hundreds_of_texts_of_each_runbook() -> None:
    counts = [sum(line[0] == name for line in LINES) for name in ("enomem", "oom", "emfile", "tcp-memory", "segfault", "-")]
    assert (sum(counts), min(counts) > 20) == (len(LINES), True), counts


IN_EVERY_RUN = 130  # a text costs a tenth of a second, for 90 patterns are compiled anew; the first ones are of reports


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=line[1][:60], marks=[] if number < IN_EVERY_RUN else [pytest.mark.long])
        for number, line in enumerate(LINES)
    ],
)
def test_the_right_runbook_leads(line: list[str]) -> None:
    wanted, text = line[0], line[1].replace("\\n", "\n")
    routes = route_text(RUNBOOKS, text)
    leading = [name for name, route in routes.items() if route.fit == "leads" and route.error_class not in {"", "other"}]
    assert leading == ([] if wanted == "-" else [wanted])
