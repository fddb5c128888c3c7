"""The programs of this machine that the laboratory needs, and how they get here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.errors import LabError, NotAvailable

PACKAGES = {
    "qemu-system-x86_64": ("qemu-system-x86",),
    "qemu-img": ("qemu-utils",),
    "mmdebstrap": ("mmdebstrap",),
    "mke2fs": ("e2fsprogs",),
    "gcc": ("gcc", "libc6-dev"),
    "ssh": ("openssh-client",),
    "ssh-keygen": ("openssh-client",),
    "dpkg-deb": ("dpkg",),
}
SBIN = "/usr/sbin:/sbin"


def run(argv: Sequence[str], *, timeout_s: float = 600, cwd: Path | None = None) -> str:
    """Run a program of this machine; its standard output.

    Raises:
        LabError: it failed or took too long; the message has the last lines it wrote.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SBIN}"}
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{argv[0]}: no end after {timeout_s:.0f} s") from None
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-8:])
        raise LabError(f"{argv[0]}: exit status {done.returncode}\n{last}")
    return done.stdout


def missing() -> tuple[str, ...]:
    """Names of the programs that are not installed."""
    return tuple(name for name in PACKAGES if shutil.which(name) is None and shutil.which(name, path=SBIN) is None)


def require() -> None:
    """Install what is missing where that is possible.

    Raises:
        NotAvailable: something is missing and cannot be installed (not root, no apt).
    """
    absent = missing()
    if not absent:
        return
    wanted = sorted({package for name in absent for package in PACKAGES[name]})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotAvailable(f"lab: not run, missing here: {', '.join(absent)} (root on Debian would install them)")
    sys.stderr.write(f"lab: installing {' '.join(wanted)}\n")
    apt_get = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y")
    install = (*apt_get, "install", "--no-install-recommends", *wanted)
    try:
        run(install)
    except LabError:
        run((*apt_get, "update"))
        run(install)


def require_root() -> None:
    """Raises NotAvailable unless root: the image holds files of several owners."""
    if os.geteuid() != 0:
        raise NotAvailable("lab: not run, building the image needs root")
