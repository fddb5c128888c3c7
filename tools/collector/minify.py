"""Makes an awk program one short line that passes every login shell. Pure.

It travels inside single quotes through sh, bash, zsh, fish or csh, and should fit the first packets of a connection:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history; no
comments, no spaces that separate nothing, names of one or two letters.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

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
    program = "".join(_without_spaces(_shorten_names(_put_bodies(pieces))))
    if not (program.isascii() and program.isprintable()) or "'" in program or "\\\\" in program or re.search(r"![^=(]", program):
        raise ValueError("awk: a quote, a doubled backslash, a bare '!' or a character outside ASCII")
    return program


def _put_bodies(pieces: Sequence[str]) -> list[str]:
    """Put the body of a function where it is called, if that is one statement, and it has no parameters and no `return`."""
    uses: dict[str, list[int]] = {}
    for at, piece in enumerate(pieces):
        uses.setdefault(piece, []).append(at)
    bodies: dict[int, range] = {}  # by where the only call stands
    ends: dict[int, int] = {}  # of definitions that go
    for at in uses.get("function", []):
        if len(found := uses[pieces[at + 2]]) != 2 or pieces[at + 3 : at + 5] != ["(", ")"]:
            continue
        call, end = sum(found) - (at + 2), _end_of_block(pieces, at)
        body = range(pieces.index("{", at) + 1, end)
        if _is_statement(pieces, call) and "return" not in pieces[body.start : body.stop]:
            bodies[call], ends[at] = body, end
    return list(_pieces_with_bodies(pieces, range(len(pieces)), bodies, ends))


def _pieces_with_bodies(pieces: Sequence[str], those: range, bodies: Mapping[int, range], ends: Mapping[int, int]) -> Iterator[str]:
    at = those.start
    while at < those.stop:
        if at in ends:
            at = ends[at] + 1
        elif at in bodies:
            yield from _pieces_with_bodies(pieces, bodies[at], bodies, ends)
            at += len("f();")
        else:
            yield pieces[at]
            at += 1


def _is_statement(pieces: Sequence[str], call: int) -> bool:
    """Say whether `f();` is a statement of its own."""
    before = next((piece for piece in reversed(pieces[max(0, call - 2) : call]) if not piece.isspace()), "")
    return before in {"{", "}", ";"} and pieces[call + 1 : call + 4] == ["(", ")", ";"]


def _end_of_block(pieces: Sequence[str], at: int) -> int:
    """Return where the block ends that begins there or behind it."""
    depth = 0
    for end in range(pieces.index("{", at), len(pieces)):
        depth += {"{": 1, "}": -1}.get(pieces[end], 0)
        if depth == 0:
            return end
    raise ValueError("awk: a block is not closed")


def _shorten_names(pieces: Sequence[str]) -> list[str]:
    """Give every name of ours a short one, so that the text also compresses well.

    A parameter has the same letter in all functions, so equal phrases stay equal. Of the other names the most used have one
    letter; the rest have two in the order of their first use, so neighbours in the text have the same second letter.
    """
    letters = _letters_of_parameters(pieces)
    parameters: frozenset[str] = frozenset()
    marked: list[tuple[str, bool]] = []  # a piece, and whether it is a name to be given yet
    for at, piece in enumerate(pieces):
        if piece in ("function", "BEGIN"):
            parameters = frozenset(_parameters(pieces, at)) if piece == "function" else frozenset()
        is_name = piece[0].isalpha() and piece not in _AWK_WORDS and piece not in parameters
        marked.append((letters[piece] if piece in parameters else piece, is_name))
    short = _names_by_use(Counter(piece for piece, is_name in marked if is_name), frozenset(letters.values()))
    return [short[piece] if is_name else piece for piece, is_name in marked]


def _letters_of_parameters(pieces: Sequence[str]) -> dict[str, str]:
    """Return a letter for each name of a parameter: the most used first, and none twice in one function."""
    functions = [frozenset(_parameters(pieces, at)) for at, piece in enumerate(pieces) if piece == "function"]
    beside: dict[str, set[str]] = {}
    for names in functions:
        for name in names:
            beside.setdefault(name, set()).update(names)
    uses = Counter(piece for piece in pieces if piece in beside)
    letters: dict[str, str] = {}
    for name in sorted(beside, key=lambda name: (-uses[name], name)):
        taken = {letters[other] for other in beside[name] if other in letters}
        letters[name] = next(letter for letter in string.ascii_lowercase if letter not in taken)
    return letters


def _names_by_use(uses: Counter[str], taken: frozenset[str]) -> dict[str, str]:
    """Return a short name for each, given how often it is used, in the order of the text; `taken` are letters of parameters."""
    single = [letter for letter in string.ascii_uppercase + string.ascii_lowercase if letter not in taken]
    most_used = sorted(uses, key=lambda name: (-uses[name], name))[: len(single)]
    short = dict(zip(most_used, single, strict=False))
    pairs = (first + second for second in string.ascii_letters for first in string.ascii_letters)
    short.update(zip((name for name in uses if name not in short), (pair for pair in pairs if pair not in _TAKEN), strict=False))
    return short


def _parameters(pieces: Sequence[str], at: int) -> Iterator[str]:
    """Yield the parameters of the function whose definition begins there."""
    start = pieces.index("(", at)
    return (piece for piece in pieces[start : pieces.index(")", start)] if piece[0].isalpha())


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
