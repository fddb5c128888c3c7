"""An approval server for a lab guest: host install by the command line, and the server's own parts in this process."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from triagebook.bot.cli.serve import hosts_of, parts
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.collector import collect
from triagebook.tools.collector.collect import SampleTimeouts
from triagebook.tools.execute import helper_link
from triagebook.tools.files import private_directory
from triagebook.tools.fixes.approval_server import SILENT, ApprovalServer
from triagebook.tools.fixes.freshness import UNKNOWN
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.fixes.views import FixView
from triagebook.tools.host_setup import layout
from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.server.keys import open_keys
from triagebook.tools.server.options import KEYS, ServeOptions
from triagebook.tools.server.run import open_server
from triagebook.tools.ssh import transport
from triagebook.tools.store.database import Step
from triagebook.tools.transport.base import Timeouts

from tests.lab import fix_table, keys, programs, qemu
from tests.lab.judgement import LOGIN_ATTEMPTS
from tests.lab.machines import Machine
from tests.lab.scenario import Context

ASKS, DECIDES = Actor(Account("os", "", "ann"), "cli"), Actor(Account("os", "", "bob"), "cli")
POLICY = """\
apiVersion: triagebook/policy/v1
persons:
  ann: {accounts: [{os: ann}]}
  bob: {accounts: [{os: bob}]}
groups: {sre: [ann, bob]}
rules:
  - {name: all, allow: [diagnose, propose, apply, read_audit], who: ["group:sre"]}
approvals:
  - {name: one, needs: [{from: ["group:sre"]}], expires_in: 15m}
"""
LOGIN_S = 60  # sshd was told to reload; beside other work a guest's banner may take seconds
PHASES = dict.fromkeys(("connect_s", "banner_s", "kex_s", "auth_s", "exec_s"), 60.0)
LIVE = (
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/overcommit_ratio",
    "/proc/sys/vm/overcommit_kbytes",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/swaps",
)
FILES = (
    "find /etc/systemd/system /run/systemd/system.control /etc/sysctl.d /etc/security/limits.d /etc/fstab -type f"
    " -exec sha256sum {} + 2>/dev/null | sort; ls -l /triagebook.swap;"
    " find /etc/systemd/system /run/systemd -maxdepth 2 -type d -path '*.d' | sort"
)


@dataclass
class Fixing:
    """Two persons, a service, and a guest."""

    machine: Machine
    service: FixService
    trust: ApprovalServer
    host: str
    options: ServeOptions
    fix_ssh_config: Path
    install: tuple[str, ...]  # keys, as `host install` takes them
    config: Path  # by which the host is diagnosed

    def diagnose_as(self, user: str) -> None:
        """Have the server log in as this account from now on, by the one name that a machine may have."""
        log_in_as(user, self.machine, self.config)

    def proposed(
        self, remediation: str, culprit: str = "", runbook: str = "enomem", symptom: str = "", **parameters: int | str
    ) -> FixView:
        inputs = {"symptom": symptom} if symptom else {}
        proposal = Proposal(self.host, remediation, runbook=runbook, inputs=inputs, parameters=parameters, culprit=culprit)
        return patiently(lambda: self.service.propose(ASKS, proposal))

    def made_permanent(self, fix: str) -> FixView:
        """The plan that makes a live fix permanent."""
        return patiently(lambda: self.service.persist(ASKS, fix))

    def undone(self, fix: str) -> FixView:
        """The plan that puts back what a fix has changed."""
        return patiently(lambda: self.service.revert(ASKS, fix, "trial"))

    def diagnose(self) -> Diagnosis:
        """A diagnosis as the server makes it: a new connection."""
        return self.trust.diagnoser.diagnose(self.host, "enomem", {})

    def applied(self, fix: FixView) -> tuple[FixView, float]:
        """Approved by the other person, then applied; with the seconds from approval to the end."""
        self.service.approve(DECIDES, fix.id, fix.digest)
        started = time.monotonic()
        return patiently(lambda: self.service.apply(ASKS, fix.id)), time.monotonic() - started

    def state(self, context: Context) -> dict[str, str]:
        """Everything a fix here could change: files by their hash, live values as the kernel has them."""
        found = {path: self.machine.agent.do("read", path).strip() for path in LIVE}
        found["pids.max"] = self.machine.agent.ask("read", f"{self.machine.cgroup_directory(context.cgroup)}/pids.max").text
        found["limits"] = self.machine.agent.ask("read", f"/proc/{context.pid}/limits").text
        found["files"] = self.machine.agent.check("sh", "-c", FILES)
        return found

    def row(self, trial: fix_table.Trial, step: fix_table.Step, done: FixView, seconds: float) -> None:
        """A line of the table of fixes, for `pytest -s`."""
        what = step.remediation + (", permanent" if step.is_persist else "")
        print(f"\n| {trial.name} | {what} | {self.machine.release.name} | {done.state} | {seconds:.1f} s | {done.outcome}")


def patiently(ask: Callable[[], FixView]) -> FixView:
    """Ask again while the host lets nobody in: near a ceiling, or where the emulator gets little of a processor.

    Such an answer leaves everything as it is: no plan, or an approval that still holds.
    """
    for _ in range(LOGIN_ATTEMPTS - 1):
        try:
            return ask()
        except TriagebookError as error:
            if error.reason not in {"plan", "not_prepared", UNKNOWN}:
                raise
            time.sleep(2)
    return ask()


def triagebook(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command line."""
    command = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def log_in_as(user: str, machine: Machine, config: Path) -> None:
    """Write the ssh_config of a server that logs in to the guest as this account."""
    config.write_text(machine.ssh_config.read_text().replace("User diag\n", f"User {user}\n"))


@dataclass(frozen=True)
class Installed:
    """A guest prepared for a server: its data, how it is diagnosed and its helper reached, and what `host install` was told."""

    data: Path
    config: Path
    fix_config: Path
    install: tuple[str, ...]


def install(machine: Machine, folder: Path, fix_port: int = 0, *, is_hardened: bool = False) -> Installed:
    """`host install` for a server whose data will be in `folder`; its helper is reached by another port if one is given.

    `is_hardened`: with the collector, and diagnosed by the account that may run nothing else.
    """
    data = folder / "data"
    private_directory(data)
    signer = folder / "orders.pub"
    signer.write_text(programs.run(("ssh-keygen", "-y", "-f", str(open_keys(data / KEYS).orders_path))))
    key = folder / "fixer"
    if not key.exists():
        programs.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)))
    config = folder / "fix_ssh_config"
    text = machine.ssh_config.read_text()
    port = fix_port or machine.state.port
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {keys.public(keys.host_key())}\n")
    for old, new in (
        (keys.client_key(), key),
        (machine.directory / "known_hosts", known_hosts),
        (f"Port {machine.state.port}", f"Port {port}"),
    ):
        text = text.replace(str(old), str(new))
    config.write_text(text)
    public = keys.client_key().with_suffix(".pub")
    told: tuple[str, ...] = ("--signer", str(signer), "--fix-key", f"{key}.pub", "--diagnose-key", str(public))
    diagnose_config = folder / "diagnose_ssh_config"
    if is_hardened:
        told = (*told, "--collector")
    log_in_as(layout.DIAGNOSER if is_hardened else "diag", machine, diagnose_config)
    done = triagebook("host", "install", machine.alias("root"), "-F", str(machine.ssh_config), *told)
    assert done.returncode == 0, done.stdout + done.stderr
    qemu.wait_until(lambda: not machine.ssh("root", "true", LOGIN_S).returncode, 3 * LOGIN_S, f"{machine.name}: no login")
    return Installed(data, diagnose_config, config, told)


@contextmanager
def time_for_logins() -> Iterator[None]:
    """Give a login and a sample the time that an emulated processor takes beside other work; a real host's is seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "Timeouts", partial(Timeouts, total_s=300, **PHASES))
        patch.setattr(collect, "sample_timeouts_for", lambda _silent_s: SampleTimeouts(120, 120, 30))
        patch.setattr(helper_link, "TIMEOUTS", replace(helper_link.TIMEOUTS, **PHASES))
        yield


@contextmanager
def prepared(
    machine: Machine, folder: Path, *, fix_port: int = 0, is_hardened: bool = False, lease_s: float = 60, step: Step = SILENT
) -> Iterator[Fixing]:
    """The guest prepared by `host install`, and a server's parts that reach it."""
    installed = install(machine, folder, fix_port, is_hardened=is_hardened)
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    options = ServeOptions(data=installed.data, socket=folder / "socket", policy=policy, lease_s=lease_s)
    inventory = folder / "inventory.yaml"
    inventory.write_text(f"hosts: [{machine.alias()}]\n")
    with ExitStack() as stack:
        stack.enter_context(time_for_logins())
        built = replace(parts(hosts_of(installed.config, inventory), installed.fix_config, layout.FIXER), step=step)
        place = stack.enter_context(open_server(options, built))
        yield Fixing(
            machine,
            place.service,
            place.approval_server,
            machine.alias(),
            options,
            installed.fix_config,
            installed.install,
            installed.config,
        )
