"""A kernel and its small initial ramdisk, out of a Debian kernel package: our `init` and the few modules it needs."""

import io
import lzma
import re
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from tests.lab.errors import LabError

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "ext4", "af_packet", "autofs4")
DIRECTORIES = ("dev", "proc", "sys", "disk", "modules.d")


def unpack(package_directory: Path, init: Path, where: Path) -> None:
    """Write `vmlinuz`, `initrd` and `version` into `where`."""
    package = next(package_directory.glob("linux-image-*.deb"), None)
    if package is None:
        raise LabError(f"{package_directory}: no kernel package")
    kernel, modules, version = _read_package(package)
    order = _in_order(modules)
    entries = [(name, 0o040755, b"") for name in DIRECTORIES]
    entries.append(("init", 0o100755, init.read_bytes()))
    entries += [(f"modules.d/{name}.ko", 0o100644, modules[name]) for name in order]
    entries.append(("modules", 0o100644, "".join(f"/modules.d/{name}.ko\n" for name in order).encode()))
    where.mkdir()
    (where / "vmlinuz").write_bytes(kernel)
    (where / "initrd").write_bytes(archive(entries))
    (where / "version").write_text(version + "\n")


def _read_package(package: Path) -> tuple[bytes, dict[str, bytes], str]:
    """The kernel, all its modules by name, and its version."""
    kernel, version = b"", ""
    modules: dict[str, bytes] = {}
    with (
        subprocess.Popen(("dpkg-deb", "--fsys-tarfile", str(package)), stdout=subprocess.PIPE) as reader,
        tarfile.open(fileobj=reader.stdout, mode="r|") as files,
    ):
        for file in files:
            path = PurePosixPath(file.name)
            content = files.extractfile(file) if file.isfile() else None
            if content is None:
                continue
            if path.name.startswith("vmlinuz-"):
                kernel, version = content.read(), path.name.removeprefix("vmlinuz-")
            elif ".ko" in path.suffixes:
                modules[path.name.split(".")[0].replace("-", "_")] = content.read()
    return kernel, {name: _plain(content) for name, content in modules.items()}, version


def _plain(module: bytes) -> bytes:
    return lzma.decompress(module) if module.startswith(b"\xfd7zXZ") else module


def _in_order(modules: dict[str, bytes]) -> list[str]:
    """The wanted modules, each after those it depends on. One that is not there is built into the kernel."""
    order: list[str] = []

    def add(name: str) -> None:
        if name in order or name not in modules:
            return
        found = re.search(rb"\0depends=([^\0]*)\0", modules[name])
        for needed in found[1].decode().split(",") if found else ():
            add(needed.replace("-", "_"))
        order.append(name)

    for name in MODULES:
        add(name)
    return order


def archive(entries: list[tuple[str, int, bytes]]) -> bytes:
    """A cpio archive in the `newc` format. Source: Documentation/driver-api/early-userspace/buffer-format.rst."""
    out = io.BytesIO()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        out.write(b"\0" * (-out.tell() % 4))
        out.write(content)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()
