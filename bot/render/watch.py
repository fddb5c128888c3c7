"""Renders a watch on a terminal: a line per event, and below them, redrawn, the state of every host and one chart."""

import shutil
from collections.abc import Sequence
from typing import TextIO

from triagebook.bot.render.chart import chart
from triagebook.bot.render.style import Style
from triagebook.bot.render.terminal import move
from triagebook.bot.render.text import STATUS_WORDS, local_time
from triagebook.runbooks.engine.quantities import as_duration, quantity
from triagebook.tools.watch.observation import HeadingLimit, Observation, WatchUpdate

MAX_HOSTS = 12
MAX_TRENDS = 3


def events(observation: Observation, *, is_first: bool) -> list[str]:
    """Return a line for each event of this sample; none if nothing happened."""
    stamp = f"{clock(observation.at)}  {observation.host}"
    lines = [f"{stamp}  {STATUS_WORDS[observation.status]}: {observation.headline}"] if is_first else []
    lines += [f"{stamp}  {text}" for text in observation.changes]
    if observation.status == "unreachable" and not is_first and observation.changes:
        lines.append(f"{stamp}  {observation.headline}")
    for refusal in observation.refusals:
        count = f"{refusal.count} refused: " if refusal.count else ""
        lines.append(f"{stamp}  REFUSED  {count}{refusal.summary}")
    return lines


def trend_line(heading: HeadingLimit) -> str:
    """Return a trend in one line: `x.service TasksMax (pids.max): 18 of 24, +72/h, full in about 5 min (r2 0.97, 12 samples)`."""
    trend, unit = heading.trend, heading.limit.unit
    plain = "" if unit != "bytes" else unit
    return (
        f"{heading.what} {heading.limit.name}: {quantity(trend.used, plain)} of {quantity(trend.limit, unit)}, "
        f"+{quantity(round(trend.slope_per_s * 3600, 1), plain)}/h, full in about {as_duration(trend.seconds_to_limit)} "
        f"(r2 {trend.r2:.2f}, {trend.readings} samples){' - postponed, not cured' if trend.was_raised else ''}"
    )


class Screen:
    """Shows event lines above and the state of all hosts below. It is for terminals only."""

    def __init__(self, out: TextIO, style: Style) -> None:
        self._out, self._style = out, style
        self._latest: dict[str, WatchUpdate] = {}
        self._drawn = 0

    def show(self, seen: WatchUpdate, lines: Sequence[str]) -> None:
        """Print the events and redraw the state, which is never higher than the terminal: what has scrolled cannot be erased."""
        self._latest[seen.observation.host] = seen
        size = shutil.get_terminal_size()
        block = [line[: size.columns - 1] for line in self._block(size.columns, size.lines - 1)[: size.lines - 1]]
        erase = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        if erase:
            move(self._out, erase)
        self._out.write("".join(f"{line}\n" for line in (*lines, *block)))
        self._out.flush()
        self._drawn = len(block)

    def _block(self, width: int, height: int) -> list[str]:
        """Return the state of all hosts and a chart, as much of it as `height` lines hold: hosts before trends before the chart."""
        hosts = sorted(self._latest.values(), key=_worst_first)
        drawn = max(hosts, key=lambda seen: seen.course[-1][0] / seen.course[-1][1] if seen.course else 0.0)
        picture = _picture(drawn, width) if drawn.course else []
        if len(picture) > max(0, height - 4 - min(len(hosts), MAX_HOSTS)):
            picture = []
        room = max(1, height - len(picture) - 2)  # a line above, and one for those that do not fit
        lines, shown = [""], 0
        most = min(MAX_HOSTS, room)
        trends = room - min(len(hosts), most)
        for seen in hosts[:most]:
            own = [f"    {trend_line(item)}" for item in seen.observation.trends[:MAX_TRENDS]][: max(0, trends)]
            lines += [_state_line(seen.observation), *own]
            trends, shown = trends - len(own), shown + 1
        if len(hosts) > shown:
            lines.append(f"and {len(hosts) - shown} more hosts")
        return [*lines, *picture]


def _state_line(one: Observation) -> str:
    cost = f", {one.cost.cpu_ms:.0f} ms CPU there so far" if one.cost.cpu_ms is not None else ""
    return f"{clock(one.at)}  {one.host}  {STATUS_WORDS[one.status]}  sample {one.sample}, next in {one.cost.pace_s:g} s{cost}"


def _picture(drawn: WatchUpdate, width: int) -> list[str]:
    used, limit = drawn.course[-1]
    return ["", f"{drawn.observation.host}: {drawn.course_of}, {used / limit * 100:.0f} % in use", *chart(drawn.course, width)]


def clock(moment: str) -> str:
    """Return the time of day of an RFC 3339 time in the reader's own zone, which is named."""
    return local_time(moment, "%H:%M:%S %Z")


def _worst_first(seen: WatchUpdate) -> tuple[int, str]:
    order = ("unreachable", "cause_found", "inconclusive", "warning", "healthy")
    return order.index(seen.observation.status), seen.observation.host
