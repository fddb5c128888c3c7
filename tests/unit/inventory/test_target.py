"""What a person may write for a host, by the one grammar that ssh destinations have."""

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.target import TargetName, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("localhost", TargetName("localhost", "local", "localhost")),
        ("::1", TargetName("::1", "local", "::1")),
        ("replay:unit-tasksmax", TargetName("replay:unit-tasksmax", "replay", "unit-tasksmax")),
        ("web01", TargetName("web01", "remote", "web01")),
        ("ann@web01", TargetName("ann@web01", "remote", "web01", "ann")),
        ("ann@localhost", TargetName("ann@localhost", "remote", "localhost", "ann")),
        ("ann@[2001:db8::1]:2222", TargetName("ann@[2001:db8::1]:2222", "remote", "[2001:db8::1]:2222", "ann")),
        ("web01:2222", TargetName("web01:2222", "remote", "web01:2222")),
        ("CORP\\ann@web01", TargetName("CORP\\ann@web01", "remote", "web01", "CORP\\ann")),
        ("a" * 253, TargetName("a" * 253, "remote", "a" * 253)),
    ],
)
def test_a_name_is_taken_as_it_was_written(text: str, target: TargetName) -> None:
    assert parse_target(text) == target


NO_HOSTS = (
    "",
    "-x",
    "a b",
    "web;id",
    "web01\n",
    "ann@",
    "@web",
    "web:",
    "web:0",
    "web:x",
    "[::1",
    "[web]x",
    "[web]:",
    "a/b",
    "../a",
)


@pytest.mark.parametrize("text", [*NO_HOSTS, "../a", "a" * 254])
def test_what_no_host_is_called_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a host") as refused:
        parse_target(text)
    assert refused.value.reason == "host_name"


@pytest.mark.parametrize("text", ["replay:", "replay:../x", "replay:a\n", "ssh://web01", "a" * 254 + "@web"])
def test_what_is_neither_a_case_nor_a_plain_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a host"):
        parse_target(text)
