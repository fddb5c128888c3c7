"""Says what may be completed in a shell: the metavar of an option or argument names the kind of value it takes.

A shell waits for this while a person types, so all of it has two seconds, and what fails offers nothing.
"""

import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from triagebook.bot.cli.mcp_clients import CLIENTS
from triagebook.bot.cli.server_call import call_server
from triagebook.runbooks.library.catalog import Catalog
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.actions import ACTIONS
from triagebook.tools.diagnosis import setup
from triagebook.tools.inventory.inventory import ALL, Inventory
from triagebook.tools.inventory.sources import load
from triagebook.tools.policy.model import RULED
from triagebook.tools.settings import config_file
from triagebook.tools.store.fix_states import STATES

if TYPE_CHECKING:
    from typer._click.core import Context, Parameter

LIMIT_S = 2.0
REPLAY = "replay:"
_SHOWN = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@:._/=+-]{0,252}")  # nothing that a shell would take for more than a word

Candidate = tuple[str, str]  # the value, and what a shell may show beside it


def candidates_of(context: "Context", parameter: "Parameter", incomplete: str) -> list[Candidate]:
    """Return the values that the parameter may take and that begin with what was typed."""
    find = CANDIDATES.get((parameter.metavar or "").strip("[]. "))
    if find is None:
        return []
    try:
        with _within(LIMIT_S):
            found = list(find(context, parameter, incomplete))
    except Exception:  # noqa: BLE001 - whatever is wrong, a shell that completes is no place to say it
        return []
    return [(value, text) for value, text in dict(found).items() if value.startswith(incomplete) and _SHOWN.fullmatch(value)]


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after so many seconds, wherever the block is."""

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hosts(context: "Context", parameter: "Parameter", incomplete: str) -> Iterable[Candidate]:
    """Offer hosts; groups, this machine and recorded cases where the parameter's help says that it takes them."""
    help_text = str(getattr(parameter, "help", ""))
    if "replay:" in help_text and incomplete.startswith(REPLAY):
        yield from _cases(context)
        return
    inventory = _inventory(context)
    account, at, _ = incomplete.rpartition("@")
    if account:
        yield from ((f"{account}{at}{name}", "") for name in inventory.hosts)
        return
    if "@GROUP" in help_text:
        yield from ((f"@{name}", text) for name, text in _group_names(inventory))
    yield from ((entry.name, "") for entry in inventory.hosts.values())
    if "localhost" in help_text:
        yield "localhost", "this machine"
    if "replay:" in help_text:
        yield REPLAY, "a recorded case"


def _groups(context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    return _group_names(_inventory(context))


def _group_names(inventory: Inventory) -> list[Candidate]:
    found = [(name, f"{len(inventory.of(name))} hosts") for name in inventory.groups]
    return [*found, (ALL, f"{len(inventory.hosts)} hosts")] if inventory.hosts else found


def _inventory(context: "Context") -> Inventory:
    settings = setup.settings()
    return load(settings.inventory, config_file(settings, str(context.params.get("ssh_config") or "")))


def _cases(context: "Context") -> Iterable[Candidate]:
    catalog = _catalog()
    asked = str(context.params.get("runbook") or "")
    names = [asked] if asked else sorted({entry.id for entry in catalog.entries()})
    return [(f"{REPLAY}{file.stem}", "") for name in names for file in catalog.find(name).cases]


def _catalog() -> Catalog:
    return setup.runbooks(setup.settings())


def _runbooks(_context: "Context", _parameter: "Parameter", incomplete: str) -> Iterable[Candidate]:
    catalog = _catalog()
    for entry in catalog.entries():
        yield entry.name if "@" in incomplete else entry.id, ""


def _versions(_context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    return [(entry.name, "") for entry in _catalog().entries()]


def _checks(context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    return [(check.id, "") for runbook in _runbooks_to_ask(context) for check in runbook.checks]


def _remediations(context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    return [
        (remediation.id, remediation.title)
        for runbook in _runbooks_to_ask(context)
        for remediation in runbook.remediations.values()
    ]


def _runbooks_to_ask(context: "Context") -> Iterable[Any]:
    catalog = _catalog()
    asked = str(context.params.get("runbook") or "")
    return [catalog.load(name) for name in ([asked] if asked else sorted({entry.id for entry in catalog.entries()}))]


def _fixes(context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    """Offer the newest fixes, of the server that answers at the socket of the command."""
    for fix in call_server({"do": "list", "state": "", "host": ""}, context.params.get("socket")):
        yield str(fix["id"]), f"{fix['state']} on {fix['host']}"


def _subjects(context: "Context", parameter: "Parameter", incomplete: str) -> Iterable[Candidate]:
    """Offer hosts, and fixes to who begins with `F`: only these ask the server."""
    return _fixes(context, parameter, incomplete) if incomplete.startswith("F") else _hosts(context, parameter, incomplete)


def _explain_words(_context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    """Offer what `runbook explain` knows."""
    yield from ((kind, "kind") for kind in probes.kinds())
    yield from ((action, "action") for action in ACTIONS)
    for runbook in _runbooks_to_ask(_context):
        yield from ((f"{runbook.id}.{check.id}", "check") for check in runbook.checks)
        yield from ((name, "remediation") for name in runbook.remediations)


def _kinds(_context: "Context", _parameter: "Parameter", _incomplete: str) -> Iterable[Candidate]:
    return [(kind, "") for kind in probes.kinds()]


def _words(*words: str) -> "Callable[[Context, Parameter, str], Iterable[Candidate]]":
    return lambda _context, _parameter, _incomplete: [(word, "") for word in words]


CANDIDATES: "Mapping[str, Callable[[Context, Parameter, str], Iterable[Candidate]]]" = {
    "CLIENT": lambda *_: [(name, client.title) for name, client in CLIENTS.items()],
    "ACTION": _words(*RULED, "approve"),
    "CHECK": _checks,
    "FIX": _fixes,
    "FORM": _words("text", "json", "markdown"),
    "FORMAT": _words("text", "json"),
    "GROUP": _groups,
    "HOST": _hosts,
    "HOST|FIX|ALERT": _subjects,
    "KIND": _kinds,
    "MARKUP": _words("markdown", "html", "json"),
    "NEW": _versions,
    "OLD": _versions,
    "REMEDIATION": _remediations,
    "RISK": _words("low", "medium", "high"),
    "RUNBOOK": _runbooks,
    "SCHEMA": _words("runbook", "diagnosis"),
    "SHELL": _words("bash", "zsh", "fish"),
    "STATE": _words(*STATES),
    "TRANSPORT": _words(*setup.TRANSPORTS),
    "USER@HOST": _hosts,
    "WORD": _explain_words,
}
