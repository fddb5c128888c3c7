"""The pages of exit statuses and of reason codes."""

from triagebook.bot.cli import app, audit, diagnose, output, policy
from triagebook.runbooks.engine import errors
from triagebook.tools.faces.advice import ADVICE
from triagebook.tools.watch.textfile import HELP, MOST_USES

from tests.reference.commands import every
from tests.reference.markdown import first_sentences, made_by, table

STATUS_HEAD = """# Exit statuses

A status other than 0 is not always a failure: `diagnose` answers with it. In a script, look at the status of `diagnose` as at
that of `grep` or `diff`.

"""
DIAGNOSE = {
    "healthy": "healthy; what was accepted as unknown is said",
    "cause_found": "a cause was found",
    "inconclusive": "inconclusive: something could not be judged, and the answer says what and why",
    "unreachable": "a host gave no session (how the login failed is in the answer), failed, or was left out by `--max-errors`",
    "warning": "warning: close to a limit, or refused earlier",
}
CODES_HEAD = """# Reason codes

Every refusal and every expected failure has a reason code. It stands before the message of a refusal at the terminal
(`self_approval: ...`), in the audit log, in an assistant's error and in the log of the server. Codes do not change.

"""


def exit_statuses_page() -> str:
    """Return the page of exit statuses."""
    if {status for name, status in diagnose.EXIT_STATUS.items() if name not in DIAGNOSE} != {diagnose.EXIT_STATUS["unreachable"]}:
        raise KeyError("describe in codes_page.py each exit status of diagnose")
    diagnose_rows = [(str(diagnose.EXIT_STATUS[status]), text) for status, text in DIAGNOSE.items()]
    own = [
        ("`audit verify`", str(audit.BROKEN), "the log does not hold; the first bad row is named"),
        ("`policy check`", str(policy.DENIED), "the policy does not allow it"),
        ("`runbook lint`", "1", "there are complaints"),
        ("`runbook test`", "1", "a verdict differs from the expected one, or there is no case"),
        ("`runbook diff`", "1", "the two versions differ"),
        ("`host drift`", "6", "hosts differ"),
        ("`host install`, `host check`", "4", "something is missing or was changed; it is listed"),
        ("`fix approve`, `fix deny`", "1", "the question at the terminal was answered with no"),
    ]
    said = [(f"`{one.name}`", one.exit_status) for one in every() if one.exit_status]
    order = ", ".join(map(str, diagnose.WORST_FIRST))
    return (
        STATUS_HEAD
        + made_by("`tests/reference/codes_page.py` and the constants of `bot/cli`")
        + "## diagnose\n\n"
        + table(("Status", "Meaning"), sorted(diagnose_rows))
        + f"Of several hosts the first that occurs of {order} counts.\n\n"
        + "## Every command\n\n"
        + table(("Status", "Meaning"), every_status())
        + "How a fix ended is in its state (`validated`, `unresolved`, `reverted`, `failed`, `unknown`), not in the exit status\n"
        + "of `fix apply`, which is 0 when the server answered.\n\n"
        + "## Single commands\n\n"
        + table(("Command", "Status", "Meaning"), own)
        + ("What their help says:\n\n" + table(("Command", "Exit status"), said) if said else "")
    )


def every_status() -> list[tuple[str, str]]:
    """Return the exit statuses that any command may end with."""
    return [
        ("0", "done"),
        ("2", "the command line, a name or a file of yours is wrong, or an extra is not installed"),
        ("4", "a host, the server or a file could not be reached or read"),
        ("5", "refused, by the policy or because the plan or the host is not what it was"),
        (str(app.FAULT), "a defect of triagebook: run it again with `-vv` and report the output"),
        (str(output.UNWRITABLE), "standard output is closed or full: the answer was not printed whole"),
        (str(output.INTERRUPTED), "Ctrl-C; of many hosts, the table of those that answered was printed"),
        (str(output.BROKEN_PIPE), "the reader of a pipe went away, as with `| head`"),
    ]


def reason_codes_page() -> str:
    """Return the page of reason codes: what to do about each, as every face says it."""
    rows = (
        (f"`{code}`", advice.text, "a person" if advice.by_person else "whoever asked") for code, advice in sorted(ADVICE.items())
    )
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.TriagebookError)]
    classes = ((one.__name__, f"`{one.reason}`", first_sentences(one.__doc__)) for one in kinds)
    return (
        CODES_HEAD
        + made_by("`tools/faces/advice.py` and `runbooks/engine/errors.py`")
        + table(("Code", "What to do", "By"), rows)
        + "## Kinds of failure\n\nThe code of a kind is used where no other is given.\n\n"
        + table(("Kind", "Code", "What it is"), classes)
    )


def metrics_page() -> str:
    """Return the page of the metrics of a watch; those of the server are on the page on the server."""
    rows = ((f"`triagebook_{name}`", kind, text) for name, (kind, text) in HELP.items())
    return (
        "# Metrics of a watch\n\nWhat `triagebook watch --textfile FILE` writes, about hosts. Those of the server, about itself:\n"
        "[See what the server does](../how-to/see-what-the-server-does.md#probes-and-metrics).\n\n"
        + made_by("`tools/watch/textfile.py`")
        + table(("Metric", "Type", "What it says"), rows)
        + f"Of each host at most {MOST_USES} limits are written: those that refused, then the fullest.\n"
    )
