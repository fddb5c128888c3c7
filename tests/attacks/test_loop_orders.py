"""Orders that nobody signed, or that say something else than a server would: three shells answer alike and change nothing."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.actions.orders import OrderKey, fields_of

from tests.attacks.budget import Attack, mutated
from tests.system.helper.scratch_host import SHELLS, ScratchHost, parsed

CHANGE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
VALUES = (b"..", b"../../x", b"-1", b"$(id)", b"`id`", b"a;b", b"\r", b"\0", b" ", b"0x10", b"010", b"9" * 30, b"*", b"\\", b"")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper runs as root")


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[ScratchHost]]:
    """A prepared host with each shell; all trust the key of the first and have its target id."""
    with ExitStack() as stack:
        made = [stack.enter_context(ScratchHost(shell)) for shell in sorted(SHELLS)]
        for host in made[1:]:
            host.key, host.target = made[0].key, made[0].target
            host.trust(host.key.public())
            host.write("etc/triagebook/target", made[0].path("etc/triagebook/target").read_text())
        yield made


def _hostile(random: Random, order: bytes, host: ScratchHost) -> tuple[str, bytes]:
    """An order that must be refused, and of which kind it is."""
    lines = order.splitlines(keepends=True)
    kind = random.randrange(8)
    if kind == 0:
        return "unsigned", order
    if kind == 1:
        return "changed after signing", mutated(random, host.key.seal(order))
    if kind == 2:
        at = random.randrange(len(lines))
        name = lines[at].partition(b"=")[0]
        return "another value", host.key.seal(
            b"".join([*lines[:at], name + b"=" + random.choice(VALUES) + b"\n", *lines[at + 1 :]])
        )
    if kind == 3:
        random.shuffle(lines)
        return "reordered", host.key.seal(b"".join(lines))
    if kind == 4:
        return "doubled", host.key.seal(order + random.choice(lines))
    if kind == 5:
        other = host.order(CHANGE)
        return "signature of another order", order + host.key.seal(other)[len(other) :]
    if kind == 6:
        return "signed by a stranger", OrderKey(Ed25519PrivateKey.generate()).seal(order)
    return "signed noise", host.key.seal(mutated(random, order))


def test_no_hostile_order_is_carried_out_and_every_shell_says_the_same(attack: Attack, hosts: list[ScratchHost]) -> None:
    before = [host.snapshot() for host in hosts]
    for number in attack.rounds(8):
        with attack.round(number) as random:
            order = hosts[0].order(CHANGE)
            kind, content = _hostile(random, order, hosts[0])
            answers = [parsed(host.run(content).stdout) for host in hosts]
            told = [{name: value for name, value in answer.items() if name in ("result", "reason")} for answer in answers]
            assert told[0] == told[1] == told[2], (kind, content)
            applied = told[0]["result"] == "applied"
            if applied:  # the change left the order well-formed and signed: a line that nobody reads cannot be there
                attack.figure(f"{kind}: applied")
                for host in hosts:
                    host.path("proc/sys/vm/max_map_count").write_text("65530\n")
            # base64 may be broken into other lines: what is carried out is what was signed all the same
            is_as_signed = kind == "changed after signing" and content.partition(b"-----BEGIN SSH SIGNATURE")[0] == order
            assert not applied or is_as_signed or kind in {"another value", "signed noise", "reordered"}, (kind, content)
            assert [host.snapshot() for host in hosts] == before, (kind, content)
            attack.figure(kind)
    assert not [path for host in hosts for path in host.path("run").glob("*order*")]
