"""Each listener reduces a request of Slack to a delivery, stores it and acknowledges it. None reads a host or waits for Slack."""

import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from slack_bolt import Ack, App
from slack_bolt.authorization import AuthorizeResult
from triagebook.bot.slack.cards import names, views
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.inbound import delivery as of
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.manifest import SHORTCUT
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.fixes import view

CLICKS = (
    names.PROPOSE, names.RERUN, names.EVIDENCE, names.CLOSE, names.FEEDBACK, names.APPROVE, names.DENY, names.DETAILS, names.APPLY,
    names.WITHDRAW, names.REVERT, names.PERSIST, names.REPLAN,
)  # fmt: skip
CHANGES = (names.OFFER, names.PARAM)
VIEWS = (names.PROPOSE_VIEW, names.DENY_VIEW, names.REVERT_VIEW, names.PERSIST_VIEW, names.DIAGNOSE_VIEW, names.WRONG_VIEW)
MOST_OPTIONS = 100
MOST_JUDGED = 1000  # names that the policy is asked about for one menu
Body = Mapping[str, Any]
Accept = Callable[[Delivery], bool]
Problems = Callable[[Delivery], Mapping[str, str]]


def build(context: SlackContext, signing_secret: str, accept: Accept, problems: Problems) -> App:
    """Return the Bolt app. `accept` stores a delivery; `problems` checks a form before it closes."""
    app = App(
        logger=quiet(),
        client=context.client,
        signing_secret=signing_secret or "-",
        authorize=_ourselves(context),
        process_before_response=True,  # a listener's return is the acknowledgement: what it kept is kept by then
        ignoring_self_events_enabled=True,
    )
    for command in context.settings.commands:
        app.command(command)(_listener(accept, of.of_command))
    app.message_shortcut(SHORTCUT)(_listener(accept, of.of_shortcut))
    for name in CLICKS:
        app.action(name)(_listener(accept, of.of_click))
    for name in CHANGES:
        app.action(name)(_listener(accept, lambda body: of.of_click(body, "change")))
    for name in VIEWS:
        app.view(name)(_submission(accept, problems if name == names.PROPOSE_VIEW else None))
    app.event("app_mention")(_listener(accept, lambda body: of.of_event(body, "mention")))
    app.event("message", matchers=[of.is_direct])(_listener(accept, lambda body: of.of_event(body, "direct")))
    app.event("app_home_opened")(_listener(accept, lambda body: of.of_event(body, "home")))
    app.options(names.HOST)(_hosts(context))
    return app


def _listener(accept: Accept, reduced: Callable[[Body], Delivery]) -> Callable[..., None]:
    def listener(ack: Ack, body: dict[str, Any]) -> None:
        delivery = reduced(body)
        try:
            accept(delivery)
        except TriagebookError as error:
            if delivery.kind != "command" or error.reason != "busy":
                raise  # not acknowledged: Slack sends events again, and tells a person that it failed
            ack(str(error))
            return
        ack()

    return listener


def _submission(accept: Accept, problems: Problems | None) -> Callable[..., None]:
    def listener(ack: Ack, body: dict[str, Any]) -> None:
        delivery = of.of_view(body)
        if problems is not None and (wrong := problems(delivery)):
            ack(response_action="errors", errors=dict(wrong))
            return
        accept(delivery)
        ack()

    return listener


def _hosts(context: SlackContext) -> Callable[..., None]:
    """Return what fills the menu of hosts, each with those that may be seen."""

    def listener(ack: Ack, body: dict[str, Any]) -> None:
        typed, actor = str(body.get("value") or "").lower(), of.actor_of(body)
        like = sorted(name for name in context.names.inventory.hosts if typed in name.lower())
        seen = (name for name in islice(like, MOST_JUDGED) if view.may_see(context.approval_server, actor, name, ""))
        ack(views.host_options(list(islice(seen, MOST_OPTIONS))))

    return listener


def _ourselves(context: SlackContext) -> Callable[..., AuthorizeResult]:
    """Return a function that tells Bolt who we are, from memory, so that no acknowledgement waits for Slack."""

    def authorize(enterprise_id: str | None, team_id: str | None, user_id: str | None) -> AuthorizeResult:
        token, ourselves = context.client.token, context.ourselves
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, user_id=user_id, bot_token=token, bot_user_id=ourselves.user
        )

    return authorize


def quiet() -> logging.Logger:
    """Return a logger for Bolt that takes only errors: below that level Bolt logs whole bodies, with what people wrote."""
    logger = logging.getLogger("triagebook.bolt")
    logger.setLevel(logging.ERROR)
    return logger
