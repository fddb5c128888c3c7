"""Starting, finding and ending machines. A machine ends by its process id, checked to be still the QEMU we started."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import cache, keys, qemu, snapshot
from tests.lab.errors import LabError, NotStarted
from tests.lab.machines import Machine
from tests.lab.releases import RELEASES
from tests.lab.state import State

RESUME_SECONDS = 60
REBOOT_SECONDS = 240


def up(release_name: str, name: str = "") -> Machine:
    """Resume the snapshot of a release (made now if there is none) as the machine `name` (default: the release's name).

    Raises:
        NotAvailable: this machine cannot run it.
        LabError: no such release, or that machine is running.
    """
    if release_name not in RELEASES:
        raise LabError(f"lab: no release {release_name!r}; there are {', '.join(RELEASES)}")
    name = name or release_name
    saved = snapshot.of(RELEASES[release_name])
    with cache.lock(f"run-{name}"):
        if name in running():
            raise LabError(f"lab: {name} is running")
        _sweep(name)
        return _resume(release_name, name, saved)


def _resume(release_name: str, name: str, saved: snapshot.Snapshot) -> Machine:
    begun = time.monotonic()
    where = cache.run_directory(name)
    where.mkdir(parents=True)
    sockets = Path(tempfile.mkdtemp(prefix="lab-"))  # a socket's path must be short
    port = qemu.free_port()
    saved.overlay(where / "disk.qcow2")
    devices = (*qemu.devices(where / "disk.qcow2", sockets, port), "-incoming", f"exec:cat '{saved.ram}'")
    command = qemu.argv(RELEASES[release_name], Path(saved.image), saved.accelerator, devices)
    process = qemu.start(command, where / "qemu.log")
    state = State(release_name, process, port, str(sockets), saved.accelerator, saved.boot_s, 0.0)
    state.write(where)
    keys.write_ssh_config(where, name, port)
    machine = Machine(name, state)
    try:
        control = sockets / "qmp"
        qemu.wait_until(lambda: not process.is_alive() or _is_loaded(control), RESUME_SECONDS, f"{name}: no resume")
        qemu.control(control, "cont")
        qemu.wait_until(machine.agent.is_there, RESUME_SECONDS, f"{name}: the agent does not answer, see {where}")
        machine.agent.set_clock()
        qemu.wait_until(lambda: qemu.has_banner(port), RESUME_SECONDS, f"{name}: sshd does not answer, see {where}")
    except (NotStarted, OSError) as error:
        process.end()
        raise NotStarted(f"lab: {name}: {error}; {(where / 'qemu.log').read_text()[-500:]}") from error
    state.resume_s = round(time.monotonic() - begun, 1)
    state.write(where)
    return machine


def _is_loaded(control: Path) -> bool:
    try:
        return bool(qemu.control(control, "query-status")["status"] == "paused")
    except OSError:
        return False


def attach(name: str) -> Machine:
    """A machine that is running already. Raises LabError when it is not."""
    machines = running()
    if name not in machines:
        raise LabError(f"lab: {name} is not running; running: {', '.join(machines) or 'none'}")
    return Machine(name, machines[name])


def running() -> dict[str, State]:
    """The machines of this cache whose process is alive."""
    found = {path.name: State.read(path) for path in sorted((cache.directory() / "run").glob("*"))}
    return {name: state for name, state in found.items() if state and state.process.is_alive()}


def down(name: str) -> None:
    """End a machine and forget its disk. One that is not running is only swept up."""
    with cache.lock(f"run-{name}"):
        _sweep(name)


def _sweep(name: str) -> None:
    where = cache.run_directory(name)
    state = State.read(where)
    if state:
        state.process.end()
        shutil.rmtree(state.sockets, ignore_errors=True)
    shutil.rmtree(where, ignore_errors=True)


def reset(machine: Machine) -> Machine:
    """Throw the guest away and resume the snapshot anew: always clean, and about as fast as clearing."""
    down(machine.name)
    return up(machine.state.release, machine.name)


def reboot(machine: Machine) -> None:
    """A real boot from the same disk: another boot id, and nothing left of what was live."""
    state, where = machine.state, machine.directory
    with contextlib.suppress(NotStarted):  # it may go down before it has answered
        machine.agent.run("systemctl", "reboot", "--no-block")
    qemu.wait_until(lambda: not state.process.is_alive(), REBOOT_SECONDS, f"{machine.name}: it does not go down")
    built = Path(snapshot.of(machine.release).image)
    devices = qemu.devices(where / "disk.qcow2", Path(state.sockets), state.port)
    state.process = qemu.start(qemu.argv(machine.release, built, state.accelerator, devices), where / "qemu.log")
    state.scenario = ""
    state.write(where)
    qemu.wait_until(machine.agent.is_there, REBOOT_SECONDS, f"{machine.name}: the agent does not answer, see {where}")
    machine.agent.set_clock()
    qemu.wait_until(lambda: qemu.has_banner(state.port), REBOOT_SECONDS, f"{machine.name}: sshd does not answer, see {where}")


@contextmanager
def machine(release_name: str, name: str = "") -> Iterator[Machine]:
    """A machine for the length of a `with`. `reset` within it keeps the name, so that it ends too."""
    started = up(release_name, name)
    try:
        yield started
    finally:
        down(started.name)
