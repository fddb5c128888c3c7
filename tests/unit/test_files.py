import os
import stat
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.files import check_private, create_private, private_directory, read_private
from triagebook.tools.server.keys import AUDIT_FILE, ORDER_FILE, open_keys


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path / "keys"), open_keys(tmp_path / "keys")
    assert first.audit.private_bytes_raw() == second.audit.private_bytes_raw()
    assert first.orders.private_bytes_raw() == second.orders.private_bytes_raw()
    assert first.audit.private_bytes_raw() != first.orders.private_bytes_raw()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {AUDIT_FILE: 0o600, ORDER_FILE: 0o600}
    assert first.orders_public().startswith("ssh-ed25519 ")
    assert "private" not in repr(first)


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    assert open_keys(tmp_path / "a").orders_public() != open_keys(tmp_path / "b").orders_public()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o700])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    open_keys(tmp_path / "keys")
    (tmp_path / "keys" / AUDIT_FILE).chmod(mode)
    with pytest.raises(TrustError, match="chmod 0600") as refused:
        open_keys(tmp_path / "keys")
    assert refused.value.reason == "lax_mode"


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o1777])
def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "keys").mkdir(0o700)
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(TrustError, match="chmod 0700"):
        open_keys(tmp_path / "keys")


def test_links_are_refused(tmp_path: Path) -> None:
    open_keys(tmp_path / "real")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    with pytest.raises(TrustError, match="symbolic link"):
        private_directory(tmp_path / "linked")
    key = tmp_path / "real" / AUDIT_FILE
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrustError, match="symbolic link"):
        read_private(key)
    with pytest.raises(TrustError, match="symbolic link"):
        check_private(key)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_account_is_refused(tmp_path: Path) -> None:
    create_private(tmp_path / "a", b"x")
    os.chown(tmp_path / "a", 65534, 65534)
    with pytest.raises(TrustError, match="belongs to uid 65534"):
        read_private(tmp_path / "a")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a", 0o600)
    with pytest.raises(TrustError, match="plain file"):
        read_private(tmp_path / "a")


def test_one_key_for_both_uses_is_refused(tmp_path: Path) -> None:
    keys = open_keys(tmp_path / "keys")
    (tmp_path / "keys" / AUDIT_FILE).write_bytes(keys.orders_path.read_bytes())
    with pytest.raises(TrustError):
        open_keys(tmp_path / "keys")
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    same = keys.orders.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "keys" / AUDIT_FILE).write_bytes(same)
    with pytest.raises(TrustError, match="one key for orders"):
        open_keys(tmp_path / "keys")


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    create_private(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "a", b"second")
    assert read_private(tmp_path / "a") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
