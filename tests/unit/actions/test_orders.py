"""Orders: what they may carry, what their digest covers, and that OpenSSH itself accepts our signature."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import TrustError
from triagebook.runbooks.engine.plan import ISSUED_FIELDS
from triagebook.runbooks.engine.plan_codec import digest
from triagebook.tools.actions.orders import FIELDS, Envelope, OrderedChange, OrderError, OrderKey, fields_of, render, undo_of
from triagebook.tools.server.keys import open_keys

from tests.system.fixes import samples

CHANGE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
ENVELOPE = Envelope("a" * 32, "b" * 64, "c" * 32, "11111111-2222-3333-4444-555555555555", 1800000000, 1800000120)


def test_an_order_is_its_lines_in_the_one_order() -> None:
    assert render(ENVELOPE, CHANGE).decode().splitlines() == [
        "format=triagebook-order-v1",
        f"id={'a' * 32}",
        f"plan={'b' * 64}",
        f"target={'c' * 32}",
        "boot=11111111-2222-3333-4444-555555555555",
        "issued=1800000000",
        "expires=1800000120",
        "action=sysctl",
        "step=live",
        "key=vm.max_map_count",
        "before=65530",
        "value=262144",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "A" * 32},
        {"id": "a" * 31},
        {"plan": ""},
        {"target": "../x"},
        {"boot": "x"},
        {"expires": 1800000121},
        {"issued": 0},
    ],
)
def test_an_envelope_that_the_helper_would_refuse_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(OrderError):
        render(replace(ENVELOPE, **changed), CHANGE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    ["", " ", "1 2", "1\n2", "a'b", 'a"b', "a=b", "..", "a..b", "-1", "\u00e9", "a\0b", "$x", "`x`", "x" * 4097],
)
def test_a_value_outside_the_narrow_set_is_refused(value: str) -> None:
    with pytest.raises(OrderError):
        fields_of("sysctl", ("live", "vm.max_map_count", "65530", value))


def test_fields_are_those_of_the_action_and_in_their_order() -> None:
    pairs = CHANGE.fields
    for wrong in (pairs[::-1], pairs[1:], (*pairs, ("more", "1")), (*pairs, pairs[-1])):
        with pytest.raises(OrderError):
            OrderedChange("sysctl", wrong)
    with pytest.raises(OrderError):
        OrderedChange("shell", pairs)
    with pytest.raises(OrderError):
        fields_of("sysctl", ("live",))


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_the_digest_of_a_plan_changes_with_every_field_of_its_order(action: str, data: st.DataObject) -> None:
    values = [f"v{index}" for index, _ in enumerate(FIELDS[action])]
    place = data.draw(st.integers(0, len(values) - 1))
    before = digest_of(fields_of(action, values))
    values[place] = data.draw(st.from_regex(r"[A-Za-z0-9._:@,/]{1,20}", fullmatch=True).filter(lambda text: ".." not in text))
    after = digest_of(fields_of(action, values))
    assert (after == before) == (values[place] == f"v{place}")


def digest_of(change: OrderedChange, **base: str) -> str:
    """What is approved: the digest of a plan with that change."""
    plan = samples.plan()
    return digest(replace(plan, action=change.action, order={**plan.order, **base, **dict(change.fields)}))


def test_the_digest_covers_host_and_boot() -> None:
    digests = {digest_of(CHANGE, target_id=target, boot_id=boot) for target in "ab" for boot in "cd"}
    assert len(digests) == 4


@pytest.mark.parametrize("action", sorted(FIELDS))
def test_every_line_of_an_order_is_of_its_envelope_or_of_the_plan(action: str) -> None:
    values = [f"v{index}" for index, _ in enumerate(FIELDS[action])]
    lines = [line.split("=", 1) for line in render(ENVELOPE, fields_of(action, values)).decode().splitlines()]
    assert tuple(name for name, _ in lines) == ("format", *ISSUED_FIELDS, "action", *FIELDS[action])
    assert not {"format", "action", *ISSUED_FIELDS} & set(FIELDS[action])  # no action may set what binds an order


@given(st.text(max_size=40))
def test_any_text_is_refused_or_stays_one_line(value: str) -> None:
    try:
        change = fields_of("undo", (value,))
    except OrderError:
        return
    assert change.text().count("\n") == 2
    assert change.text().isascii()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31))
def test_openssh_accepts_our_signature_and_no_other_text_or_purpose(number: int) -> None:
    key = OrderKey(Ed25519PrivateKey.generate())
    order = render(replace(ENVELOPE, issued=1 + number, expires=2 + number), undo_of("f" * 32))
    assert verifies(key, order, key.sign(order), "triagebook-order-v1")
    assert not verifies(key, order.replace(b"f", b"e"), key.sign(order), "triagebook-order-v1")
    assert not verifies(key, order, key.sign(order), "file")
    assert not verifies(OrderKey(Ed25519PrivateKey.generate()), order, key.sign(order), "triagebook-order-v1")


def verifies(signer: OrderKey, order: bytes, signature: bytes, namespace: str) -> bool:
    """What ssh-keygen says."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        signers, armoured = Path(folder, "signers"), Path(folder, "signature")
        signers.write_text(f"triagebook {signer.public()}\n")
        armoured.write_bytes(signature)
        argv = ("ssh-keygen", "-Y", "verify", "-f", signers, "-I", "triagebook", "-n", namespace, "-s", armoured)
        return subprocess.run(argv, input=order, capture_output=True, check=False).returncode == 0


def test_a_key_is_read_only_when_nobody_else_can_read_it(tmp_path: Path) -> None:
    opened = open_keys(tmp_path / "keys")
    public = subprocess.run(("ssh-keygen", "-y", "-f", opened.orders_path), check=True, capture_output=True, text=True).stdout
    key = OrderKey(opened.orders)
    assert key.public() == public.strip()
    assert repr(key) == "OrderKey(***)"
    opened.orders_path.chmod(0o644)
    with pytest.raises(TrustError, match="lets others in"):
        open_keys(tmp_path / "keys")


def test_a_key_of_another_type_is_refused(tmp_path: Path) -> None:
    path = open_keys(tmp_path / "keys").orders_path
    path.unlink()
    subprocess.run(("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(path)), check=True)
    with pytest.raises(TrustError, match="expected an Ed25519 key"):
        open_keys(tmp_path / "keys")
