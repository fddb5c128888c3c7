"""Which tests on virtual machines run: eight scenarios always, the long ones (marked `long`) with TRIAGEBOOK_LAB=all."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones wait for `make lab`."""
    if os.environ.get("TRIAGEBOOK_LAB") == "all":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: run by `make lab-long`"))
