"""Builds, starts and stops the parts of the Slack face that runs inside `triagebook serve`."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from triagebook.bot.slack import app as listeners
from triagebook.bot.slack.flows.alerts import AlertCards
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.decide import DecideFlow
from triagebook.bot.slack.flows.diagnose import DiagnoseFlow
from triagebook.bot.slack.flows.direct import DirectFlow
from triagebook.bot.slack.flows.dispatch import Dispatcher
from triagebook.bot.slack.flows.feedback import FeedbackFlow
from triagebook.bot.slack.flows.follow import Follower
from triagebook.bot.slack.flows.home import HomeFlow
from triagebook.bot.slack.flows.modals import Modals
from triagebook.bot.slack.flows.people import REFRESH_S, UserGroups
from triagebook.bot.slack.flows.propose import ProposeFlow
from triagebook.bot.slack.flows.storm import Storm
from triagebook.bot.slack.inbound import inbox as inboxes
from triagebook.bot.slack.inbound.http import Endpoint
from triagebook.bot.slack.inbound.inbox import Inbox
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.bot.slack.outbound.sender import Sender
from triagebook.bot.slack.settings import Credentials, SlackSettings
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.diagnosis.stored_diagnosis import Asker, LocalAsker
from triagebook.tools.log import log_event
from triagebook.tools.server.options import Hosts
from triagebook.tools.server.run import RunningServer

TIMEOUT_S = 15
SOCKET_WORKERS = 32
RETRY_S = 2.0
LONGEST_S = 30.0


@dataclass
class Face:
    """The running parts of the Slack face."""

    context: SlackContext
    app: App
    inbox: Inbox
    sender: Sender
    follower: Follower
    work: Dispatcher
    verifier: SignatureVerifier
    alerts: AlertCards
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start all parts; Slack need not be reachable."""
        self.context.approval_server.groups.directory = UserGroups(self.context)
        self.sender.start()
        self.follower.start()
        self.inbox.worker.start()
        self._begin(self._introduce)

    def listen(self, credentials: Credentials) -> None:
        """Receive Slack's deliveries over a WebSocket that we open."""
        self._begin(lambda: self._connect(credentials))

    def stop(self) -> None:
        """Stop in order: first take nothing new, then end running work, then stop updating cards."""
        self._stopping.set()
        self.context.approval_server.groups.directory = None
        for thread in self._threads:
            thread.join(10)
        self.inbox.worker.stop()
        self.follower.stop()
        self.sender.stop()

    def _begin(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="slack-start", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _introduce(self) -> None:
        """Ask Slack who we are, until it answers."""
        wait_s = RETRY_S / 4
        while not self._stopping.is_set():
            try:
                answer = call(self.context.client.auth_test)
            except (RetryLater, CannotSend) as problem:
                log_event("slack.unknown", says=str(problem))
                self._stopping.wait(wait_s)
                wait_s = min(LONGEST_S, wait_s * 2)
                continue
            self.context.ourselves.user = str(answer.get("user_id", ""))
            self.context.ourselves.team = str(answer.get("team_id", ""))
            self._remember_groups()

    def _remember_groups(self) -> None:
        """Refresh group members from time to time, for display only. Each decision looks them up itself."""
        while True:
            self.context.approval_server.groups.refresh(self.context.approval_server.policy)
            self.follower.wake()
            if self._stopping.wait(REFRESH_S):
                return

    def _connect(self, credentials: Credentials) -> None:
        """Connect in Socket Mode, retry after failures, and close at the end. The SDK reconnects in between."""
        handler = SocketModeHandler(self.app, credentials.app_token, concurrency=SOCKET_WORKERS)
        wait_s = RETRY_S / 4
        while not self._stopping.is_set():
            try:
                handler.connect()  # type: ignore[no-untyped-call]
                break
            except Exception as error:  # noqa: BLE001 - the SDK raises whatever its socket did
                log_event("slack.socket_failed", says=f"{type(error).__name__}: {error}")
                self._stopping.wait(wait_s)
                wait_s = min(LONGEST_S, wait_s * 2)
        self._stopping.wait()
        handler.close()  # type: ignore[no-untyped-call]


def build(
    place: RunningServer, hosts: Hosts, settings: SlackSettings, credentials: Credentials, asker: Asker | None = None
) -> Face:
    """Build the parts without starting them. Without an asker, this process diagnoses hosts itself."""
    server = place.approval_server
    client = WebClient(credentials.bot_token, base_url=credentials.api_url, timeout=TIMEOUT_S, ssl=_tls(credentials))
    sender = Sender(server.store, server.clock, client)
    context = SlackContext(
        place.service,
        server,
        hosts.service,
        hosts.names,
        settings,
        client,
        sender,
        hosts.default_runbook,
        asker or LocalAsker(hosts.service),
    )
    follower, modals = Follower(context), Modals(context)
    propose = ProposeFlow(context, follower, modals)
    storm = Storm(context)
    diagnose = DiagnoseFlow(context, storm)
    home = HomeFlow(context)
    decide, direct = DecideFlow(context, follower, modals), DirectFlow(context, home)
    work = Dispatcher(context, diagnose, decide, propose, home, direct, modals, FeedbackFlow(context, propose, modals))
    inbox = inboxes.build(server.store, server.clock, f"{server.instance}.slack", work.do, work.on_defect)
    app = listeners.build(context, credentials.signing_secret, inbox.accept, propose.problems)
    verifier = SignatureVerifier(credentials.signing_secret or "-")
    return Face(context, app, inbox, sender, follower, work, verifier, AlertCards(context, storm))


@contextmanager
def run(face: Face, credentials: Credentials | None = None, endpoint: Endpoint | None = None) -> Iterator[Face]:
    """Run for as long as the block lasts: over a WebSocket if credentials are given, or behind an HTTP endpoint."""
    if endpoint is not None:
        endpoint.verifier, endpoint.app, face.follower.strangers = face.verifier, face.app, endpoint.refused.take
    face.start()
    if credentials is not None:
        face.listen(credentials)
    channel = face.context.settings.approvals
    if not channel:
        log_event("slack.no_approvals")
    try:
        yield face
    finally:
        face.stop()


def _tls(credentials: Credentials) -> ssl.SSLContext | None:
    return None if credentials.api_url.startswith("http://") else ssl.create_default_context()
