"""User groups that a chat service keeps: asked anew for each decision, remembered only to be shown.

Nobody is in a group because it is not known who is: where the service cannot be asked, its members approve nothing.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import field, replace

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.fixes.interfaces import GroupDirectory
from triagebook.tools.policy.identity import Account, Directory
from triagebook.tools.policy.model import Policy, PolicyQuestion, UserGroup

NOT_SERVED = "this server does not serve Slack (serve --slack), where it is kept who that is"


@dataclass
class Groups:
    """Knows the members of a policy's user groups. The Slack face sets `directory` for as long as it runs."""

    directory: GroupDirectory | None = None
    _known: dict[UserGroup, frozenset[Account]] = field(default_factory=dict)

    def for_display(self, policy: Policy) -> Policy:
        """Return the policy with the last known members: for display, never for a decision."""
        members = {group: persons(policy.directory, accounts) for group, accounts in list(self._known.items())}
        return policy.with_members(members)

    def for_approval(self, policy: Policy, question: PolicyQuestion, who: Collection[str]) -> tuple[Policy, Mapping[str, str]]:
        """Return the policy with the members as they are now, for an approval by these persons, and what to record of it.

        A group that cannot be asked stays nobody, and the policy says why.
        """
        terms = policy.terms_for(question)
        if terms is None or not terms.unasked_groups:
            return policy, {}
        checked = [account for account, owner in policy.directory.owners.items() if owner.person in who and account.kind == "slack"]
        members, problems = {}, []
        for group in sorted(terms.unasked_groups, key=str):
            try:
                members[group] = persons(policy.directory, self._ask(group, checked))
            except RefusedError as error:
                problems.append(str(error))
        noted = {f"members of {group}": safe_text(", ".join(sorted(found)) or "nobody", 300) for group, found in members.items()}
        found = policy.with_members(members)
        return (replace(found, why_unasked="; ".join(problems)) if problems else found), noted

    def refresh(self, policy: Policy) -> None:
        """Ask for the members of every group, so that the display is current. A group that cannot be asked stays as it was."""
        for group in frozenset().union(*(terms.unasked_groups for terms in policy.approvals)):
            with suppress(RefusedError):
                self._ask(group, ())

    def _ask(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        if self.directory is None:
            raise RefusedError(NOT_SERVED, reason="unchecked_group")
        self._known[group] = self.directory.members(group, checked)
        return self._known[group]


def persons(directory: Directory, accounts: Collection[Account]) -> frozenset[str]:
    """Return the persons who own these accounts; an account of nobody or of a service gives no person."""
    owners = [directory.owners.get(account) for account in accounts]
    return frozenset(owner.person for owner in owners if owner is not None and not owner.service)
