"""The helper as it is installed: one program of the parts in `helper/`, its constants literal. Tests put it on scratch paths."""

import re
from collections.abc import Mapping
from importlib.resources import files

ACTIONS = (
    "unit_tasks_max", "user_nproc", "sysctl", "process_limit", "unit_limit", "swap_file", "process_signal", "unit_restart",
)  # fmt: skip
PARTS = (  # in the order in which they stand in the program
    "start", "answering", "receiving", "grammar", "host", "journal", "files", "reading",
    *ACTIONS, "running",
)  # fmt: skip
_BLOCK = re.compile(r"(# >>> constants[^\n]*\n)(.*?)(# <<< constants\n)", re.DOTALL)
_CONSTANT = re.compile(r"([A-Z_]+)=([A-Za-z0-9_/.:-]+)")


def source() -> str:
    """The helper's text as it goes to a host."""
    here, actions = files(__package__), files(__package__.rpartition(".")[0])
    return "".join((actions if part in ACTIONS else here).joinpath(f"{part}.sh").read_text("ascii") for part in PARTS)


def constants(text: str) -> dict[str, str]:
    """Name -> value of the constants block: the paths the helper reads and writes."""
    return dict(_CONSTANT.fullmatch(line).groups() for line in _block(text).group(2).splitlines())  # type: ignore[union-attr,misc]


def render(replaced: Mapping[str, str]) -> str:
    """The helper with other values in its constants block; everything else is what is installed.

    Raises:
        ValueError: a name that is no constant, or a value that is not a plain path.
    """
    text = source()
    block = _block(text)
    values = constants(text)
    if unknown := sorted(replaced.keys() - values.keys()):
        raise ValueError(f"the helper has no constant {', '.join(unknown)}")
    lines = [f"{name}={replaced.get(name, value)}" for name, value in values.items()]
    if wrong := [line for line in lines if not _CONSTANT.fullmatch(line)]:
        raise ValueError(f"not a plain path: {wrong[0]!r}")
    return text[: block.start(2)] + "".join(f"{line}\n" for line in lines) + text[block.end(2) :]


def _block(text: str) -> re.Match[str]:
    found = _BLOCK.search(text)
    if found is None:
        raise ValueError("the helper has no constants block")
    return found
