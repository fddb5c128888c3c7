"""`triagebook host install` of many hosts: one that answers and lacks something, some that do not answer, a table, another try."""

from pathlib import Path

import pytest
from triagebook.bot.cli.host_install import InstallResult, render_results
from triagebook.tools.own_file import HOSTS_LEFT

from tests import sshd
from tests.command import Run, Triagebook
from tests.unit.cli.test_first_contact import key_pair


def install(triagebook: Triagebook, folder: Path, box: sshd.Server, *hosts: str) -> Run:
    """Prepare the box and hosts whose port nobody listens on, by an ssh_config of this test."""
    for name in ("orders", "fix", "diagnose"):
        if not (folder / f"{name}.pub").exists():
            key_pair(folder, name)
    closed = "Host shut1 shut2\n  HostName 127.0.0.1\n  Port 1\n"
    config = folder / "ssh_config"
    config.write_text(closed + box.config.read_text())
    asked = ("--keys", str(folder), "-F", str(config), "--retry-file", str(folder / "left.txt"))
    return triagebook("host", "install", *hosts, *asked)


def test_of_many_hosts_those_that_are_not_prepared_are_grouped_by_the_reason_and_kept(
    triagebook: Triagebook, box: sshd.Server, tmp_path: Path
) -> None:
    done = install(triagebook, tmp_path, box, "shut1", "box", "shut2")
    assert done.status == 4, done
    groups = [line for line in done.out.splitlines() if line.startswith("NOT PREPARED")]
    assert [line.split(":")[0] for line in groups] == ["NOT PREPARED  2 hosts", "NOT PREPARED  1 host"], done.out
    assert "shut1, shut2" in done.out
    assert "refused" in groups[0]
    assert "lacks: root (this session is not root and has no sudo)" in groups[1]
    assert "0 of 3 hosts are prepared." in done.out
    assert f"    triagebook host install --hosts-from {tmp_path / 'left.txt'}\n" in done.out
    assert (tmp_path / "left.txt").read_text() == f"{HOSTS_LEFT}shut1\nbox\nshut2\n"
    assert {line.split()[0] for line in done.err.splitlines()} >= {"1/3", "2/3", "3/3"}, done.err
    (tmp_path / "left.txt").write_text(f"{HOSTS_LEFT}shut2\n")
    again = install(triagebook, tmp_path, box, "--hosts-from", str(tmp_path / "left.txt"))
    assert (again.status, "0 of 1 hosts are prepared." in again.out) == (4, True), again
    assert (tmp_path / "left.txt").read_text() == f"{HOSTS_LEFT}shut2\n"


@pytest.mark.parametrize("retry_file", ["", "left.txt"])
def test_the_table_says_failures_first_then_what_was_prepared_and_what_to_type(retry_file: str) -> None:
    good = [InstallResult(f"web{number:02}", target="a" * 32) for number in range(14)]
    unbound = InstallResult("db01", target="b" * 32, bound="not bound: no server here")
    failed = [InstallResult(name, failure=f"{name}: connection refused") for name in ("app1", "app2")]
    said = render_results([*good, InstallResult("new"), *failed, unbound], retry_file)
    lines = said.splitlines()
    assert lines[0] == "NOT PREPARED  2 hosts: HOST: connection refused"
    assert lines[1].split() == ["app1,", "app2"]
    assert lines[2] == "NOT PREPARED  1 host: was not begun"
    assert lines[4].startswith("prepared      15 hosts: web00, web01, ")
    assert lines[4].endswith(" web11 and 3 more")
    assert lines[5] == "not bound     1 host: the approval server binds them at their first use"
    assert lines[6] == "15 of 18 hosts are prepared."
    assert ("--hosts-from left.txt" in said, "--retry-file FILE" in said) == (bool(retry_file), not retry_file)
