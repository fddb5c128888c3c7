"""Who may not ask about a host hears the same of one that is there and of one that is not, on every channel."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.faces.permission import PolicyPermission
from triagebook.tools.fixes import view
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.policy.load import load_policy
from triagebook.tools.store import audit_rows

from tests.system.fixes import policies, samples
from tests.system.fixes.world import World, build
from tests.system.mcp import world as mcp

THERE, ABSENT = "web-01", "web-99"
NARROW = policies.TEXT.replace("who: [unmapped], hosts: [web-*]", "who: [unmapped], hosts: [www-*]").replace(
    "rules:\n", "rules:\n  - {name: not cid, deny: [diagnose, propose, bind_host, break_lock], who: [cid], hosts: [web-*]}\n"
)
STRANGERS = ["nobody-knows", "cid", "mcp:stranger", "slack:U0STRANGER"]
Ask = Callable[[World, Any, str], object]
QUESTIONS: dict[str, Ask] = {
    "diagnose": lambda world, who, host: PolicyPermission(world.trust).allow(who, host, "forks"),
    "diagnose by default": lambda world, who, host: PolicyPermission(world.trust).allow(who, host, ""),
    "history": lambda world, who, host: world.service.history(who, host, 7),
    "alerts": lambda world, who, host: world.service.alerts(who, host, 7),
    "propose": lambda world, who, host: world.service.propose(who, Proposal(host, "raise_tasks_max", parameters={"limit": 200})),
    "propose of no runbook": lambda world, who, host: world.service.propose(who, Proposal(host, "no_such_remediation")),
    "bind host": lambda world, who, host: world.service.bind_host(who, host, "because"),
    "break lock": lambda world, who, host: world.service.break_lock(who, host, "because"),
    "list": lambda world, who, host: world.service.list(who, host=host),
    "audit of a host": lambda world, who, host: world.service.audit_list(who, 10, host=host),
}


def said(ask: Callable[[], object], host: str) -> str:
    """What somebody hears, with the name taken out."""
    try:
        answer = str(ask())
    except TriagebookError as error:
        answer = f"{type(error).__name__} {error.reason}: {error}"
    return answer.replace(host, "HOST")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a fix, a locked host and a bound name on the host that is there; the policy shuts it."""
    folder = tmp_path_factory.mktemp("narrow")
    world = build(f"sqlite:///{folder / 'triagebook.db'}", folder)
    world.executor.fails = RuntimeError("hangs up")
    assert world.apply(world.approved(THERE)) == "unknown"
    view.record_diagnosis(world.trust, policies.actor("ann"), samples.diagnosis(THERE))
    trust = replace(world.trust, policy=load_policy(NARROW, "policy.yaml"))
    yield replace(world, trust=trust, service=FixService(trust))
    world.store.close()


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_stranger_hears_the_same_of_a_host_that_is_there(narrow: World, who: str, question: str) -> None:
    there, absent = (
        said(lambda host=host: QUESTIONS[question](narrow, policies.actor(who), host), host)  # type: ignore[misc]
        for host in (THERE, ABSENT)
    )
    assert there == absent


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("do", ["show", "apply", "withdraw", "revert", "persist"])
def test_a_stranger_hears_the_same_of_a_fix_that_is_there(narrow: World, who: str, do: str) -> None:
    (fix,) = narrow.service.list(policies.actor("ann"))
    there, absent = (
        said(lambda name=name: getattr(narrow.service, do)(policies.actor(who), name), name)  # type: ignore[misc]
        for name in (fix.id, "F-00000000")
    )
    assert there == absent


def test_a_stranger_hears_the_same_of_a_row_of_the_log_that_is_there(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_rows, "leaf_hashes", lambda *_: pytest.fail("the hashes of all rows were read for a stranger"))
    there, absent = (
        said(lambda index=index: audit_log_show(narrow, index), str(index))  # type: ignore[misc]
        for index in (0, 70_000)
    )
    assert there == absent


def audit_log_show(world: World, index: int) -> object:
    return world.service.audit_show(policies.actor("cid"), index, 0)


def test_a_person_hears_no_other_name_of_a_machine(world: World) -> None:
    trust = replace(world.trust, policy=load_policy(NARROW, "policy.yaml"))
    for host in ("db-01", THERE):
        found = samples.diagnosis(host)
        view.record_diagnosis(trust, policies.actor("ann"), replace(found, target=samples.diagnosis("db-01").target))
    told = said(lambda: PolicyPermission(trust).allow(policies.actor("cid"), "db-01", "forks"), "db-01")
    assert "denied_by_rule" in told
    assert THERE not in told


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> mcp.McpWorld:
    """An MCP server whose caller may see no host."""
    made = mcp.build(tmp_path_factory.mktemp("assistant"))
    trust = replace(made.trust.trust, policy=load_policy(NARROW, "policy.yaml"), names=mcp.INVENTORY)
    made.runner.permission = PolicyPermission(trust)
    made.trust = replace(made.trust, trust=trust)
    object.__setattr__(made.trust.service, "_server", trust)
    return made.as_("stranger")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("diagnose", {"host": "HOST"}),
        ("diagnose", {"host": "HOST", "runbook": "enomem"}),
        ("diagnose_fleet", {"hosts": ["HOST"]}),
        ("propose_fix", {"host": "HOST", "remediation": "raise_tasks_max", "runbook": "forks", "reason": "x"}),
        ("search_audit", {"host": "HOST"}),
    ],
)
def test_an_assistant_hears_the_same_of_a_host_that_is_there(assistant: mcp.McpWorld, tool: str, arguments: dict[str, Any]) -> None:
    told = []
    for host in (THERE, ABSENT):
        asked = {name: [host] if value == ["HOST"] else host if value == "HOST" else value for name, value in arguments.items()}
        told.append(mcp.text(assistant.call(tool, asked)).replace(host, "HOST"))
    assert told[0] == told[1]
    assert assistant.hosts.asked == []


def test_an_assistant_hears_the_same_of_a_group_that_is_there(assistant: mcp.McpWorld) -> None:
    told = [
        mcp.text(assistant.call("diagnose_fleet", {"hosts": [f"group:{name}"]})).replace(name, "GROUP") for name in ("web", "none")
    ]
    assert told[0] == told[1]


def test_an_assistant_hears_the_same_from_the_prompt_of_a_host_that_is_there(assistant: mcp.McpWorld) -> None:
    told = []
    for host in (THERE, ABSENT):
        try:
            answer = str(assistant.run(lambda client, host=host: client.get_prompt("triage", {"host": host})))  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - whatever the client makes of it
            answer = str(error)
        told.append(answer.replace(host, "HOST"))
    assert told[0] == told[1]
