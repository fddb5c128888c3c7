"""An MCP server around the small world of the fix tests: who calls is what the test says, hosts answer what it says."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.diagnosis.question import Answer, Progress, Question
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.faces.permission import PolicyPermission
from triagebook.tools.inventory.inventory import Inventory, InventoryHost
from triagebook.tools.inventory.names import Names
from triagebook.tools.mcp_server import server as factory
from triagebook.tools.mcp_server.auth import SCOPES, Caller
from triagebook.tools.mcp_server.checked_server import CheckedServer
from triagebook.tools.mcp_server.diagnosis_runner import DiagnosisRunner
from triagebook.tools.mcp_server.local_backend import LocalBackend
from triagebook.tools.mcp_server.tasks import RULES, TaskRule
from triagebook.tools.policy.identity import Account, Actor

from tests.runbooks import CATALOG
from tests.system.fixes import policies, samples
from tests.system.fixes import world as fix_world
from tests.system.fixes.world import World

ISSUER = "https://idp.example/"
POLICY = (
    policies.TEXT.replace("{os: bob},", '{os: bob}, {mcp: "https://idp.example/", subject: bob},')
    .replace("cid: {accounts: [{os: cid}]}", 'cid: {accounts: [{os: cid}, {mcp: "https://idp.example/", subject: cid}]}')
    .replace("dan: {accounts: [{os: dan}]}", 'dan: {accounts: [{os: dan}, {mcp: "https://idp.example/", subject: dan}]}')
)
_HOSTS = ("web-01", "web-02", "vault-1")
INVENTORY = Names(Inventory({name: InventoryHost(name) for name in _HOSTS}, {"web": (_HOSTS, ())}))


def caller(subject: str, scopes: tuple[str, ...] = SCOPES) -> Caller:
    """A token of this subject."""
    return Caller(Actor(Account("mcp", ISSUER, subject), "mcp"), frozenset(scopes))


@dataclass
class Hosts:
    """A service whose hosts answer what the test put there; anything else as the recorded sample."""

    catalog: Catalog = CATALOG
    answers: dict[str, Diagnosis] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def diagnose(self, question: Question, progress: Progress | None = None) -> Answer:
        self.asked.append(question)
        if progress is not None:
            progress("connecting", None)
        self.before()
        name = question.target.text
        return Answer(self.answers.get(name) or samples.diagnosis(name), ())


@dataclass
class McpWorld:
    """The server, the approval server behind it, and who is calling."""

    trust: World
    hosts: Hosts
    server: CheckedServer
    now: list[Caller]
    runner: DiagnosisRunner

    def as_(self, subject: str, scopes: tuple[str, ...] = SCOPES) -> "McpWorld":
        """From now on this subject calls."""
        self.now[0] = caller(subject, scopes)
        return self

    def run(self, steps: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
        """Run steps with a client in memory."""

        async def main() -> Any:
            async with Client(self.server, **options) as client:
                return await steps(client)

        return anyio.run(main)

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **options: Any) -> CallToolResult:
        """One call of one client."""
        found: CallToolResult = self.run(lambda client: client.call_tool(tool, dict(arguments or {})), **options)
        return found

    def refused(self, tool: str, arguments: Mapping[str, Any], *, action: str = "") -> str:
        """The reason code of a refusal, which must be the newest audit row's too, under the caller's account."""
        answer = self.call(tool, arguments)
        assert answer.is_error, answer
        reason = text(answer).partition("refused [")[2].partition("]")[0]
        newest = self.trust.last()
        assert (newest.outcome, newest.reason, newest.channel) == ("refused", reason, "mcp"), (newest, text(answer))
        assert newest.account == self.now[0].key
        assert not action or newest.action == action
        return reason


def text(answer: CallToolResult) -> str:
    """The text a model reads."""
    return "".join(item.text for item in answer.content if item.type == "text")


def build(directory: Path, limits: RateLimits | None = None, rules: Mapping[str, TaskRule] = RULES) -> McpWorld:
    """A world on a database of its own; ann calls."""
    trust = fix_world.build(f"sqlite:///{directory / 'triagebook.db'}", directory, policy=POLICY)
    hosts, now = Hosts(), [caller("ann")]
    # The sample's runbook is none of the catalogue's: the policy's rules name it.
    diagnosing = DiagnosisRunner(hosts, PolicyPermission(trust.trust), INVENTORY, lambda: hosts.catalog.entries()[-1].name)  # type: ignore[arg-type]
    parts = factory.McpParts(lambda: now[0], diagnosing, LocalBackend(trust.service), limits or RateLimits(burst=1000), rules)
    server = factory.build(parts)
    return McpWorld(trust, hosts, server, now, diagnosing)
