"""Lets the product diagnose a broken guest, and says whether what it said is right: every expected cause, and no wrong one."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import Timeouts

from tests.lab.machines import Machine
from tests.lab.scenario import Expected, Scenario
from tests.runbooks import CATALOG

RUNBOOK = "enomem"
REACHED = {"now", "at_limit"}
CAPACITY = {"kernel.pid_max": -300}  # numbers below 300 are not given out again
UNCOMPARED = {"vm.overcommit_ratio", "vm.overcommit_kbytes", "MemAvailable", ""}  # the verdict names CommitLimit, in bytes
SAMPLE_S = 2.0
LOGIN_ATTEMPTS = 4
PATIENT = Timeouts(banner_s=30, kex_s=30, auth_s=60, exec_s=60, first_byte_s=60, total_s=600)  # an emulated processor
Said = tuple[dict[str, Any], Sequence[Mapping[str, Any]], float]  # the diagnosis, facts after each sample, seconds


@dataclass(frozen=True)
class Judgement:
    """What was said of one scenario, and what is wrong with it (nothing: it is right)."""

    how: str
    said: str
    seconds: float
    wrong: tuple[str, ...]
    answer: Mapping[str, Any]
    facts: Sequence[Mapping[str, Any]] = ()  # after each sample; empty when no session was had


def verdicts_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdict and the others, in order."""
    return [item for item in (answer["verdict"], *answer["also"]) if item]


def wrong_with(answer: Mapping[str, Any], scenario: Scenario) -> list[str]:
    """Each way in which an answer misses what the scenario is, or names what it is not."""
    said = verdicts_of(answer)
    wrong = []
    for expected in scenario.expected:
        if expected.active == ("trend", "near"):  # one look cannot see a slope; it must only not call it anything worse
            continue
        near = [verdict for verdict in said if verdict["cause"] == expected.cause]
        reasons = [_mismatch(verdict, expected) for verdict in near]
        if "" not in reasons:
            wrong.append(f"{expected.cause} of {expected.culprit} not named: {next(iter(reasons), 'no such verdict')}")
    causes = {expected.cause for expected in scenario.expected}
    wrong += [
        f"names {verdict['cause']} {verdict['active']} ({verdict['culprit']['id']})"
        for verdict in said
        if verdict["active"] in REACHED and verdict["cause"] not in causes and verdict["strength"] != "possible"
    ]
    if said and scenario.expected and said[0]["cause"] not in causes:
        wrong.append(f"the first verdict is {said[0]['cause']}")
    if scenario.unseen_cause and (answer["status"] != "inconclusive" or scenario.unseen_says not in answer["headline"]):
        wrong.append(f"does not say that {scenario.unseen_says}, but {answer['status']}: {answer['headline']}")
    if not scenario.expected and answer["status"] not in {"healthy", "inconclusive"}:
        wrong.append(f"a healthy host is called {answer['status']}")
    return wrong


def _mismatch(verdict: Mapping[str, Any], expected: Expected) -> str:
    culprit, meant = verdict["culprit"], expected.culprit
    pairs = [
        (meant.unit, culprit["unit"], "unit"),
        (meant.path, culprit["id"], "path"),
        (meant.user, culprit["user"], "user") if meant.kind == "user" else ("", "", ""),
        (meant.program, culprit["id"], "program") if meant.kind == "process" else ("", "", ""),
    ]
    for wanted, got, name in pairs:
        if wanted and wanted != got:
            return f"{name} {got!r} instead of {wanted!r}"
    if meant.kind == "host" and meant.program and meant.program not in [item["comm"] for item in verdict["consumers"]]:
        return f"{meant.program} is not among {[item['comm'] for item in verdict['consumers']]}"
    if verdict["active"] not in expected.active:
        return f"{verdict['active']} instead of {' or '.join(expected.active)}"
    if expected.limit_value is not None and expected.limit not in UNCOMPARED:
        wanted_limit = expected.limit_value + CAPACITY.get(expected.limit, 0)
        if verdict["limit"] is None or verdict["limit"]["value"] != wanted_limit:
            return f"limit {verdict['limit']} instead of {wanted_limit}"
    return ""


def summary(answer: Mapping[str, Any]) -> str:
    """`pids_cgroup now (worker.service)`, for a table."""
    if answer["status"] == "unreachable":
        return f"unreachable: {answer['login']['phase']} {answer['login']['outcome']}"
    said = [
        f"{item['cause']} {item['active']} ({item['culprit']['unit'] or item['culprit']['id']})" for item in verdicts_of(answer)
    ]
    return "; ".join(said[:3]) or answer["status"]


def by_command(machine: Machine, who: str, scenario: Scenario, *, symptom: bool = True) -> Said:
    """The product's own command line over ssh, as that account."""
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "diagnose", machine.alias(who)]
    saved = Path(machine.ssh_config).with_name("saved.json")
    command += ["-F", str(machine.ssh_config), "--json", "--sample", str(SAMPLE_S), "--save", str(saved)]
    command += ["--symptom", scenario.symptom] if symptom else []
    for attempt in range(LOGIN_ATTEMPTS):
        saved.unlink(missing_ok=True)  # of an earlier attempt: nothing is written over
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if not done.stdout.strip():
            raise AssertionError(f"no answer (exit {done.returncode}): {done.stderr[-500:]}")
        said: dict[str, Any] = json.loads(done.stdout)  # of all runbooks asked together; one of them is judged here
        answer: dict[str, Any] = next(found for found in said["diagnoses"] if found["runbook"]["id"] == RUNBOOK)
        facts = json.loads(saved.read_text())["facts"][RUNBOOK]
        # nearly full: the last few numbers may be taken at that moment, and the next login gets through
        if answer["status"] != "unreachable" or scenario.diag_login is not True or attempt + 1 == LOGIN_ATTEMPTS:
            return answer, facts, time.monotonic() - started
        time.sleep(SAMPLE_S)
    raise AssertionError("unreachable code")


class Standing:
    """A session opened while the host was still well: the collector that answers when nothing can fork any more."""

    def __init__(self, machine: Machine, who: str) -> None:
        self.runbook = CATALOG.load(RUNBOOK)
        self.kinds = lookups.kinds_to_collect([self.runbook])
        transport = SshTransport(config_file=Path(machine.ssh_config), timeouts=PATIENT)
        self.collection = collect.start(transport, machine.alias(who), self.kinds, cpu_limit_s=None)

    def diagnose(self, scenario: Scenario) -> Said:
        """Two further samples, concluded as the service would."""
        started = time.monotonic()
        self.collection.take_sample()
        time.sleep(SAMPLE_S)
        self.collection.take_sample()
        recent = self.collection.samples[-2:]
        history = [
            {name: step[kind] for name, kind in self.runbook.probes.items() if kind in step}
            for step in (collect.parse(self.kinds, recent[: number + 1]) for number in range(2))
        ]
        concluded = conclude(self.runbook, history, {"symptom": scenario.symptom})
        answer = {name: to_plain(getattr(concluded, name)) for name in ("status", "verdict", "also", "checks", "unknown")}
        facts = [{name: to_plain(value) for name, value in step.items()} for step in history]
        return answer, facts, time.monotonic() - started

    def close(self) -> None:
        """End the session."""
        self.collection.close()


def judge(machine: Machine, scenario_id: str, scenario: Scenario) -> Sequence[Judgement]:
    """Break the guest and let the product look: by a new login where one works, by a standing session where none may."""
    judgements = []
    standing = Standing(machine, "diag") if not (scenario.diag_login and scenario.root_login) else None
    try:
        machine.inject(scenario_id)
        if standing is not None:
            answer, facts, seconds = standing.diagnose(scenario)
            judgements.append(Judgement("standing", summary(answer), seconds, tuple(wrong_with(answer, scenario)), answer, facts))
        answer, facts, seconds = by_command(machine, "diag", scenario)
        wrong = tuple(_as_diag(answer, scenario_id, scenario))
        judgements.append(Judgement("diag", summary(answer), seconds, wrong, answer, facts))
        if scenario_id == "max-map-count":
            answer, facts, seconds = by_command(machine, "root", scenario)
            judgements.append(Judgement("root", summary(answer), seconds, tuple(wrong_with(answer, scenario)), answer, facts))
    finally:
        if standing is not None:
            standing.close()
    return judgements


def _as_diag(answer: Mapping[str, Any], scenario_id: str, scenario: Scenario) -> list[str]:
    """What an unprivileged new login can be asked to know."""
    if scenario.diag_login is False or (scenario.diag_login is None and answer["status"] == "unreachable"):
        honest = answer["status"] in {"unreachable", "inconclusive"} and answer["login"]["outcome"] != "ok"
        return [] if honest and answer["verdict"] is None else [f"nobody can log in, yet it says {summary(answer)}"]
    if scenario_id == "max-map-count":
        unknown = [item for item in answer["unknown"] if item["check"] == "max_map_count"]
        named = [name for item in unknown for name in item["which"] if name.startswith("mapper")]
        return (
            [] if named and answer["status"] == "inconclusive" else ["the process whose maps cannot be read is not named unknown"]
        )
    return wrong_with(answer, scenario)
