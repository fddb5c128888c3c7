"""Compares fixes and votes in the database with what the audit log says of them: what was put in, changed or taken out."""

from collections.abc import Iterator, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.verify import Problem
from triagebook.tools.fixes.evidence import APPROVING, PLANNING
from triagebook.tools.store import fix_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import FixOutline, Vote

_STATES = {"deny": "denied", "withdraw": "withdrawn", "expire": "expired", "apply": "running", "revert": "reverting"}


@dataclass
class _Story:
    """What the log says of one fix: its plan, its state, who voted."""

    digest: str
    requester: str
    state: str = "proposed"
    voters: dict[tuple[str, str, bool], bool] = field(default_factory=dict)  # (person, digest, yes) -> is its row sealed
    may_be_stale: bool = False

    def follow(self, event: AuditEvent, is_sealed: bool) -> None:
        """Take one more row into account."""
        if event.outcome == "refused":
            self.may_be_stale |= event.action == "apply" and self.is_approved
        elif event.action in APPROVING or event.action == "deny":
            self.voters[event.person, event.plan_digest, event.action != "deny"] = is_sealed
        if event.action == "lease_expired":
            self.state = "unknown"
        elif event.action == "result" and event.outcome != "refused":
            self.state = event.reason
        elif event.outcome == "ok":
            self.state = _STATES.get(event.action, self.state)

    @property
    def is_approved(self) -> bool:
        """Say whether it may be approved: how many approvals it takes is the policy's, not the log's."""
        return self.state in {"proposed", "approved"} and any(is_yes for _person, _digest, is_yes in self.voters)

    def states(self) -> set[str]:
        """Return the states that agree with the rows."""
        return {self.state} | ({"approved"} if self.is_approved else set()) | ({"stale"} if self.may_be_stale else set())


@dataclass
class FixesBesideLog:
    """Sees each row of the log, and then says which fixes and votes do not agree with it."""

    stories: dict[str, _Story] = field(default_factory=dict)

    def visit(self, event: AuditEvent, is_sealed: bool) -> None:
        """See one row."""
        story = self.stories.get(event.fix) if event.fix else None
        if story is not None:
            story.follow(event, is_sealed)
        elif event.fix and event.action in PLANNING and event.outcome == "ok":
            self.stories[event.fix] = _Story(event.plan_digest, event.person)

    def problems(self, transaction: Transaction) -> list[Problem]:
        """Compare every fix and vote there is with what was seen."""
        votes = fix_rows.votes_by_fix(transaction)
        stored = set()
        found: list[Problem] = []
        for fix in fix_rows.outlines(transaction):
            stored.add(fix.id)
            found += self._problems(fix, votes.get(fix.id, ()))
        gone = sorted(self.stories.keys() - stored)
        return [*found, *(Problem("fix", None, f"fix {fix_id} is in the log and was removed from the database") for fix_id in gone)]

    def _problems(self, fix: FixOutline, votes: Sequence[Vote]) -> Iterator[Problem]:
        story = self.stories.get(fix.id)
        if story is None or (fix.plan_digest, fix.requester) != (story.digest, story.requester):
            yield Problem(
                "fix", None, f"fix {fix.id} of {fix.requester} is in the database, and the log has no proposal of its plan"
            )
            return
        if fix.state not in story.states():
            says = f"fix {fix.id} is {fix.state} in the database, and {' or '.join(sorted(story.states()))} by the log"
            yield Problem("fix", None, says)
        yield from _vote_problems(fix, votes, story)


def _vote_problems(fix: FixOutline, votes: Sequence[Vote], story: _Story) -> Iterator[Problem]:
    missing = dict(story.voters)
    for vote in votes:
        is_sealed = missing.pop((vote.person, vote.plan_digest, vote.is_yes), None)
        if is_sealed is None:
            yield Problem("vote", None, f"a vote of {vote.person} on fix {fix.id} is in the database, and not in the log")
        elif not vote.is_genuine and (is_sealed or not vote.is_of_old):
            yield Problem("vote", None, f"the vote of {vote.person} on fix {fix.id} was not recorded by this server")
    for person, _digest, _is_yes in missing:
        yield Problem("vote", None, f"the vote of {person} on fix {fix.id} is in the log and was removed from the database")
