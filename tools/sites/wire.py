"""What travels between a server and the workers of its sites: subjects of NATS, and messages of bounded JSON, version 1.

The subject that an answer comes on names its site, and the NATS server lets a site's workers publish on their own site's only.
What a message says is a stranger's text all the same, as what a host prints is.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.tools.unix_socket import decode_message

VERSION = 1
PREFIX = "triagebook.site"
QUEUE = "workers"

WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
MOST_PART = 512 << 10  # bytes of one message; a NATS server takes 1 MiB by default
MOST_BYTES = 4 << 20  # of an answer in all its parts
PART = "Triagebook-Part"
STATUS, NO_RESPONDERS = "Status", "503"
BEAT_S = 2.0  # a worker says this often that it is still at a question


def ask_subject(site: str) -> str:
    """Return where questions to a site go; one of its workers gets each."""
    return f"{PREFIX}.{site}.ask"


def who_subject(site: str) -> str:
    """Return where all workers of a site are asked who they are."""
    return f"{PREFIX}.{site}.who"


def here_subject(site: str) -> str:
    """Return where the workers of a site say that they are there."""
    return f"{PREFIX}.{site}.here"


def worker_subject(site: str, worker: str) -> str:
    """Return where one worker gets what follows on a question that it took."""
    return f"{PREFIX}.{site}.worker.{worker}"


def answer_subject(site: str, instance: str, number: int | str) -> str:
    """Return where a server waits for the answer to its question of that number."""
    return f"{PREFIX}.{site}.answer.{instance}.{number}"


def site_of(subject: str) -> str:
    """Return the site whose subject it is; empty where it is none."""
    words = subject.split(".")
    return words[2] if len(words) > 3 and words[:2] == PREFIX.split(".") else ""


@dataclass(frozen=True)
class Permissions:
    """What a key may publish and subscribe, as a NATS server has it."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def site_permissions(site: str) -> Permissions:
    """Return what the workers of a site may do: take its questions and answer them, nothing else."""
    return Permissions(
        publish=(f"{PREFIX}.{site}.answer.>", here_subject(site)),
        subscribe=(f"{ask_subject(site)} {QUEUE}", who_subject(site), worker_subject(site, "*")),
    )


def server_permissions() -> Permissions:
    """Return what a server may do: ask every site and read the answers. It can answer nobody."""
    return Permissions(
        publish=(ask_subject("*"), who_subject("*"), worker_subject("*", "*")),
        subscribe=(f"{PREFIX}.*.answer.>", here_subject("*")),
    )


def encode(message: Mapping[str, object]) -> bytes:
    """Return a message as bytes."""
    return json.dumps({"v": VERSION, **message}, separators=(",", ":")).encode()


def decode(payload: bytes) -> dict[str, Any]:
    """Read a message. Raises ParseError: not one of this version, or longer than any may be."""
    if len(payload) > MOST_BYTES:
        raise ParseError(f"a message of {len(payload)} bytes, more than {MOST_BYTES}")
    try:
        message = decode_message(payload)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not a message of a site: {error}") from None
    if message.pop("v", None) != VERSION:
        raise ParseError(f"not a message of version {VERSION}: triagebook is older or newer at the other end")
    return message


def split(payload: bytes) -> tuple[bytes, ...]:
    """Return the parts in which an answer is sent. Raises ParseError: it is longer than any may be."""
    if len(payload) > MOST_BYTES:
        raise ParseError(f"an answer of {len(payload)} bytes, more than {MOST_BYTES}")
    return tuple(payload[start : start + MOST_PART] for start in range(0, len(payload), MOST_PART))


def part_header(number: int, of: int) -> dict[str, str]:
    """Return the header of part `number` (from 1) of an answer."""
    return {PART: f"{number}/{of}"}


def part_of(header: str) -> tuple[int, int]:
    """Return which part of how many a message is. Raises ParseError: such a header is not written here."""
    number, slash, of = header.partition("/")
    most = MOST_BYTES // MOST_PART
    if not (slash and number.isdecimal() and of.isdecimal() and len(header) < 8 and 1 <= int(number) <= int(of) <= most):
        raise ParseError(f"not the part of an answer: {header[:20]!r}")
    return int(number), int(of)


def text_of(message: Mapping[str, Any], name: str, most: int, default: str = "") -> str:
    """Return a text of a message, cut to `most` characters; the default where it is none."""
    value = message.get(name)
    return value[:most] if isinstance(value, str) else default


def words_of(message: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    """Return a list of short texts of a message; what is none is left out."""
    value = message.get(name)
    return tuple(word for word in value[:most] if isinstance(word, str) and len(word) <= 4096) if isinstance(value, list) else ()
