"""The memory of hosts: what is kept, for how long, and what a broken file does."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.ssh import recent_logins
from triagebook.tools.ssh.recent_logins import ONE_FLIGHT, REMEMBERED_S, STOCK, RecentLogin, RecentLogins


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_what_was_remembered_is_known_to_the_next_run_until_it_is_old(tmp_path: Path) -> None:
    file, clock = tmp_path / "state" / "ways", Clock()
    RecentLogins(file, clock).remember("ann", "web1", ONE_FLIGHT, "SHA256:k", "curve25519-sha256")
    later = RecentLogins(file, clock)
    assert later.get("ann", "web1") == RecentLogin(ONE_FLIGHT, "SHA256:k", "curve25519-sha256", clock.now)
    assert later.get("bob", "web1") is None
    clock.now += REMEMBERED_S[ONE_FLIGHT]
    assert later.get("ann", "web1") is None


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ways"
    memory = RecentLogins(file)
    for _ in range(5):
        memory.remember("ann", "web1", ONE_FLIGHT, "k", "x")
    memory.forget("ann", "web1")
    memory.forget("ann", "unknown")
    assert [line.count(STOCK) for line in file.read_text().splitlines()] == [0, 1]


def test_without_a_file_it_is_kept_in_memory() -> None:
    memory = RecentLogins()
    memory.remember("ann", "web1", STOCK, "", "")
    assert memory.get("ann", "web1") is not None


def test_a_file_that_grew_is_compacted(tmp_path: Path) -> None:
    file = tmp_path / "ways"
    RecentLogins(file).remember("ben", "web2", ONE_FLIGHT, "k2", "x")
    with file.open("a") as more:
        more.write("x" * (recent_logins.MAX_FILE_BYTES // 2 + 1) + "\n")
    RecentLogins(file).remember("ann", "web1", ONE_FLIGHT, "k", "x")
    assert file.stat().st_size < 1000
    known = RecentLogins(file)
    assert [(login.key if (login := known.get(*who)) else "") for who in (("ann", "web1"), ("ben", "web2"))] == ["k", "k2"]


@given(st.binary(max_size=300))
def test_no_file_makes_the_reader_fail(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        assert isinstance(recent_logins._read(Path(file.name)), dict)
