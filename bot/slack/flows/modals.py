"""Opens and updates modals. A trigger lives three seconds, so these calls are made at once and never queued."""

from typing import Any

from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError


@dataclass(frozen=True)
class Modals:
    """Opens and updates the modals of a person."""

    context: SlackContext

    def token(self, does: str, **values: Any) -> str:
        """Create the token that a submitted form will carry."""
        with self.context.store.write("chat.token") as transaction:
            return self.context.mint(transaction, does, "", **values)

    def open(self, delivery: Delivery, view: dict[str, Any]) -> str:
        """Open a modal and return its id. Raises UsageError: the trigger expired, and the person must click again."""
        try:
            answer = call(self.context.client.views_open, trigger_id=delivery.trigger, view=view)
        except (RetryLater, CannotSend) as problem:
            raise UsageError(f"Slack did not open the form ({problem}): click again", reason="no_form") from None
        return str((answer.get("view") or {}).get("id", ""))

    def update(self, view_id: str, view: dict[str, Any]) -> None:
        """Show another view in an open modal. Does nothing if it was closed meanwhile."""
        try:
            call(self.context.client.views_update, view_id=view_id, view=view)
        except (RetryLater, CannotSend):
            return
