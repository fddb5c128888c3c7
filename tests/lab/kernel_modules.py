"""Modules of a guest's kernel that its image does not have, for faults that need them."""

import io
import lzma
import subprocess
import tarfile
from collections.abc import Collection
from pathlib import PurePosixPath

from tests.lab import cache
from tests.lab.errors import LabError
from tests.lab.releases import Release

CONNTRACK = ("libcrc32c", "nf_defrag_ipv6", "nf_defrag_ipv4", "nf_conntrack")  # in the order in which they are loaded


def archive_of(release: Release, names: Collection[str]) -> bytes:
    """A tar archive of these modules as NAME.ko, out of the kernel package that the guest was booted from.

    Raises:
        LabError: there is no such package, or it lacks one of them.
    """
    package = next((cache.directory() / f"packages-{release.codename}" / release.kernel_suite).glob("linux-image-*.deb"), None)
    if package is None:
        raise LabError(f"lab: no kernel package of {release.name}")
    packed, missing = io.BytesIO(), set(names)
    with (
        subprocess.Popen(("dpkg-deb", "--fsys-tarfile", str(package)), stdout=subprocess.PIPE) as reader,
        tarfile.open(fileobj=reader.stdout, mode="r|") as files,
        tarfile.open(fileobj=packed, mode="w:gz") as archive,
    ):
        for file in files:
            name, _, ending = PurePosixPath(file.name).name.partition(".")
            content = files.extractfile(file) if name in missing and ending.startswith("ko") else None
            if content is None:
                continue
            module = content.read()
            plain = lzma.decompress(module) if ending == "ko.xz" else module
            head = tarfile.TarInfo(f"{name}.ko")
            head.size = len(plain)
            archive.addfile(head, io.BytesIO(plain))
            missing.discard(name)
    if missing:
        raise LabError(f"lab: the kernel of {release.name} has no module {', '.join(sorted(missing))}")
    return packed.getvalue()
