"""Makes an awk program one short line that passes every login shell. Pure.

It travels inside single quotes through sh, bash, zsh, fish or csh, and should fit the first packets of a connection:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history; no
comments, no spaces that separate nothing, names of one or two letters.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d[\w.]*|\s+|.')
_BEFORE_PARENTHESIS = ("if", "for", "while", "return")  # no function has such a name

# What awk itself gives a meaning to; every other name is ours and may be cut short.
_AWK_WORDS = frozenset(
    {"BEGIN", "ARGC", "ARGV", "RS", "SUBSEP", "PROCINFO", "break", "close", "continue", "delete", "do", "else", "exit"}
    | {"fflush", "for", "function", "getline", "if", "in", "index", "int", "length", "next", "print", "printf"}
    | {"return", "split", "sprintf", "substr", "while"}
)
_TAKEN = frozenset({"do", "if", "in", "or", "NR", "NF", "FS", "RS"})  # not to be given as a short name


def minify(awk: str) -> str:
    """Return the same program on one line.

    Raises:
        ValueError: a statement or a block is left open, or a character would not survive a login shell.
    """
    lines = [line for line in map(str.strip, awk.splitlines()) if line and not line.startswith("#")]
    for line in lines:
        if not line.endswith((";", "{", "}", "\\")):
            raise ValueError(f"awk: a line must end in ';', '{{', '}}' or a backslash: {line!r}")
    pieces = _PIECE.findall(" ".join(line.removesuffix("\\").rstrip() for line in lines))
    if pieces.count("{") != pieces.count("}"):
        raise ValueError("awk: a block is not closed")
    program = "".join(_without_spaces(_shorten_names(pieces)))
    if not (program.isascii() and program.isprintable()) or "'" in program or "\\\\" in program or re.search(r"![^=(]", program):
        raise ValueError("awk: a quote, a doubled backslash, a bare '!' or a character outside ASCII")
    return program


def _shorten_names(pieces: Sequence[str]) -> list[str]:
    """Name the parameters of each function a, b, c..., and all else by use: the most used have one letter."""
    local: dict[str, str] = {}
    marked: list[tuple[str, bool]] = []  # a piece, and whether it is a name to be given yet
    for at, piece in enumerate(pieces):
        if piece == "function":
            local = dict(zip(_parameters(pieces, at), string.ascii_lowercase, strict=False))
        elif piece == "BEGIN":
            local = {}
        is_name = piece[0].isalpha() and piece not in _AWK_WORDS and piece not in local
        marked.append((local.get(piece, piece), is_name))
    uses = Counter(piece for piece, is_name in marked if is_name)
    by_use = sorted(uses, key=lambda name: (-uses[name], name))
    short = dict(zip(by_use, _short_names(), strict=False))
    return [short[piece] if is_name else piece for piece, is_name in marked]


def _parameters(pieces: Sequence[str], at: int) -> Iterator[str]:
    """Yield the parameters of the function whose definition begins there."""
    start = pieces.index("(", at)
    return (piece for piece in pieces[start : pieces.index(")", start)] if piece[0].isalpha())


def _short_names() -> Iterator[str]:
    yield from string.ascii_uppercase
    yield from (name for a in string.ascii_letters for b in string.ascii_letters if (name := a + b) not in _TAKEN)


def _without_spaces(pieces: Sequence[str]) -> Iterator[str]:
    """Yield the pieces, and a space only where two of them would become another one, or a concatenation a call."""
    before, has_space = "", False
    for piece in pieces:
        if piece.isspace():
            has_space = True
            continue
        if piece == "}" and before == ";":
            before = ""
        elif before == "}" and piece in ("function", "BEGIN"):
            before = "};"
        yield before
        if has_space and _needs_space(before, piece):
            yield " "
        before, has_space = piece, False
    yield before


def _needs_space(before: str, piece: str) -> bool:
    if piece == "(":
        return before[-1:].isalnum() and before not in _BEFORE_PARENTHESIS
    is_word = (before[-1:].isalnum() or before[-1:] == "_", piece[0].isalnum() or piece[0] == "_")
    return all(is_word) or (before == piece and piece in "+-")  # `a - -b` is no `a--b`
