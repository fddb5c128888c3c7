"""Disk and RAM of a guest after its first boot, so that later starts resume in seconds."""

import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import cache, image, keys, programs, qemu
from tests.lab.agent import Agent
from tests.lab.errors import NotStarted
from tests.lab.releases import Release

BOOT_SECONDS = 240
WARM_UP = "id; cat /proc/meminfo; awk 1 /proc/loadavg; ls /; systemctl show -p TasksMax ssh; busybox true; dash -c :"


@dataclass(frozen=True)
class Snapshot:
    """A booted guest, saved. `boot_s` is what the first boot took up to the agent and to sshd's banner."""

    disk: str
    ram: str
    accelerator: str
    boot_s: float
    image: str

    def overlay(self, path: Path) -> None:
        """A disk of its own for one run."""
        programs.run(("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.disk, "-F", "qcow2", str(path)))


def of(release: Release) -> Snapshot:
    """The snapshot of that release; booted and saved now if there is none that fits."""
    built = image.build(release.codename)
    accelerator = qemu.accelerator(built, release)
    recipe = cache.digest(built.name, repr(release), accelerator, Path(qemu.__file__), Path(__file__))
    where = cache.directory() / f"snapshot-{release.name}-{recipe}"
    with cache.lock(f"snapshot-{release.name}"):
        stored = where / "snapshot.json"
        if not stored.exists():
            shutil.rmtree(where, ignore_errors=True)
            stored.write_text(json.dumps(asdict(_save(release, built, accelerator, where))))
        return Snapshot(**json.loads(cache.use(where).joinpath(stored.name).read_text()))


def _save(release: Release, built: Path, accelerator: str, where: Path) -> Snapshot:
    sys.stderr.write(f"lab: first boot of {release.name} ({accelerator})\n")
    where.mkdir(parents=True)
    disk, ram = where / "disk.qcow2", where / "ram"
    programs.run(("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(built / "disk.ext4"), "-F", "raw", str(disk)))
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        sockets = Path(temporary)
        port = qemu.free_port()
        command = qemu.argv(release, built, accelerator, qemu.devices(disk, sockets, port))
        begun = time.monotonic()
        process = qemu.start(command, where / "qemu.log")
        try:
            agent = Agent(sockets / "agent")
            answers_or_died = lambda: agent.is_there() or not process.is_alive()  # noqa: E731
            qemu.wait_until(answers_or_died, BOOT_SECONDS, f"{release.name}: the agent does not answer")
            if not process.is_alive():
                raise NotStarted(f"lab: {release.name}: the guest died while booting, see {where}/console.log")
            agent.set_clock()
            qemu.wait_until(lambda: qemu.has_banner(port), BOOT_SECONDS, f"{release.name}: sshd does not answer")
            boot_s = round(time.monotonic() - begun, 1)
            _settle(agent, where, port)
            _write_ram(sockets / "qmp", ram, where / "qemu.log")
        finally:
            process.end()
    return Snapshot(str(disk), str(ram), accelerator, boot_s, str(built))


def _settle(agent: Agent, where: Path, port: int) -> None:
    """Log in once as each of two accounts, so that later logins find everything in memory; then wait for quiet."""
    config = keys.write_ssh_config(where, "boot", port)
    for alias in ("lab-boot", "lab-boot-root"):
        programs.run(("ssh", "-F", str(config), alias, WARM_UP), timeout_s=120)
    agent.run("systemctl", "is-system-running", "--wait", timeout_s=120)
    for user in ("user@1001.service", "user@0.service"):  # they would linger for ten seconds after the logout
        agent.run("systemctl", "stop", user)
    agent.check("sync")
    time.sleep(1)


def _write_ram(control: Path, ram: Path, log: Path) -> None:
    qemu.control(control, "stop")
    qemu.control(control, "migrate-set-parameters", **{"max-bandwidth": 10**10})
    qemu.control(control, "migrate", uri=f"exec:cat > '{ram}'")
    qemu.wait_until(
        lambda: qemu.control(control, "query-migrate").get("status") in ("completed", "failed"), 120,
        f"saving the RAM does not end, see {log}",
    )  # fmt: skip
    status = qemu.control(control, "query-migrate").get("status")
    if status != "completed":
        raise NotStarted(f"lab: saving the RAM: {status}, see {log}")
    qemu.control(control, "quit")
