"""Compiles and runs CEL text by its library, and takes it apart into the names it uses and the parts of a condition.

No macros, no indexing: an expression stays one line, and every name in it is a dotted path or a function of FUNCTIONS.
"""

import re
import sys
import types
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

from triagebook.runbooks.engine.errors import RunbookError

FUNCTIONS = {"has", "int", "double", "string", "size", "min", "max", "startsWith", "endsWith", "contains"}
TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<path>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(?P<call>\s*\()?"""
)
_TOKEN_OR_PRESENCE = re.compile(rf"\bhas\s*\((?P<present>[\w\s.]*)\)|{TOKEN.pattern}")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_IMPORTING = Lock()
_WORDS = {"true", "false", "null", "in"}


@lru_cache(maxsize=1)
def _cel() -> Any:
    """Return the CEL extension without its command line (`cel.cli` imports a prompt toolkit: 140 ms of every run)."""
    with _IMPORTING:  # hosts are diagnosed by several threads
        if "cel" not in sys.modules:
            sys.modules["cel.cli"] = types.ModuleType("cel.cli")
            try:
                import cel  # noqa: F401, PLC0415
            finally:
                del sys.modules["cel.cli"]
    return sys.modules["cel"]


@lru_cache(maxsize=4096)
def compile_cel(expression: str) -> Any:
    return _cel().compile(expression)


def run(expression: str, context: dict[str, Any]) -> Any:
    if not _has_functions(expression):
        return compile_cel(expression).execute(context)
    return compile_cel(expression).execute(_cel().Context(context, {"min": min, "max": max}))


@lru_cache(maxsize=1024)
def _has_functions(expression: str) -> bool:
    return any(function in {"min", "max"} for _path, function in references(expression))


@lru_cache(maxsize=4096)  # compiling the 40 of a runbook takes 15 ms; an answer asks three times, a proof hundreds of times
def matches(pattern: str, text: str) -> bool:
    """Say whether a regular expression is found in the text, in linear time (RE2 syntax). Raises RunbookError."""
    try:
        found = compile_cel("text.matches(pattern)").execute({"text": text, "pattern": pattern})
    except (ValueError, RuntimeError, TypeError) as error:
        raise RunbookError(f"not a regular expression: {str(error).splitlines()[0]}") from None
    return bool(found)


@lru_cache(maxsize=1024)
def paths(expression: str) -> tuple[str, ...]:
    """Return the dotted paths an expression names, methods and functions left out."""
    return tuple(path for path, _function in references(expression) if path)


def references(expression: str) -> Iterator[tuple[str, str]]:
    """Return (path, called function) pairs; either may be empty."""
    for match in TOKEN.finditer(expression):
        path = match["path"]
        if not path or path in _WORDS:
            continue
        path = re.sub(r"\s", "", path)
        if match["call"]:
            owner, _, function = path.rpartition(".")
            yield owner, function
        else:
            yield path, ""


@lru_cache(maxsize=1024)
def path_parts(expression: str) -> tuple[str, ...]:
    """Return the names of a dotted path; empty where the expression is more than one."""
    return tuple(expression.split(".")) if _PATH.fullmatch(expression) and expression not in _WORDS else ()


def parts(expression: str) -> list[str]:
    """Return the operands of && and || at the top level; the whole where parentheses or ?: make them depend on each other."""
    depth, start, parts, index = 0, 0, [], 0
    bare = TOKEN.sub(lambda match: "x" * len(match[0]) if match["text"] else match[0], expression)
    if "?" in bare:
        return [expression]
    while index < len(bare):
        depth += (bare[index] == "(") - (bare[index] == ")")
        if depth == 0 and bare[index : index + 2] in {"&&", "||"}:
            parts.append(expression[start:index])
            start = index = index + 2
            continue
        index += 1
    return [part.strip() for part in [*parts, expression[start:]] if part.strip()]


@lru_cache(maxsize=1024)
def presences(expression: str) -> tuple[str, ...]:
    """Return the paths that `has()` asks for in an expression."""
    return tuple(re.sub(r"\s", "", match["present"]) for match in _TOKEN_OR_PRESENCE.finditer(expression) if match["present"])


@lru_cache(maxsize=1024)
def can_absorb(expression: str) -> bool:
    """Say whether the expression may have a value though a fact that it names has none."""
    return any(sign in expression for sign in ("&&", "||", "?", "has("))


@lru_cache(maxsize=4096)
def join(expressions: tuple[str, ...], absent: tuple[str, ...] = ()) -> tuple[str, tuple[tuple[str, str, tuple[str, ...]], ...]]:
    """Return one list of them all and its variables, each with the path it stands for, whole and by its names.

    The library takes four times as long for mappings in mappings as for plain variables. `has()` is true but of what is absent.
    """
    names: dict[str, str] = {}

    def variable(path: str) -> str:
        return names.setdefault(path, path.replace("_", "__").replace(".", "_d"))  # the same in every list

    def plain(match: re.Match[str]) -> str:
        if match["text"]:
            return match[0]
        if match["present"]:
            path = re.sub(r"\s", "", match["present"])
            variable(path)
            return "false" if path in absent else "true"
        path = re.sub(r"\s", "", match["path"])
        owner, _, function = path.rpartition(".") if match["call"] else (path, "", "")
        if not owner or owner in _WORDS:
            return match[0]
        return f"{variable(owner)}.{function}(" if match["call"] else variable(owner)

    joined = f"[{', '.join(f'({_TOKEN_OR_PRESENCE.sub(plain, expression)})' for expression in expressions)}]"
    return joined, tuple((name, path, tuple(path.split("."))) for path, name in names.items())
