"""A prepared lab guest: planned changes are captured, signed, sent to its helper and undone, as the product does it."""

import logging
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.actions import ACTIONS
from triagebook.tools.actions.action import Params, Step
from triagebook.tools.actions.orders import Envelope, OrderedChange, OrderKey, render, status_request, undo_of
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.install import Installed, Preparation, install
from triagebook.tools.host_setup.layout import Signer
from triagebook.tools.host_setup.remote import Remote

from tests.system.helper import ssh_session
from tests.system.helper.scratch_host import parsed

LOG = logging.getLogger("tests.target")  # `pytest -o log_cli_level=INFO` shows the seconds
SYSCTLS = (
    "kernel.pid_max",
    "kernel.threads-max",
    "vm.max_map_count",
    "vm.overcommit_memory",
    "vm.overcommit_ratio",
    "vm.overcommit_kbytes",
)
# Names, modes, owners and content of what a change may touch, and the live values.
SNAPSHOT = (
    "find /etc /opt /run/systemd/system.control /*.swap -xdev -printf '%p %m %U:%G %y\\n' 2>/dev/null | sort; "
    "find /etc /run/systemd/system.control -xdev -type f -exec sha256sum {} + 2>/dev/null | sort -k2; "
    f"sysctl {' '.join(SYSCTLS)}; cat /proc/swaps"
)
NAME = "shop.service"  # of two processes, on a prepared guest
UNIT = """[Service]
User=appuser
ExecStart=/bin/sh -c 'sleep 99999 & sleep 99999 & wait'
TasksMax=20
LimitNPROC=60
"""


@dataclass
class Timed:
    """An answer of the helper and how long the login and the run took."""

    answer: dict[str, str]
    seconds: float


class Guest:
    """One guest with the helper installed, its keys in a scratch folder."""

    def __init__(self, config: Path, alias: str, folder: Path, reboot: Callable[[], None]) -> None:
        self.key = OrderKey(Ed25519PrivateKey.generate())
        self.folder, self.config, self.alias, self.reboot = folder, config, alias, reboot
        shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/root.way", "-o", "ControlPersist=yes")
        self.root = Remote(ssh_session.of(config, alias, *shared))
        for name in ("fix", "diag"):
            subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)), check=True)
        self.installed: Installed | None = None

    def prepare(self) -> Installed:
        """`host install`."""
        signers = [Signer(self.key.public(), datetime.now(UTC) + timedelta(days=90))]
        preparation = Preparation(signers, self.public("fix"), self.public("diag"))
        self.installed = install(self.root, preparation, now=lambda: datetime.now(UTC), new_target=lambda: secrets.token_hex(16))
        deadline = time.monotonic() + 120  # sshd refuses connections while it reads its configuration again
        while self.account(layout.FIXER, "fix").ask("helper", stdin=status_request()).status == 255:
            assert time.monotonic() < deadline
        return self.installed

    def public(self, name: str) -> str:
        """The public half of a login key."""
        return (self.folder / f"{name}.pub").read_text()

    def account(self, user: str, key: str) -> Remote:
        """A login as one of the two accounts, a connection kept for the trials."""
        options = (
            "-o",
            f"User={user}",
            "-i",
            str(self.folder / key),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
        )
        shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={self.folder}/{key}.way", "-o", "ControlPersist=yes")
        return Remote(ssh_session.SshSession("-F", str(self._config_without_keys()), *options, *shared, self.alias))

    def _config_without_keys(self) -> Path:
        """The lab's ssh_config names its own keys and user, which would be tried first."""
        path = self.folder / "ssh_config"
        kept = [line for line in self.config.read_text().splitlines() if line.split()[:1] not in (["IdentityFile"], ["User"])]
        path.write_text("\n".join(kept) + "\n")
        return path

    def plan(self, action: str, params: Params, step: Step) -> OrderedChange:
        """Capture as the diagnosing account, then plan."""
        diagnoser = self.account(layout.DIAGNOSER, "diag")
        outputs = [diagnoser.run(*reading.argv) for reading in ACTIONS[action].capture(params, step)]
        return OrderedChange(action, tuple(ACTIONS[action].plan_change(params, step, outputs).order.items()))

    def order(self, change: OrderedChange, order_id: str = "", **changed: object) -> bytes:
        """A good order but for what is changed in its envelope."""
        assert self.installed is not None
        now = int(time.time())
        boot = self.root.run("cat", "/proc/sys/kernel/random/boot_id").strip()
        envelope = Envelope(order_id or secrets.token_hex(16), "c" * 64, self.installed.target, boot, now, now + 120)
        return render(replace(envelope, **changed), change)  # type: ignore[arg-type]

    def sealed(self, change: OrderedChange, order_id: str = "") -> bytes:
        """A good order, signed."""
        return self.key.seal(self.order(change, order_id))

    def send(self, change: OrderedChange, order_id: str = "") -> Timed:
        """Sign and send an order through the fixing account."""
        return self.send_bytes(self.sealed(change, order_id))

    def send_bytes(self, data: bytes) -> Timed:
        """What the helper answers through the fixing account's login."""
        began = time.monotonic()
        ran = self.account(layout.FIXER, "fix").ask("helper", stdin=data)
        return Timed(parsed(ran.stdout.encode()), time.monotonic() - began)

    def status(self, order_id: str = "none") -> dict[str, str]:
        """The helper's read-only answer."""
        ran = self.account(layout.FIXER, "fix").ask("helper", stdin=status_request(order_id))
        return parsed(ran.stdout.encode())

    def apply(self, action: str, params: Params, step: Step) -> dict[str, str]:
        """Plan and apply; it must take."""
        timed = self.send(self.plan(action, params, step))
        LOG.info("%s %s %s %.1f s", action, step, timed.answer["result"], timed.seconds)
        assert timed.answer["result"] == "applied", timed.answer
        return timed.answer

    def undo(self, applied: dict[str, str]) -> dict[str, str]:
        """Undo what was applied."""
        timed = self.send(undo_of(applied["id"]))
        LOG.info("undo %s %s %.1f s %s", applied["step"], timed.answer["result"], timed.seconds, timed.answer["reason"])
        return timed.answer

    def shell(self, script: str) -> str:
        """A script as root, for the test's own purposes."""
        return self.root.run("sh", "-c", script)

    def snapshot(self) -> str:
        """What a change may touch, as it is now."""
        return self.shell(SNAPSHOT)
