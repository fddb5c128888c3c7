"""A running guest: resumed from its snapshot, broken by a scenario, asked for its symptom, mended or thrown away."""

import subprocess
import time
from pathlib import Path

from tests.lab import cache, qemu
from tests.lab.agent import Agent
from tests.lab.errors import LabError, NotProven
from tests.lab.proofs import PROGRAMS, Symptom
from tests.lab.releases import RELEASES, Release
from tests.lab.scenario import Context
from tests.lab.scenarios import SCENARIOS
from tests.lab.state import State
from tests.lab.steps import BASELINE, restore_order

PROOF_SECONDS = 180
CLEAR_SECONDS = 120


class Machine:
    """One running guest. `lifecycle.up` makes it, `lifecycle.attach` finds it again from another process."""

    def __init__(self, name: str, state: State) -> None:
        self.name = name
        self.state = state
        self.directory = cache.run_directory(name)
        self.agent = Agent(Path(state.sockets) / "agent")

    @property
    def release(self) -> Release:
        """What it runs."""
        return RELEASES[self.state.release]

    @property
    def ssh_config(self) -> Path:
        """An ssh_config with the hosts `lab-NAME` (diag), `lab-NAME-root`, `lab-NAME-appuser`, `lab-NAME-acme`."""
        return self.directory / "ssh_config"

    def alias(self, user: str = "diag") -> str:
        """The host of `ssh_config` that logs in as `user`."""
        return f"lab-{self.name}{'' if user == 'diag' else '-' + user}"

    def ssh(self, user: str, command: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command by a new login with the ssh of this machine. Exit status 255: refused; -1: no end in time."""
        argv = ("ssh", "-F", str(self.ssh_config), "-o", f"ConnectTimeout={timeout_s:.0f}", self.alias(user), command)
        try:
            return subprocess.run(
                argv,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                stdin=subprocess.DEVNULL,
                check=False,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(argv, -1, "", f"no end after {timeout_s:.0f} s")

    def inject(self, scenario_id: str) -> Context:
        """Break the guest as the scenario says, and wait until its first proof holds.

        Raises:
            LabError: no such scenario, or the guest has one already.
            NotProven: the fault does not show.
        """
        if scenario_id not in SCENARIOS:
            raise LabError(f"lab: no scenario {scenario_id!r}; there are {', '.join(SCENARIOS)}")
        if self.state.scenario:
            raise LabError(f"lab: {self.name} has {self.state.scenario}: clear it first")
        self.state.sysctls = {name: self.agent.do("read", path).strip() for name, path in BASELINE.items()}
        self.state.scenario = scenario_id
        self.state.write(self.directory)
        scenario = SCENARIOS[scenario_id]
        for step in scenario.steps:
            step.inject(self)
        self._prove_from(0, 1)
        return self.context()

    def context(self) -> Context:
        """The scenario that is in the guest, and where its faulty program is now."""
        scenario = SCENARIOS[self.state.scenario]
        pids = self.agent.pids(f"{PROGRAMS}/{scenario.program}") if scenario.program else ()
        if not pids:
            return Context(self.state.scenario, scenario, None, "")
        return Context(self.state.scenario, scenario, pids[0], self._cgroup_of(pids[0]))

    def prove(self) -> tuple[Symptom, ...]:
        """Try every failing call that the scenario promises; the first is its symptom.

        Raises:
            NotProven: one of them came out otherwise; the message lists all.
        """
        return self._prove_from(0, None)

    def _prove_from(self, first: int, last: int | None) -> tuple[Symptom, ...]:
        end = time.monotonic() + PROOF_SECONDS
        symptoms: list[Symptom] = []
        for proof in SCENARIOS[self.state.scenario].proofs[first:last]:
            symptom = proof.prove(self)
            while not symptom.is_as_expected and time.monotonic() < end:
                time.sleep(0.5)
                symptom = proof.prove(self)
            symptoms.append(symptom)
        if not all(symptom.is_as_expected for symptom in symptoms):
            listed = "\n".join(f"  {'as' if symptom.is_as_expected else 'NOT AS'} expected: {symptom}" for symptom in symptoms)
            raise NotProven(f"lab: {self.name}: {self.state.scenario}: not as promised:\n{listed}")
        return tuple(symptoms)

    def clear(self) -> None:
        """Take the fault out: first what needs no new process in the guest, then the rest; wait until logins work.

        `lifecycle.reset` is the other way: it resumes the snapshot anew.
        """
        if not self.state.scenario:
            return
        for name in restore_order(self.state.sysctls):
            self.agent.do("write", BASELINE[name], self.state.sysctls[name])
        qemu.wait_until(lambda: not self.agent.do("slay", PROGRAMS), CLEAR_SECONDS, "a faulty program does not end")
        for step in reversed(SCENARIOS[self.state.scenario].steps):
            step.undo(self)
        for name in self.agent.do("list", "/run/lab").split():
            self.agent.ask("unlink", f"/run/lab/{name}")
        qemu.wait_until(lambda: qemu.has_banner(self.state.port), CLEAR_SECONDS, "sshd does not answer")
        self.state.scenario = ""
        self.state.write(self.directory)

    def cgroup(self, program: str) -> str:
        """The pids cgroup of a faulty program, as a path below the controller's root."""
        pids = self.agent.pids(f"{PROGRAMS}/{program}")
        if not pids:
            raise LabError(f"lab: {self.name}: {program} does not run")
        return self._cgroup_of(pids[0])

    def cgroup_directory(self, path: str) -> str:
        """Where the files of a pids cgroup are in the guest."""
        return self.release.pids_root + path

    def _cgroup_of(self, pid: int) -> str:
        for line in self.agent.do("read", f"/proc/{pid}/cgroup").splitlines():
            _number, controllers, path = line.split(":", 2)
            if controllers == "" if self.release.cgroup_version == 2 else "pids" in controllers.split(","):
                return path
        raise LabError(f"lab: process {pid} is in no pids cgroup")
