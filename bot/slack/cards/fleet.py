"""Shows many hosts in one card, grouped by verdict, worst first: a storm of alerts, or a fleet."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from triagebook.bot.render.fleet import ORDER, WORDS, HostRow
from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import Block, context, fixed_width, header, note, prose, run
from triagebook.bot.slack.cards.limits import Card, Part, card
from triagebook.bot.slack.cards.wording import MARKS, Origin

MAX_NAMES, MAX_GROUPS = 8, 12
Group = tuple[str, str, list[str]]  # status, what, hosts


def fleet(rows: Sequence[HostRow], origin: Origin, *, running: int = 0, repeats: int = 0) -> Card:
    """Return the card of all groups. `running` hosts have not answered yet; `repeats` requests were for hosts already in it."""
    groups = group_rows(rows)
    total = len(rows) + running
    parts: list[Part | Block] = [header(f"{total} host{'s' if total != 1 else ''}: {', '.join(_counts(rows, running))}")]
    parts += [Part(_group(group), 1 if number < MAX_GROUPS else 2, 1) for number, group in enumerate(groups)]
    if running:
        parts.append(note(f"⏳ {running} not answered yet: nothing is known of them."))
    if repeats:
        parts.append(note(f"{repeats} more alerts came for these hosts; they are not diagnosed again."))
    parts.append(context(f"asked by {mrkdwn.person(origin.by)} · {mrkdwn.date(origin.at)}"))
    return card(parts, mrkdwn.fallback(_plain_lines(groups, total, running)))


def group_rows(rows: Sequence[HostRow]) -> list[Group]:
    """Return hosts grouped by verdict, worst first; equal ones by size of the group."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        found[row.status, row.what].append(row.host)
    order = sorted(found.items(), key=lambda item: (ORDER.index(item[0][0]), -len(item[1]), item[0][1]))
    return [(status, what, sorted(members)) for (status, what), members in order]


def _counts(rows: Sequence[HostRow], running: int) -> Iterator[str]:
    for status in ORDER:
        if count := sum(row.status == status for row in rows):
            yield f"{count} {WORDS[status].lower()}"
    if running:
        yield f"{running} not answered yet"


def _title(group: Group) -> str:
    status, what, members = group
    return f"{MARKS.get(status, '⚫')} {len(members)} {WORDS[status]}{f': {what}' if what else ''}"


def _members(members: Sequence[str]) -> str:
    more = f" and {len(members) - MAX_NAMES} more" if len(members) > MAX_NAMES else ""
    return f"{', '.join(mrkdwn.plain(name, mrkdwn.NAME) for name in members[:MAX_NAMES])}{more}"


def _group(group: Group) -> Block:
    if group[0] == "healthy":
        return prose(
            run(mrkdwn.plain(_title(group)), bold=True), run(f"  {_members(group[2][:3])}{' …' if len(group[2]) > 3 else ''}")
        )
    return fixed_width(mrkdwn.plain(_title(group)), [_members(group[2])])


def _plain_lines(groups: Sequence[Group], total: int, running: int) -> Iterator[str]:
    yield f"{total} hosts"
    yield from (f"{_title(group)}: {_members(group[2])}" for group in groups)
    if running:
        yield f"{running} not answered yet: nothing is known of them"
