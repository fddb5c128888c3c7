"""Makes an awk program one short line that passes every login shell. Pure.

It travels inside single quotes through sh, bash, zsh, fish or csh, and should fit the first packets of a connection:
no single quote, no newline, no doubled backslash (fish reads it as one), no "!" that csh would take for history; no
comments, no indentation, names of one or two letters.
"""

import re
import string

_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
_WORD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)")
_PARAMETERS = re.compile(r"function [A-Za-z0-9_]+\(([^)]*)\)")
_STAND_IN = re.compile("\x00([0-9]+)\x01")  # for a string, while the code around it is changed
_MINUS = re.compile(r" - (?<=[A-Za-z0-9_)\]] - )(?=[A-Za-z0-9_(])")  # a constant first: what is not there is soon passed over
_CONDITION = re.compile(r" \((?:(?<=\bif \()|(?<=\bfor \()|(?<=\bwhile \())")
_OPERATORS = ("==", "!=", "<=", ">=", "&&", "||", "++", "--", "-=", "+=", *"=<>+*/?:;,{}~")

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
        ValueError: a statement or a block is left open, or a character would not survive a login shell.
    """
    lines = [line for line in map(str.strip, awk.splitlines()) if line and not line.startswith("#")]
    for line in lines:
        if not line.endswith((";", "{", "}", "\\")):
            raise ValueError(f"awk: a line must end in ';', '{{', '}}' or a backslash: {line!r}")
    pieces = _STRING.split(" ".join(line.removesuffix("\\").rstrip() for line in lines))
    strings = pieces[1::2]
    pieces[1::2] = [f"\x00{number}\x01" for number in range(len(strings))]
    code = _short_names(_without_spaces("".join(pieces)))
    program = _STAND_IN.sub(lambda stand_in: strings[int(stand_in[1])], code)
    if not (program.isascii() and program.isprintable()) or "'" in program or "\\\\" in program or re.search(r"![^=(]", program):
        raise ValueError("awk: a quote, a doubled backslash, a bare '!' or a character outside ASCII")
    return program


def _without_spaces(code: str) -> str:
    """Without the spaces that separate nothing. One before "(" stays: it tells `a (b)` from a call."""
    while "  " in code:
        code = code.replace("  ", " ")
    for operator in _OPERATORS:
        code = code.replace(f" {operator}", operator).replace(f"{operator} ", operator)
    code = code.replace(" \x00", "\x00").replace("\x01 ", "\x01").replace("( ", "(")
    code = _MINUS.sub("-", code)
    code = _CONDITION.sub("(", code)
    code = re.sub(r";+\}", "}", code)
    return code.strip().replace("}function ", "};function ").replace("}BEGIN", "};BEGIN")


def _short_names(code: str) -> str:
    """A small letter for each parameter of a function, the rest by use. Nothing but functions and BEGIN is at the top."""
    if code.count("{") != code.count("}"):
        raise ValueError("awk: a block is not closed")
    parameters = map(_letters, _PARAMETERS.findall(code))
    pieces = _WORD.split(code)  # every second one is a word
    own: dict[str, str] = {}
    others: dict[str, list[int]] = {}
    for at in range(1, len(pieces), 2):
        word = pieces[at]
        if word == "function":
            own = next(parameters)
        elif word == "BEGIN":
            own = {}
        elif word in own:
            pieces[at] = own[word]
        elif word not in _AWK_WORDS:
            others.setdefault(word, []).append(at)
    pairs = (a + b for a in string.ascii_letters for b in string.ascii_letters)
    short = (name for name in (*string.ascii_uppercase, *pairs) if name not in _TAKEN)
    for word, name in zip(sorted(others, key=lambda word: (-len(others[word]), word)), short, strict=False):
        for at in others[word]:
            pieces[at] = name
    return "".join(pieces)


def _letters(parameters: str) -> dict[str, str]:
    return dict(zip(_WORD.findall(parameters), string.ascii_lowercase, strict=False))
