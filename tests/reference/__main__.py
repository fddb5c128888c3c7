"""Write the pages, or with --check name those that are not current (exit status 1)."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from triagebook.runbooks.library import schema_files

from tests.documents import LOG_EVENTS, log_events
from tests.reference import (
    actions_page,
    cause_pages,
    cli_page,
    codes_page,
    configuration_page,
    formats_page,
    json_page,
    kinds_page,
    man_pages,
)

ROOT = Path(__file__).parents[2]
REFERENCE, SCHEMA, MAN = ROOT / "docs" / "reference", ROOT / "docs" / "schema", ROOT / "docs" / "man"


def as_json(make: Callable[[], Any]) -> str:
    """Return a schema as `triagebook runbook schema` prints it."""
    return json.dumps(make(), indent=1, sort_keys=True)


PAGES: Mapping[Path, Callable[[], str]] = {
    LOG_EVENTS: log_events,
    REFERENCE / "actions.md": actions_page.page,
    REFERENCE / "cases.md": formats_page.cases_page,
    REFERENCE / "cli.md": cli_page.page,
    REFERENCE / "configuration.md": configuration_page.page,
    REFERENCE / "exit-statuses.md": codes_page.exit_statuses_page,
    REFERENCE / "facts.md": kinds_page.page,
    REFERENCE / "json.md": json_page.page,
    REFERENCE / "metrics.md": codes_page.metrics_page,
    REFERENCE / "policy.md": formats_page.policy_page,
    REFERENCE / "reason-codes.md": codes_page.reason_codes_page,
    SCHEMA / "diagnosis.json": partial(as_json, schema_files.diagnosis_schema),
    SCHEMA / "drift.json": partial(as_json, json_page.drift_schema),
    SCHEMA / "event.json": partial(as_json, json_page.event_schema),
    SCHEMA / "no-answer.json": partial(as_json, json_page.no_answer_schema),
    SCHEMA / "triage.json": partial(as_json, schema_files.triage_schema),
    SCHEMA / "runbook.json": partial(as_json, schema_files.runbook_schema),
    SCHEMA / "watch.json": partial(as_json, json_page.watch_schema),
}


def main(words: list[str]) -> int:
    """Write what differs; with --check only name it."""
    made = {file: make() for file, make in PAGES.items()} | {MAN / name: text for name, text in man_pages.pages().items()}
    made |= cause_pages.pages()
    stale = [(file, text.rstrip("\n") + "\n") for file, text in made.items() if text.rstrip("\n") + "\n" != read(file)]
    for file in {*MAN.glob("*")} - made.keys():
        print(f"{file.relative_to(ROOT)} is of no command: delete it")  # noqa: T201 - as below
        return 1
    for file, text in stale:
        print(file.relative_to(ROOT))  # noqa: T201 - what it did
        if "--check" not in words:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return int("--check" in words and bool(stale))


def read(file: Path) -> str:
    """Return what stands there; nothing where there is no file."""
    return file.read_text() if file.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
