"""What names in the product may look like, and how large a module and a function may be."""

import ast
import asyncio
import builtins
import collections
import dataclasses
import datetime
import enum
import logging
import multiprocessing
import pathlib
import queue
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [file for part in ("bot", "tools", "runbooks") for file in sorted((ROOT / part).rglob("*.py"))]
MOST_LINES_OF_A_MODULE = 300
MOST_LINES_OF_A_FUNCTION = 60


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Past participles that do not end in -ed. Those that are also the imperative (put, set, read, cut, run) are left out.
IRREGULAR = words("""
    begun born borne bought bound broken brought built caught chosen done drawn driven fallen fed felt forgotten found given gone
    grown heard held hidden kept known laid led left lent lost made meant met paid proven said seen sent shown shut sold spent
    stood sworn taken taught thought thrown told understood woken won worn written
""")
# Words that only look like one, and those that are nouns of their own here.
NOUNS = words("""
    bed embed exceed feed hundred need proceed seed shed speed
    encoding ending finding heading mapping meaning nothing padding ping reading ring setting something string thing unexplained
""")
# A first word that makes a statement or a reason of the rest (`is_signed`, `why_refused`), or that links (`to_rendering`).
STATEMENTS = words("is are was has have may must can to on as by in why")
# The verbs that take such a word as their object: `mark_sent`, `find_posted`.
VERBS = words("add count drop ensure find forget get keep list load mark put read refuse require send set show write")
# Participles that qualify the noun behind them, where a reader agrees that the whole is a noun: `pending_fixes`, `fixed_width`.
ADJECTIVES = words("""
    changed cited encrypted fixed included known mapped missing pending preferred sized stored truncated unasked unmapped untrusted
    unused
""")

# asyncio calls what overrides these by their names.
CALLBACKS = frozenset(name for name in dir(asyncio.Protocol) if not name.startswith("_"))


def is_participle(word: str) -> bool:
    if word in NOUNS:
        return False
    return word in IRREGULAR or (len(word) > 3 and word.endswith(("ed", "ing")))


def is_verb_or_noun(name: str) -> bool:
    """Whether a function's name is an imperative, a statement or a noun, and not what was done or is being done."""
    if name in CALLBACKS:
        return True
    words = name.strip("_").split("_")
    first, last = words[0], words[-1]
    if len(words) > 1 and first in STATEMENTS:
        return True
    if is_participle(first) and not (len(words) > 1 and first in ADJECTIVES):
        return False
    return not is_participle(last) or (len(words) > 1 and first in VERBS)


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield file, node


@pytest.mark.parametrize("name", ["applied", "_found", "diagnosing", "asked_for", "votes_counted", "log_kept", "waiting_hosts"])
def test_what_was_done_is_no_name(name: str) -> None:
    assert not is_verb_or_noun(name)


@pytest.mark.parametrize(
    "name", ["apply", "load_fix", "is_signed", "why_refused", "mark_sent", "reading", "pending_fixes", "__init__"]
)
def test_verbs_and_nouns_are_names(name: str) -> None:
    assert is_verb_or_noun(name)


def test_no_function_is_named_by_a_participle_or_a_gerund() -> None:
    wrong = [f"{file.relative_to(ROOT)}:{node.lineno} {node.name}" for file, node in functions() if not is_verb_or_noun(node.name)]
    assert not wrong, "an imperative verb or the noun it returns: " + ", ".join(wrong)


def test_no_module_of_the_tests_is_named_by_a_participle_or_a_gerund() -> None:
    modules = {file.relative_to(ROOT): file.stem.removeprefix("test_").split("_")[-1] for file in (ROOT / "tests").rglob("*.py")}
    wrong = [str(module) for module, last in modules.items() if is_participle(last)]
    assert not wrong, "the noun that the module is about: " + ", ".join(wrong)


def classes() -> dict[str, list[str]]:
    """Class name -> where it is defined."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def test_one_class_name_has_one_meaning() -> None:
    assert not {name: places for name, places in classes().items() if len(places) > 1}


STANDARD = [builtins, collections, dataclasses, datetime, enum, logging, multiprocessing, pathlib, queue, socket, subprocess]
STANDARD += [threading]


def test_no_class_takes_a_name_of_the_standard_library() -> None:
    taken = {name for module in STANDARD for name in dir(module) if name[:1].isupper()}
    assert {"Path", "Queue", "Thread", "Process", "Event", "Lock", "Enum"} <= taken
    assert not {name: places for name, places in classes().items() if name in taken}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_is_read_in_one_go(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES_OF_A_MODULE


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
        for file, node in functions()
        if (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert not long
