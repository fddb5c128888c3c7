"""A Slack face around the small world of the fix tests: hosts answer what the test says, fixes write files."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.face import Face
from triagebook.bot.slack.inbound.http import Endpoint
from triagebook.bot.slack.settings import Credentials, slack_settings
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.diagnosis.question import Answer, Progress, Question
from triagebook.tools.diagnosis.runbook_choice import DefaultRunbooks
from triagebook.tools.inventory.inventory import Inventory, InventoryHost
from triagebook.tools.inventory.names import Names
from triagebook.tools.server.keys import ServerKeys
from triagebook.tools.server.options import Hosts
from triagebook.tools.server.run import RunningServer
from triagebook.tools.server.web import listen
from triagebook.tools.store import chat_messages

from tests.hang import GUARD_S
from tests.runbooks import CATALOG
from tests.system.fixes import samples
from tests.system.fixes import world as fix_world
from tests.system.fixes.world import World

from .driver import SECRET, Driver, Http, Socket
from .gate import CALLED, Gate
from .workspace import TOKEN

HOSTS = tuple(f"web-{number:02}" for number in range(1, 61))
HOUR = timedelta(hours=1)
STRANGER_TEAM = "T0STRANGE"
POLICY = """\
apiVersion: triagebook/policy/v1
persons:
  ann: {{accounts: [{{os: ann}}, {{slack: {team}/{ann}}}]}}
  bob: {{accounts: [{{os: bob}}, {{slack: {team}/{bob}}}]}}
  cid: {{accounts: [{{os: cid}}, {{slack: {team}/{cid}}}]}}
  dan: {{accounts: [{{os: dan}}, {{slack: {team}/{dan}}}]}}
  eve: {{accounts: [{{slack: {team}/{eve}}}]}}
  gus: {{accounts: [{{slack: {team}/{guest}}}]}}
  sly: {{accounts: [{{slack: T0STRANGE/U0SLY}}]}}
groups:
  sre: [ann, bob, cid, gus, sly]
rules:
  - {{name: strangers look, allow: [diagnose], who: [unmapped], hosts: [web-*]}}
  - {{name: everybody looks, allow: [diagnose], who: [anyone]}}
  - {{name: sre asks, allow: [propose, apply, break_lock], who: ["group:sre"]}}
  - {{name: dan reads, allow: [read_audit], who: [dan]}}
approvals:
  - {{name: two for some, hosts: [web-2*], needs: [{{from: ["group:sre"], count: 2}}], expires_in: 15m}}
  - {{name: one, needs: [{{from: ["group:sre"]}}], expires_in: 15m}}
"""
AGAIN_S = 0.1
T = TypeVar("T")


def policy(gate: Gate) -> str:
    return POLICY.format(team=gate.workspace.team, **gate.workspace.users)


@dataclass
class SlackHosts:
    """Hosts that answer what the test put there; anything else as the recorded sample, each a machine of its own."""

    catalog: Catalog = CATALOG
    answers: dict[str, Diagnosis] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    before: Callable[[Question], None] = lambda _question: None
    default: DefaultRunbooks = field(default_factory=DefaultRunbooks)
    history: tuple[Any, ...] = ()  # the facts after each sample

    def diagnose(self, question: Question, progress: Progress | None = None) -> Answer:
        self.asked.append(question.target.text)
        self.inputs.append(question.inputs)
        self.before(question)
        return Answer(self.answer(question.target.text), self.history)

    def answer(self, name: str) -> Diagnosis:
        found = self.answers.get(name) or samples.diagnosis(name)
        return replace(found, host=replace(found.host, machine_id=f"machine-of-{name}"))


class RealClock(fix_world.Clock):
    """The real time, and what a test adds to it."""

    def __call__(self) -> Any:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    ahead_s: float = 0.0

    def pass_(self, **time: float) -> None:
        self.ahead_s += timedelta(**time).total_seconds()


@dataclass
class Channels:
    """What Slack shows in its channels."""

    gate: Gate
    since: dict[str, float] = field(default_factory=dict)  # the newest message of earlier tests in each channel

    def __post_init__(self) -> None:
        for channel in self.gate.workspace.channels:
            self.since[channel] = max((float(item["ts"]) for item in self._newest(channel, 1)), default=0.0)

    def _newest(self, channel: str, count: int) -> list[dict[str, Any]]:
        id_ = self.gate.workspace.channels[channel]
        found: list[dict[str, Any]] = self.gate.workspace.call("conversations.history", channel=id_, limit=str(count))["messages"]
        return found

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """What Slack shows in a channel, oldest first, without threads. A few first: those of earlier tests are many."""
        id_ = self.gate.workspace.channels[channel]
        for count in (5, 50, 200):
            found = self._newest(channel, count)
            mine = [item for item in found if float(item["ts"]) > self.since[channel]]
            if len(mine) < count:
                break
        roots = [{**item, "channel": id_} for item in mine if item.get("thread_ts", item["ts"]) == item["ts"]]
        return sorted(roots, key=lambda item: float(item["ts"]))

    def thread(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.gate.workspace.call("conversations.replies", channel=message["channel"], ts=message["ts"])["messages"]
        return [{**item, "channel": message["channel"]} for item in found if item["ts"] != message["ts"]]

    def card(self, channel: str, words: str, timeout_s: float = GUARD_S) -> dict[str, Any]:
        """The newest root message whose text has these words; waited for."""
        try:
            return until(
                lambda: next((item for item in reversed(self.messages(channel)) if words in item["text"]), None), words, timeout_s
            )
        except AssertionError as error:
            shown = [item["text"][:200] for item in self.messages(channel)]
            raise AssertionError(f"{error}; #{channel} shows {shown}") from None


@dataclass
class SlackWorld(Channels):
    """The face, the approval server behind it, and Slack."""

    trust: World = field(kw_only=True)
    hosts: SlackHosts = field(kw_only=True)
    face: Face = field(kw_only=True)
    driver: Driver = field(kw_only=True)

    @property
    def books(self) -> list[str]:
        """The runbooks by their ids."""
        return [entry.id for entry in self.hosts.catalog.entries()]

    def idle(self) -> None:
        """Until every delivery was worked on and Slack shows what it should."""
        until(lambda: not self.face.inbox.worker._held, "the workers")
        until(lambda: not self.behind(), "Slack to follow")

    def behind(self) -> bool:
        self.face.follower.round()
        with self.trust.store.read() as transaction:
            return chat_messages.is_due(transaction, self.trust.clock() + timedelta(days=1))

    def told(self, user: str) -> str:
        """The newest thing this user alone was told."""
        self.idle()
        return (self.gate.whispers(user) or ["nothing"])[-1]


def until(ask: Callable[[], T | None], what: str, timeout_s: float = GUARD_S) -> T:
    """The first answer that is one. Asked again when the product has called Slack; now and then for what Slack does not show."""
    deadline = time.monotonic() + timeout_s
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        with CALLED:
            CALLED.wait(AGAIN_S)
    return found


def build(
    directory: Path,
    gate: Gate,
    *,
    url: str = "",
    instance: str = "one",
    clock: Any = None,
    policy_text: str = "",
    token: str = TOKEN,
) -> tuple[World, SlackHosts, Face]:
    """An approval server and its face, not started."""
    url = url or f"sqlite:///{directory / 'triagebook.db'}"
    trust = fix_world.build(url, directory, policy=policy_text or policy(gate), instance=instance, clock=clock or RealClock())
    hosts = SlackHosts()
    trust.trust.diagnoser.diagnose = lambda host, runbook, inputs: _machine(trust, host)  # type: ignore[method-assign]
    place = RunningServer(
        trust.service, trust.trust, ServerKeys(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), directory / "orders")
    )
    books = tuple(dict.fromkeys(entry.id for entry in hosts.catalog.entries()))
    settings = slack_settings({"approvals": gate.workspace.channels["approvals"]}, books)
    names = Names(Inventory({name: InventoryHost(name) for name in (*HOSTS, "db-01")}, {}))
    credentials = Credentials(token, "xapp-test", SECRET, f"{gate.url}/api/")
    made = faces.build(place, Hosts(hosts, names, lambda: hosts.catalog.entries()[-1].id), settings, credentials)  # type: ignore[arg-type]
    made.inbox.worker.claim_s = 0.5
    made.sender.poll_s, made.sender.longest_s = 0.05, 0.5
    made.follower.every_s = 0.1
    return trust, hosts, made


def _machine(trust: World, host: str) -> Diagnosis:
    found = trust.diagnoser.edit.get(host) or samples.diagnosis(host, current_limit=trust.diagnoser.limit)
    return replace(found, host=replace(found.host, machine_id=f"machine-of-{host}"))


@contextmanager
def over_http(directory: Path, gate: Gate, **options: Any) -> Iterator[SlackWorld]:
    trust, hosts, face = build(directory, gate, **options)
    endpoint = Endpoint()
    with faces.run(face, endpoint=endpoint), listen("127.0.0.1:0", endpoint, "slack-http") as port:
        world = SlackWorld(gate, trust=trust, hosts=hosts, face=face, driver=Driver(gate, Http(port)))
        until(lambda: face.context.ourselves.team, "auth.test")
        yield world
    trust.store.close()


@contextmanager
def over_socket(directory: Path, gate: Gate, **options: Any) -> Iterator[SlackWorld]:
    trust, hosts, face = build(directory, gate, **options)
    credentials = Credentials(TOKEN, "xapp-test", "", f"{gate.url}/api/")
    with faces.run(face, credentials):
        world = SlackWorld(gate, trust=trust, hosts=hosts, face=face, driver=Driver(gate, Socket(gate)))
        until(lambda: gate.is_connected and face.context.ourselves.team, "Socket Mode")
        yield world
    trust.store.close()
