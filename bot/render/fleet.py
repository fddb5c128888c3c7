"""Renders many hosts as one table, grouped by verdict, worst first: one sentence a group, a total, and what to run next."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import field

from triagebook.bot.render.style import Style
from triagebook.bot.render.text import STATUS_WORDS
from triagebook.bot.render.verdict_words import ACTIVE_WORDS
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, LoginResult
from triagebook.runbooks.engine.triage import Triage

# Worst first: what is refused now, what is near, then what nothing is known of. Healthy hosts need nobody.
ORDER = ("cause_found", "warning", "inconclusive", "unreachable", "failed", "not_asked", "healthy")
WITHOUT_ANSWER = ("unreachable", "failed", "not_asked")
WORDS = {**STATUS_WORDS, "failed": "FAILED", "not_asked": "NOT ASKED"}
ACTIVE = tuple(ACTIVE_WORDS)  # most pressing first
MAX_NAMES = 12
LOGIN_WORDS: Mapping[str, str] = {
    "resolve": "no address for this name",
    "host_key": "host key not trusted",
    "no_banner": "closed before SSH began",
    "no_session": "login gave no session",
    "cut": "connection cut",
    "no_nats": "no connection to the sites",
    "silent": "the site's worker died",
    "lost": "connection to the sites cut",
    "denied": "the site may not be asked",
    "malformed": "the site's answer is refused",
    "busy": "the site is busy",
}
REASON_WORDS: Mapping[str, str] = {
    "usage": "key or configuration",
    "deadline": "no answer in time",
    "fault": "internal error",
    "host_name": "not a host name",
}


@dataclass(frozen=True)
class HostRow:
    """One host's row of the table. It is small, because a fleet has many."""

    host: str
    status: str
    what: str
    line: str = ""
    active: str = ""  # of the cause: which of several is worse


@dataclass
class HostGroup:
    """Hosts with one verdict: the same status and the same cause, or the same way in which a login failed."""

    status: str
    what: str
    active: str = ""
    rows: list[HostRow] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Return the names of its hosts, numbers in their order."""
        return sorted((row.host for row in self.rows), key=_by_number)

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """Return what orders groups: the status, how pressing the cause is, how many hosts."""
        pressing = ACTIVE.index(self.active) if self.active in ACTIVE else len(ACTIVE)
        return ORDER.index(self.status), pressing, -len(self.rows), self.what


def row_of(said: Diagnosis | Triage) -> HostRow:
    """Return the row of an answer. Hosts with the same `what` (the cause, or how the login failed) are grouped.

    A cause is one runbook's, whichever: of several runbooks it is that of the first sentence.
    """
    verdict = said.verdict
    line = "" if said.status == "healthy" else said.headline
    if said.status == "unreachable":
        found = said.first if isinstance(said, Triage) else said
        return HostRow(said.host.name, said.status, login_text(found.login), line)
    what = f"{verdict.cause}, {ACTIVE_WORDS[verdict.active]}" if verdict else ""
    return HostRow(said.host.name, said.status, what, line, verdict.active if verdict else "")


def login_text(login: LoginResult) -> str:
    """Return how a login failed, in words: `connect: refused`, `host key not trusted`."""
    if login.outcome == "no_worker":
        return login.message  # names the site: sites are told apart
    if login.phase in LOGIN_WORDS:
        return LOGIN_WORDS[login.phase]
    return LOGIN_WORDS.get(login.outcome, f"{login.phase}: {login.outcome}".removeprefix(": "))


def row_of_failure(host: str, reason: str, message: str) -> HostRow:
    """Return the row of a host whose diagnosis failed."""
    return HostRow(host, "failed", REASON_WORDS.get(reason, reason), message)


def groups_of(rows: Sequence[HostRow]) -> list[HostGroup]:
    """Return the hosts grouped by verdict, worst first."""
    found: dict[tuple[str, str], HostGroup] = defaultdict(lambda: HostGroup("", ""))
    for row in rows:
        group = found[row.status, row.what]
        group.status, group.what, group.active = row.status, row.what, row.active
        group.rows.append(row)
    return sorted(found.values(), key=lambda group: group.rank)


def totals(rows: Sequence[HostRow]) -> list[str]:
    """Return how many hosts have each status, worst first: `3 cause found`."""
    counts = Counter(row.status for row in rows)
    return [f"{counts[status]} {WORDS[status].lower()}" for status in ORDER if counts[status]]


def render_table(rows: Sequence[HostRow], style: Style, *, asked: int = 0, retry_file: str = "") -> str:
    """Return the groups, worst first, each with the sentence of one of its hosts; then the total and what to run next.

    `asked` is how many hosts were named, where the run was stopped before all had answered.
    """
    groups = groups_of(rows)
    lines = [style.paint("HOSTS  VERDICT", "1")]
    for group in groups:
        lines += _group(group, style)
    lines.append("")
    left = asked - len(rows)
    stopped = f" Stopped: {left} of {asked} hosts had not answered yet." if left > 0 else ""
    lines += style.wrap(f"{len(rows)} host{'s' if len(rows) != 1 else ''}: {', '.join(totals(rows))}.{stopped}")
    lines += _next(groups, retry_file)
    return "\n".join(lines).rstrip() + "\n"


def _group(group: HostGroup, style: Style) -> list[str]:
    names = group.names
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    title = f"{style.paint(WORDS[group.status], '1')}{f'  {group.what}' if group.what else ''}"
    lines = [f"{len(names):>5}  {title}", *style.wrap(f"{', '.join(names[:MAX_NAMES])}{more}", "       ", "       ")]
    shown = min(group.rows, key=lambda row: _by_number(row.host))
    if shown.line:
        of = f"{shown.host}: " if len(names) > 1 else ""
        lines += style.wrap(f"{of}{shown.line}", "       ", "       ")
    return lines


def _next(groups: Sequence[HostGroup], retry_file: str) -> list[str]:
    """Return the commands to look closer at the worst host, and to ask those again that gave no answer."""
    lines = []
    closer = next((group.names[0] for group in groups if group.status in ("cause_found", "warning", "inconclusive")), "")
    if closer:
        lines += ["To look closer:", f"    triagebook diagnose {shlex.quote(closer)}"]
    silent = [name for group in groups if group.status in WITHOUT_ANSWER for name in group.names]
    if silent and retry_file:
        lines += ["To ask those again that gave no answer:", f"    triagebook diagnose --hosts-from {shlex.quote(retry_file)}"]
    elif silent:
        lines += ["To ask one of those again that gave no answer:", f"    triagebook diagnose {shlex.quote(silent[0])}"]
    return lines


def _by_number(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that puts web2 before web10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name
