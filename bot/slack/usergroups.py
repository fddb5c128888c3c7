"""Who is in a user group of Slack: asked anew whenever something is decided, never guessed."""

from collections.abc import Callable, Collection
from typing import TypeVar

from triagebook.bot.slack.calling import Later, Never, called
from triagebook.bot.slack.desk import Desk
from triagebook.bot.slack.people import require_full_member
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.identity import Account
from triagebook.tools.policy.model import UserGroup

REFRESH_S = 300.0  # of what is only shown
REASON = "unchecked_group"
T = TypeVar("T")


@dataclass(frozen=True)
class UserGroups:
    """The workspace's user groups, as the place of trust asks about them."""

    desk: Desk

    def members(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        """The accounts in it now. Of those in `checked`, guests and strangers do not count. RefusedError: Slack did not say."""
        team = self.desk.ourselves.team
        if team and group.team != team:
            raise RefusedError(f"the user group {group} is of another workspace than this server's ({team})", reason=REASON)
        if not team:
            raise RefusedError(f"Slack was not reached yet: it is not known who is in the user group {group}", reason=REASON)
        client = self.desk.client
        users = _told(group, lambda: called(client.usergroups_users_list, usergroup=group.id)["users"])
        found = frozenset(Account("slack", team, str(user)) for user in users)
        return found - {account for account in found.intersection(checked) if not self._counts(group, account)}

    def _counts(self, group: UserGroup, account: Account) -> bool:
        try:
            _told(group, lambda: require_full_member(self.desk, account.subject))
        except RefusedError as error:
            if error.reason == REASON:
                raise
            return False
        return True


def _told(group: UserGroup, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except (Later, Never, KeyError) as problem:
        message = f"Slack does not say who is in the user group {group} now ({problem}): nothing was decided; try again"
        raise RefusedError(message, reason=REASON) from None
