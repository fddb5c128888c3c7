"""Fixes on real broken guests: proposed by one, approved by another, applied, validated by fresh facts, reverted, compared.

`TRIAGEBOOK_LAB=all python -m pytest tests/lab/test_fixes.py -m long -s` prints the table: fix, release, result, seconds.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.tools.fixes.views import FixView
from triagebook.tools.host_setup import layout

from tests import lab
from tests.lab.approval_server import ASKS, DECIDES, Fixing, patiently, prepared, triagebook
from tests.lab.fix_table import TRIALS, Relief, Step, Trial
from tests.lab.machines import Machine
from tests.lab.proofs import PROGRAMS
from tests.lab.scenario import Context

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", params=["debian-12", "debian-13"])
def fixing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixing]:
    """One guest of a release for all, prepared, and a server's parts; each fault is taken out after its fixes."""
    try:
        guest = lab.up(request.param, f"fixes-{request.param}")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    try:
        folder: Path = tmp_path_factory.mktemp("fixing")
        with prepared(guest, folder) as made:
            yield made
    finally:
        lab.down(guest.name)


@contextmanager
def broken(guest: Machine, scenario: str) -> Iterator[Context]:
    """Mended afterwards, also when the fault did not show in time: the next test would find it otherwise."""
    try:
        yield guest.inject(scenario)
    finally:
        guest.clear()


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name.replace(" ", "-"))
def test_a_fix_is_applied_validated_and_taken_back(fixing: Fixing, trial: Trial) -> None:
    guest = fixing.machine
    fixing.diagnose_as(trial.who)
    with broken(guest, trial.scenario) as context:
        if trial.is_stopped:
            guest.agent.check("kill", "-STOP", str(context.pid))
        before = fixing.state(context)
        applied = []
        for step in trial.steps:
            was = fixing.state(context)
            fix = _proposed(fixing, step, applied, trial.runbook)
            assert fix.plan is not None
            assert (fix.plan.undo == "none") == (not step.is_reversible)  # said before anybody approves
            done, seconds = fixing.applied(fix)
            fixing.row(trial, step, done, seconds)
            assert done.state == step.ending, done.outcome
            assert trial.is_stopped or fixing.state(context) != was
            applied.append(done)
        _relieve(fixing, context, trial.relief)
        for step, fix in reversed(tuple(zip(trial.steps, applied, strict=True))):
            if not step.is_reversible:
                with pytest.raises(RefusedError) as refused:
                    fixing.service.revert(ASKS, fix.id)
                assert refused.value.reason == "no_undo"
                continue
            back, seconds = fixing.applied(fixing.service.revert(ASKS, fix.id, "trial"))
            fixing.row(trial, replace(step, remediation=f"revert {step.remediation}"), back, seconds)
            assert (back.state, fixing.service.show(ASKS, fix.id).state) == ("validated", "reverted"), back.outcome
        if any(step.is_reversible for step in trial.steps):
            after = fixing.state(context)
            if trial.relief == "slay":  # the program's own limits went with it
                before |= {name: after[name] for name in ("limits", "pids.max")}
            assert after == before


@pytest.mark.parametrize(
    ("scenario", "remediation", "parameters", "relief"),
    [
        ("unit-tasksmax", "raise_tasks_max", {"limit": 400}, "shrink"),
        ("threads-max-near", "raise_threads_max", {}, "slay"),
        ("overcommit-fork", "relax_overcommit", {}, "slay"),
    ],
)
def test_an_undo_below_present_use_is_refused_until_the_load_is_gone_and_the_host_stays_reachable(
    fixing: Fixing, scenario: str, remediation: str, parameters: dict[str, int], relief: Relief
) -> None:
    guest = fixing.machine
    fixing.diagnose_as("diag")
    with broken(guest, scenario) as context:
        step = Step(remediation, parameters)
        done, _seconds = fixing.applied(_proposed(fixing, step, []))
        assert done.state == "validated", done.outcome
        raised = fixing.state(context)
        refused, seconds = fixing.applied(fixing.service.revert(ASKS, done.id, "trial"))
        fixing.row(Trial("undo under load", scenario, ()), step, refused, seconds)
        assert (refused.state, fixing.service.show(ASKS, done.id).state) == ("failed", "validated")
        assert "undo_unsafe" in refused.outcome
        assert fixing.state(context) == raised
        assert guest.ssh("diag", "echo reachable").stdout == "reachable\n"
        _relieve(fixing, context, relief)
        back, _seconds = fixing.applied(fixing.service.revert(ASKS, done.id, "trial"))
        assert (back.state, fixing.service.show(ASKS, done.id).state) == ("validated", "reverted"), back.outcome


def test_a_change_comes_within_one_and_a_half_diagnoses_of_the_click(fixing: Fixing) -> None:
    guest = fixing.machine
    fixing.diagnose_as("diag")
    with broken(guest, "unit-tasksmax"):
        colds = []
        for _ in range(3):
            started = time.monotonic()
            fixing.diagnose()
            colds.append(time.monotonic() - started)
        fix = fixing.proposed("raise_tasks_max", limit=400)
        ahead_s = float(guest.agent.check("date", "+%s.%N")) - time.time()
        clicked = time.time()
        fixing.service.approve(DECIDES, fix.id, fix.digest)
        assert fixing.service.apply(ASKS, fix.id).state == "validated"
        written = guest.agent.check("stat", "-c", "%.9Y", "/run/systemd/system.control/worker.service.d/50-TasksMax.conf")
        seconds = float(written) - ahead_s - clicked
        ratio = seconds / statistics.median(colds)
        cold = " ".join(f"{one:.2f}" for one in colds)
        print(f"\n| click to change | {guest.release.name} | {seconds:.2f} s | cold diagnoses {cold} s | {ratio:.2f} x")
        assert 0 < ratio < 1.5


def test_a_host_whose_account_may_run_the_installed_collector_only_is_diagnosed_and_fixed(fixing: Fixing, tmp_path: Path) -> None:
    guest = fixing.machine
    config, account = ("-F", str(guest.ssh_config)), f"{layout.DIAGNOSER}@{guest.alias()}"
    try:
        with broken(guest, "unit-tasksmax") as context, prepared(guest, tmp_path, is_hardened=True) as hardened:
            diagnosis = hardened.diagnose()
            assert (diagnosis.login.outcome, diagnosis.target.collector.split()[0]) == ("ok", "installed")
            checked = triagebook("host", "check", guest.alias("root"), "--diagnoser", account, *config)
            assert checked.returncode == 0, checked.stdout
            assert "diagnoser runs the collector only" in checked.stdout
            before = hardened.state(context)
            live = _carried_out(hardened, Step("raise_tasks_max", {"limit": 400}))
            kept = _carried_out(hardened, Step("raise_tasks_max", is_persist=True), live)
            guest.agent.check("kill", "-USR1", str(context.pid))
            for fix in (kept, live):
                back, _seconds = hardened.applied(hardened.service.revert(ASKS, fix.id, "trial"))
                assert (back.state, hardened.service.show(ASKS, fix.id).state) == ("validated", "reverted"), back.outcome
            assert hardened.state(context) == before
    finally:
        triagebook("host", "install", guest.alias("root"), *config, *fixing.install)


def _carried_out(fixing: Fixing, step: Step, *before: FixView) -> FixView:
    """Proposed, approved, applied, validated."""
    done, seconds = fixing.applied(_proposed(fixing, step, list(before)))
    fixing.row(Trial("F1 by the installed collector", "", ()), step, done, seconds)
    assert done.state == "validated", done.outcome
    return done


def test_a_host_is_prepared_again_and_left_as_it_was(fixing: Fixing) -> None:
    guest = fixing.machine
    config = ("-F", str(guest.ssh_config))
    with pytest.raises(TriagebookError):
        fixing.service.revert(ASKS, "F-00000000")
    checked = triagebook("host", "check", guest.alias("root"), *config)
    assert checked.returncode == 0, checked.stdout
    gone = triagebook("host", "uninstall", guest.alias("root"), *config, "--keep-changes")
    assert gone.returncode == 0, gone.stderr
    assert "triagebook" not in guest.agent.run("getent", "passwd")[1]
    assert triagebook("host", "check", guest.alias("root"), *config).returncode == 4


def _proposed(fixing: Fixing, step: Step, before: list[FixView], runbook: str = "enomem") -> FixView:
    if step.is_persist:
        return patiently(lambda: fixing.service.persist(ASKS, before[-1].id, "trial"))
    return fixing.proposed(step.remediation, runbook=runbook, **step.parameters)


def _relieve(fixing: Fixing, context: Context, relief: Relief) -> None:
    """The faulty program stays where its limits are compared afterwards."""
    guest = fixing.machine
    if relief == "shrink":
        guest.agent.check("kill", "-USR1", str(context.pid))
    elif relief == "slay":
        for _ in range(20):
            if not guest.agent.do("slay", PROGRAMS):
                return
            time.sleep(1)
