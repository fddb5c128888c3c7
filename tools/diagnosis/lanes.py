"""Takes the questions of a fleet so that every site has its share: a slow site holds up neither another nor this network."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from itertools import chain, zip_longest

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.diagnosis.question import Question

Numbered = tuple[int, Question]


@dataclass
class _Lane:
    """The hosts of one site, or those that this machine reaches itself."""

    running: int = 0
    waiting: deque[Numbered] = field(default_factory=deque)


class Lanes:
    """The questions that are left, with at most `at_once` running of each site. Of a sequence, all sites begin at once."""

    def __init__(self, questions: Iterable[Question], at_once: int) -> None:
        self._coming = enumerate(in_turns(questions) if isinstance(questions, Sequence) else questions)
        self._at_once = at_once
        self._lanes: defaultdict[str, _Lane] = defaultdict(_Lane)

    @property
    def most(self) -> int:
        """How many may run at a time, of all sites that were seen so far."""
        return self._at_once * max(1, len(self._lanes))

    def take(self) -> Numbered | None:
        """Return the next question whose site has room; None: there is none."""
        for lane in self._lanes.values():
            if lane.waiting and lane.running < self._at_once:
                lane.running += 1
                return lane.waiting.popleft()
        for item in self._coming:
            lane = self._lanes[item[1].target.site]
            if lane.running < self._at_once:
                lane.running += 1
                return item
            lane.waiting.append(item)
        return None

    def end(self, question: Question) -> None:
        """Note that a question that was taken has its end."""
        self._lanes[question.target.site].running -= 1

    def rest(self) -> Iterator[Numbered]:
        """Yield the questions that were not taken."""
        yield from chain.from_iterable(lane.waiting for lane in self._lanes.values())
        yield from self._coming


def in_turns(questions: Sequence[Question]) -> Iterator[Question]:
    """Yield the first of each site, then the second of each, and so on."""
    by_site: defaultdict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_site[question.target.site].append(question)
    if len(by_site) == 1:
        yield from questions
        return
    for some in zip_longest(*by_site.values()):
        yield from (question for question in some if question is not None)
