"""Whatever stands in a packet, a file, a request or a row: a parser reads it or refuses it with its own error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.library import catalog
from triagebook.runbooks.probes.records import parse_samples
from triagebook.tools.actions.orders import Envelope, OrderedChange, render
from triagebook.tools.audit.event import AuditEvent, decode, encode
from triagebook.tools.audit.note import Checkpoint, sign, verify, vkey_of
from triagebook.tools.collector import collect
from triagebook.tools.policy.load import load_policy
from triagebook.tools.server.protocol import parse_request
from triagebook.tools.ssh import config, known_hosts
from triagebook.tools.ssh.destination import parse_destination
from triagebook.tools.ssh.wire import Malformed, Reader, mpint, string, uint32

from tests.attacks.budget import Attack, mutated
from tests.contract.collector.conftest import KINDS
from tests.contract.transport.test_ssh_config import CONFIGS
from tests.system.fixes import policies
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import KEY

Parse = Callable[[bytes, Path], Any]
VKEY = vkey_of("log", KEY.public_key())
EVENT = AuditEvent(at=NOW, action="propose", outcome="ok", person="ann", host="web-01", detail={"limit": "200"})


def _packet(content: bytes, _folder: Path) -> None:
    reader = Reader(content)
    for read in (reader.byte, reader.boolean, reader.names, reader.mpint, reader.text, reader.uint32, reader.string, reader.uint64):
        read()


def _ssh_config(content: bytes, folder: Path) -> None:
    file = folder / "config"
    file.write_bytes(content)
    for host in ("web", "db.example"):
        config.look_up(parse_destination(host), file)


def _known_hosts(content: bytes, folder: Path) -> None:
    file = folder / "known_hosts"
    file.write_bytes(content)
    known_hosts.look_up("web", 22, [file])
    known_hosts.look_up("web", 2222, [file])


def _policy(content: bytes, _folder: Path) -> None:
    load_policy(content.decode("utf-8", "replace"), "policy.yaml")


def _runbook(content: bytes, _folder: Path) -> None:
    catalog.load_text(content.decode("utf-8", "replace"), "runbook.yaml")


def _request(content: bytes, _folder: Path) -> None:
    parse_request(content)


def _row(content: bytes, _folder: Path) -> None:
    decode(content)


def _note(content: bytes, _folder: Path) -> None:
    verify(content.decode("utf-8", "replace"), VKEY)


def _order(content: bytes, _folder: Path) -> None:
    words = content.decode("utf-8", "replace").split(" ")
    change = OrderedChange("sysctl", tuple(zip(("step", "name", "before", "value"), words, strict=False)))
    made = render(Envelope("1" * 32, words[-1], "boot", 1, 2), change)
    assert made.count(b"\n") == made.decode("ascii").count("=")  # one field a line, whatever stands in it


def _records(content: bytes, _folder: Path) -> None:
    collect.parse(KINDS, parse_samples(content.decode("utf-8", "replace")))


PACKET = b"\x05\x01" + string("none,publickey") + mpint(2**70) + string("text") + uint32(7) + string(b"blob") + bytes(8)
KNOWN = (
    b"web ssh-ed25519 "
    + b"AAAAC3NzaC1lZDI1NTE5AAAAI"
    + b"A" * 43
    + b" c\n@revoked [web]:2222,!db* ssh-ed25519 AAAA\n|1|c2FsdA==|aGFzaA== x y\n"
)
PARSERS: dict[str, tuple[Parse, tuple[bytes, ...], tuple[type[Exception], ...]]] = {
    "packets": (_packet, (PACKET,), (Malformed,)),
    "ssh_config": (_ssh_config, tuple(text.encode() for text in CONFIGS.values()), (TriagebookError,)),
    "known_hosts": (_known_hosts, (KNOWN,), (TriagebookError,)),
    "policy": (_policy, (policies.TEXT.encode(),), (TriagebookError,)),
    "runbook": (
        _runbook,
        tuple(path.read_bytes() for path in sorted(catalog.own_root().glob("*/*/runbook.yaml"))[:4]),
        (TriagebookError,),
    ),
    "request": (
        _request,
        (b'{"do":"propose","host":"web-01","parameters":{"limit":200},"inputs":{"pid":"7"}}',),
        (TriagebookError,),
    ),
    "audit row": (_row, (encode(EVENT, 7, b"x" * 32),), (TriagebookError,)),
    "checkpoint": (_note, (sign(Checkpoint("log", 3, b"r" * 32), KEY).note.encode(),), (TriagebookError,)),
    "order": (_order, (b"live vm.max_map_count 65530 262144 target",), (TriagebookError,)),
}


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_reads_what_is_hostile_or_refuses_it(attack: Attack, name: str, tmp_path: Path) -> None:
    parse, samples, refusals = PARSERS[name]
    for number in attack.rounds({"runbook": 4, "policy": 40}.get(name, 150)):
        with attack.round(number) as random:
            try:
                parse(mutated(random, random.choice(samples)), tmp_path)
            except refusals:
                attack.figure("refused")
