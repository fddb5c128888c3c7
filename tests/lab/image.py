"""The disk image: Debian packages by mmdebstrap, our files on top, an ext4 file system made without mounting.

Two stages, so that a changed unit file does not fetch packages again: `packages-CODENAME/` with `rootfs.tar` and
the kernel packages, then `image-CODENAME-KEY/` with the disk and a small initial ramdisk per kernel.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.lab import cache, keys, programs, ramdisk, sources
from tests.lab.releases import kernel_suites

PACKAGES = ("systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "procps", "busybox-static", "sudo")
FAULTS = (
    "worker", "api", "queue", "report", "fillerd", "cachesrv", "mapper", "batch", "hog", "cacher", "burst", "leaky",
    "orphan", "crunch", "legacyjob",
)  # fmt: skip
TOOLS = ("agent", "killer")
ACCOUNTS = {"diag": 1001, "acme": 1002, "appuser": 1003}
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "getty.target", "serial-getty@ttyS0.service", "systemd-modules-load.service", "systemd-tmpfiles-clean.timer",
)  # fmt: skip
JOURNALD = "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nRateLimitBurst=0\n"
TABLE_MIB = 96
DISK_MIB = 1024
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def build(codename: str) -> Path:
    """The directory of the finished image of a Debian release; nothing to do when cached, half a minute when not."""
    programs.require()
    with cache.lock(f"image-{codename}"):
        files = sorted(path for path in cache.GUEST.rglob("*") if path.is_file())
        source = (Path(__file__), Path(ramdisk.__file__))
        key = cache.digest(*files, *source, keys.public(keys.client_key()), keys.public(keys.host_key()))
        image = cache.directory() / f"image-{codename}-{key}"
        if not image.exists():
            programs.require_root()
            packages = _fetch_packages(codename)
            _make(image, packages, kernel_suites(codename))
    return cache.use(image)


def _fetch_packages(codename: str) -> Path:
    """The directory with `rootfs.tar` and the kernel packages."""
    suites = kernel_suites(codename)
    recipe = cache.digest(" ".join((*PACKAGES, *suites, *EXCLUDED)), cache.GUEST / "kernels.sh")
    where = cache.directory() / f"packages-{codename}"
    stamp = where / "recipe"
    if stamp.exists() and stamp.read_text() == recipe:
        return where
    sys.stderr.write(f"lab: fetching the packages of {codename} (about half a minute)\n")
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    source_list = where / "sources.list"
    source_list.write_text(sources.for_guest(codename))
    hook = f"sh {cache.GUEST / 'kernels.sh'} {where} {' '.join(suites)}"
    programs.run((
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Languages "none"', *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        f"--customize-hook={hook}",
        codename, str(where / "rootfs.tar"), str(source_list),
    ))  # fmt: skip
    stamp.write_text(recipe)
    return where


def _make(image: Path, packages: Path, suites: tuple[str, ...]) -> None:
    sys.stderr.write(f"lab: making {image.name}\n")
    with tempfile.TemporaryDirectory(prefix="making-", dir=cache.directory()) as temporary:
        work = Path(temporary)
        root, ready, programs_built = work / "root", work / "ready", work / "bin"
        for path in (root, ready, programs_built):
            path.mkdir()
        for name in (*TOOLS, "fault", "init"):
            source = cache.GUEST / f"{name}.c"
            programs.run(("gcc", "-O2", "-static", "-pthread", "-o", str(programs_built / name), str(source)))
        programs.run(("tar", "--extract", "--numeric-owner", "-f", str(packages / "rootfs.tar"), "-C", str(root)))
        _furnish(root, programs_built)
        disk = ready / "disk.ext4"
        # without checksums and journal: fewer kernel modules, and the disk is thrown away after each run
        features = "^has_journal,^metadata_csum,^64bit"
        programs.run(("mke2fs", "-q", "-t", "ext4", "-O", features, "-d", str(root), str(disk), f"{DISK_MIB}M"))
        for suite in suites:
            ramdisk.unpack(packages / suite, programs_built / "init", ready / suite)
        ready.rename(image)


def _furnish(root: Path, built: Path) -> None:
    """Put our programs, units, accounts and keys into the unpacked file system."""
    tools = root / "usr/local/lib/lab"
    tools.mkdir(parents=True)
    for name in TOOLS:
        shutil.copy(built / name, tools / name)
    shutil.copy(built / "fault", root / "usr/local/bin" / FAULTS[0])
    for name in FAULTS[1:]:
        os.link(root / "usr/local/bin" / FAULTS[0], root / "usr/local/bin" / name)
    units = root / "etc/systemd/system"
    for unit in (cache.GUEST / "units").iterdir():
        shutil.copy(unit, units / unit.name)
    (units / "multi-user.target.wants/lab-agent.service").symlink_to("/etc/systemd/system/lab-agent.service")
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (root / "etc/systemd/journald.conf").write_text(JOURNALD)
    (root / "etc/tmpfiles.d/lab.conf").write_text("d /run/lab 1777 root root -\n")
    (root / "etc/hostname").write_text("srv01\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost srv01\n")
    (root / "etc/machine-id").write_text("5f3c9e0d7a6b4b1f8e2d1c0b9a887766\n")
    (root / "etc/fstab").write_text("")
    (root / "var/lib/lab").mkdir()
    (root / "var/lib/lab/table").write_bytes(bytes(range(1, 256)) * (TABLE_MIB * 1024 * 1024 // 255))
    _add_accounts(root)
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    host_key = root / "etc/ssh/ssh_host_ed25519_key"
    host_key.write_bytes(keys.host_key().read_bytes())
    host_key.chmod(0o600)
    host_key.with_suffix(".pub").write_text(keys.public(keys.host_key()) + "\n")


def _add_accounts(root: Path) -> None:
    homes = {"root": (0, root / "root")} | {name: (uid, root / "home" / name) for name, uid in ACCOUNTS.items()}
    for name, uid in ACCOUNTS.items():
        _append(root / "etc/passwd", f"{name}:x:{uid}:{uid}::/home/{name}:/bin/bash\n")
        _append(root / "etc/group", f"{name}:x:{uid}:\n")
        _append(root / "etc/shadow", f"{name}:*:19700:0:99999:7:::\n")  # `*`: no password, keys only
    for uid, home in homes.values():
        (home / ".ssh").mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / ".ssh/authorized_keys").write_text(keys.public(keys.client_key()) + "\n")
        for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
            os.chown(path, uid, uid)


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line)
