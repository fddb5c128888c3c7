import os
import stat
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.files import FileCache, check_private, create_private, private_directory, read_private, write_whole
from triagebook.tools.server.keys import AUDIT_FILE, ORDER_FILE, open_keys


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path / "keys"), open_keys(tmp_path / "keys")
    assert first.audit.private_bytes_raw() == second.audit.private_bytes_raw()
    assert first.orders.private_bytes_raw() == second.orders.private_bytes_raw()
    assert first.audit.private_bytes_raw() != first.orders.private_bytes_raw()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {AUDIT_FILE: 0o600, ORDER_FILE: 0o600}
    assert (tmp_path / "keys" / ORDER_FILE).read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert "private" not in repr(first)


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path / "a"), open_keys(tmp_path / "b")
    assert first.orders.private_bytes_raw() != second.orders.private_bytes_raw()
    assert first.audit.private_bytes_raw() != second.audit.private_bytes_raw()


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
    with pytest.raises(TrustError, match="the same key signs orders"):
        open_keys(tmp_path / "keys")


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    create_private(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "a", b"second")
    assert read_private(tmp_path / "a") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_is_written_whole_with_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"first", mode=0o644)
    write_whole(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"second"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"no")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*"))


def test_a_cache_gives_back_what_it_keeps_in_a_folder_of_its_owner_alone(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "made" / "cache")
    assert cache.read("a") is None
    cache.write("a", b"content\nof two lines")
    assert cache.read("a") == b"content\nof two lines"
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((cache.folder / "a").stat().st_mode) == 0o600


@pytest.mark.parametrize("kept", [b"", b"content", b"0" * 64 + b"\ncontent", b"cut"])
def test_a_cache_gives_nothing_that_is_damaged(tmp_path: Path, kept: bytes) -> None:
    cache = FileCache(tmp_path)
    cache.write("a", b"content")
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:-1] if kept == b"cut" else kept)
    assert cache.read("a") is None
    cache.write("a", b"content")
    assert cache.read("a") == b"content"


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_cache_gives_nothing_that_others_may_have_written(tmp_path: Path, mode: int) -> None:
    cache = FileCache(tmp_path)
    cache.write("a", b"content")
    (tmp_path / "a").chmod(mode)
    assert cache.read("a") is None


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = FileCache(tmp_path / "file" / "below")
    cache.write("a", b"content")
    assert cache.read("a") is None
