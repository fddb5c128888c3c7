"""Slack waits three seconds and we three tenths: whatever is being diagnosed meanwhile, and whoever is away."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from triagebook.tools.service import Question, Service
from triagebook.tools.target_name import parse_target

from .driver import Answer
from .world import SlackWorld, until

MOST_S = 0.3
AT_ONCE = 50


def test_fifty_commands_at_once_are_acknowledged_while_fifty_diagnoses_run(slacked: SlackWorld) -> None:
    world = slacked
    real = Service(world.hosts.catalog, lambda _target: None)  # type: ignore[arg-type, return-value]
    cases = [file.stem for file in world.hosts.catalog.entries()[-1].cases]
    stop = threading.Event()

    def as_real(question: Question) -> None:
        """What a diagnosis costs this process: a recorded case concluded, and the wait for a host."""
        number = int(question.target.text[-2:])
        real.diagnose(Question(parse_target(f"replay:{cases[number % len(cases)]}"), question.runbook))
        stop.wait(1.0)

    world.hosts.before = as_real
    world.face.work.diagnosing.limits.burst = world.face.inbox.most_waiting = 1000
    world.driver.command("ann", "web-60")  # what is imported once is imported
    world.idle()
    for number in range(1, 51):
        world.driver.command("ann", f"web-{number:02}", channel="alerts")
    until(lambda: len(world.hosts.asked) > 10, "diagnoses that run")
    rounds = []
    for _round in range(3):  # whatever else the machine does can only add
        slowest, median = _burst(world)
        rounds.append(slowest)
        print(f"acknowledged: median {median * 1000:.0f} ms, p99 {slowest * 1000:.0f} ms")  # noqa: T201
        if slowest < MOST_S:
            break
    stop.set()
    assert min(rounds) < MOST_S, rounds


def _burst(world: SlackWorld) -> tuple[float, float]:
    """The slowest and the median of fifty commands at once."""
    bodies = [_command(world, number) for number in range(1, AT_ONCE + 1)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers: list[Answer] = list(pool.map(lambda body: world.driver.way.send("command", body), bodies))
    assert {answer.status for answer in answers} == {200}
    seconds = sorted(answer.seconds for answer in answers)
    return seconds[-1], seconds[AT_ONCE // 2]


def test_no_acknowledgement_waits_for_slack_or_for_a_host(slacked: SlackWorld) -> None:
    release = threading.Event()
    slacked.hosts.before = lambda _question: release.wait(10) and None
    slacked.gate.is_down = True
    answers = [slacked.driver.way.send("command", body) for body in (_command(slacked, number) for number in range(1, 21))]
    release.set()
    seconds = sorted(answer.seconds for answer in answers)
    assert seconds[len(seconds) // 2] < MOST_S, seconds  # a host or Slack would cost each of them seconds
    assert seconds[-1] < 2, seconds


def _command(world: SlackWorld, number: int) -> dict[str, object]:
    return world.driver.command_body("ann", f"web-{number:02}", "/triage", "incidents", f"trigger-{time.time_ns()}")
