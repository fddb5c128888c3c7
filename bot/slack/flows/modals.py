"""Opening and updating modals. A trigger lives for three seconds, so these calls are made at once and never queued."""

from typing import Any

from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError


@dataclass(frozen=True)
class Modals:
    """The modals of a person."""

    desk: SlackContext

    def token(self, does: str, **values: Any) -> str:
        """What a submitted form will stand for."""
        with self.desk.store.write("chat.token") as transaction:
            return self.desk.mint(transaction, does, "", **values)

    def open(self, delivery: Delivery, view: dict[str, Any]) -> str:
        """Show it; its id. Raises UsageError when Slack takes it no more: the person must press again."""
        try:
            answer = call(self.desk.client.views_open, trigger_id=delivery.trigger, view=view)
        except (RetryLater, CannotSend) as problem:
            raise UsageError(f"Slack did not open the form ({problem}): press again", reason="no_form") from None
        return str((answer.get("view") or {}).get("id", ""))

    def update(self, view_id: str, view: dict[str, Any]) -> None:
        """Show this instead. A modal that was closed meanwhile is nobody's loss."""
        try:
            call(self.desk.client.views_update, view_id=view_id, view=view)
        except (RetryLater, CannotSend):
            return
