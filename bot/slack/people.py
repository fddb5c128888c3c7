"""Who pressed: asked of Slack anew at each decision, since a guest or a stranger of another company may press too."""

from typing import Any

from triagebook.bot.slack.calling import Later, Never, called
from triagebook.bot.slack.delivery import Delivery
from triagebook.bot.slack.desk import Desk
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError

GUEST = ("is_restricted", "is_ultra_restricted")


def require_member(desk: Desk, delivery: Delivery, action: str, fix: str = "") -> None:
    """A full member of our own workspace, or RefusedError, recorded. What Slack cannot tell now counts as no."""
    try:
        _require(desk, delivery)
    except TriagebookError as error:
        desk.note(delivery, action, error, fix)
        raise


def _require(desk: Desk, delivery: Delivery) -> None:
    require_own_team(desk, delivery)
    try:
        require_full_member(desk, delivery.user)
    except (Later, Never) as problem:
        message = f"Slack does not say who you are now ({problem}): nothing was decided; try again"
        raise RefusedError(message, reason="unchecked_account") from None


def require_full_member(desk: Desk, user_id: str) -> None:
    """Neither a guest nor of another workspace, by Slack's word of now. Raises RefusedError `external_user`, Later or Never."""
    user: dict[str, Any] = dict(called(desk.client.users_info, user=user_id).get("user") or {"is_stranger": True})
    if user.get("is_stranger") or str(user.get("team_id") or desk.ourselves.team) != desk.ourselves.team:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
    if user.get("deleted") or user.get("is_bot") or any(user.get(name) for name in GUEST):
        raise RefusedError("a guest account cannot decide; ask a full member of the workspace", reason="external_user")


def require_own_team(desk: Desk, delivery: Delivery) -> None:
    """From our own workspace, by a user of it. RefusedError."""
    if not desk.ourselves.team or {delivery.team, delivery.user_team} != {desk.ourselves.team}:
        raise RefusedError("an account of another workspace cannot decide here", reason="external_user")
