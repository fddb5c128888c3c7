"""Pages that are made of tables in the code. `python -m tests.documents` writes them; tests/unit/test_log_events.py holds them."""

from pathlib import Path

from triagebook.tools.log import DEBUG, DETAIL, ERROR, EVENTS, INFO, WARNING

ROOT = Path(__file__).parents[1]
LOG_EVENTS = ROOT / "docs" / "reference" / "log-events.md"
SEEN_WITH = {
    ERROR: "always",
    WARNING: "always",
    INFO: "`triagebook serve`; elsewhere with `-v`",
    DETAIL: "`-v`",
    DEBUG: "`-vv`",
}
NAMES = {ERROR: "error", WARNING: "warning", INFO: "info", DETAIL: "detail", DEBUG: "debug"}
HEAD = """# Log events

Every line of the log is one of these events. Their names do not change; values may be added. `triagebook serve` writes
`event key=value ...` on standard error; other commands say nothing unless asked by `-v` or `-vv`, and then in words. The
logger of an event (Python's `logging`) is `triagebook.` and the first word of its name. Made by `python -m tests.documents`
from the table in `tools/log.py`.

What a host or a person wrote is shown with control characters as escapes, on one line, at most 300 characters of each value;
secrets are cut out. See [See what the server does](../how-to/see-what-the-server-does.md).

| event | says | level | seen with |
|---|---|---|---|
"""


def log_events() -> str:
    """Return the page of log events."""
    rows = (f"| `{name}` | {title} | {NAMES[level]} | {SEEN_WITH[level]} |\n" for name, (level, title) in sorted(EVENTS.items()))
    return HEAD + "".join(rows)


if __name__ == "__main__":
    LOG_EVENTS.parent.mkdir(exist_ok=True)
    LOG_EVENTS.write_text(log_events())
