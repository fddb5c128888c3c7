"""Who pressed: asked of Slack anew at each decision, since a guest or a stranger of another company may press too."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.tools.policy.identity import Account
from triagebook.tools.policy.model import UserGroup

REFRESH_S = 300.0  # of what is only shown
REASON = "unchecked_group"
T = TypeVar("T")


@dataclass(frozen=True)
class UserGroups:
    """The workspace's user groups, as the place of trust asks about them."""

    desk: SlackContext

    def members(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        """The accounts in it now. Of those in `checked`, guests and strangers do not count. RefusedError: Slack did not say."""
        team = self.desk.ourselves.team
        if team and group.team != team:
            raise RefusedError(f"the user group {group} is of another workspace than this server's ({team})", reason=REASON)
        if not team:
            raise RefusedError(f"Slack was not reached yet: it is not known who is in the user group {group}", reason=REASON)
        client = self.desk.client
        users = _ask_slack(group, lambda: call(client.usergroups_users_list, usergroup=group.id)["users"])
        found = frozenset(Account("slack", team, str(user)) for user in users)
        return found - {account for account in found.intersection(checked) if not self._counts(group, account)}

    def _counts(self, group: UserGroup, account: Account) -> bool:
        try:
            _ask_slack(group, lambda: require_full_member(self.desk, account.subject))
        except RefusedError as error:
            if error.reason == REASON:
                raise
            return False
        return True


def _ask_slack(group: UserGroup, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except (RetryLater, CannotSend, KeyError) as problem:
        message = f"Slack does not say who is in the user group {group} now ({problem}): nothing was decided; try again"
        raise RefusedError(message, reason=REASON) from None


GUEST = ("is_restricted", "is_ultra_restricted")


def require_member(desk: SlackContext, delivery: Delivery, action: str, fix: str = "") -> None:
    """A full member of our own workspace, or RefusedError, recorded. What Slack cannot tell now counts as no."""
    try:
        _require(desk, delivery)
    except TriagebookError as error:
        desk.note(delivery, action, error, fix)
        raise


def _require(desk: SlackContext, delivery: Delivery) -> None:
    require_own_team(desk, delivery)
    try:
        require_full_member(desk, delivery.user)
    except (RetryLater, CannotSend) as problem:
        message = f"Slack does not say who you are now ({problem}): nothing was decided; try again"
        raise RefusedError(message, reason="unchecked_account") from None


def require_full_member(desk: SlackContext, user_id: str) -> None:
    """Neither a guest nor of another workspace, by Slack's word of now. Raises RefusedError `external_user`, Later or Never."""
    user: dict[str, Any] = dict(call(desk.client.users_info, user=user_id).get("user") or {"is_stranger": True})
    if user.get("is_stranger") or str(user.get("team_id") or desk.ourselves.team) != desk.ourselves.team:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
    if user.get("deleted") or user.get("is_bot") or any(user.get(name) for name in GUEST):
        raise RefusedError("a guest account cannot decide; ask a full member of the workspace", reason="external_user")


def require_own_team(desk: SlackContext, delivery: Delivery) -> None:
    """From our own workspace, by a user of it. RefusedError."""
    if not desk.ourselves.team or {delivery.team, delivery.user_team} != {desk.ourselves.team}:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
