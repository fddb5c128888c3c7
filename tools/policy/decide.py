"""Decides, without side effects, who may do what, whose vote counts, whether a plan is approved. Each refusal has its reason."""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.policy.channels import ACCOUNT_KINDS, is_of_channel, kind_may_decide
from triagebook.tools.policy.identity import Identity
from triagebook.tools.policy.model import ALERTS, ANYONE, UNMAPPED, Policy, PolicyQuestion, Rule, Terms

OPEN_TO_ALL = "diagnose"  # what an account without a person, or an installation without a policy, may be allowed at most
UNASKED = "unchecked_group"  # the approvers are a group that is kept elsewhere, and who is in it is not known


@dataclass(frozen=True)
class Decision:
    """Says yes or no, and why: as a stable code, and as a sentence that names the rule and its place."""

    is_allowed: bool
    reason: str
    says: str


def may(policy: Policy, identity: Identity, question: PolicyQuestion) -> Decision:
    """Decide whether this identity may do the action asked about. The first rule that fits decides; if none fits: no."""
    if not policy.is_configured:
        if question.action == OPEN_TO_ALL and ACCOUNT_KINDS[identity.account.kind].is_of_this_machine:
            return Decision(True, "no_policy", "no policy is configured: an OS user may diagnose what his own ssh reaches")
        return Decision(
            False, "no_policy", "no policy is configured: nothing is changed until one says who may (serve --policy FILE)"
        )
    if not identity.is_known and question.action != OPEN_TO_ALL:
        return _unmapped_account(policy, identity)
    for rule in policy.rules:
        if question.action in rule.actions and _is_meant(rule, identity) and rule.scope.covers(question):
            verb = "allows" if rule.is_allow else "denies"
            reason = "allowed" if rule.is_allow else "denied_by_rule"
            return Decision(rule.is_allow, reason, f"rule {rule.name!r} ({rule.where}) {verb} {question.action}")
    asked = f"{question.action}{f' on {question.host}' if question.host else ''}"
    return Decision(False, "no_rule", f"no rule allows {identity.principal or identity.account} to {asked} ({policy.source})")


def may_vote(policy: Policy, identity: Identity, question: PolicyQuestion, requester: str, *, break_glass: str = "") -> Decision:
    """Decide whether this identity's approval counts for a plan that `requester` (a person) asked for."""
    if not policy.is_configured:
        return Decision(False, "no_policy", "no policy is configured: nobody can approve")
    if not identity.is_known:
        return _unmapped_account(policy, identity)
    if identity.service:
        return Decision(False, "service_cannot_approve", f"a service ({identity.service}) cannot approve; a person does")
    if not kind_may_decide(identity.account.kind):
        return Decision(False, "mcp_cannot_approve", "an assistant's channel cannot approve; use the terminal or Slack")
    if identity.person == requester:
        return _own_plan(policy, identity, question, break_glass)
    if break_glass:
        return Decision(False, "break_glass_not_needed", "breaking the glass is for an own plan; approve this one as it is")
    terms = policy.terms_for(question)
    if terms is None:
        return Decision(False, "no_approval_rule", f"no approval terms cover this plan: nobody can approve it ({policy.source})")
    is_short = not all(len(need.approvers - {requester}) >= need.count for need in terms.needs)
    if terms.unasked_groups and (is_short or identity.person not in terms.approvers):
        groups = ", ".join(sorted(map(str, terms.unasked_groups)))
        return Decision(False, UNASKED, f"{terms.name!r} ({terms.where}) is decided by {groups}: {policy.why_unasked}")
    if is_short:
        return Decision(False, "empty_approver_set", f"{terms.name!r} ({terms.where}) has too few approvers: nobody can approve")
    if not is_of_channel(identity.account.kind, terms.via):
        return _other_channel(f"{terms.name!r} ({terms.where}) counts approvals", terms.via)
    if identity.person not in terms.approvers:
        return Decision(False, "not_an_approver", f"{identity.person} is not among the approvers of {terms.name!r} ({terms.where})")
    return Decision(True, "approver", f"{identity.person} is an approver by {terms.name!r} ({terms.where})")


def may_still_break(policy: Policy, person: str, kind: str, question: PolicyQuestion) -> bool:
    """Say whether the policy of now lets this person, by this kind of account, approve an own plan, as it did then."""
    entry = next((entry for entry in policy.break_glass if person in entry.who and entry.scope.covers(question)), None)
    return entry is not None and is_of_channel(kind, entry.via)


def is_approved(terms: Terms, persons: Sequence[str]) -> bool:
    """Say whether these persons' votes fill every need, each person counted once."""
    seats = [need.approvers for need in terms.needs for _ in range(need.count)]
    taken: dict[str, int] = {}

    def seat(number: int, tried: set[str]) -> bool:
        for person in sorted(seats[number] & set(persons) - tried):
            tried.add(person)
            if person not in taken or seat(taken[person], tried):
                taken[person] = number
                return True
        return False

    return bool(seats) and all(seat(number, set()) for number in range(len(seats)))


def votes_text(terms: Terms, persons: Sequence[str]) -> str:
    """Return `1 of 2 (group:sre)` for each need, for display."""
    parts = []
    for need in terms.needs:
        given = min(len(need.approvers & set(persons)), need.count)
        who = ", ".join(need.names) or "nobody"
        parts.append(f"{given} of {need.count} ({who}{'; who that is, Slack has not said yet' if need.unasked else ''})")
    return ", ".join(parts) + (f", by {' or '.join(sorted(terms.via))} only" if terms.via else "")


def _own_plan(policy: Policy, identity: Identity, question: PolicyQuestion, break_glass: str) -> Decision:
    if not break_glass:
        who = f"{identity.person} asked for it"
        return Decision(False, "self_approval", f"{who}: always another person decides")
    for entry in policy.break_glass:
        if _is_named(entry.who, identity) and entry.scope.covers(question):
            if not is_of_channel(identity.account.kind, entry.via):
                return _other_channel(f"break-glass rule {entry.name!r} ({entry.where}) counts", entry.via)
            return Decision(True, "break_glass", f"break-glass rule {entry.name!r} ({entry.where})")
    return Decision(False, "no_break_glass", f"no break-glass rule covers {identity.person} here ({policy.source})")


def _other_channel(what: str, via: frozenset[str]) -> Decision:
    return Decision(False, "other_channel", f"{what} from {', '.join(sorted(via))} only: decide there")


def _unmapped_account(policy: Policy, identity: Identity) -> Decision:
    says = f"{identity.account} belongs to no person in {policy.source}: such an account may diagnose at most"
    return Decision(False, "unmapped_account", says)


def _is_meant(rule: Rule, identity: Identity) -> bool:
    """Say whether a rule is about this identity. `anyone` is every person where it allows, and really everyone where it denies."""
    return _is_named(rule.who, identity) or (not rule.is_allow and ANYONE in rule.who)


def _is_named(who: frozenset[str], identity: Identity) -> bool:
    if not identity.is_known:
        return UNMAPPED in who or (ALERTS in who and not ACCOUNT_KINDS[identity.account.kind].is_ownable)
    return identity.principal in who or (ANYONE in who and not identity.service)
