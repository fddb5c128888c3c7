"""Finds whom an approval card calls: those whose approval counts there by the policy of now, never who asked for the fix."""

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.approval import Called
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.tools.fixes.views import FixView, question_of_view
from triagebook.tools.policy.model import Terms

MOST = 5  # mentions on one card: each of them rings somewhere
CHANNEL = "slack"


def call(context: SlackContext, fix: FixView) -> Called:
    """Return the mentions for a plan that waits: its user groups, or persons, and how many more there are.

    A group that has the requester in it is not called as a whole: its other members are.
    """
    question = question_of_view(fix, "approve")
    server = context.approval_server
    terms = server.policy.terms_for(question) if question else None
    if fix.state != "proposed" or fix.plan is None or terms is None or (terms.via and CHANNEL not in terms.via):
        return Called()
    silent = {fix.plan.requester, *(vote.person for vote in fix.votes)}
    known = server.display_policy.terms_for(question) if question else None
    groups = [] if known is not None and _members(terms, known) & silent else _groups(terms, context.ourselves.team)
    persons = terms.approvers if groups or known is None else known.approvers
    users = context.mentions()
    found = [*groups, *(mrkdwn.person(users[person]) for person in sorted(persons - silent) if person in users)]
    return Called(tuple(found[:MOST]), max(0, len(found) - MOST))


def _members(terms: Terms, known: Terms) -> frozenset[str]:
    """Return who is in the user groups, as far as Slack said."""
    return known.approvers - terms.approvers


def _groups(terms: Terms, team: str) -> list[str]:
    found = [mrkdwn.user_group(group.id) for group in sorted(terms.unasked_groups, key=str) if group.team == team]
    return [mention for mention in found if mention]
