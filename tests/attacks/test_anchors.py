"""An anchor that says "kept" has kept: full disks, cut lines, cut files, other owners."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.anchors import FileAnchor, sample
from triagebook.tools.audit.note import Checkpoint

from tests.system.fixes.world import World, build


def _checkpoint(size: int) -> Checkpoint:
    return Checkpoint("log", size, b"\1" * 32, f"note {size} " + "x" * 200)


def _kept(path: Path) -> list[int]:
    return [json.loads(line)["size"] for line in path.read_text().splitlines() if line.endswith("}")]


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.attacks.test_anchors import FileAnchor, TrustError, _checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
anchor, said = FileAnchor(Path(sys.argv[1])), []
for size in range(1, 9):
    try:
        anchor.keep(_checkpoint(size))
        said.append(size)
    except TrustError as error:
        assert error.reason == "anchor", error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
anchor.keep(_checkpoint(9))
print(*said, 9)
"""


@pytest.mark.parametrize("room", [600, 700, 1000])
def test_a_checkpoint_that_did_not_fit_is_refused_and_takes_none_other_with_it(tmp_path: Path, room: int) -> None:
    root = str(Path(__file__).parents[2])
    argv = (sys.executable, "-c", FULL, str(tmp_path / "anchor"), root, str(room))
    run = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    said = [int(word) for word in run.stdout.split()]
    assert said[-1] == 9
    assert len(said) < 9, "there was room for all"
    assert _kept(tmp_path / "anchor") == said
    assert len(FileAnchor(tmp_path / "anchor").notes()) == len(said)


@pytest.mark.parametrize("rest", ['{"size": 2, "no', "\0\0\0", "garbage", "\n\n", '{"size": 2, "note": "whole"}'])
def test_a_line_that_was_cut_swallows_no_later_one(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "anchor"
    anchor = FileAnchor(path)
    anchor.keep(_checkpoint(1))
    with path.open("a") as file:
        file.write(rest)
    anchor.keep(_checkpoint(3))
    notes = [note.split()[1] for note in anchor.notes() if note.startswith("note ")]
    assert notes == ["1", "3"]
    assert anchor.newest() == _checkpoint(3).note


def test_an_anchor_that_others_may_write_or_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    anchor = FileAnchor(path)
    anchor.keep(_checkpoint(1))
    reading = (lambda: anchor.keep(_checkpoint(2)), anchor.notes, anchor.newest)
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        for call in reading:
            with pytest.raises(TrustError, match="others may write it") as refused:
                call()
            assert refused.value.reason == "anchor"
    path.chmod(0o644)
    assert len(anchor.notes()) == 1
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
        for call in reading:
            with pytest.raises(TrustError, match="uid 12345"):
                call()


def test_a_pipe_is_no_anchor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "anchor", 0o600)
    with pytest.raises(TrustError):
        FileAnchor(tmp_path / "anchor").keep(_checkpoint(1))


@pytest.mark.parametrize("left", [1, 2, 5])
def test_an_anchor_that_was_cut_stops_the_start_of_the_only_server(tmp_path: Path, left: int) -> None:
    world = build(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path)
    for number in range(1, 9):
        world.propose(host=f"web-0{number}")
    path = tmp_path / "anchor-one"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:left]))
    with pytest.raises(TrustError, match="ends before the database") as broken:
        world.trust.checkpointer.start()
    assert broken.value.reason == "audit_broken"
    world.trust.checkpointer.join()  # the explicit step: serve --join
    world.trust.checkpointer.start()
    world.store.close()


def test_an_anchor_behind_another_replica_is_reported_and_no_reason_not_to_start(tmp_path: Path, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("several servers need PostgreSQL")
    one = build(database_url, tmp_path)
    one.propose()
    two = _join(database_url, tmp_path)
    for number in range(1, 4):
        two.propose(host=f"web-0{number}")
    report = one.trust.checkpointer.start()
    assert [warning.kind for warning in report.warnings] == ["anchor"]
    one.store.close()
    two.store.close()


def _join(url: str, directory: Path) -> World:
    (directory / "anchor-two").write_bytes((directory / "anchor-one").read_bytes())
    (directory / "anchor-two").chmod(0o600)
    return build(url, directory, instance="two")


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1000, 4097])
def test_a_sample_has_the_newest_and_does_not_grow(count: int) -> None:
    taken = sample((str(number) for number in range(count)), 10)
    assert len(taken) <= 12
    assert taken[-1:] == ([str(count - 1)] if count else [])
    assert taken == sorted(set(taken), key=int)
    if count <= 10:
        assert len(taken) == count
