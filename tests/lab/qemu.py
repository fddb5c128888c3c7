"""One QEMU process: its command line, its control socket, its death by process id."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import cache, programs
from tests.lab.errors import NotStarted
from tests.lab.releases import Release

MEMORY_MIB = 512
PROBE_SECONDS = 15
SAID = "lab: a program ran"


@dataclass(frozen=True)
class Process:
    """A started process; `started` (clock ticks since boot) tells it from a later one with the same number."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        """True when it is still that process, ours, and not a zombie."""
        stat = _stat(self.pid)
        return bool(stat) and stat[0] != "Z" and int(stat[19]) == self.started and "qemu" in _command(self.pid)

    def end(self) -> None:
        """Kill it, and only it."""
        if not self.is_alive():
            return
        os.kill(self.pid, signal.SIGKILL)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:  # another command started it
            wait_until(lambda: not self.is_alive(), 10, f"QEMU {self.pid} does not end")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (the state) on; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def wait_until(is_so: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Poll ten times a second. Raises NotStarted with `otherwise`."""
    end = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > end:
            raise NotStarted(f"lab: {otherwise} ({timeout_s:.0f} s)")
        time.sleep(0.1)


def argv(release: Release, image: Path, accelerator: str, extra: tuple[str, ...]) -> tuple[str, ...]:
    """The command line of a guest. One processor: what refuses does not depend on their number."""
    kernel = image / release.kernel_suite
    # tb-size: the emulator's code cache would otherwise grow with the host's memory
    # cx16=off: QEMU 7.2 emulates cmpxchg16b wrongly; kernel 6.12 then panics in kmem_cache_alloc, now and then
    emulated = ("-accel", "tcg,tb-size=96", "-cpu", "max,cx16=off,la57=off")
    model = emulated if accelerator == "tcg" else ("-accel", "kvm", "-cpu", "host")
    # no_timer_check: on a busy machine an emulated timer may come too late for the kernel's test of it, which then panics
    command_line = "console=ttyS0 quiet net.ifnames=0 mitigations=off psi=1 panic=-1 no_timer_check"
    return (
        "qemu-system-x86_64", *model, "-machine", "pc", "-m", f"{MEMORY_MIB}M", "-smp", "1", "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(kernel / "initrd"),
        "-append", " ".join((command_line, *release.kernel_arguments)), *extra,
    )  # fmt: skip


def devices(disk: Path, sockets: Path, port: int) -> tuple[str, ...]:
    """Disk, network with a loopback port to the guest's sshd, agent channel, console log, control socket."""
    return (
        "-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe",
        "-netdev", f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22",
        "-device", "virtio-net-pci,netdev=net0",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={sockets}/agent,server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=lab.agent", "-device", "virtio-rng-pci",
        "-serial", f"file:{disk.parent}/console.log", "-qmp", f"unix:{sockets}/qmp,server=on,wait=off",
    )  # fmt: skip


def start(command: tuple[str, ...], log: Path) -> Process:
    """Start QEMU in a session of its own: it outlives the command that started it."""
    with log.open("ab") as file:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    child.returncode = 0  # not Popen's to reap: `Process.end` and the parent's exit see to it
    process = Process(child.pid, int(_stat(child.pid)[19]))
    # Popen returns a moment before the new program's command line can be read
    wait_until(lambda: process.is_alive() or _stat(child.pid)[:1] == ["Z"], 10, "QEMU does not start")
    return process


def control(path: Path, command: str, **arguments: Any) -> Any:
    """Say one thing over the control socket (QMP)."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(30)
        channel.connect(str(path))
        with channel.makefile("rw") as lines:
            lines.readline()
            for name, given in (("qmp_capabilities", {}), (command, arguments)):
                lines.write(json.dumps({"execute": name, "arguments": given}) + "\n")
                lines.flush()
                answer = _answer(lines.readline)
    if "error" in answer:
        raise NotStarted(f"lab: {command}: {answer['error'].get('desc')}")
    return answer["return"]


def _answer(readline: Callable[[], str]) -> dict[str, Any]:
    """The next line that is not an event."""
    while True:
        line = readline()
        if not line:
            return {"error": {"desc": "QEMU closed the control socket"}}
        said: dict[str, Any] = json.loads(line)
        if "event" not in said:
            return said


def free_port() -> int:
    """A loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accelerator(image: Path, release: Release) -> str:
    """`kvm` when KVM has been seen to run this kernel up to its first program, else `tcg`. Remembered.

    That /dev/kvm opens proves nothing: nested KVM was seen to stop at a cmpxchg16b, and to hang.
    """
    remembered = cache.directory() / "probe.json"
    key = cache.digest((image / release.kernel_suite / "version").read_text(), os.uname().release)
    with cache.lock("probe"):
        known: dict[str, str] = json.loads(remembered.read_text()) if remembered.exists() else {}
        if key not in known:
            known[key] = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and _kvm_runs(image, release) else "tcg"
            remembered.write_text(json.dumps(known))
    return known[key]


def _kvm_runs(image: Path, release: Release) -> bool:
    programs.require()
    console = cache.directory() / "probe.console"
    console.unlink(missing_ok=True)
    log = cache.directory() / "probe.log"
    log.write_bytes(b"")
    command = argv(release, image, "kvm", ("-serial", f"file:{console}"))
    command = tuple(re.sub(r"^console=ttyS0", "console=ttyS0 lab.probe", word) for word in command)
    process = start(command, log)
    try:
        with contextlib.suppress(NotStarted):
            wait_until(lambda: _said(console, SAID) or _said(log, "KVM internal error") or not process.is_alive(),
                       PROBE_SECONDS, "KVM does not boot the kernel")  # fmt: skip
        return _said(console, SAID)
    finally:
        process.end()


def _said(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text(errors="replace")


def has_banner(port: int) -> bool:
    """True when something that speaks SSH answers on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
