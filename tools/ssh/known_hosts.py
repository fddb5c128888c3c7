"""Our reader of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which keys are trusted for one host.

paramiko's loader parses and compares every line with every other: 6000 lines cost it 2.8 s. Here each line is text
until its host field matches; only then is its key decoded.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.patterns import matches_list
from triagebook.tools.ssh.public_keys import key_type
from triagebook.tools.ssh.wire import Malformed

MARKERS = {"@cert-authority": "authority", "@revoked": "revoked"}


@dataclass(frozen=True)
class KnownKey:
    """One line that speaks of the host. `source` is `FILE:LINE`, `blob` the raw public key."""

    type: str
    blob: bytes
    source: str


@dataclass(frozen=True)
class KnownHost:
    """What the files say of one host: `trusted` keys, certificate `authorities`, and `revoked` keys of either kind."""

    name: str
    files: tuple[str, ...]
    trusted: tuple[KnownKey, ...] = ()
    authorities: tuple[KnownKey, ...] = ()
    revoked: tuple[KnownKey, ...] = ()
    notes: tuple[str, ...] = ()


def host_name(host: str, port: int) -> str:
    """The name as known_hosts writes it: `[host]:port` unless the port is 22. Lower case, as ssh compares it."""
    host = host.lower()
    return host if port == 22 else f"[{host}]:{port}"


def look_up(host: str, port: int, files: Sequence[Path]) -> KnownHost:
    """Read every file and keep the lines for `host` and `port`; a file that does not exist holds nothing.

    Lines for the plain name also speak of another port, as in ssh(1): authorities and revoked keys always, trusted keys
    when there are none for the port itself.

    Raises:
        UsageError: a file exists and cannot be read.
    """
    name = host_name(host, port)
    plain = host.lower()
    found: dict[str, list[KnownKey]] = {"trusted": [], "authority": [], "revoked": [], "portless": []}
    notes: list[str] = []
    for file in files:
        for number, line in _candidates(file, name, plain):
            entry = _match(line, name, plain)
            if entry is None:
                continue
            kind, named_type, encoded = entry
            key = _decode(named_type, encoded, f"{file}:{number}")
            if key is None:
                notes.append(f"{file}:{number}: the key does not decode; the line is ignored")
            else:
                found[kind].append(key)
    return KnownHost(
        name,
        tuple(map(str, files)),
        tuple(found["trusted"] or found["portless"]),
        tuple(found["authority"]),
        tuple(found["revoked"]),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Index:
    """A file's lines, by the names they spell out; `others` are hashed, negated or have wildcards."""

    lines: list[str]
    by_name: dict[str, list[int]]
    others: list[int]


def _candidates(file: Path, *names: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that may speak of one of the names, in their order."""
    try:
        state = file.stat()
        index = _index(file, state.st_mtime_ns, state.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"cannot read the known hosts in {file}: {error.strerror}") from error
    exact = {number for name in names for number in index.by_name.get(name, ())}
    for number in sorted({*exact, *index.others}):
        yield number + 1, index.lines[number]


@lru_cache(maxsize=8)
def _index(file: Path, mtime_ns: int, size: int) -> _Index:
    """Read once for a whole fleet, until the file changes."""
    lines = file.read_text("utf-8", "replace").split("\n")
    by_name: dict[str, list[int]] = {}
    others: list[int] = []
    for number, line in enumerate(lines):
        field = line.lstrip(" \t").partition(" ")[0].lower()
        if not field or field[0] in "#":
            continue
        if field[0] in "|@" or "*" in field or "?" in field or "!" in field or "\t" in field:
            others.append(number)
        else:
            for name in field.split(","):
                by_name.setdefault(name, []).append(number)
    return _Index(lines, by_name, others)


def _match(line: str, name: str, plain: str) -> tuple[str, str, str] | None:
    """(kind, key type, base64 key) where the line's host field names the host."""
    fields = line.split(None, 4)
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    kind = "trusted"
    if fields[0].startswith("@"):
        if fields[0] not in MARKERS or len(fields) < 4:
            return None
        kind = MARKERS[fields.pop(0)]
    if _names(fields[0], name):
        return kind, fields[1], fields[2]
    if plain != name and _names(fields[0], plain):
        return ("portless" if kind == "trusted" else kind), fields[1], fields[2]
    return None


def _names(field: str, name: str) -> bool:
    """Whether a host field names the host: one hashed name, or a list of patterns."""
    if field.startswith("|1|"):
        return _is_hash_of(field, name)
    if name in field or "*" in field or "?" in field or field != field.lower():
        return matches_list(name, field.lower().split(","))
    return False


def _is_hash_of(field: str, name: str) -> bool:
    try:
        _empty, _one, salt, digest = field.split("|")
        expected = hmac.digest(binascii.a2b_base64(salt), name.encode(), hashlib.sha1)
        return hmac.compare_digest(expected, binascii.a2b_base64(digest))
    except (ValueError, binascii.Error):
        return False


def _decode(named: str, encoded: str, source: str) -> KnownKey | None:
    try:
        blob = base64.b64decode(encoded, validate=True)
        return KnownKey(named, blob, source) if key_type(blob) == named else None
    except (ValueError, Malformed):
        return None
