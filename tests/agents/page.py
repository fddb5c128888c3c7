"""docs/benchmark.md and its picture, made of the scores. Pure: the same recordings give the same bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from tests.agents import texts
from tests.agents.faults import FAULTS
from tests.agents.policies import ARMS, Arm
from tests.agents.score import POINTS, Score, score, tokens_in
from tests.tokens import ENCODING

DOCS = Path(__file__).parents[2] / "docs"
RELEASES = ("debian-12", "debian-13")
INTRODUCTION = Path(__file__).with_name("introduction.md")


@dataclass(frozen=True)
class Sum:
    """One arm over all faults of a release."""

    arm: Arm
    tokens_in: int
    scores: Mapping[str, Score]

    def mean(self, name: str) -> float:
        """The mean of a figure over the faults."""
        return mean(getattr(one, name) for one in self.scores.values())

    def total(self, name: str) -> int:
        """The sum of a figure."""
        return sum(getattr(one, name) for one in self.scores.values())

    @property
    def recall(self) -> float:
        """The share of all facts of all faults."""
        return self.total("facts_found") / self.total("facts")

    @property
    def precision(self) -> float:
        """Precision on culprits at full recall, over the faults that have one."""
        return mean(one.precision for one in self.scores.values() if one.precision is not None)

    def verdicts(self, verdict: str) -> int:
        """How many faults ended with this verdict."""
        return sum(one.verdict == verdict for one in self.scores.values())

    @property
    def points(self) -> int:
        return sum(POINTS[one.verdict] for one in self.scores.values())


Column = Callable[[Sum], str]


def sums(release: str) -> tuple[Sum, ...]:
    """Score every arm on every recorded fault of a release."""
    found = texts.read(release)
    names = [name for name in FAULTS if name in found.faults]
    return tuple(
        Sum(arm, tokens_in(arm, found), {name: score(arm, FAULTS[name], found.faults[name]) for name in names}) for arm in ARMS
    )


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION.read_text().replace("ENCODING", ENCODING)]
    for release in RELEASES:
        found = sums(release)
        missing = [f"`{name}`" for name in FAULTS if name not in found[0].scores]
        parts += [f"## {release}, {len(found[0].scores)} faults\n", table(found), ahead(found), by_fault(found)]
        parts += [f"Not recorded on {release}: {', '.join(missing)}.\n"] if missing else []
    return "\n".join(parts)


def _mean(name: str, form: str) -> Column:
    return lambda one: format(one.mean(name), form)


def _median(name: str, form: str) -> Column:
    return lambda one: format(median(getattr(item, name) for item in one.scores.values()), form)


def _said(one: Sum) -> str:
    if one.arm.claims == "nothing":
        return "says none"
    return " / ".join(str(one.verdicts(verdict)) for verdict in ("right", "wrong", "inconclusive"))


COLUMNS: Mapping[str, Column] = {
    "arm": lambda one: one.arm.name,
    "calls": _mean("calls", ".1f"),
    "refused or silent": _mean("failed", ".1f"),
    "seconds": _mean("seconds", ".1f"),
    "tokens of tools": lambda one: f"{one.tokens_in:,}",
    "tokens read": _mean("tokens_out", ",.0f"),
    "facts present": lambda one: f"{one.recall:.0%}",
    "precision at full recall": lambda one: f"{one.precision:.2f}",
    "innocents left suspect": lambda one: str(one.total("suspects")),
    "right / wrong / inconclusive": _said,
    "points": lambda one: str(one.points) if one.arm.claims == "a verdict" else "-",
    "forks": _median("forks", ".0f"),
    "CPU s": _median("cpu_s", ".2f"),
}
# What an arm can be ahead of ours by: less of these is better.
COSTS = {
    "calls": "calls",
    "seconds": "seconds",
    "tokens read": "tokens_out",
    "innocents left suspect": "suspects",
    "forks on the host": "forks",
    "CPU on the host": "cpu_s",
}


def table(found: Sequence[Sum]) -> str:
    """One row an arm."""
    return _table(list(COLUMNS), [[column(one) for column in COLUMNS.values()] for one in found])


def ahead(found: Sequence[Sum]) -> str:
    """Where another arm is better than `diagnose`, in words."""
    ours = next(one for one in found if one.arm.claims == "a verdict")
    better = {what: [one for one in found if one.mean(name) < ours.mean(name)] for what, name in COSTS.items()}
    better["tokens of tools"] = [one for one in found if one.tokens_in < ours.tokens_in]
    better["facts present"] = [one for one in found if one.recall > ours.recall]
    better["precision at full recall"] = [one for one in found if one.precision > ours.precision]
    lines = [f"{what}: {', '.join(one.arm.name for one in those)}" for what, those in better.items() if those]
    return f"Ahead of `diagnose`, by the mean over all faults: {'; '.join(lines) or 'nowhere'}.\n"


def by_fault(found: Sequence[Sum]) -> str:
    """Facts present of each arm, and the verdict."""
    head = ("fault", "", *(one.arm.name for one in found), "verdict of `diagnose`")
    rows = []
    for name in found[0].scores:
        each = [one.scores[name] for one in found]
        facts = [f"{one.facts_found} of {one.facts}" if one.facts else "-" for one in each]
        verdict = next(one.scores[name].verdict for one in found if one.arm.claims == "a verdict")
        rows.append((f"`{name}`", FAULTS[name].title + (" (held out)" if FAULTS[name].is_held_out else ""), *facts, verdict))
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def picture() -> str:
    """Bars of both releases: tokens an assistant reads, and the share of the facts in them. SVG."""
    parts, y = [], 30
    most = max(one.mean("tokens_out") for release in RELEASES for one in sums(release))
    for release in RELEASES:
        parts.append(_text(10, y, f"{release}: facts present (upper bar), tokens read (lower bar)", "bold"))
        y += 14
        for one in sums(release):
            parts += _bars(y, one, most)
            y += 34
        y += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="facts present and tokens read of each arm">\n'
        f'<rect width="760" height="{y}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bars(y: int, one: Sum, most: float) -> Iterator[str]:
    colour = "#0b7285" if one.arm.claims == "a verdict" else "#868e96"
    yield _text(10, y + 18, one.arm.name)
    for offset, share, label in (
        (2, one.recall, f"{one.recall:.0%}"),
        (15, one.mean("tokens_out") / most, f"{one.mean('tokens_out'):,.0f}"),
    ):
        shade = colour if offset == 2 else "#ced4da"
        yield f'<rect x="150" y="{y + offset}" width="{share * 500:.1f}" height="11" fill="{shade}"/>'
        yield _text(156 + round(share * 500), y + offset + 10, label)


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{text}</text>'


def write() -> None:
    """Write both files."""
    (DOCS / "benchmark.md").write_text(page())
    (DOCS / "benchmark.svg").write_text(picture())
