"""What a newcomer mistypes or gives by mistake is said in a sentence that names the thing, and nothing secret is printed."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.command import ROOT, Triagebook


@pytest.fixture
def triagebook(tmp_path: Path) -> Triagebook:
    return Triagebook(tmp_path)


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key and its public half, in files."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / name, folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" somebody\n")
    return private, public


def install(triagebook: Triagebook, signer: Path, fix: Path, diagnose: Path) -> tuple[int, str]:
    keys = ("--signer", str(signer), "--fix-key", str(fix), "--diagnose-key", str(diagnose))
    run = triagebook("host", "install", "nobody.invalid", *keys)
    return run.status, run.err


def test_a_private_key_is_refused_and_none_of_it_is_printed(triagebook: Triagebook, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, "fix")
    status, said = install(triagebook, public, private, key_pair(tmp_path, "diagnose")[1])
    assert (status, said) == (2, f"triagebook: {private}: that is the private key; give its public half, such as {private}.pub\n")


def test_one_key_for_both_accounts_is_refused(triagebook: Triagebook, tmp_path: Path) -> None:
    _private, public = key_pair(tmp_path, "fix")
    again = tmp_path / "diagnose.pub"
    again.write_text(public.read_text().replace("somebody", "another comment"))
    status, said = install(triagebook, key_pair(tmp_path, "orders")[1], public, again)
    assert status == 2
    assert f"{public} and {again} are one key" in said


@pytest.mark.parametrize(("requester", "hint"), [("nosuch", "no person 'nosuch'"), ("chriss", "did you mean 'chris'?")])
def test_a_requester_whom_the_policy_does_not_know_is_said(triagebook: Triagebook, requester: str, hint: str) -> None:
    asked = ("--action", "approve", "--host", "web01", "--account", "os:ben", "--requester", requester)
    run = triagebook("policy", "check", "--file", str(ROOT / "deploy" / "policy.yaml"), *asked)
    assert (run.status, hint in run.err) == (2, True), run.err
    assert not run.out


def test_a_case_that_is_not_recorded_is_answered_with_names_that_are(triagebook: Triagebook) -> None:
    assert "did you mean 'unit-tasksmax'?" in triagebook("diagnose", "replay:unit-taskmax").err
    assert "; enomem has address-space, address-space-near, " in triagebook("diagnose", "replay:qqqqqqqq").err
    assert "unit-tasksmax" in triagebook("runbook", "show", "enomem").out


@pytest.mark.parametrize("command", ["diagnose @empty", "watch @empty", "host drift @empty", "facts @all", "host list all"])
def test_a_group_without_hosts_is_said_with_where_hosts_are_written(triagebook: Triagebook, tmp_path: Path, command: str) -> None:
    """Nothing is watched, compared or called healthy in silence. A list of nothing is an answer; what needs a host is not done."""
    file = tmp_path / ".config" / "triagebook" / "inventory.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("groups:\n  empty: []\n")
    run = triagebook(*command.split())
    group = f"@{command.rsplit(maxsplit=1)[-1].removeprefix('@')}"
    assert (run.status, run.out) == (0 if command == "host list all" else 2, "")
    assert run.err == f"triagebook: no hosts in {group} (read from: {file}, ssh_config): add some, see docs/how-to/configure.md\n"


def test_make_help_lists_every_target_that_has_a_text() -> None:
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"diagnose", "help", "test", "lab", "bench", "pictures"} <= listed


def test_make_says_that_it_sets_up_before_what_takes_a_minute() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("$(VENV)/.run:")[2].partition("\n\n")[0].splitlines()
    assert 'echo "setting up (about a minute' in recipe[1]
    assert recipe[1].endswith(">&2")
