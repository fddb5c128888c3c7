"""What a prepared guest's helper must refuse when it is sent through the fixing account, with nothing changed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.actions.orders import OrderKey, fields_of, undo_of
from triagebook.tools.host_setup import layout

from tests.system.helper.guest import Guest
from tests.system.helper.test_refusals import altered

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]
VALUE = "cat /proc/sys/vm/max_map_count"
RAISE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
LOW, HIGH = (fields_of("sysctl", ("live", "vm.max_map_count", "65530", value)) for value in ("65529", "2147483648"))
# what is done to the guest, what takes it back, and the reason of the refusal
CONDITIONS = {
    "a revoked key": ("cut -d' ' -f3- {signers} >{revoked}", ": >{revoked}", "signature_invalid"),
    "a key without namespaces": (
        "cp -p {signers} /run/was; sed -i 's/namespaces=[^,]*,//' {signers}",
        "cp -p /run/was {signers}",
        "signers_malformed",
    ),
    "signers that everybody may write": ("chmod 666 {signers}", "chmod 644 {signers}", "signers_unsafe"),
    "another machine: a copied disk": (
        "echo 00000000000000000000000000000000 >/run/id; mount --bind /run/id /etc/machine-id",
        "umount /etc/machine-id",
        "target_moved",
    ),
    "a full disk": (
        "fallocate -l $(df -Pk / | awk 'NR == 2 {{ print $4 }}')K /full; dd if=/dev/zero bs=4k >>/full 2>/dev/null; true",
        "rm -f /full",
        "journal_unwritable",
    ),
    "a journal that cannot be written": (
        "mount --bind {journal} {journal} && mount -o remount,bind,ro {journal}",
        "umount {journal}",
        "journal_unwritable",
    ),
}
FILES = {"signers": layout.SIGNERS, "revoked": layout.REVOKED, "journal": layout.JOURNAL}


@contextmanager
def unchanged(guest: Guest) -> Iterator[None]:
    """Nothing that an order could change is another afterwards."""
    before = guest.snapshot()
    yield
    assert guest.snapshot() == before


def reason(guest: Guest, data: bytes) -> str:
    """Why it was refused; the value that the order would have changed is as it was."""
    answer = guest.send_bytes(data).answer
    assert (answer["result"], guest.shell(VALUE)) == ("refused", "65530\n"), answer
    return answer["reason"]


def test_an_order_with_a_line_altered_is_refused_on_a_guest(guest: Guest) -> None:
    with unchanged(guest):
        for name, (order, wanted) in altered(guest.order(RAISE)).items():
            if name not in {"nothing", "no final newline"}:
                assert reason(guest, guest.key.seal(order)) == wanted, name
        order = guest.order(RAISE)
        for byte in b" \"'\x00":
            assert reason(guest, guest.key.seal(order.replace(b"65530", b"655%c30" % byte))) == "characters", byte


def test_an_order_that_is_not_for_this_host_now_and_by_us_is_refused_on_a_guest(guest: Guest) -> None:
    now = int(time.time())
    with unchanged(guest):
        assert reason(guest, guest.order(RAISE)) == "signature_missing"
        assert reason(guest, OrderKey(Ed25519PrivateKey.generate()).seal(guest.order(RAISE))) == "signature_invalid"
        assert reason(guest, guest.key.seal(guest.order(RAISE, issued=now - 300, expires=now - 200))) == "expired"
        assert reason(guest, guest.key.seal(guest.order(RAISE, target="f" * 32))) == "other_target"
        assert reason(guest, guest.key.seal(guest.order(LOW))) == "out_of_bounds"
        assert reason(guest, guest.key.seal(guest.order(HIGH))) == "out_of_bounds"
        used = guest.key.seal(guest.order(LOW))
        assert [reason(guest, used), reason(guest, used)] == ["out_of_bounds", "replayed"]


def test_an_argument_reaches_the_helper_by_neither_sudo_nor_ssh_on_a_guest(guest: Guest) -> None:
    with unchanged(guest):
        sudo = f"su -s /bin/sh {layout.FIXER} -c 'sudo -n {layout.HELPER} --force' 2>&1; {layout.HELPER} --force </dev/null; true"
        said = guest.shell(sudo)
        assert "reason=arguments" in said  # as root
        assert "password" in said or "not allowed" in said  # as the account, by sudo


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_host_that_is_not_as_it_was_prepared_refuses_on_a_guest(guest: Guest, name: str) -> None:
    done, undone, wanted = CONDITIONS[name]
    with unchanged(guest):
        order = guest.sealed(RAISE)
        guest.shell(done.format(**FILES))
        try:
            assert reason(guest, order) == wanted
        finally:
            guest.shell(undone.format(**FILES))


def test_a_boot_since_makes_void_what_was_ordered_and_what_was_live_on_a_guest(guest: Guest) -> None:
    applied = guest.send(RAISE).answer
    assert applied["result"] == "applied"
    order, undo = guest.sealed(LOW), undo_of(applied["id"])
    guest.reboot()
    assert reason(guest, order) == "other_boot"
    answer = guest.send(undo).answer
    assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", "nothing_to_undo", "rebooted")
    assert guest.shell(VALUE) == "65530\n"
