"""Asks Slack at each decision who clicked, since guests and people of other workspaces can click too."""

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
    """Looks up the members of Slack user groups for the approval server."""

    context: SlackContext

    def members(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        """Return the accounts in a group, without guests and strangers among `checked`. Raises RefusedError: Slack did not say."""
        team = self.context.ourselves.team
        if team and group.team != team:
            raise RefusedError(f"the user group {group} belongs to another workspace than this server ({team})", reason=REASON)
        if not team:
            raise RefusedError(f"Slack was not reached yet: the members of the user group {group} are unknown", reason=REASON)
        client = self.context.client
        users = _ask_slack(group, lambda: call(client.usergroups_users_list, usergroup=group.id)["users"])
        found = frozenset(Account("slack", team, str(user)) for user in users)
        return found - {account for account in found.intersection(checked) if not self._counts(group, account)}

    def _counts(self, group: UserGroup, account: Account) -> bool:
        try:
            _ask_slack(group, lambda: require_full_member(self.context, account.subject))
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


def require_member(context: SlackContext, delivery: Delivery, action: str, fix: str = "") -> None:
    """Require a full member of our workspace. Raises RefusedError, recorded, also if Slack cannot tell."""
    try:
        _require(context, delivery)
    except TriagebookError as error:
        context.note(delivery, action, error, fix)
        raise


def _require(context: SlackContext, delivery: Delivery) -> None:
    require_own_team(context, delivery)
    try:
        require_full_member(context, delivery.user)
    except (RetryLater, CannotSend) as problem:
        message = f"Slack does not say who you are now ({problem}): nothing was decided; try again"
        raise RefusedError(message, reason="unchecked_account") from None


def require_full_member(context: SlackContext, user_id: str) -> None:
    """Require that Slack calls the user neither a guest nor a stranger. Raises RefusedError, RetryLater or CannotSend."""
    user: dict[str, Any] = dict(call(context.client.users_info, user=user_id).get("user") or {"is_stranger": True})
    if user.get("is_stranger") or str(user.get("team_id") or context.ourselves.team) != context.ourselves.team:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
    if user.get("deleted") or user.get("is_bot") or any(user.get(name) for name in GUEST):
        raise RefusedError("a guest account cannot decide; ask a full member of the workspace", reason="external_user")


def require_own_team(context: SlackContext, delivery: Delivery) -> None:
    """Require a click in our workspace by one of its users. Raises RefusedError."""
    if not context.ourselves.team or {delivery.team, delivery.user_team} != {context.ourselves.team}:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
