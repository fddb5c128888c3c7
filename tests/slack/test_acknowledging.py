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
    world.face.work.diagnosing.limits.burst = 1000
    world.driver.command("ann", "web-60")  # what is imported once is imported
    world.idle()
    channels = ("incidents", "alerts", "approvals")
    for number in range(1, 51):
        world.driver.command("ann", f"web-{number:02}", channel="alerts")
    until(lambda: len(world.hosts.asked) > 10, "diagnoses that run")
    bodies = [
        world.driver.command_body("bob", f"web-{number:02}", "/triage", channels[number % 2], f"trigger-{number}-{time.time_ns()}")
        for number in range(1, AT_ONCE + 1)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers: list[Answer] = list(pool.map(lambda body: world.driver.way.send("command", body), bodies))
    stop.set()
    assert {answer.status for answer in answers} == {200}
    seconds = sorted(answer.seconds for answer in answers)
    print(f"acknowledged: median {seconds[24] * 1000:.0f} ms, p99 {seconds[-1] * 1000:.0f} ms")  # noqa: T201
    assert seconds[-1] < MOST_S, [round(second, 3) for second in seconds]


def test_no_acknowledgement_waits_for_slack_or_for_a_host(slacked: SlackWorld) -> None:
    release = threading.Event()
    slacked.hosts.before = lambda _question: release.wait(10) and None
    slacked.gate.is_down = True
    answers = [slacked.driver.way.send("command", body) for body in (_command(slacked, number) for number in range(1, 21))]
    release.set()
    assert max(answer.seconds for answer in answers) < MOST_S


def _command(world: SlackWorld, number: int) -> dict[str, object]:
    return world.driver.command_body("ann", f"web-{number:02}", "/triage", "incidents", f"trigger-{time.time_ns()}")
