"""An event that a flood would repeat is logged at most once a second."""

from triagebook.tools.server.log_interval import LogInterval


def test_an_event_may_be_logged_at_most_once_a_second() -> None:
    times = iter([100.0, 100.5, 100.99, 101.0, 101.5, 300.0])
    interval = LogInterval(lambda: next(times))
    assert [interval.is_over() for _ in range(6)] == [True, False, False, True, False, True]
