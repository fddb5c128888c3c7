"""A scratch host: the helper on paths of its own, with real ssh-keygen, flock, mkdir and files.

Kernel values are plain files. It lives under /run because the helper trusts a file only when every folder above it
is root's alone, which /tmp is not.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.actions.helper import build
from triagebook.tools.actions.orders import Envelope, OrderedChange, OrderKey, render, status_request

from tests.hang import GUARD_S

SHELLS: Mapping[str, tuple[str, ...]] = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}
BOOT = "11111111-2222-3333-4444-555555555555"
MACHINE = "ab" * 16
SYSCTLS = {
    "vm/max_map_count": 65530,
    "vm/overcommit_memory": 2,
    "vm/overcommit_ratio": 50,
    "vm/overcommit_kbytes": 0,
    "kernel/pid_max": 32768,
    "kernel/threads-max": 7580,
}
MEMINFO = {"MemTotal": 1000000, "MemAvailable": 500000, "Committed_AS": 400000, "SwapTotal": 0, "Hugetlb": 0}


class ScratchHost:
    """One prepared host. `send` gives the helper bytes; `order` and `sign` make the usual good ones."""

    def __init__(self, shell: str = "dash") -> None:
        self.shell = SHELLS[shell]
        self.root = Path(tempfile.mkdtemp(prefix="triagebook-test-", dir="/run"))
        self.key = OrderKey(Ed25519PrivateKey.generate())
        self.target = secrets.token_hex(16)
        self.helper = self.root / "helper"
        self._lay_out()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root)

    def path(self, name: str) -> Path:
        """A path on this host."""
        return self.root / name

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file on this host, with its folders."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(mode)
        return path

    def _lay_out(self) -> None:
        for folder in ("bin", "etc/sysctl.d", "etc/limits.d", "etc/pam.d", "etc/units", "run-units", "cgroup"):
            self.path(folder).mkdir(parents=True)
        self.trust(self.key.public())
        self.write("etc/triagebook/revoked", "")
        self.write("etc/triagebook/target", f"target={self.target}\nmachine={MACHINE}\nproduct=none\n")
        self.write("etc/machine-id", MACHINE + "\n")
        self.write("etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
        self.write("etc/pam.d/sshd", "session    required     pam_limits.so\n")
        self.write("proc/sys/kernel/random/boot_id", BOOT + "\n")
        for name, value in SYSCTLS.items():
            self.write(f"proc/sys/{name}", f"{value}\n")
        self.write("proc/meminfo", "".join(f"{name}:  {kb} kB\n" for name, kb in MEMINFO.items()))
        self.tasks(150)
        self.write("bin/logger", "#!/bin/sh\nexit 0\n", 0o755)
        self.install()

    def install(self, **replaced: str) -> None:
        """Render the helper onto this host's paths."""
        paths = {
            "PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "CONFIG": f"{self.root}/etc/triagebook",
            "STATE": f"{self.root}/state",
            "RUN": f"{self.root}/run",
            "PROC": f"{self.root}/proc",
            "CGROUP": f"{self.root}/cgroup",
            "UNITS": f"{self.root}/etc/units",
            "RUNTIME_UNITS": f"{self.root}/run-units/control",
            "TRANSIENT_UNITS": f"{self.root}/run-units/transient",
            "SYSCTL_DIRS": f"{self.root}/etc/sysctl.d:{self.root}/usr/sysctl.d",
            "SYSCTL_CONF": f"{self.root}/etc/sysctl.conf",
            "MODULES_DIRS": f"{self.root}/etc/modules-load.d:{self.root}/usr/modules-load.d",
            "MODULES": f"{self.root}/sys/module",
            "LIMITS": f"{self.root}/etc/limits.d",
            "PAM": f"{self.root}/etc/pam.d",
            "FSTAB": f"{self.root}/etc/fstab",
            "MACHINE_ID": f"{self.root}/etc/machine-id",
            "PRODUCT_ID": f"{self.root}/product_uuid",
        }
        self.write("helper", build.render(paths | replaced), 0o755)

    def trust(self, *keys: str, until: str = "20990101000000Z") -> None:
        """Replace the signers file."""
        lines = (f'triagebook namespaces="triagebook-order-v1",valid-before="{until}" {key}\n' for key in keys)
        self.write("etc/triagebook/signers", "".join(lines))

    def tasks(self, total: int) -> None:
        """How many tasks the host has, in loadavg."""
        self.write("proc/loadavg", f"0.00 0.01 0.05 1/{total} 4242\n")

    def sysctl(self, name: str) -> str:
        """The kernel value now."""
        return self.path(f"proc/sys/{name}").read_text().strip()

    def envelope(self, **changed: object) -> Envelope:
        """A good envelope for this host, with a fresh id, but for what is changed."""
        now = int(time.time())
        fields: dict[str, object] = {
            "id": secrets.token_hex(16),
            "plan": "c" * 64,
            "target": self.target,
            "boot": BOOT,
            "issued": now,
            "expires": now + 120,
        }
        return Envelope(**(fields | changed))  # type: ignore[arg-type]

    def order(self, change: OrderedChange, **changed: object) -> bytes:
        """An unsigned order for this host."""
        return render(self.envelope(**changed), change)

    def run(self, data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run the helper on these bytes, with nothing of our environment."""
        argv = (*self.shell, str(self.helper), *arguments)
        return subprocess.run(argv, input=data, capture_output=True, timeout=GUARD_S, check=False, env={})

    def send(self, data: bytes, *arguments: str) -> dict[str, str]:
        """The helper's answer; it must be whole."""
        done = self.run(data, *arguments)
        return parsed(done.stdout)

    def apply(self, change: OrderedChange, **changed: object) -> dict[str, str]:
        """Send a good signed order for this change."""
        return self.send(self.key.seal(self.order(change, **changed)))

    def status(self, order_id: str = "none") -> dict[str, str]:
        """The helper's read-only answer."""
        return self.send(status_request(order_id))

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of everything but the journal and the run folder."""
        kept = {}
        for folder, _, names in os.walk(self.root):
            for path in (Path(folder), *(Path(folder) / name for name in names)):
                name = str(path.relative_to(self.root))
                if name.split("/", maxsplit=1)[0] not in ("state", "run", "bin", "helper", "traps") and name != ".":
                    kept[name] = (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        return kept


def parsed(stdout: bytes) -> dict[str, str]:
    """The answer as a dict; an answer cut short is an error."""
    lines = stdout.decode("ascii").splitlines()
    assert lines[:1] == ["triagebook=helper-v1"], stdout
    assert lines[-1] == "end=helper-v1", stdout
    return dict(line.split("=", 1) for line in lines)


def programs(*argv: Sequence[str]) -> None:
    """Run each, and fail loudly."""
    for one in argv:
        subprocess.run(one, check=True, capture_output=True)
