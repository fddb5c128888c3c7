"""The executor against a scripted helper: every answer has its ending, nothing is sent twice, nothing is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.diagnosis import CheckResult, Diagnosis, Findings
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.plan import CitedFact, Plan
from triagebook.tools.actions import orders
from triagebook.tools.execute.capture import Harm, HostCapture
from triagebook.tools.execute.executor import HostExecutor
from triagebook.tools.execute.helper_link import FIELDS, AnswerLost, HelperLink, parse
from triagebook.tools.fixes.interfaces import Execution
from triagebook.tools.transport.base import Exit, Login, LoginFailed

from tests.system.fixes import samples

TARGET, BOOT = "a" * 32, "0" * 8 + "-0000-0000-0000-" + "0" * 12
ROOT = Path(__file__).parents[3]


def text(**told: str) -> str:
    """An answer of the helper."""
    values = {**dict.fromkeys(FIELDS, ""), "target": TARGET, "boot": BOOT, "running": "no", **told}
    return "".join(f"{name}={values[name]}\n" for name in FIELDS).join(("triagebook=helper-v1\n", "end=helper-v1\n"))


@dataclass
class Helper:
    """Answers as scripted, one message after the other; `ID` becomes the order's number."""

    answers: list[str]
    heard: list[bytes] = field(default_factory=list)

    @property
    def session(self) -> "Helper":
        return self

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 0) -> "Helper":
        if self.answers[0] == "LOGIN":
            raise LoginFailed(Login("connect", "refused", "no way in"))
        assert (host, argv) == ("triagebook-fix@web-01", ("sudo", "-n", "/opt/triagebook/helper"))
        return self

    def write(self, data: bytes) -> None:
        self.heard.append(data)
        number = next((line[3:] for line in data.decode().splitlines() if line.startswith("id=")), "")
        self.out = self.answers.pop(0).replace("ID", number).encode()

    def finish(self, timeout_s: float) -> Exit:
        return Exit(0, b"")

    def read(self, timeout_s: float) -> bytes:
        taken, self.out = self.out, b""
        return taken

    def close(self) -> None:
        return None


@dataclass
class Waiting(Helper):
    """Started before it has an order: it waits, or has ended and said `early`."""

    early: str | None = None
    launches: int = 0
    out: bytes = b""

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 0) -> "Helper":
        self.launches += 1
        return super().launch(host, argv)

    def read(self, timeout_s: float) -> bytes:
        if self.heard:
            return super().read(timeout_s)
        if self.early is None:
            raise TimeoutError
        return self.early.encode()


@dataclass
class Looks:
    """A diagnoser: the cause still holds, or not, at each look."""

    found: Diagnosis

    def diagnose(self, host: str, runbook: str, inputs: Any) -> Diagnosis:
        return self.found


def execution(**changes: Any) -> Execution:
    order = {"step": "live", "unit": samples.UNIT, "before": "100", "value": "200"}
    plan: Plan = samples.plan(target_id=TARGET, boot_id=BOOT, order=order, **changes)
    fresh = samples.diagnosis()
    fresh = replace(fresh, target=replace(fresh.target, clock_skew_s=1.0))
    return Execution("F-1", plan, "ab" * 32, "F-1.x", fresh, None, confirm=lambda: 60.0)  # type: ignore[arg-type]


def executor(helper: Helper, found: Diagnosis, harmed: str = "") -> HostExecutor:
    remediation = SimpleNamespace(validates_within_s=0, validates_cleared=("pids_cgroup",))
    runbooks: Any = SimpleNamespace(load=lambda _name: SimpleNamespace(remediations={"raise_tasks_max": remediation}))
    harm: Any = SimpleNamespace(find=lambda _job: harmed)
    key = orders.OrderKey(Ed25519PrivateKey.generate())
    return HostExecutor(key, HelperLink(helper), Looks(found), runbooks, harm, pause=lambda _s: None)  # type: ignore[arg-type]


WELL = replace(samples.diagnosis(), verdict=None, status="healthy")
NONE = Findings(0, 0, 0)
APPLIED = text(result="applied", reason="ok", id="ID", before="100", after="200", journal="applied")
UNDONE = text(result="undone", reason="ok", id="ID", after="100", journal="undone")


@pytest.mark.parametrize(
    ("after", "state", "says"),
    [
        (samples.diagnosis(current_limit=200), "unresolved", "it still holds"),
        (replace(WELL, checks=(CheckResult("pids_cgroup", "skipped", NONE, "none was asked"),)), "unresolved", "none was asked"),
        (replace(WELL, checks=(CheckResult("pids_cgroup", "cleared", NONE, "12 of 200"),)), "validated", "pids_cgroup is cleared"),
    ],
)
def test_a_cause_that_only_a_text_or_a_log_told_is_validated_by_the_checks_that_end_with_it(
    after: Diagnosis, state: str, says: str
) -> None:
    asked: list[Any] = []

    class Asked(Looks):
        def diagnose(self, host: str, runbook: str, inputs: Any) -> Diagnosis:
            asked.append(inputs)
            return self.found

    facts = (*samples.plan().facts, CitedFact("inputs.symptom", "fork: Resource temporarily unavailable", ""))
    made = replace(executor(Helper([APPLIED]), WELL), diagnoser=Asked(after))
    ending = made.execute(execution(facts=facts, cause="pids_text"))
    assert (ending.state, says in ending.says) == (state, True), ending.says
    assert asked == [{"symptom": "fork: Resource temporarily unavailable"}]


@pytest.mark.parametrize(
    ("answers", "found", "state", "sent"),
    [
        ([APPLIED], WELL, "validated", 1),
        ([APPLIED], samples.diagnosis(current_limit=200), "unresolved", 1),
        ([APPLIED], replace(WELL, status="unreachable"), "unresolved", 1),
        ([APPLIED, UNDONE], samples.diagnosis(current_limit=100), "reverted", 2),  # the limit reads as before
        ([APPLIED, text(result="refused", reason="undo_unsafe", id="ID")], samples.diagnosis(current_limit=100), "unresolved", 2),
        ([text(result="refused", reason="changed", id="ID")], WELL, "failed", 1),
        ([text(result="failed", reason="not_taken", id="ID")], WELL, "reverted", 1),
        ([text(result="unknown", reason="not_taken", id="ID")], WELL, "unknown", 1),
        ([APPLIED[:-5]], WELL, "unknown", 1),
        ([""], WELL, "unknown", 1),
        ([text(result="applied", id="f" * 32)], WELL, "unknown", 1),
        (["LOGIN"], WELL, "approved", 0),
        ([text(result="refused", reason="busy", id="ID")], WELL, "approved", 1),
        ([text(result="refused", reason="fork", id="ID")], WELL, "approved", 1),
        ([text(result="refused", reason="signature_invalid", id="ID")], WELL, "failed", 1),
    ],
)
def test_each_answer_has_its_ending(answers: list[str], found: Diagnosis, state: str, sent: int) -> None:
    helper = Helper(list(answers))
    assert executor(helper, found).execute(execution()).state == state
    assert len(helper.heard) == sent
    assert all(b"-----END SSH SIGNATURE-----" in message for message in helper.heard)


@pytest.mark.parametrize(
    ("early", "launches", "state", "sent"),
    [
        (None, 1, "validated", 1),
        (text(result="refused", reason="input_slow"), 2, "validated", 1),  # it gave up while the host was diagnosed
        ("", 1, "approved", 0),
        ("sudo: a password is required\n", 1, "approved", 0),
    ],
)
def test_an_order_goes_to_the_helper_that_waits_for_it(early: str | None, launches: int, state: str, sent: int) -> None:
    helper = Waiting([APPLIED], early=early)
    made = executor(helper, WELL)
    ending = made.execute(replace(execution(), approach=made.approach("web-01")))
    assert (ending.state, helper.launches, len(helper.heard)) == (state, launches, sent), ending


def test_an_undo_after_it_goes_by_a_login_of_its_own() -> None:
    helper = Waiting([APPLIED, UNDONE])
    made = executor(helper, WELL, "the main process changed")
    assert made.execute(replace(execution(), approach=made.approach("web-01"))).state == "reverted"
    assert (helper.launches, len(helper.heard)) == (2, 2)


def test_a_permanent_step_is_not_taken_for_one_without_effect() -> None:
    asked = execution()
    asked = replace(asked, plan=replace(asked.plan, order={**asked.plan.order, "step": "persist"}))
    helper = Helper([APPLIED])
    ending = executor(helper, samples.diagnosis(current_limit=100)).execute(asked)
    assert (ending.state, len(helper.heard)) == ("unresolved", 1)
    assert "next start" in ending.detail["remains"]


def test_harm_is_put_back() -> None:
    helper = Helper([APPLIED, UNDONE])
    ending = executor(helper, WELL, "the main process changed").execute(execution())
    assert (ending.state, ending.detail["undone_to"]) == ("reverted", "100")
    assert b"action=undo\n" in helper.heard[1]


@pytest.mark.parametrize("skew", [None, 31.0, -31.0])
def test_a_clock_that_is_off_stops_it_before_anything_is_sent(skew: float | None) -> None:
    helper, asked = Helper([APPLIED]), execution()
    assert asked.fresh is not None
    asked = replace(asked, fresh=replace(asked.fresh, target=replace(asked.fresh.target, clock_skew_s=skew)))
    assert executor(helper, WELL).execute(asked).state == "approved"
    assert helper.heard == []


@pytest.mark.parametrize(
    ("journal", "found", "state"),
    [
        ("applied", WELL, "validated"),
        ("applied", samples.diagnosis(current_limit=200), "unresolved"),
        ("refused:changed", WELL, "failed"),
        ("claimed", WELL, "failed"),
        ("restored", WELL, "reverted"),
        ("undone", WELL, "reverted"),
        ("none", WELL, None),  # it may still arrive
        ("changing", WELL, "reverted"),
    ],
)
def test_the_journal_and_fresh_facts_settle_an_unknown_one(journal: str, found: Diagnosis, state: str | None) -> None:
    helper = Helper([text(result="status", reason="ok", journal=journal), UNDONE])
    ending = executor(helper, found).recover(execution())
    assert (ending.state if ending else None) == state


@pytest.mark.parametrize(
    ("journal", "answer", "state"),
    [
        ("undone", "", "validated"),
        ("undoing", UNDONE, "validated"),
        ("half", UNDONE, "validated"),
        ("half", text(result="unknown", reason="undo_differs", id="ID"), None),
        ("applied", "", None),  # the order may still arrive
    ],
)
def test_an_undo_that_was_cut_is_gone_on_with(journal: str, answer: str, state: str | None) -> None:
    asked = execution()
    asked = replace(asked, plan=replace(asked.plan, action="undo", order={**asked.plan.order, "undoes": "d" * 32}))
    helper = Helper([text(result="status", reason="ok", journal=journal), *([answer] if answer else [])])
    ending = executor(helper, WELL).recover(asked)
    assert (ending.state if ending else None) == state
    assert all(b"undoes=" + b"d" * 32 in message for message in helper.heard[1:])


def test_a_helper_that_still_works_or_cannot_be_asked_settles_nothing() -> None:
    assert executor(Helper([text(result="status", journal="changing", running="yes")]), WELL).recover(execution()) is None
    assert executor(Helper(["LOGIN"]), WELL).recover(execution()) is None
    rebooted = Helper([text(result="status", journal="none", boot=BOOT.replace("0", "1"))])
    ending = executor(rebooted, WELL).recover(execution())
    assert ending is not None
    assert ending.state == "failed"


@dataclass
class Reader(Helper):
    """A host that prints as scripted, whatever is read."""

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 0) -> "Helper":
        return self

    def start(self, argv: Sequence[str], *, cap_bytes: int = 0) -> "Helper":
        return self

    def write(self, data: bytes) -> None:
        self.out = self.answers.pop(0).encode()


SHOWN = """LoadState=loaded
ActiveState=active
TasksMax=100
InvocationID=0123456789abcdef0123456789abcdef
MainPID=812
LimitNPROC=3790
LimitNPROCSoft=60
LimitAS=infinity
LimitASSoft=infinity
"""
RAISED = SHOWN.replace("=100", "=200")


@pytest.mark.parametrize(
    ("action", "after", "harm"),
    [
        ("unit_tasks_max", RAISED, ""),
        ("unit_tasks_max", RAISED.replace("=812", "=900"), "the main process of worker.service changed from 812 to 900"),
        ("unit_tasks_max", SHOWN, "the task limit of worker.service reads 100, not 200"),
        ("unit_tasks_max", "garbled", ""),  # never a reason to put it back
        ("unit_restart", RAISED.replace("=812", "=900"), ""),  # it promises nothing of the kind
        ("undo", SHOWN, ""),
    ],
)
def test_an_action_finds_the_harm_that_it_promised_not_to_do(action: str, after: str, harm: str) -> None:
    transport: Any = Reader([after])
    capture = HostCapture(lambda _target: transport)
    made = execution(action=action, parameters={"unit": samples.UNIT, "limit": 200})
    capture.keep(made.plan.order_digest, [SHOWN])
    found = Harm(capture).find(made)
    assert found.startswith(harm)
    assert bool(found) == bool(harm)


@pytest.mark.parametrize(("action", "state"), [("unit_tasks_max", "reverted"), ("swap_file", "validated")])
def test_only_what_outlives_a_boot_is_looked_for_after_one(action: str, state: str) -> None:
    rebooted = text(result="status", reason="ok", journal="applied", boot=BOOT.replace("0", "1"))
    ending = executor(Helper([rebooted]), WELL).recover(execution(action=action))
    assert ending is not None
    assert ending.state == state


def test_a_host_without_a_helper_is_not_prepared() -> None:
    with pytest.raises(RefusedError) as refused:
        executor(Helper(["sudo: a password is required\n"]), WELL).target_id("web-01")
    assert refused.value.reason == "not_prepared"


@pytest.mark.parametrize("cut", [0, 1, 40, -1, -14])
def test_an_answer_that_was_cut_is_no_answer(cut: int) -> None:
    with pytest.raises(AnswerLost):
        parse(APPLIED[:cut])
