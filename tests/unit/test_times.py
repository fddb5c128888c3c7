"""Times as they are stored and written: one form, and nothing else is read back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.times import Precision, from_micros, parse_duration, parse_rfc3339, rfc3339, to_micros

MOMENT = datetime(2026, 11, 23, 14, 5, 0, 987654, UTC)
WRITTEN: dict[Precision, str] = {
    "seconds": "2026-11-23T14:05:00Z",
    "milliseconds": "2026-11-23T14:05:00.987Z",
    "microseconds": "2026-11-23T14:05:00.987654Z",
}


@pytest.mark.parametrize("precision", WRITTEN)
def test_a_time_is_written_in_utc_and_cut_to_its_precision(precision: Precision) -> None:
    assert rfc3339(MOMENT, precision) == WRITTEN[precision]
    assert rfc3339(MOMENT.astimezone(timezone(timedelta(hours=-5))), precision) == WRITTEN[precision]


def test_a_time_without_a_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        rfc3339(MOMENT.replace(tzinfo=None))


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_was_written_is_read_back(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment, "microseconds"), "microseconds") == moment
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=0)
    assert from_micros(to_micros(moment)) == moment


OTHER_FORMS = (
    "",
    "2026-11-23",
    "2026-11-23T14:05Z",
    "2026-11-23T14:05:00",
    "2026-11-23 14:05:00Z",
    "2026-11-23T14:05:00+00:00",
    "2026-11-23T14:05:00.1Z",
    "2026-11-23T14:05:00z",
    "2026-13-23T14:05:00Z",
    "20261123T140500Z",
    "2026-W48-1T14:05:00Z",
)


@pytest.mark.parametrize("text", OTHER_FORMS)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the standard library's for some
        parse_rfc3339(text)


def test_a_duration_is_a_number_with_its_unit() -> None:
    read = {text: parse_duration(text) for text in ("90s", "15m", "12h", "7d")}
    assert read == {
        "90s": timedelta(seconds=90),
        "15m": timedelta(minutes=15),
        "12h": timedelta(hours=12),
        "7d": timedelta(days=7),
    }


@pytest.mark.parametrize("text", ["", "15", "m", "0m", "-1h", "1.5h", "15 m", "15M", "7w", "100000s", "15m\n", "\u0661h"])
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 90s, 15m, 12h or 7d, got "):
        parse_duration(text)
