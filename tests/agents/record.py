"""Records the texts: each fault in a fresh guest, with innocents beside it, asked by every group as the same plain user."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import lab
from tests.agents import texts
from tests.agents.faults import FAULTS, MAKE_INNOCENT, PROGRAMS, Fault
from tests.agents.policies import SERVERS, SHELL
from tests.agents.texts import Call, Group, Recording, Release
from tests.lab.keys import client_key
from tests.peers.peers import CACHE

HOST = "guest"
CALL_S = 30  # a call that has not answered then is given up
HERTZ = 100  # of /proc/stat, everywhere (USER_HZ)
PEER = CACHE / "lms" / "bin"
OURS = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "mcp")


def record(release: str, names: Sequence[str]) -> None:
    """Record these faults; what is recorded of others stays."""
    machine = lab.up(release, "agents")
    try:
        for number, name in enumerate(names):
            began = time.monotonic()
            try:
                machine = lab.reset(machine) if number else machine
                found, tools = recorded(machine, name, FAULTS[name])
            except (lab.LabError, AssertionError, subprocess.SubprocessError) as error:
                print(f"{release} {name}: NOT recorded: {str(error)[-600:]}", flush=True)
                continue
            known = texts.read(release)
            texts.write(release, Release({**known.faults, name: found}, {**known.tools, **tools}))
            print(f"{release} {name}: {time.monotonic() - began:.0f} s", flush=True)
    finally:
        lab.down(machine.name)


def recorded(machine: lab.Machine, name: str, fault: Fault) -> tuple[Recording, Mapping[str, list[object]]]:
    """Make the innocents and the fault, then ask."""
    machine.agent.check("sh", "-c", MAKE_INNOCENT)
    told = dict(fault.told)
    if fault.commands:
        machine.agent.check("sh", "-c", PROGRAMS + fault.commands + "sleep 5")
        told["pid"] = machine.agent.check("systemctl", "show", "-p", "MainPID", "--value", told["unit"]).strip()
    else:
        context = machine.inject(name)
        told["pid"] = str(context.pid or "")
    with TemporaryDirectory() as folder:
        asking = Asking(machine, Path(folder), told, fault.symptom)
        groups = {group: asking.by_shell(commands) for group, commands in SHELL.items()}
        groups |= {group: asking.by_server(group, calls) for group, calls in SERVERS.items()}
    meminfo = machine.agent.do("read", "/proc/meminfo")
    seen = {key: int(number) for key, number in re.findall(r"^(CommitLimit): +(\d+)", meminfo, re.MULTILINE)}
    return Recording(told, seen, groups), asking.tools


class Asking:
    """Who asks one guest: its names in a home folder of its own, and one SSH connection for all commands of a shell."""

    def __init__(self, machine: lab.Machine, home: Path, told: Mapping[str, str], symptom: str) -> None:
        self.machine, self.home, self.told = machine, home, {**told, "symptom": symptom}
        self.tools: dict[str, list[object]] = {}
        (home / ".ssh").mkdir(mode=0o700)
        config = machine.ssh_config.read_text().split("\n\n")[0].replace(machine.alias(), HOST)
        (home / ".ssh" / "config").write_text(config)
        (home / ".ssh" / "known_hosts").write_text((machine.directory / "known_hosts").read_text())
        (home / ".config" / "triagebook").mkdir(parents=True)
        (home / ".config" / "triagebook" / "config.yaml").write_text(f"timeout: {CALL_S}\n")  # an emulated guest: as the shell's

    def by_shell(self, commands: Sequence[str]) -> Group:
        """Run each that this fault leaves to be asked: one that names a unit where there is none is not."""
        wanted = [command for command in commands if all(self.told.get(key) for key in placeholders(command))]
        ssh = ["ssh", "-F", str(self.home / ".ssh" / "config"), "-o", f"ControlPath={self.home}/c", "-o", "ControlMaster=auto"]
        ssh += ["-o", "ControlPersist=60", "-o", f"ConnectTimeout={CALL_S}", HOST]
        with self.cost() as cost:
            calls = tuple(self.command(ssh, filled(command, self.told)) for command in wanted)
        return Group(calls, *cost)

    def command(self, ssh: Sequence[str], command: str) -> Call:
        """Run one, and give what a tool for shells shows: both outputs, and the exit status where it is not 0."""
        began = time.monotonic()
        try:
            done = subprocess.run(
                (*ssh, command), capture_output=True, timeout=CALL_S, stdin=subprocess.DEVNULL, check=False, env=self.environment
            )
            said = (done.stdout + done.stderr).decode(errors="replace") + (
                f"[exit status {done.returncode}]\n" if done.returncode else ""
            )
        except subprocess.TimeoutExpired:
            said = f"[no answer in {CALL_S} s]\n"
        return Call(command, self.redacted(said), round(time.monotonic() - began, 2))

    def by_server(self, name: str, calls: Sequence[tuple[str, Mapping[str, str]]]) -> Group:
        """Start the server, list its tools, make the calls."""
        config = str(self.home / ".ssh" / "config")
        command = (str(PEER / "linux-mcp-server"),) if name == "linux-mcp-server" else (*OURS, "-F", config)
        (self.home / "inventory.yaml").write_text(f"hosts: {{{HOST}: {{}}}}\n")
        if name == "diagnose":
            command += ("--inventory", str(self.home / "inventory.yaml"))
        made = [(tool, {"host": HOST, **{key: filled(text, self.told) for key, text in more.items()}}) for tool, more in calls]
        asked = json.dumps({"command": command, "environment": self.environment, "calls": made})
        client = (str(PEER / "python"), str(Path(__file__).with_name("mcp_client.py")))
        with self.cost() as cost:
            done = subprocess.run(client, input=asked + "\n", capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-800:]
        said = json.loads(done.stdout)
        self.tools[name] = said["tools"]
        answers = zip(made, said["answers"], strict=True)
        return Group(
            tuple(
                Call(f"{tool} {json.dumps(given)}", self.redacted(answer["text"]), round(answer["seconds"], 2))
                for (tool, given), answer in answers
            ),
            *cost,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "USER": "somebody",
            "LINUX_MCP_SSH_KEY_PATH": str(client_key()),
            "LINUX_MCP_KNOWN_HOSTS_PATH": str(self.home / ".ssh" / "known_hosts"),
            "LINUX_MCP_USER": "diag",
        }

    def redacted(self, text: str) -> str:
        """Take out what is of the machine that records: ports, folders, keys."""
        text = text.replace(str(self.home), "~").replace(str(client_key()), "~/.ssh/id").replace(self.machine.alias(), HOST)
        return text.replace(str(self.machine.state.port), "22").replace(str(lab.__file__).rpartition("/tests/")[0], "~")

    @contextmanager
    def cost(self) -> Iterator[list[float]]:
        """Forks and seconds of CPU in the guest from here to there, less what a second there takes by itself."""
        found: list[float] = []
        first = self.spent()
        time.sleep(2)
        before = self.spent()
        idle = [(now - then) / (before[2] - first[2]) for now, then in zip(before[:2], first[:2], strict=True)]
        yield found
        after = self.spent()
        passed = after[2] - before[2]
        found += [
            round(max(0.0, now - then - each * passed), 2) for now, then, each in zip(after[:2], before[:2], idle, strict=True)
        ]

    def spent(self) -> tuple[float, float, float]:
        """Forks and CPU seconds since boot, and the time."""
        stat = self.machine.agent.do("read", "/proc/stat")
        user, nice, system = (int(field) for field in stat.split()[1:4])
        forks = int(stat.split("\nprocesses ")[1].split()[0])
        return forks, (user + nice + system) / HERTZ, time.monotonic()


def placeholders(command: str) -> list[str]:
    """The names that a command has gaps for."""
    return re.findall(r"\{(unit|cgroup|user|pid|symptom)\}", command)


def filled(text: str, told: Mapping[str, str]) -> str:
    """Fill the gaps."""
    for key in placeholders(text):
        text = text.replace(f"{{{key}}}", told[key])
    return text
