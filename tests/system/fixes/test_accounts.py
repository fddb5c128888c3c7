"""Two real OS accounts on one machine, and a third that the server has to itself. Needs root, to make them."""

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hang import GUARD_S

ROOT = Path(__file__).parents[3]
CASE = "replay:nested-equal-limits"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes OS accounts: needs root"),
    pytest.mark.skipif(not shutil.which("useradd"), reason="makes OS accounts: needs useradd"),
]
POLICY = """\
apiVersion: triagebook/policy/v1
persons:
  ann: {{accounts: [{{os: {ann}}}]}}
  bob: {{accounts: [{{os: {bob}}}]}}
groups: {{sre: [ann, bob]}}
rules:
  - {{name: all, allow: [diagnose, propose, apply, read_audit], who: ["group:sre"]}}
approvals:
  - {{name: one, needs: [{{from: ["group:sre"]}}], expires_in: 15m}}
"""


@dataclass(frozen=True)
class Machine:
    """Three accounts, a server running as one of them, and a way to run the command line as any."""

    directory: Path
    python: str
    accounts: dict[str, str]

    def run(self, who: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        entry = pwd.getpwnam(self.accounts[who])
        return subprocess.run(
            (self.python, str(self.directory / "cli_main.py"), *arguments),
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
            env={**self.environment(who), **variables},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=GUARD_S,
            check=False,
        )

    def json(self, who: str, *arguments: str) -> dict[str, object]:
        run = self.run(who, *arguments, "--json")
        assert run.returncode == 0, run.stderr
        found: dict[str, object] = json.loads(run.stdout)
        return found

    def environment(self, who: str) -> dict[str, str]:
        path = f"{self.directory / 'lib'}:{_site_packages()}"
        name = self.accounts[who]
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
        return base | {"USER": name, "LOGNAME": name, "TRIAGEBOOK_SOCKET": str(self.directory / "run" / "triagebook.sock")}


def _site_packages() -> str:
    return next(entry for entry in sys.path if entry.endswith("site-packages"))


def _python() -> str:
    """An interpreter of this version that other accounts may run, with our libraries; '' where there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        argv = (candidate, "-c", "import sqlalchemy, cryptography, typer")
        nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
        with contextlib.suppress(OSError):  # not there, or not for others
            run = subprocess.run(argv, env={"PYTHONPATH": _site_packages()}, capture_output=True, check=False, **nobody)
            if run.returncode == 0:
                return candidate
    return ""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    python = _python()
    if not python:
        pytest.skip("no interpreter with our libraries that another account may run")
    directory = Path(tempfile.mkdtemp(prefix="triagebook-accounts-"))
    suffix = secrets.token_hex(3)
    accounts = {role: f"tg{role}{suffix}" for role in ("ann", "bob", "eve", "serve")}
    server: subprocess.Popen[str] | None = None
    try:
        for name in accounts.values():
            subprocess.run(("useradd", "--no-create-home", "--shell", "/bin/sh", name), check=True, capture_output=True)
        made = Machine(directory, python, accounts)
        server = _served(made)
        yield made
    finally:
        if server is not None:
            server.send_signal(signal.SIGTERM)
            assert server.wait(GUARD_S) == 0
            server.stderr.close()  # type: ignore[union-attr]
        for name in accounts.values():
            subprocess.run(("userdel", name), check=False, capture_output=True)
        shutil.rmtree(directory)


def _served(machine: Machine) -> "subprocess.Popen[str]":
    directory = machine.directory
    directory.chmod(0o755)
    for part in ("bot", "tools", "runbooks"):
        shutil.copytree(ROOT / part, directory / "lib" / "triagebook" / part, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run((machine.python, "-m", "compileall", "-q", str(directory / "lib")), check=True)  # other accounts cannot keep it
    shutil.copy(Path(__file__).with_name("cli_main.py"), directory)
    entry = pwd.getpwnam(machine.accounts["serve"])
    for name in ("run", "data"):
        (directory / name).mkdir(mode=0o755 if name == "run" else 0o700)
        os.chown(directory / name, entry.pw_uid, entry.pw_gid)
    (directory / "policy.yaml").write_text(POLICY.format(**machine.accounts))
    (directory / "policy.yaml").chmod(0o644)
    options = ("--data", str(directory / "data"), "--socket", str(directory / "run" / "triagebook.sock"), "--socket-mode", "0666")
    server = subprocess.Popen(
        (machine.python, str(directory / "cli_main.py"), "serve", *options, "--policy", str(directory / "policy.yaml")),
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        env=machine.environment("serve"),
        cwd="/",
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    said: list[str] = []
    while "server.ready" not in (line := server.stderr.readline()):
        said.append(line)
        assert line, said  # it ended
    return server


@pytest.fixture
def proposed(machine: Machine) -> dict[str, object]:
    """ann proposes from a recorded case; the server diagnoses it itself."""
    return machine.json("ann", "fix", "propose", CASE, "raise_tasks_max", "--culprit", "/acme.slice", "--param", "limit=48")


def test_one_account_proposes_from_a_recorded_case_and_another_approves(machine: Machine, proposed: dict[str, object]) -> None:
    fix, digest = str(proposed["id"]), str(proposed["digest"])
    shown = machine.run("bob", "fix", "show", fix).stdout
    assert "change      TasksMax (pids.max) of acme.slice: 24 -> 48" in shown
    assert "command     systemctl set-property --runtime acme.slice TasksMax=48" in shown
    assert f"digest      {digest}" in shown
    assert machine.json("bob", "fix", "approve", fix, "--digest", digest)["state"] == "approved"
    rows = machine.run("bob", "audit", "list", "--fix", fix).stdout
    assert f"os:{machine.accounts['ann']}" in rows
    assert f"os:{machine.accounts['bob']}" in rows


@pytest.mark.parametrize(
    "variables", [("USER",), ("LOGNAME",), ("SUDO_USER",), ("USER", "LOGNAME", "SUDO_USER", "SUDO_UID", "SUDO_GID", "MAIL")]
)
def test_the_one_who_asked_is_refused_whatever_the_environment_says(
    machine: Machine, proposed: dict[str, object], variables: tuple[str, ...]
) -> None:
    bob = machine.accounts["bob"]
    uid = str(pwd.getpwnam(bob).pw_uid)
    forged = {name: uid if name.endswith("ID") else bob for name in variables}
    run = machine.run("ann", "fix", "approve", str(proposed["id"]), "--digest", str(proposed["digest"]), **forged)
    assert run.returncode == 5
    assert run.stderr.startswith("triagebook: self_approval: ")
    assert machine.json("bob", "fix", "show", str(proposed["id"]))["state"] == "proposed"


@pytest.mark.parametrize("trick", [("--as", "bob"), ("--user", "bob"), ("--account", "os:bob")])
def test_no_argument_says_who_asks(machine: Machine, proposed: dict[str, object], trick: tuple[str, ...]) -> None:
    run = machine.run("ann", "fix", "approve", str(proposed["id"]), "--digest", str(proposed["digest"]), *trick)
    assert run.returncode == 2
    assert "No such option" in run.stderr


def test_breaking_the_glass_without_a_rule_is_refused(machine: Machine, proposed: dict[str, object]) -> None:
    arguments = ("--digest", str(proposed["digest"]), "--break-glass", "pager")
    run = machine.run("ann", "fix", "approve", str(proposed["id"]), *arguments)
    assert run.stderr.startswith("triagebook: no_break_glass: ")


def test_an_account_without_a_person_sees_and_decides_nothing(machine: Machine, proposed: dict[str, object]) -> None:
    run = machine.run("eve", "fix", "approve", str(proposed["id"]), "--digest", str(proposed["digest"]))
    assert run.stderr == f"triagebook: no fix {proposed['id']!r} that you may see\n"
    assert machine.run("eve", "fix", "list", "--json").stdout == "[]\n"
    assert machine.run("eve", "fix", "propose", CASE, "raise_tasks_max").stderr.startswith("triagebook: no_rule: ")
    assert machine.run("eve", "audit", "verify").stderr.startswith("triagebook: unmapped_account: ")


def test_no_other_account_reads_the_keys_or_the_database(machine: Machine) -> None:
    for who in ("ann", "bob", "eve"):
        entry = pwd.getpwnam(machine.accounts[who])
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        for name in ("data", "data/keys/orders.key", "data/keys/audit.key", "data/triagebook.db"):
            argv = ("cat", str(machine.directory / name)) if "." in name else ("ls", str(machine.directory / name))
            run = subprocess.run(argv, capture_output=True, check=False, cwd="/", **account)
            assert run.returncode != 0
            assert b"Permission denied" in run.stderr


def test_a_recorded_case_is_never_fixed(machine: Machine, proposed: dict[str, object]) -> None:
    fix = str(proposed["id"])
    machine.json("bob", "fix", "approve", fix, "--digest", str(proposed["digest"]))
    run = machine.run("ann", "fix", "apply", fix)
    assert run.stderr.startswith("triagebook: replay: ")
    assert "systemctl set-property --runtime acme.slice TasksMax=48" in run.stderr


def test_the_refusals_are_in_the_log_with_the_true_account_and_the_log_holds(machine: Machine, proposed: dict[str, object]) -> None:
    run = machine.run("ann", "fix", "approve", str(proposed["id"]), "--digest", str(proposed["digest"]))
    assert run.returncode == 5
    found = machine.run("bob", "audit", "list", "--limit", "1000", "--json").stdout
    refused = {(row["reason"], row["account"]) for row in json.loads(found) if row["outcome"] == "refused"}
    assert ("self_approval", f"os:{machine.accounts['ann']}") in refused
    assert machine.run("bob", "audit", "verify").stdout.startswith("The audit log is intact: ")
    assert machine.run("bob", "policy", "check", "--action", "approve", "--host", CASE, "--risk", "low").returncode == 0
