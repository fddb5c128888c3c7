"""Orders are what the helper on a host gets: one action each, signed. Pure but for the key.

An order is `key=value` lines in one fixed order, each ended by LF, then an SSHSIG signature of exactly those bytes.
The helper (`tools/actions/helper/`) checks all of this again; both sides refuse what the other would refuse.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.plan import ISSUED_FIELDS
from triagebook.tools.actions import ACTIONS
from triagebook.tools.ssh.wire import string, uint32

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "triagebook-order-v1"  # the order's first line and the signature's namespace
SIGNER = "triagebook"  # the principal in a host's signers file
INPUT_MAX_BYTES = 8192
LIFE_S = 120
ENVELOPE = ("format", *ISSUED_FIELDS)
UNDO = "undo"  # the one order that is no action: put back what an earlier order changed
# After the envelope and `action`, in this order.
FIELDS = {**{name: ("step", *action.fields) for name, action in ACTIONS.items()}, UNDO: ("undoes",)}
_VALUE = re.compile(r"(?!-)[A-Za-z0-9._:@,/\\-]{1,4096}")
_ENVELOPE_VALUES = {
    "id": re.compile(r"[0-9a-f]{32}"),
    "plan": re.compile(r"[0-9a-f]{64}"),
    "target": re.compile(r"[0-9a-f]{32}"),
    "boot": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}


class OrderError(TriagebookError):
    """A field that no order may carry. It is a fault of ours: plans are checked before they are approved."""

    reason = "order"


@dataclass(frozen=True)
class OrderedChange:
    """The part of an order that a plan fixes: the action and its fields, in order."""

    action: str
    fields: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        """Refuse anything that the helper's grammar would refuse."""
        if self.action not in FIELDS:
            raise OrderError(f"no action {self.action!r}")
        names = tuple(name for name, _ in self.fields)
        if names != FIELDS[self.action]:
            raise OrderError(f"{self.action}: fields {', '.join(names)}; wanted {', '.join(FIELDS[self.action])}")
        for name, value in self.fields:
            if not _VALUE.fullmatch(value) or ".." in value:
                raise OrderError(f"{self.action}: {name}={value!r} has a character that no order carries")

    def text(self) -> str:
        """Return the lines, as they stand in the order."""
        return "".join(f"{name}={value}\n" for name, value in (("action", self.action), *self.fields))


@dataclass(frozen=True)
class Envelope:
    """Which order this is, for which plan (its digest), on which host and boot, and when it may be carried out."""

    id: str
    plan: str
    target: str
    boot: str
    issued: int  # seconds since the epoch, by our clock
    expires: int


def render(envelope: Envelope, change: OrderedChange) -> bytes:
    """Write the order's bytes, to be signed as they are.

    Raises:
        OrderError: an envelope that the helper would refuse, or an order too long for it.
    """
    for name, pattern in _ENVELOPE_VALUES.items():
        if not pattern.fullmatch(getattr(envelope, name)):
            raise OrderError(f"{name}={getattr(envelope, name)!r} is not of the form {pattern.pattern}")
    if not 0 < envelope.issued < envelope.expires <= envelope.issued + LIFE_S:
        raise OrderError(f"an order lives up to {LIFE_S} s: issued {envelope.issued}, expires {envelope.expires}")
    lines = {"format": FORMAT, **vars(envelope)}
    order = ("".join(f"{name}={lines[name]}\n" for name in ENVELOPE) + change.text()).encode("ascii")
    if len(order) > INPUT_MAX_BYTES - 512:  # an Ed25519 signature in armour takes about 300
        raise OrderError(f"an order of {len(order)} bytes is too long")
    return order


def undo_of(order_id: str) -> OrderedChange:
    """Return the change that puts back what an earlier order changed; the helper has kept what was there before."""
    return OrderedChange(UNDO, (("undoes", order_id),))


def number_of(execution: str) -> str:
    """Return the order's number for one execution of a fix: always the same, so that a crash does not lose it."""
    return hashlib.sha256(f"triagebook order {execution}".encode()).hexdigest()[:32]


def status_request(order_id: str = "none") -> bytes:
    """Write what asks the helper who it is, and what it did with that order. It is not signed: it changes nothing."""
    return f"format={FORMAT}\naction=status\nid={order_id}\n".encode("ascii")


class OrderKey:
    """The private key that signs orders. It prints as `***`."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key

    def __repr__(self) -> str:
        return "OrderKey(***)"

    def public(self) -> str:
        """Return `ssh-ed25519 AAAA...`, for a host's signers file."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")

    def sign(self, order: bytes) -> bytes:
        """Return the armoured signature that `ssh-keygen -Y verify -n triagebook-order-v1` accepts (PROTOCOL.sshsig)."""
        digest = hashlib.sha512(order).digest()
        subject = string(FORMAT), string(""), string("sha512")
        signature = string("ssh-ed25519") + string(self._key.sign(b"".join((b"SSHSIG", *subject, string(digest)))))
        public = base64.b64decode(self.public().split()[1])
        blob = b"".join((b"SSHSIG", uint32(1), string(public), *subject, string(signature)))
        body = base64.b64encode(blob).decode("ascii")
        lines = [body[start : start + 70] for start in range(0, len(body), 70)]
        return "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", "")).encode("ascii")

    def seal(self, order: bytes) -> bytes:
        """Return the order and its signature: the helper's whole standard input."""
        return order + self.sign(order)


def fields_of(action: str, values: Sequence[str]) -> OrderedChange:
    """Make a change from its values alone, in the fixed order. Raises OrderError."""
    if len(values) != len(FIELDS.get(action, ())):
        raise OrderError(f"{action}: {len(values)} values for {len(FIELDS.get(action, ()))} fields")
    return OrderedChange(action, tuple(zip(FIELDS[action], values, strict=True)))
