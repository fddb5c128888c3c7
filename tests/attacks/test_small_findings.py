"""What was of low severity: a helper's answer in bash, a poller in the way, costly files, inputs of the wrong kind, raw files."""

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp_types import PromptReference
from triagebook.runbooks.engine.errors import RefusedError, RunbookError, UsageError
from triagebook.runbooks.library.document import MAX_BYTES, read_document
from triagebook.tools.actions.orders import fields_of
from triagebook.tools.diagnosis.question import Answer, Question, check_inputs
from triagebook.tools.diagnosis.recording import save_answer
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.fixes import audit_log
from triagebook.tools.inventory.target import parse_target

from tests.runbooks import CATALOG
from tests.system.fixes import samples
from tests.system.fixes.policies import actor
from tests.system.fixes.world import World
from tests.system.helper.scratch_host import SHELLS, ScratchHost, programs
from tests.system.mcp import world as mcp

LIVE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
FLOCK = """#!/bin/sh
n=$(cat ROOT/tries 2>/dev/null || echo 0); n=$((n + 1)); echo "$n" >ROOT/tries
[ "$n" -gt MISSES ] || exit 1
exec /usr/bin/flock "$@"
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the helper runs as root")


@pytest.fixture(params=sorted(SHELLS))
def prepared(request: pytest.FixtureRequest) -> Iterator[ScratchHost]:
    """A prepared host with each of the three shells."""
    with ScratchHost(request.param) as made:
        yield made


@as_root
def test_a_permanent_change_that_cannot_be_written_is_failed_in_every_shell(prepared: ScratchHost) -> None:
    assert prepared.apply(LIVE)["result"] == "applied"
    folder = prepared.path("etc/sysctl.d")
    programs(("mount", "--bind", str(folder), str(folder)), ("mount", "-o", "remount,bind,ro", str(folder)))
    try:
        answer = prepared.apply(fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144")))
    finally:
        programs(("umount", str(folder)))
    assert (answer["result"], answer["journal"]) == ("failed", "restored"), answer


@as_root
@pytest.mark.parametrize(("misses", "result"), [(1, "applied"), (3, "applied"), (99, "refused")])
def test_who_only_looks_at_a_host_has_no_order_refused(misses: int, result: str) -> None:
    with ScratchHost("dash") as host:
        host.write("bin/flock", FLOCK.replace("ROOT", str(host.root)).replace("MISSES", str(misses)), 0o755)
        answer = host.apply(LIVE)
        assert answer["result"] == result
        assert result == "applied" or answer["reason"] == "busy"


@pytest.mark.parametrize("text", ["[" + "a," * 200_000 + "]", "{" + ",".join(f"k{n}: 1" for n in range(30_000)) + "}"])
def test_a_file_of_very_many_values_is_refused_after_the_first_of_them(text: str) -> None:
    assert len(text) < MAX_BYTES
    with pytest.raises(RunbookError, match="more than 40000 values"):
        read_document(text, "policy.yaml")


@pytest.mark.parametrize(
    ("name", "value", "is_taken"),
    [
        *(("pid", "1234", True), ("pid", 1234, True), ("pid", "x", False), ("pid", "-1", False), ("pid", "0", False)),
        *(("pid", "1" * 11, False), ("pid", "12\n", False), ("unit", "ssh@a\\x2db.service", True), ("unit", "a b", False)),
        *(("unit", "x\x1b[2J", False), ("unit", "u" * 256, False), ("user", "änn", True), ("user", "a\x00b", False)),
        *(
            ("symptom", "fork:\n\tno room", True),
            ("symptom", "x\x1b]0;t\x07", False),
            ("symptom", "s" * 10_001, False),
            ("pid", "", True),
        ),
    ],
)
def test_an_input_of_the_wrong_kind_is_refused_before_the_host_is_asked(name: str, value: object, is_taken: bool) -> None:
    question = Question(parse_target("web-01"), "enomem", inputs={name: value})
    if is_taken:
        check_inputs(CATALOG.load("enomem"), question)
        return
    with pytest.raises(UsageError) as refused:
        check_inputs(CATALOG.load("enomem"), question)
    assert refused.value.reason == "input"
    assert str(refused.value).isprintable()


def test_a_saved_answer_has_no_secret_and_is_its_owners(tmp_path: Path) -> None:
    found = samples.diagnosis("web-01")
    object.__setattr__(found, "headline", "java --db-password hunter2hunter2 has no room")
    file = tmp_path / "answer.json"
    save_answer(file, Answer(found, ({"host": {"command": "PGPASSWORD=hunter2hunter2 psql"}},)))
    assert "hunter2" not in file.read_text()
    assert json.loads(file.read_text())["facts"][0]["host"]["command"] == "PGPASSWORD=*** psql"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_refused_verification_is_in_the_log(world: World) -> None:
    assert world.refused(world.service.audit_verify, actor("bob")) == "no_rule"
    assert world.last().action == "audit_verify"


def test_the_log_is_verified_once_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    report = world.trust.checkpointer.report

    def slow(*arguments: object, **named: object) -> object:
        entered.set()
        leave.wait(60)
        return report(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(world.trust.checkpointer, "report", slow)
    first = threading.Thread(target=world.service.audit_verify, args=(actor("dan"),))
    first.start()
    assert entered.wait(60)
    with pytest.raises(UsageError) as refused:
        world.service.audit_verify(actor("dan"))
    leave.set()
    first.join(60)
    assert refused.value.reason == "verifying"
    assert not audit_log._ONE_VERIFICATION.locked()
    assert world.service.audit_verify(actor("dan")).holds
    with pytest.raises(RefusedError):
        world.service.audit_verify(actor("bob"))


@pytest.mark.parametrize("name", ["enomem\n", "enomem@1.0.0\n", "enomem ", "\nenomem", "enomem@1.0.\u0660"])
def test_a_name_of_a_runbook_has_nothing_after_it(name: str) -> None:
    """A rule of the policy that denies `enomem` does not fit `enomem` with the end of a line: that may be no name of it."""
    with pytest.raises(RunbookError):
        CATALOG.find(name)


@pytest.mark.parametrize("name", ["web-01\n", "root@web-01\n", "web-01:22\n", "replay:enomem/x\n", "localhost\n"])
def test_a_name_of_a_host_has_nothing_after_it(name: str) -> None:
    with pytest.raises(UsageError):
        parse_target(name)


def test_completions_are_counted_as_requests(tmp_path: Path) -> None:
    """One of a great inventory is dear, and a client sends one for each key that is pressed."""
    made = mcp.build(tmp_path, RateLimits(burst=3, a_second=0.001))

    async def complete(client: Client) -> int:
        answered = 0
        for _ in range(6):
            with suppress(MCPError):
                await client.complete(PromptReference(name="triage"), {"name": "host", "value": "w"})
                answered += 1
        return answered

    assert made.run(complete) <= 3
