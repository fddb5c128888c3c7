"""A failed login is told with what to do now, and only a host that was reached is suspected of being full."""

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis, LoginResult
from triagebook.tools.diagnosis.login_advice import login_advice
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.transport.base import Login, LoginFailed, Transport

from tests.runbooks import CATALOG


def diagnose(phase: str, outcome: str) -> Diagnosis:
    """A host whose login ends so."""

    def reach(_target: TargetName) -> Transport:
        raise LoginFailed(Login(phase, outcome, "web01: as sshd said it"))

    return Service(CATALOG, reach).diagnose(Question(parse_target("web01"), "enomem@1.2.0")).diagnosis


@pytest.mark.parametrize("phase", ["resolve", "connect"])
def test_a_host_that_was_not_reached_is_not_suspected_of_being_full(phase: str) -> None:
    (advice,) = diagnose(phase, "timeout").next
    assert "memory" not in advice
    assert advice == login_advice(LoginResult(phase, "timeout"))[0]


@pytest.mark.parametrize("phase", ["banner", "kex", "auth", "session", "exec"])
def test_a_host_that_was_reached_and_is_slow_is_suspected(phase: str) -> None:
    assert "answers too slowly to log in" in diagnose(phase, "timeout").next[0]


@pytest.mark.parametrize("phase", ["resolve", "connect", "banner", "kex", "auth", "session", "exec"])
def test_a_refused_login_says_what_to_do(phase: str) -> None:
    (advice,) = diagnose(phase, "refused").next
    assert advice.startswith("Check ")


def test_an_unknown_host_key_is_left_to_its_message() -> None:
    """It holds the commands, which nobody should run before a comparison."""
    assert diagnose("host_key", "host_key").next == ()
