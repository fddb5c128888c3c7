"""Many hosts at once: which of those named, one table worst first, and what Ctrl-C leaves."""

import io
from pathlib import Path

import pytest
from triagebook.bot.cli.diagnose import run
from triagebook.bot.cli.diagnose_many import choose, names_in
from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.target import parse_target

CASES = ("replay:healthy", "replay:unit-tasksmax", "replay:pids-near")
HOSTS = [parse_target(name) for name in ("web1", "web2", "db1", "db2")]


@pytest.mark.parametrize(
    ("only", "exclude", "left"),
    [
        ((), (), ["web1", "web2", "db1", "db2"]),
        (("web*",), (), ["web1", "web2"]),
        ((), ("web*", "db2"), ["db1"]),
        (("*1",), ("db*",), ["web1"]),
    ],
)
def test_patterns_choose_among_the_hosts_named(only: tuple[str, ...], exclude: tuple[str, ...], left: list[str]) -> None:
    assert [target.text for target in choose(HOSTS, only, exclude)] == left


@pytest.mark.parametrize(
    ("only", "exclude", "why"),
    [
        (("wep1",), (), r"--limit 'wep1' matches none of the 4 hosts \(did you mean 'web1'\?\)"),
        ((), ("mail*",), r"--exclude 'mail\*' matches none of the 4 hosts"),
        (("web*",), ("web*",), "leave none of the 4 hosts"),
    ],
)
def test_a_pattern_that_matches_nothing_is_a_mistake_and_said(only: tuple[str, ...], exclude: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        choose(HOSTS, only, exclude)


def test_a_file_names_a_host_a_line(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("web1\n\n  db1  # the large one\n# none\n")
    assert names_in(str(file)) == ("web1", "db1")
    file.write_text("# none\n")
    with pytest.raises(UsageError, match="it names no host; write one a line"):
        names_in(str(file))
    with pytest.raises(UsageError, match=r"--hosts-from .*missing: No such file"):
        names_in(str(tmp_path / "missing"))


def test_the_hosts_without_an_answer_are_written_to_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    left = tmp_path / "left.txt"
    out = io.StringIO()
    names = ("replay:healthy", "replay:nosuch", "replay:unit-tasksmax")
    assert run(DiagnoseOptions(names, retry_file=str(left)), out, io.StringIO()) == 4
    assert names_in(str(left)) == ("replay:nosuch",)
    assert f"    triagebook diagnose --hosts-from {left}\n" in out.getvalue()


class _Interrupted(io.StringIO):
    """A terminal on which the person presses Ctrl-C when two hosts have answered."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text.startswith("2/"):
            raise KeyboardInterrupt
        return super().write(text)


def test_ctrl_c_prints_the_table_of_the_hosts_that_answered_and_keeps_the_others_for_another_try(tmp_path: Path) -> None:
    out = io.StringIO()
    assert run(DiagnoseOptions(CASES, retry_file=str(tmp_path / "left")), out, _Interrupted()) == 130
    assert "Stopped: 1 of 3 hosts had not answered yet." in out.getvalue()
    assert len(names_in(str(tmp_path / "left"))) == 1
    assert set(names_in(str(tmp_path / "left"))) < set(CASES)
    assert out.getvalue().startswith("HOSTS  VERDICT\n")


def test_a_failure_is_told_once() -> None:
    out, err = io.StringIO(), io.StringIO()
    run(DiagnoseOptions(("replay:healthy", "replay:nosuch")), out, err)
    assert (out.getvalue().count("no case 'nosuch'"), err.getvalue()) == (1, "")


@pytest.mark.parametrize("more", [(), ("replay:healthy",)])
def test_a_name_without_an_address_is_answered_with_the_nearest_of_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "triagebook").mkdir()
    text = "hosts: [web01.invalid, db.invalid]\ngroups:\n  web: [web01.invalid, wep01.invalid]\n"
    (tmp_path / "triagebook" / "inventory.yaml").write_text(text)
    err = io.StringIO()
    run(DiagnoseOptions(("root@web0l.invalid", *more), runbook="enomem"), io.StringIO(), err)
    says = "root@web0l.invalid has no address, and the inventory does not have it (did you mean 'root@web01.invalid'?)"
    assert f"triagebook: {says}\n" in err.getvalue()
    err = io.StringIO()
    run(DiagnoseOptions(("wep01.invalid", *more), runbook="enomem"), io.StringIO(), err)
    assert "wep01.invalid has no address (did you mean 'web01.invalid'?)" in err.getvalue()
    assert "group 'web' names 'wep01.invalid', which `hosts` does not (did you mean 'web01.invalid'?)" in err.getvalue()
