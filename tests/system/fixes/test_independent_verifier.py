"""Our checkpoints and proofs against a verifier that was not written here: aics-tlog, in an environment of its own."""

import base64
import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.audit.event import AuditEvent, LogRow, encode
from triagebook.tools.audit.merkle import consistency_proof, edge_of, inclusion_proof, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign, vkey_of
from triagebook.tools.store import audit_rows

from tests.hang import GUARD_S

from .policies import actor
from .world import World

PACKAGE = "aics-tlog"
LOCK = Path(__file__).parents[2] / "peers" / "aics-tlog.txt"
CACHE = Path(__file__).parents[3] / ".cache" / "aics-tlog"
SCRIPT = """
import base64, json, sys
import aics_tlog as t
asked = json.load(sys.stdin)
un = base64.b64decode
def inclusion():
    checkpoint = t.parse_checkpoint(note.text)
    proof = [un(item) for item in asked["inclusion"]]
    return t.verify_leaf_inclusion(un(asked["leaf"]), asked["index"], checkpoint.size, proof, checkpoint.root)
def consistency():
    checkpoint = t.parse_checkpoint(note.text)
    proof = [un(item) for item in asked["consistency"]]
    return t.verify_consistency(asked["old_size"], checkpoint.size, un(asked["old_root"]), checkpoint.root, proof)
def accepted(check):
    try:
        return bool(check())
    except Exception:
        return False
try:
    note = t.parse_note(asked["note"].encode())
    signed = t.verify_checkpoint(note, t.parse_vkey(asked["vkey"]), []).ok
except Exception as error:
    print(json.dumps({"checkpoint": False, "inclusion": False, "consistency": False, "why": repr(error)}))
else:
    print(json.dumps({"checkpoint": signed, "inclusion": accepted(inclusion), "consistency": accepted(consistency)}))
"""
Ask = Callable[..., dict[str, object]]


def _python_312() -> str:
    """A Python of at least 3.12, which aics-tlog needs; '' where there is none."""
    versions = sorted((Path.home() / ".pyenv" / "versions").glob("3.1[2-9].*/bin/python3"), reverse=True)
    for candidate in (*(shutil.which(f"python3.{minor}") for minor in (14, 13, 12)), *map(str, versions)):
        if candidate:
            probe = subprocess.run(
                (candidate, "-c", "import sys; print(sys.version_info >= (3, 12))"), capture_output=True, check=False
            )
            if probe.stdout.strip() == b"True":
                return candidate
    return ""


def _install(python: Path) -> None:
    base = _python_312()
    if not base:
        pytest.skip("aics-tlog needs Python >= 3.12, which is not here")
    shutil.rmtree(CACHE, ignore_errors=True)
    subprocess.run((base, "-m", "venv", CACHE), check=True)
    install = (python, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", LOCK)
    if subprocess.run(install, check=False, capture_output=True).returncode:
        pytest.skip(f"{PACKAGE} could not be installed")
    (CACHE / "installed").touch()


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Put a question to the independent verifier."""
    python = CACHE / "bin" / "python"
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.with_name(f"{CACHE.name}.lock").open("w") as lock:  # one worker of the tests installs it, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "installed").exists():
            _install(python)

    def asked(**question: object) -> dict[str, object]:
        run = subprocess.run(
            (python, "-c", SCRIPT), input=json.dumps(question), capture_output=True, text=True, timeout=GUARD_S, check=True
        )
        answer: dict[str, object] = json.loads(run.stdout)
        return answer

    return asked


def _question(size: int = 21, index: int = 13, old_size: int = 8) -> dict[str, object]:
    from datetime import UTC, datetime

    key = Ed25519PrivateKey.generate()
    now = datetime(2026, 11, 23, tzinfo=UTC)
    leaves, previous = [], b""
    for number in range(size):
        leaves.append(encode(AuditEvent(at=now, action="approve", outcome="ok"), number, previous))
        previous = leaf_hash(leaves[-1])
    hashes = [leaf_hash(leaf) for leaf in leaves]
    checkpoint = sign(Checkpoint("triagebook.example/audit", size, edge_of(hashes).root()), key)
    return {
        "note": checkpoint.note,
        "vkey": vkey_of("triagebook.example/audit", key.public_key()),
        "leaf": _base64(leaves[index]),
        "index": index,
        "inclusion": [_base64(node) for node in inclusion_proof(hashes, index)],
        "old_size": old_size,
        "old_root": _base64(edge_of(hashes[:old_size]).root()),
        "consistency": [_base64(node) for node in consistency_proof(hashes, old_size)],
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(("size", "index", "old_size"), [(21, 13, 8), (1, 0, 1), (16, 15, 5), (7, 0, 6)])
def test_it_accepts_our_checkpoint_and_proofs(ask: Ask, size: int, index: int, old_size: int) -> None:
    assert ask(**_question(size, index, old_size)) == {"checkpoint": True, "inclusion": True, "consistency": True}


def test_it_rejects_a_tampered_row_with_our_proof(ask: Ask) -> None:
    question = _question()
    leaf = base64.b64decode(str(question["leaf"])).replace(b"approve", b"deny___")
    assert ask(**{**question, "leaf": _base64(leaf)})["inclusion"] is False


def test_it_rejects_a_row_at_another_place(ask: Ask) -> None:
    assert ask(**{**_question(), "index": 12})["inclusion"] is False


def test_it_rejects_another_past(ask: Ask) -> None:
    assert ask(**{**_question(), "old_root": _base64(b"x" * 32)})["consistency"] is False


def test_it_rejects_a_tampered_checkpoint(ask: Ask) -> None:
    question = _question()
    note = str(question["note"]).replace("\n21\n", "\n20\n")
    assert ask(**{**question, "note": note})["checkpoint"] is False


def test_it_rejects_another_key(ask: Ask) -> None:
    assert ask(**{**_question(), "vkey": _question()["vkey"]})["checkpoint"] is False


def test_it_accepts_what_audit_show_answers_and_rejects_it_tampered(ask: Ask, world: World) -> None:
    world.apply(world.approved())
    row, proof = world.service.audit_show(actor("dan"), 1, old_size=2)
    old_root = edge_of([leaf_hash(item.leaf) for item in _rows(world)[:2]]).root()
    question = {
        "note": proof.checkpoint,
        "vkey": proof.vkey,
        "leaf": _base64(proof.leaf.encode()),
        "index": proof.index,
        "inclusion": [_base64(bytes.fromhex(node)) for node in proof.inclusion],
        "old_size": proof.old_size,
        "old_root": _base64(bytes.fromhex(proof.old_root)),
        "consistency": [_base64(bytes.fromhex(node)) for node in proof.consistency],
    }
    assert (row.action, row.person) == ("approve", "bob")
    assert proof.old_root == old_root.hex()
    assert ask(**question) == {"checkpoint": True, "inclusion": True, "consistency": True}
    tampered = _base64(proof.leaf.replace("bob", "eve").encode())
    assert ask(**{**question, "leaf": tampered}) == {"checkpoint": True, "inclusion": False, "consistency": True}


def _rows(world: World) -> list[LogRow]:
    with world.store.read() as transaction:
        return list(audit_rows.rows(transaction))
