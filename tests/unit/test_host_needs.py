"""What a host prints about its files and its sshd is read as it is, and whatever else it prints is not met."""

import pytest
from triagebook.tools.host_setup.needs import only_root_writes, openssh_version


@pytest.mark.parametrize(
    ("said", "is_met"),
    [
        ("0 755\n", True),
        ("0 4755", True),
        ("0 775", False),
        ("0 757", False),
        ("1000 755", False),
        ("0 999", False),
        ("0 ²", False),
        ("0 " + "7" * 5000, False),
        ("", False),
        ("0 755 0", False),
    ],
)
def test_only_root_may_write(said: str, is_met: bool) -> None:
    assert only_root_writes(said) is is_met


@pytest.mark.parametrize(
    ("banner", "version"),
    [("OpenSSH_9.2p1 Debian-2", (9, 2)), ("OpenSSH_" + "9" * 5000 + ".1", None), ("OpenSSH_².", None), ("dropbear", None)],
)
def test_the_version_of_an_sshd(banner: str, version: tuple[int, int] | None) -> None:
    assert openssh_version(banner) == version
