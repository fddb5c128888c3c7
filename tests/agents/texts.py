"""The recorded texts: one file a release, all its faults in it, compressed. `python -m tests.agents show` prints them."""

import json
import lzma
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("texts")


@dataclass(frozen=True)
class Call:
    """One call: the command or the tool with its arguments, what came back, and how long it took."""

    asked: str
    text: str
    seconds: float


@dataclass(frozen=True)
class Group:
    """The calls of one group, and what the host spent meanwhile beyond what it spends without being asked."""

    calls: tuple[Call, ...]
    forks: float
    cpu_s: float


@dataclass(frozen=True)
class Recording:
    """One fault: what an oracle knew, what root read in the guest, and the groups by name."""

    told: Mapping[str, str]
    seen: Mapping[str, int]
    groups: Mapping[str, Group]


@dataclass(frozen=True)
class Release:
    """All recordings on one release, and the tools that each server lists (a model reads them before it asks)."""

    faults: Mapping[str, Recording]
    tools: Mapping[str, list[object]]


def file_of(release: str) -> Path:
    """Return where the texts of a release are."""
    return FOLDER / f"{release}.json.xz"


def read(release: str) -> Release:
    """Return what is recorded of a release; nothing where nothing is."""
    if not file_of(release).exists():
        return Release({}, {})
    plain = json.loads(lzma.decompress(file_of(release).read_bytes()))
    return Release({name: _recording(found) for name, found in plain["faults"].items()}, plain["tools"])


def _recording(plain: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Recording:
    groups = {}
    for name, group in plain["groups"].items():
        calls = tuple(Call(**call) for call in group["calls"])  # type: ignore[attr-defined] # JSON that `write` wrote
        groups[name] = Group(calls, float(str(group["forks"])), float(str(group["cpu_s"])))
    return Recording(plain["told"], plain["seen"], groups)  # type: ignore[arg-type] # JSON that `write` wrote


def write(release: str, found: Release) -> None:
    """Write the texts of a release."""
    FOLDER.mkdir(exist_ok=True)
    plain = json.dumps(asdict(found), ensure_ascii=False, sort_keys=True, indent=0)
    file_of(release).write_bytes(lzma.compress(plain.encode(), preset=9 | lzma.PRESET_EXTREME))
