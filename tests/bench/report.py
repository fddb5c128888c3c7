"""Markdown tables and one chart (SVG) of a run. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.measure import Figures

BAR, LEFT, RIGHT, WIDTH = 20, 280, 150, 860


@dataclass(frozen=True)
class Target:
    """A ratio or figure that is promised, and what was measured. `floor` is what nothing can be below, and why."""

    what: str
    promised: float
    measured: float | None
    unit: str = ""
    floor: float | None = None
    floor_is: str = ""

    @property
    def is_met(self) -> bool:
        return self.measured is not None and self.measured <= self.promised

    def row(self) -> str:
        """One row of a table."""
        if self.measured is None:
            return f"| {self.what} | <= {_number(self.promised)}{self.unit} | not measured | |"
        met = "yes" if self.is_met else "**no**"
        if self.floor is not None and self.floor > self.promised:
            met += f": {self.floor_is} are {_number(self.floor)}{self.unit}"
        return f"| {self.what} | <= {_number(self.promised)}{self.unit} | {_number(self.measured)}{self.unit} | {met} |"


def _number(value: float) -> str:
    """Small ratios as fractions: 0.0125 is 1/80."""
    if 0 < value < 0.1:
        return f"1/{1 / value:.0f}"
    return f"{value:.0f}" if value >= 20 else f"{value:.2f}"


def targets(found: Sequence[Target]) -> str:
    """The table of promises."""
    return "\n".join(["| what | promised | measured | met |", "|---|---|---|---|", *(target.row() for target in found)]) + "\n"


def walls(by_rtt: Mapping[int, Mapping[str, Figures]], base: str) -> str:
    """One host: wall time in seconds and as a share of `base`, for each round-trip time; CPU and memory of the nearest."""
    nearest = min(by_rtt)
    names = list(dict.fromkeys(name for figures in by_rtt.values() for name in figures))
    head = [f"{rtt} ms, s | / {base}" for rtt in sorted(by_rtt)]
    lines = [f"| one host, cold | {' | '.join(head)} | CPU ms | MiB |", "|---" * (2 * len(by_rtt) + 3) + "|"]
    for name in names:
        cells = []
        for rtt in sorted(by_rtt):
            figures, against = by_rtt[rtt].get(name), by_rtt[rtt].get(base)
            cells += [f"{figures.wall_s:.3f}", f"{figures.wall_s / against.wall_s:.2f}"] if figures and against else ["", ""]
        here = by_rtt[nearest].get(name)
        cells += [f"{here.cpu_s * 1000:.0f}", f"{here.memory_mib:.0f}" if here.memory_mib else ""] if here else ["", ""]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def fleets(by_count: Mapping[int, Mapping[str, Figures]]) -> str:
    """Many hosts: CPU of the client per host, memory, hosts per second."""
    lines = ["| hosts | client | CPU ms per host | MiB | hosts/s | rounds |", "|---" * 6 + "|"]
    for count, found in by_count.items():
        for name, figures in found.items():
            per_host, rate = figures.cpu_s * 1000 / count, count / figures.wall_s
            lines.append(f"| {count} | {name} | {per_host:.1f} | {figures.memory_mib:.0f} | {rate:.1f} | {figures.rounds} |")
    return "\n".join(lines) + "\n"


def chart(title: str, values: Mapping[str, float], unit: str) -> str:
    """Horizontal bars, the shortest on top, on a logarithmic scale when the longest is over 30 times the shortest."""
    from math import log10

    ordered = sorted(values.items(), key=lambda item: item[1])
    low, high = ordered[0][1], ordered[-1][1]
    is_log = high > 30 * low
    room = WIDTH - LEFT - RIGHT
    height = BAR * len(ordered) + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold">{_escaped(title)}</text>',
    ]
    for number, (name, value) in enumerate(ordered):
        share = (log10(value / low) + 0.15) / (log10(high / low) + 0.15) if is_log else value / high
        y = 40 + BAR * number
        colour = "#0b6e4f" if name.startswith("triagebook") else "#9aa5b1"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{_escaped(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{max(1.0, share * room):.1f}" height="{BAR - 6}" fill="{colour}"/>',
            f'<text x="{LEFT + share * room + 6:.1f}" y="{y + 14}">{value:.2f} {unit}</text>',
        ]
    note = "bars on a logarithmic scale" if is_log else ""
    return "\n".join([*lines, f'<text x="12" y="{height - 6}" fill="#555555">{note}</text>', "</svg>"]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
