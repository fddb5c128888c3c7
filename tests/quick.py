"""Which of many like values `make test` takes; `make unit-long` takes the others too."""

import zlib
from collections.abc import Callable, Container, Iterable
from typing import Any

import pytest


def quick_share(values: Iterable[Any], of: int = 4, *, name: Callable[[Any], str] = str, always: Container[Any] = ()) -> list[Any]:
    """The values as parameters of a test, all but one in so many of them marked `long`: the same ones in every run and test.

    Those of `always` are never long.
    """
    return [
        pytest.param(value, id=name(value), marks=[] if value in always or _is_in(name(value), of) else [pytest.mark.long])
        for value in values
    ]


def _is_in(name: str, of: int) -> bool:
    return zlib.crc32(name.encode()) % of == 0
