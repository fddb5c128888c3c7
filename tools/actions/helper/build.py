"""Builds the helper as it is installed: one program of the parts in `helper/` and the `.sh` file of each action.

What the program says of the actions is made from `ACTIONS`, so there is no second list of them. Its constants are literal;
tests put it on scratch paths.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from triagebook.tools.actions import ACTIONS, Action

# In the order in which they stand in the program; the actions come between.
PARTS_BEFORE = ("start", "answering", "receiving", "grammar", "host", "journal", "files", "reading")
PARTS_AFTER = ("running",)
_BLOCK = re.compile(r"(# >>> constants[^\n]*\n)(.*?)(# <<< constants\n)", re.DOTALL)
_CONSTANT = re.compile(r"([A-Z_]+)=([A-Za-z0-9_/.:-]+)")
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_PATTERN = re.compile(r"[a-z_]+(:[a-z]+)?")  # of a case: what the shell would take for a pattern is refused
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER = """\
# -------------------------------------------------------------------------------------------------------- the actions
# Made by tools/actions/helper/build.py from the registry of actions. Each of them has, in a file of its own: parse_ (its
# fields), check_ (guards, sets BEFORE; refuses), apply_ (the change), observe_ (sets AFTER; fails when it is not what was
# wanted), restore_ (puts BEFORE back), undo_guard_ (refuses an undo that would go below present use).

"""


def source() -> str:
    """Return the helper's text as it goes to a host."""
    here, actions = files(__package__), files(__package__.rpartition(".")[0])
    return "".join(
        (
            *(here.joinpath(f"{part}.sh").read_text("ascii") for part in PARTS_BEFORE),
            registry(ACTIONS),
            *(actions.joinpath(f"{name}.sh").read_text("ascii") for name in ACTIONS),
            *(here.joinpath(f"{part}.sh").read_text("ascii") for part in PARTS_AFTER),
        )
    )


def registry(known: Mapping[str, Action]) -> str:
    """Return what the helper knows of the actions: their names, their steps, and the words that they take.

    Raises:
        ValueError: a name or a word that is not plain.
    """
    words = {
        f"word_of_{name}_{parameter}": (parameter, kind.words)
        for name, action in known.items()
        for parameter, kind in action.parameters.items()
        if kind.words
    }
    return "".join(
        (
            _HEADER,
            _case("is_action", "$ACTION", known),
            _case("has_step", "$ACTION:$STEP", (f"{name}:{step}" for name, action in known.items() for step in action.steps)),
            _case("is_undoable", "$ACTION", (name for name, action in known.items() if action.undo == "captured")),
            _case("outlives_boot", "$ACTION", (name for name, action in known.items() if action.outlives_boot)),
            *(_one_of(function, parameter, choices) for function, (parameter, choices) in words.items()),
        )
    )


def _case(function: str, subject: str, patterns: Iterable[str]) -> str:
    """Write a function that succeeds when `subject` is one of these."""
    lines = "".join(f"    {_plain(pattern, _PATTERN)}) ;;\n" for pattern in patterns)
    return f"{function}() {{\n  case {subject} in\n{lines}    *) return 1 ;;\n  esac\n}}\n\n"


def _one_of(function: str, parameter: str, words: Iterable[str]) -> str:
    """Write a function that refuses a field whose value is none of these."""
    _plain(function, _NAME)
    return f"{function}() {{ one_of {parameter} {' '.join(_plain(word, _WORD) for word in words)}; }}\n\n"


def _plain(text: str, form: re.Pattern[str]) -> str:
    """Return the text. ValueError: it has a character that the shell could take for more than itself."""
    if not form.fullmatch(text):
        raise ValueError(f"not a plain word of an action: {text!r}")
    return text


def constants(text: str) -> dict[str, str]:
    """Return name -> value of the constants block: the paths the helper reads and writes."""
    return dict(_CONSTANT.fullmatch(line).groups() for line in _block(text).group(2).splitlines())  # type: ignore[union-attr,misc]


def render(replaced: Mapping[str, str]) -> str:
    """Return the helper with other values in its constants block; everything else is what is installed.

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
