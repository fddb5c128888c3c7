"""Kinds are found by their files: a new pair needs nothing else."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import triagebook.runbooks.probes as package
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.probes import catalog

MODULE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class OpenFiles:
    used: int

FACTS = OpenFiles

def parse(samples):
    return OpenFiles(int(samples[-1].of("open_files")[0][0]))
"""
AWK = """# A comment; with one quote less it would not do.
function open_files_end() {
  emit(first_line(slurp(ROOT "/proc/sys/fs/file-nr", 1)));
}
"""


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with one pair, put on the package's path."""
    (tmp_path / "open_files.py").write_text(MODULE)
    (tmp_path / "open_files.awk").write_text(AWK)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    sys.modules.pop(f"{package.__name__}.open_files", None)


def test_the_kinds_of_this_version() -> None:
    collected = [kind for kind in catalog.kinds() if catalog.is_collected(kind)]
    assert collected == [
        "address_ends",
        "address_spaces",
        "core_setup",
        "file_descriptors",
        "host",
        "kernel_limits",
        "kernel_tables",
        "locked_memory",
        "meminfo",
        "memory_cgroups",
        "memory_events",
        "pid_namespaces",
        "pids_cgroups",
        "proc_table",
        "process_groups",
        "queued_signals",
        "rlimits",
        "sockets",
        "sysctl",
        "tasks_by_uid",
    ]
    assert [kind for kind in catalog.kinds() if kind not in collected] == [
        "crashed_units",
        "crashes",
        "early_kills",
        "fd_counts",
        "inotify_use",
        "kernel_log",
        "process_limits",
        "settings_files",
        "unit_settings",
    ]
    assert set(catalog.facts_types()) == set(catalog.kinds())
    for kind in collected:
        assert f"function {kind}_" in catalog.awk_of(kind), "the program calls a kind by its name"


@pytest.mark.usefixtures("extra")
def test_a_pair_in_another_folder_is_a_kind() -> None:
    assert "open_files" in catalog.kinds()
    assert catalog.facts_types()["open_files"].__name__ == "OpenFiles"
    assert catalog.awk_of("open_files") == AWK


def test_the_stamp_changes_with_the_vocabulary(request: pytest.FixtureRequest) -> None:
    before = catalog.stamp()
    assert catalog.stamp() == before
    request.getfixturevalue("extra")
    assert catalog.stamp() != before


def test_an_unknown_kind_is_told_the_nearest() -> None:
    for kind in ("pids_cgroup", "records", "../host", ""):
        with pytest.raises(RunbookError, match="unknown kind of probe"):
            catalog.load(kind)
        with pytest.raises(RunbookError, match="no kind that the collector reads"):
            catalog.awk_of(kind)
    with pytest.raises(RunbookError, match="did you mean 'pids_cgroups'"):
        catalog.load("pids_cgroup")
