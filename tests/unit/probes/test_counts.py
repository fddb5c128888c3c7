"""Counts of a record: all of them, or none."""

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.reading import counts, number

FIELDS = ("7", "x", "0", "18446744073709551615", "?", "\u0663", "1" * 21, "", "-1", "+1", "1_0", " 1")


def test_counts_are_those_of_the_fields_asked_for() -> None:
    assert counts(FIELDS, 0, 2) == [7, 0]
    assert counts(FIELDS, 2, 0) == [0, 7]


def test_a_number_that_no_kernel_counts_is_none() -> None:
    assert counts(FIELDS, 0, 3) is None
    assert number(FIELDS, 3) == Unreadable("a number that no kernel counts")


@pytest.mark.parametrize("index", [1, 4, 5, 6, 7, 8, 9, 10, 11])
def test_one_that_is_none_spoils_them_all(index: int) -> None:
    assert counts(FIELDS, 0, index) is None
    assert not isinstance(number(FIELDS, index), int)
