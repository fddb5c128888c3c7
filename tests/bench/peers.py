"""The peers: what each is called, and the argv and environment of one run of it."""

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import guide
from tests.bench.hosts import Hosts
from tests.bench.measure import Sample, environment, run

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".cache" / "bench" / "venv"
CLIENTS = Path(__file__).parent / "clients"
PROGRAM = str(Path(sys.executable).with_name("triagebook"))
DIAGNOSED = (0, 1, 3, 6)  # exit statuses that mean: the host was diagnosed

TRIAGEBOOK = "triagebook"
SSH_BATCH = "OpenSSH, one batch"
SSH_EACH = "OpenSSH, a connection per command"
PARAMIKO = "paramiko"
PARAMIKO_THREADS = "paramiko, a thread per host"
ANSIBLE_TASKS = "ansible, 17 tasks, pipelining"
SSH_MANY = "OpenSSH, a process per host"


@dataclass(frozen=True)
class Network:
    """Hosts at some distance. `enter` begins an argv that runs where they are that far away."""

    rtt_ms: int
    hosts: Hosts
    enter: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """A home folder whose ssh_config and known_hosts are those of the hosts, for clients that look nowhere else."""
        home = self.hosts.folder / f"home-{self.hosts.address}"
        if not home.exists():
            (home / ".ssh").mkdir(parents=True, mode=0o700)
            shutil.copy(self.hosts.config, home / ".ssh" / "config")
            shutil.copy(self.hosts.known_hosts, home / ".ssh" / "known_hosts")
        return home

    def peer(self, argv: Sequence[str], expected: Sequence[int] = (0,), **env: str) -> Callable[[], Sample]:
        """One run of it, as a function."""
        return lambda: run([*self.enter, *argv], environment(self.home, **env), expected=expected)

    def script(
        self, name: str, commands: Sequence[str], count: int = 1, *, own: bool = False, at_once: int = 50
    ) -> Callable[[], Sample]:
        """One of tests/bench/clients; `own`: run by our Python, which has the newest paramiko."""
        python = sys.executable if own else str(VENV / "bin" / "python")
        return self.peer([python, str(CLIENTS / f"with_{name}.py"), str(self.hosts.task(commands, count, at_once))])

    def triagebook(self, count: int = 1) -> Callable[[], Sample]:
        """Our own command line, on so many hosts."""
        return self.peer([PROGRAM, "diagnose", *self.hosts.names(count), "-F", str(self.hosts.config)], DIAGNOSED)

    @property
    def ssh(self) -> list[str]:
        return ["ssh", "-n", "-F", str(self.hosts.config)]


def single(network: Network, *, with_peers: bool = True) -> dict[str, Callable[[], Sample]]:
    """Every way to ask one host the guide's questions, cold."""
    each = "; ".join(f"{shlex.join([*network.ssh, 'bench1', command])} >/dev/null" for command in guide.COMMANDS)
    found = {
        TRIAGEBOOK: network.triagebook(),
        SSH_BATCH: network.peer([*network.ssh, "bench1", guide.BATCH]),
        SSH_EACH: network.peer(["sh", "-c", each]),
        PARAMIKO: network.script("paramiko", [guide.BATCH], own=True),
        "paramiko, 17 commands": network.script("paramiko", guide.COMMANDS, own=True),
    }
    if not with_peers:
        return found
    exec_all = ["exec", "--", "sh", "-c", shlex.quote(guide.BATCH)]
    return {
        **found,
        "asyncssh": network.script("asyncssh", [guide.BATCH]),
        "asyncssh, 17 commands": network.script("asyncssh", guide.COMMANDS),
        "parallel-ssh": network.script("pssh", [guide.BATCH]),
        "fabric": network.script("fabric", [guide.BATCH]),
        "fabric, 17 commands": network.script("fabric", guide.COMMANDS),
        "pyinfra": network.peer([_bin("pyinfra"), "-y", _pyinfra_inventory(network, 1), *exec_all]),
        "linux-mcp-server, 12 calls": _mcp(network),
        "ansible, one raw batch": _ansible(network, ["ansible", "all", "-m", "raw", "-a", guide.BATCH], 1),
        ANSIBLE_TASKS: _ansible(network, ["ansible-playbook", _playbook(network)], 1, pipelining=True),
    }


SELDOM_SINGLE = (SSH_EACH, ANSIBLE_TASKS, "linux-mcp-server, 12 calls", "fabric, 17 commands")


def fleet(network: Network, count: int, *, at_once: int = 50) -> dict[str, Callable[[], Sample]]:
    """Every way to ask many hosts, one batch each."""
    many = f"seq {count} | xargs -P {at_once} -I@ {shlex.join(network.ssh)} bench@ {shlex.quote(guide.BATCH)}"
    return {
        TRIAGEBOOK: network.triagebook(count),
        PARAMIKO_THREADS: network.script("paramiko", [guide.BATCH], count, own=True, at_once=count),
        "paramiko, 50 threads": network.script("paramiko", [guide.BATCH], count, own=True),
        "asyncssh": network.script("asyncssh", [guide.BATCH], count),
        "parallel-ssh": network.script("pssh", [guide.BATCH], count),
        SSH_MANY: network.peer(["sh", "-c", many]),
    }


def slow_fleet(network: Network, count: int, *, at_once: int = 50) -> dict[str, Callable[[], Sample]]:
    """The ways that take a process or more for each host, on fewer of them."""
    exec_all = ["exec", "--", "sh", "-c", shlex.quote(guide.BATCH)]
    pyinfra = [_bin("pyinfra"), "-y", "--parallel", str(at_once), _pyinfra_inventory(network, count), *exec_all]
    return {
        "fabric, threads": network.script("fabric", [guide.BATCH], count),
        "pyinfra": network.peer(pyinfra),
        "ansible, raw": _ansible(network, ["ansible", "all", "-f", str(at_once), "-m", "raw", "-a", guide.BATCH], count),
    }


def _bin(name: str) -> str:
    return str(VENV / "bin" / name)


def _ansible(network: Network, argv: Sequence[str], count: int, *, pipelining: bool = False) -> Callable[[], Sample]:
    """With connections of its own in each run: a ControlMaster left over from the last one would make it warm."""
    inventory = network.hosts.folder / f"inventory-{network.hosts.address}-{count}.ini"
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()), "python3")
    names = "".join(f"{name}\n" for name in network.hosts.names(count))
    inventory.write_text(f"{names}[all:vars]\nansible_python_interpreter={python}\n")
    program, *rest = argv
    command = shlex.join([_bin(program), "-i", str(inventory), *rest])
    return network.peer(
        ["sh", "-c", f'd=$(mktemp -d); ANSIBLE_SSH_CONTROL_PATH_DIR=$d {command}; s=$?; rm -rf "$d"; exit $s'],
        PATH=f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        ANSIBLE_SSH_ARGS=f"-F {network.hosts.config} -C -o ControlMaster=auto -o ControlPersist=5s",
        ANSIBLE_PIPELINING=str(pipelining),
        ANSIBLE_LOCALHOST_WARNING="False",
        ANSIBLE_NOCOLOR="True",
    )


def _playbook(network: Network) -> str:
    path = network.hosts.folder / "play.yml"
    tasks = "".join(f"    - shell: {_yaml(command)}\n" for command in guide.COMMANDS)
    path.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    return str(path)


def _yaml(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pyinfra_inventory(network: Network, count: int) -> str:
    hosts = network.hosts
    path = hosts.folder / f"inventory-{hosts.address}-{count}.py"
    settings = {"ssh_config_file": str(hosts.config), "ssh_known_hosts_file": str(hosts.known_hosts)}
    settings |= {"ssh_key": str(hosts.key), "ssh_user": hosts.user}
    path.write_text(f"hosts = {[(name, settings) for name in hosts.names(count)]!r}\n")
    return str(path)


def _mcp(network: Network) -> Callable[[], Sample]:
    script = [str(VENV / "bin" / "python"), str(CLIENTS / "with_mcp.py"), _bin("linux-mcp-server"), "bench1"]
    return network.peer(
        script,
        LINUX_MCP_SSH_KEY_PATH=str(network.hosts.key),
        LINUX_MCP_KNOWN_HOSTS_PATH=str(network.hosts.known_hosts),
        LINUX_MCP_USER=network.hosts.user,
    )
