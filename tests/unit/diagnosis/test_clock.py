"""A host's clock is called wrong only by what the time of a slow look cannot explain."""

from datetime import UTC, datetime, timedelta

import pytest
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG


@pytest.mark.parametrize(
    ("began_s", "came_s", "skew_s"),
    [(-38, 1, 0), (-600, 600, 0), (-639, -600, 600), (600, 638, -600)],
    ids=["slow login", "very slow", "host ahead", "host behind"],
)
def test_the_time_that_a_look_takes_is_no_error_of_the_hosts_clock(began_s: int, came_s: int, skew_s: int) -> None:
    moments = iter((began_s, came_s))
    last = [began_s]

    def now() -> datetime:
        last[0] = next(moments, last[0])
        return datetime.now(UTC) + timedelta(seconds=last[0])

    service = Service(CATALOG, lambda _target: LocalTransport(), now=now, pause=lambda _seconds: None)
    found = service.diagnose(Question(parse_target("localhost"), "enomem", samples=1)).diagnosis
    assert found.target.clock_skew_s == pytest.approx(skew_s, abs=30)
