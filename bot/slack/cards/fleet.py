"""Shows many hosts in one card, grouped by verdict, worst first: a storm of alerts, or a fleet."""

from collections.abc import Iterator, Sequence

from triagebook.bot.render.fleet import WORDS, HostGroup, HostRow, groups_of, totals
from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import Block, context, fixed_width, header, note, prose, run
from triagebook.bot.slack.cards.limits import Card, Part, card
from triagebook.bot.slack.cards.wording import MARKS, Origin

MAX_NAMES, MAX_GROUPS = 8, 12


def fleet(rows: Sequence[HostRow], origin: Origin, *, running: int = 0, repeats: int = 0) -> Card:
    """Return the card of all groups. `running` hosts have not answered yet; `repeats` requests were for hosts already in it."""
    groups = groups_of(rows)
    total = len(rows) + running
    parts: list[Part | Block] = [header(f"{total} host{'s' if total != 1 else ''}: {', '.join(_counts(rows, running))}")]
    parts += [Part(_group(group), 1 if number < MAX_GROUPS else 2, 1) for number, group in enumerate(groups)]
    if running:
        parts.append(note(f"⏳ {running} not answered yet: nothing is known of them."))
    if repeats:
        parts.append(note(f"{repeats} more alerts came for these hosts; they are not diagnosed again."))
    parts.append(context(f"asked by {mrkdwn.person(origin.by)} · {mrkdwn.date(origin.at)}"))
    return card(parts, mrkdwn.fallback(_plain_lines(groups, total, running)))


def _counts(rows: Sequence[HostRow], running: int) -> Iterator[str]:
    yield from totals(rows)
    if running:
        yield f"{running} not answered yet"


def _title(group: HostGroup) -> str:
    return f"{MARKS.get(group.status, '⚫')} {len(group.rows)} {WORDS[group.status]}{f': {group.what}' if group.what else ''}"


def _members(members: Sequence[str]) -> str:
    more = f" and {len(members) - MAX_NAMES} more" if len(members) > MAX_NAMES else ""
    return f"{', '.join(mrkdwn.plain(name, mrkdwn.NAME) for name in members[:MAX_NAMES])}{more}"


def _group(group: HostGroup) -> Block:
    names = group.names
    if group.status == "healthy":
        return prose(run(mrkdwn.plain(_title(group)), bold=True), run(f"  {_members(names[:3])}{' …' if len(names) > 3 else ''}"))
    said = next((row.line for row in group.rows if row.host == names[0] and row.line), "")
    return fixed_width(mrkdwn.plain(_title(group)), [_members(names), *([mrkdwn.plain(said, 200)] if said else [])])


def _plain_lines(groups: Sequence[HostGroup], total: int, running: int) -> Iterator[str]:
    yield f"{total} hosts"
    yield from (f"{_title(group)}: {_members(group.names)}" for group in groups)
    if running:
        yield f"{running} not answered yet: nothing is known of them"
