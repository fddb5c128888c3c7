"""Which of many like values `make test` takes; `make unit-long` takes the others too."""

import zlib
from collections.abc import Iterable
from typing import Any

import pytest


def quick_share(values: Iterable[Any], of: int = 4) -> list[Any]:
    """The values as parameters of a test, all but one in so many of them marked `long`: the same ones in every run and test."""
    return [
        pytest.param(value, id=str(value), marks=[] if zlib.crc32(str(value).encode()) % of == 0 else [pytest.mark.long])
        for value in values
    ]
