"""The kinds that only a comparison of hosts asks for: files' digests, and LimitNPROC of all services."""

import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.probes import process_limits, settings_files
from triagebook.runbooks.probes.process_limits import ProcessLimits, ServiceLimit
from triagebook.runbooks.probes.settings_files import HostSettings, SettingsFile

DIGEST = "0adf64deecea" + "0" * 52


def _run(shell: str) -> HostSettings | Unreadable:
    _sh, *rest = settings_files.command("host")
    done = subprocess.run([*shell.split(), *rest], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return settings_files.parse(done.stdout)


@pytest.mark.parametrize("shell", ["/bin/sh", "bash", "busybox sh"])
def test_the_files_of_this_machine_are_digested(shell: str) -> None:
    facts = _run(shell)
    assert isinstance(facts, HostSettings)
    folders = (Path(folder) for folder in ("/etc/security/limits.d", "/etc/sysctl.d", "/usr/lib/sysctl.d"))
    here = [Path("/etc/sysctl.conf"), Path("/etc/security/limits.conf"), *(file for one in folders for file in one.glob("*.conf"))]
    expected = {str(file): hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in here if file.exists()}
    found = {item.path: item.digest for item in facts.files.items}
    assert expected.items() <= found.items()
    assert facts.files.partial == ""
    mode = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if mode.exists():
        assert f"[{facts.transparent_hugepage}]" in mode.read_text()


def test_nothing_forks_for_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", trace, "-e", "trace=clone,clone3,fork,vfork", *settings_files.command("host")]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert not re.findall(r"\b(clone3?|v?fork)\(", trace.read_text())


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be somebody else")
def test_a_folder_that_others_may_not_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (closed := Path(folder) / "closed").mkdir(mode=0o700)
        (secret := Path(folder) / "secret.conf").touch(mode=0o600)
        *shell, script = settings_files.command("host")
        script = script.replace("/etc/security/limits.d", str(closed)).replace("/etc/sysctl.conf", str(secret))
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *shell, script]
        facts = settings_files.parse(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    assert isinstance(facts, HostSettings)
    assert facts.files.partial == f"{closed} cannot be read; {secret} cannot be read"


def test_a_folder_that_cannot_be_read_makes_the_files_partial() -> None:
    facts = settings_files.parse(f"dmesg_restrict 1\ndenied /etc/security/limits.d\nfiles 2\n{DIGEST}  /etc/sysctl.conf\n")
    assert facts == HostSettings(
        Collection(
            (SettingsFile("/etc/sysctl.conf", "0adf64deecea"),), "/etc/security/limits.d cannot be read; 1 files have no digest"
        ),
        dmesg_restrict="1",
        transparent_hugepage=Unreadable("could not be read"),
    )


def test_an_answer_without_its_count_is_no_fact() -> None:
    assert settings_files.parse("dmesg_restrict 1\n") == Unreadable("the answer was cut")


def test_services_with_another_limit_than_most_are_told() -> None:
    blocks = [f"Id=s{number}.service\nLoadState=loaded\nLimitNPROC=15432\n" for number in range(3)]
    blocks.append("LimitNPROC=18446744073709551615\nId=db.service\nLoadState=loaded\n")
    blocks.append("LimitNPROC=7\nId=gone.service\nLoadState=not-found\n")
    facts = process_limits.parse("\n".join(blocks))
    assert facts == ProcessLimits(Collection((ServiceLimit("db.service", "infinity"),), counted=3), "15432")


@pytest.mark.parametrize("module", [settings_files, process_limits])
@given(stdout=st.text(max_size=200))
def test_what_a_host_prints_is_a_fact_or_unreadable(module: object, stdout: str) -> None:
    module.parse(stdout)  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", [settings_files, process_limits])
def test_another_subject_is_refused(module: object) -> None:
    with pytest.raises(ValueError, match="not a subject"):
        module.command("$(reboot)")  # type: ignore[attr-defined]
