"""Makes an awk program one short line that passes every login shell. Pure.

It travels inside single quotes through sh, bash, zsh, fish or csh, and should fit the first packets of a connection:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history; no
comments, no indentation, names of one or two letters.
"""

import re
import string
from collections import Counter

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_END = re.compile(r"[;{}\\]$|^#|^$")
_FUNCTION = re.compile(r"function ([A-Za-z0-9_]+)\(([^)]*)\)(\{)")
_STAND_IN = "\x00{}\x01"  # for a string, while the code around it is changed
_OPERATOR = re.compile("(==|!=|<=|>=|&&|\\|\\||\\+\\+|--|[-+]=|[=<>+*/?:;,{}~]|\x00[0-9]+\x01)")  # or a stand-in
_BRACE = re.compile("[{}]")

# What awk itself gives a meaning to; every other name is ours and may be cut short.
_AWK_WORDS = frozenset(
    {"BEGIN", "ARGC", "ARGV", "RS", "SUBSEP", "PROCINFO", "break", "close", "continue", "delete", "do", "else", "exit"}
    | {"fflush", "for", "function", "getline", "if", "in", "index", "int", "length", "next", "print", "printf"}
    | {"return", "split", "sprintf", "substr", "while"}
)
_TAKEN = frozenset({"do", "if", "in", "or", "NR", "NF", "FS", "RS"})  # not to be given as a short name


def squeeze(awk: str) -> str:
    """The same program on one line.

    Raises:
        ValueError: a statement is left open at a line's end, or a character would not survive a login shell.
    """
    lines = [line.strip() for line in awk.splitlines()]
    for line in lines:
        if not _LINE_END.search(line):
            raise ValueError(f"awk: a line must end in ';', '{{', '}}' or a backslash: {line!r}")
    joined = " ".join(line.removesuffix("\\").rstrip() for line in lines if line and not line.startswith("#"))
    strings = _STRING.findall(joined)
    numbers = iter(range(len(strings)))
    code = _STRING.sub(lambda _: _STAND_IN.format(next(numbers)), joined)
    code = _short_names(_without_spaces(code))
    program = re.sub("\x00([0-9]+)\x01", lambda stand_in: strings[int(stand_in[1])], code)
    if not re.fullmatch(r"[ -~]*", program) or "'" in program or "\\\\" in program or re.search(r"![^=(]", program):
        raise ValueError("awk: a quote, a doubled backslash, a bare '!' or a character outside ASCII")
    return program


def _without_spaces(code: str) -> str:
    """Without the spaces that separate nothing. One before "(" stays: it tells `a (b)` from a call."""
    code = "".join(piece.strip(" ") for piece in _OPERATOR.split(code))
    code = re.sub(r"(?<=[A-Za-z0-9_)\]]) - (?=[A-Za-z0-9_(])", "-", code)
    code = re.sub(r"\b(if|while|for) \(", r"\1(", code)
    code = re.sub(r";+\}", "}", code)
    return re.sub(r"\}(?=function |BEGIN)", "};", code)


def _short_names(code: str) -> str:
    """A small letter for each parameter of a function, the rest by use; the functions are told apart by braces."""
    pieces, end = [], 0
    for function in _FUNCTION.finditer(code):
        close = _matching(code, function.start(3))
        own = [name.strip() for name in function[2].split(",") if name.strip()]
        letters = dict(zip(own, string.ascii_lowercase, strict=False))
        pieces += [code[end : function.start()], f"function {function[1]}("]
        pieces += [",".join(letters[name] + "\x02" for name in own), ")"]
        body = code[function.start(3) : close]
        pieces += [letters[word] + "\x02" if word in letters else word for word in re.split(r"(\W+)", body)]
        end = close
    marked = "".join([*pieces, code[end:]])  # \x02 stands behind every letter that is final
    names = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?!\x02|[A-Za-z0-9_])")
    uses = Counter(word for word in names.findall(marked) if word not in _AWK_WORDS)
    pairs = (a + b for a in string.ascii_letters for b in string.ascii_letters)
    short = (name for name in (*string.ascii_uppercase, *pairs) if name not in _TAKEN)
    given = dict(zip(sorted(uses, key=lambda word: (-uses[word], word)), short, strict=False))
    return names.sub(lambda word: given.get(word[0], word[0]), marked).replace("\x02", "")


def _matching(code: str, start: int) -> int:
    """Where the block that opens at `start` ends."""
    depth = 0
    for brace in _BRACE.finditer(code, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    raise ValueError("awk: a block is not closed")
