"""The keys to try at a host, in ssh's order: certificates first, then keys of the agent, then key files.

A key file is read only when its turn comes to sign. What cannot be used is a reason for people, not silence.
"""

import base64
import binascii
import os
import shlex
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_ssh_private_key
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh import agent as agents
from triagebook.tools.ssh import certificates
from triagebook.tools.ssh.agent import Agent, AgentError
from triagebook.tools.ssh.config import HostConfig
from triagebook.tools.ssh.public_keys import CERT_SUFFIX, fingerprint, key_type, sign
from triagebook.tools.ssh.wire import Malformed, Reader, string

# (signed bytes, algorithm, until) -> SSH signature blob. Raises AgentError, UsageError, OSError.
Signer = Callable[[bytes, str, float], bytes]
_MAGIC = b"openssh-key-v1\0"
MAX_KEY_FILE_BYTES = 1 << 20
AGENT_LIST_S = 2.0  # an agent lists its keys at once; signing may wait for a touch


@dataclass(frozen=True)
class SshIdentity:
    """One public key or certificate and how to sign with it. `origin` names the file or the agent."""

    blob: bytes
    origin: str
    sign: Signer = field(repr=False, compare=False)

    @property
    def type(self) -> str:
        return key_type(self.blob)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)


@dataclass(frozen=True)
class Identities:
    """What can be tried, and why other things cannot (`problems`, for people)."""

    usable: tuple[SshIdentity, ...]
    problems: tuple[str, ...]


def gather(config: HostConfig, until: float) -> Identities:
    """All identities for a host.

    Raises:
        UsageError: key files are named, none can be used, and there is nothing else to try.
    """
    problems: list[str] = []
    agent = None if config.identity_agent == "none" else agents.find(config.identity_agent)
    held = _agent_identities(agent, until, problems) if agent else []
    files = [file for path in config.identity_files for file in _file(path, held, problems, config)]
    named = [identity for identity in files if identity in held]
    others = [] if config.identities_only else [identity for identity in held if identity not in named]
    plain = [*named, *others, *(identity for identity in files if identity not in held)]
    usable = (*_certificate_identities(config, plain, problems), *plain)
    if not usable and problems:
        raise UsageError("no key to log in with: " + "; ".join(problems))
    return Identities(tuple(usable), tuple(problems))


def _agent_identities(agent: Agent, until: float, problems: list[str]) -> list[SshIdentity]:
    try:
        keys = agent.keys(min(until, time.monotonic() + AGENT_LIST_S))
    except AgentError as error:
        problems.append(str(error))
        return []
    return [SshIdentity(key.blob, f"agent {agent.path}", _agent_signer(agent, key.blob)) for key in keys]


def _agent_signer(agent: Agent, blob: bytes) -> Signer:
    return lambda signed, algorithm, until: agent.sign(blob, signed, algorithm, until)


def _file(path: Path, held: list[SshIdentity], problems: list[str], config: HostConfig) -> Iterator[SshIdentity]:
    """The identity of a key file: from the agent where it holds the key, else from the file itself."""
    by_blob = {identity.blob: identity for identity in held}
    beside = _public_line(_beside(path, ".pub"))
    if beside in by_blob:
        yield by_blob[beside]
        return
    try:
        raw = _read_private(path)
        shown = public_part(raw)
        if shown is None:  # PEM formats do not show the public key
            private = _load(path, raw)
            yield SshIdentity(_public_of(private), str(path), _file_signer(path, private))
        elif shown.blob in by_blob:
            yield by_blob[shown.blob]
        elif shown.is_encrypted:
            problems.append(_encrypted_key_message(path))
        else:
            yield SshIdentity(shown.blob, str(path), _file_signer(path, None))
    except FileNotFoundError:
        if not config.has_default_identities:
            problems.append(f"{path} does not exist")
    except UsageError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"cannot read {path}: {error.strerror}")


@lru_cache(maxsize=32)
def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _encrypted_key_message(path: Path) -> str:
    return f"{path} is encrypted and no agent holds it: `ssh-add {shlex.quote(str(path))}`"


def _read_private(path: Path) -> bytes:
    state, version = _version_of(path)
    if state.st_uid == os.getuid() and state.st_mode & 0o077:
        raise UsageError(
            f"{path} can be read by others (mode {stat.S_IMODE(state.st_mode):04o}), so it is not used: chmod 600 {path}"
        )
    return _content(path, version)


def _version_of(path: Path) -> tuple[os.stat_result, tuple[int, ...]]:
    state = os.stat(path)
    return state, (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size)


@lru_cache(maxsize=32)
def _content(path: Path, _version: tuple[int, ...]) -> bytes:
    """Read once for a fleet, until the file changes."""
    with path.open("rb") as file:
        return file.read(MAX_KEY_FILE_BYTES)


@dataclass(frozen=True)
class PublicPart:
    """What an `openssh-key-v1` file shows without its passphrase (PROTOCOL.key)."""

    blob: bytes
    is_encrypted: bool


@lru_cache(maxsize=8)
def public_part(raw: bytes) -> PublicPart | None:
    """The public key in a private key file; None for other formats and for nonsense."""
    opened = _openssh_key(raw)
    return opened and opened[0]


def _openssh_key(raw: bytes) -> tuple[PublicPart, bytes] | None:
    """The public part and the private one, which may be encrypted."""
    lines = raw.replace(b"\r", b"").split(b"\n")
    if not lines[0].startswith(b"-----BEGIN OPENSSH PRIVATE KEY"):
        return None
    try:
        reader = Reader(binascii.a2b_base64(b"".join(lines[1 : lines.index(b"-----END OPENSSH PRIVATE KEY-----")])))
        if reader.take(len(_MAGIC)) != _MAGIC:
            return None
        cipher, _derivation, _options = reader.string(), reader.string(), reader.string()
        if reader.uint32() != 1:
            return None
        return PublicPart(reader.string(), cipher != b"none"), reader.string()
    except (ValueError, Malformed):
        return None


def _ed25519_seed(raw: bytes) -> bytes | None:
    """The private key of an unencrypted file of that type, without the 10 ms of importing a reader for all; None: ask that."""
    opened = _openssh_key(raw)
    if opened is None or opened[0].is_encrypted:
        return None
    public, reader = opened[0].blob, Reader(opened[1])
    try:
        if reader.uint32() != reader.uint32() or reader.string() != b"ssh-ed25519":
            return None
        point, private = reader.string(), reader.string()
    except Malformed:
        return None
    is_whole = len(private) == 64 and private[32:] == point and public == string("ssh-ed25519") + string(point)
    return private[:32] if is_whole else None


@lru_cache(maxsize=8)
def _load(path: Path, raw: bytes) -> Any:
    """The private key; of `raw`, so that another content is another key. A fleet signs with it once for each host."""
    if (seed := _ed25519_seed(raw)) is not None:
        return Ed25519PrivateKey.from_private_bytes(seed)
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in raw[:200] else load_pem_private_key
    try:
        return load(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower() or "encrypted" in str(error).lower():
            raise UsageError(_encrypted_key_message(path)) from error
        raise UsageError(f"{path} is no private key that can be used here: {error}") from error


def _public_of(private: Any) -> bytes:
    try:
        line: bytes = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, TypeError) as error:
        raise UsageError(f"a key type that SSH does not know: {error}") from error
    return base64.b64decode(line.split()[1])


def _file_signer(path: Path, private: Any) -> Signer:
    def signer(signed: bytes, algorithm: str, _until: float) -> bytes:
        key = private or _load(path, _read_private(path))
        return sign(key, algorithm.removesuffix(CERT_SUFFIX), signed)

    return signer


def _public_line(path: Path) -> bytes | None:
    try:
        return base64.b64decode(_content(path, _version_of(path)[1]).split()[1], validate=True)
    except (OSError, ValueError, IndexError):
        return None


def _certificate_identities(config: HostConfig, plain: Sequence[SshIdentity], problems: list[str]) -> Iterator[SshIdentity]:
    """Certificates of CertificateFile and of `KEY-cert.pub` beside a key, where we can sign for their key."""
    beside = [_beside(path, "-cert.pub") for path in config.identity_files]
    for path in dict.fromkeys([*config.certificate_files, *beside]):
        blob = _public_line(path)
        if blob is None:
            if path in config.certificate_files:
                problems.append(f"cannot read the certificate {path}")
            continue
        try:
            certified = certificates.parse(blob).key
        except Malformed as error:
            problems.append(f"{path}: {error}")
            continue
        for identity in plain:
            if identity.blob == certified:
                yield SshIdentity(blob, str(path), identity.sign)
                break
