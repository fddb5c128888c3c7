"""Adds an entry to a client's configuration file as text, so that all else in it stays as it is, comments too.

What was written is read again and must hold what was there and the entry, nothing else; and undoing is the same step
backwards: a text is taken out only if adding it again gives exactly the file that is there.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from triagebook.bot.cli.json_text import Place, line_of, member_places, without_comments
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.library.document import read_document

STEP = "  "


def add_entry(text: str, form: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> str:
    """Return the file with the entry at that path.

    Raises UsageError `client_file`: it cannot be read, has another entry of that name, or has a shape that text cannot be added to.
    """
    before = read(text, form)
    there = _at(before, path)
    if there is not None:
        if there == entry:
            return text
        raise UsageError(f"it has another {'.'.join(path)}: {json.dumps(there)}; take that out by hand first", reason="client_file")
    after = {"json": _add_json, "toml": _add_toml, "yaml": _add_yaml}[form](text, path, entry)
    if not _says(after, form, _with(before, path, entry)):
        raise UsageError(
            f"the entry {'.'.join(path)} cannot be added to a file of this shape: add it by hand", reason="client_file"
        )
    return after


def _says(text: str, form: str, expected: Mapping[str, Any]) -> bool:
    try:
        return read(text, form) == expected
    except UsageError:
        return False


def remove_entry(text: str, form: str, path: tuple[str, ...]) -> str:
    """Return the file as it was before `add_entry`; only white space and tables that were empty may differ.

    Raises UsageError `client_file` if the entry is not as it was added.
    """
    entry = _at(read(text, form), path)
    if entry is None:
        return text
    for before in ("", *_without(text, form, path, entry)):
        if _is_undone(before, text, form, path, entry):
            return before
    raise UsageError(f"{'.'.join(path)} was changed since it was added: take it out by hand", reason="client_file")


def read(text: str, form: str) -> dict[str, Any]:
    """Return what a file says. Raises UsageError `client_file`."""
    try:
        if form == "toml":
            return tomllib.loads(text)
        if form == "json":
            found = json.loads(without_comments(text)) if text.strip() else {}
        else:
            says_something = any(line.split("#")[0].strip() for line in text.splitlines())
            found = read_document(text, "the file").data if says_something else {}
    except json.JSONDecodeError as error:
        said = f"it is not JSON at line {line_of(text, error.pos)}"
        raise UsageError(f"{said}; mend it, or name another file with --file", reason="client_file") from None
    except (ValueError, RunbookError) as error:
        raise UsageError(f"it cannot be read as {form}: {error}", reason="client_file") from None
    if not isinstance(found or {}, dict):
        raise UsageError(f"it is no {form} object", reason="client_file")
    return found or {}


def _add_json(text: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> str:
    if not text.strip():
        return json.dumps(_with({}, path, entry), indent=2) + "\n"
    place = member_places(text, path[:-1])[-1]
    added = _json_lines(place, _with({}, path[place.depth :], entry), place.indent or STEP, is_alone=place.is_empty)
    end = f"\n{place.outer}" if text.startswith("}", place.at) else ""
    return f"{text[: place.at]}{added}{end}{text[place.at :]}"


def _json_lines(place: Place, value: Mapping[str, Any], indent: str, *, is_alone: bool) -> str:
    """Return the members of `value` as lines that stand right after the opening brace."""
    lines = json.dumps(value, indent=indent).splitlines()[1:-1]
    return "\n" + "\n".join(place.outer + line for line in lines) + ("" if is_alone else ",")


def _add_toml(text: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> str:
    lines = [f"[{'.'.join(path)}]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
    return f"{text}{_gap(text)}{chr(10).join(lines)}\n"


def _gap(text: str) -> str:
    return "" if not text else "\n" if text.endswith("\n") else "\n\n"


def _add_yaml(text: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> str:
    table, name = path
    body = [f"{name}:", *(f"{STEP}{key}: {json.dumps(value)}" for key, value in entry.items())]
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.split("#")[0].rstrip() == f"{table}:":
            following = next((after for after in lines[number + 1 :] if after.strip() and not after.lstrip().startswith("#")), "")
            indent = following[: len(following) - len(following.lstrip())] or STEP
            return "".join([*lines[:number], line, *(f"{indent}{item}\n" for item in body), *lines[number + 1 :]])
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{table}:\n" + "".join(f"{STEP}{item}\n" for item in body)


def _without(text: str, form: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts that the file may have been before, the likeliest first."""
    if form == "json":
        for place in member_places(text, path[:-1]):
            value = _with({}, path[place.depth :], entry)
            for indent in dict.fromkeys((place.indent or STEP, STEP)):
                for is_alone in (False, True):
                    added = _json_lines(place, value, indent, is_alone=is_alone)
                    if text.startswith(added, place.at):
                        rest = text[place.at + len(added) :]
                        yield text[: place.at] + rest.removeprefix(f"\n{place.outer}")
                        yield text[: place.at] + rest
        return
    probe = _add_toml("", path, entry) if form == "toml" else ""
    if form == "toml" and probe in text:
        head, _, tail = text.partition(probe)
        yield from (head.removesuffix("\n\n") + tail, head.removesuffix("\n") + tail, head + tail)
        return
    lines = text.splitlines(keepends=True)
    count = len(entry) + 1
    for start in range(len(lines)):
        if lines[start].strip() == f"{path[-1]}:":
            yield "".join([*lines[:start], *lines[start + count :]])
            yield "".join([*lines[: start - 1], *lines[start + count :]])


def _is_undone(before: str, text: str, form: str, path: tuple[str, ...], entry: Mapping[str, Any]) -> bool:
    try:
        return before != text and add_entry(before, form, path, entry) == text
    except UsageError:
        return False


def _at(found: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(found, Mapping):
            raise UsageError(f"{name} stands in something that is no object: add the entry by hand", reason="client_file")
        if name not in found:
            return None
        found = found[name]
    return found


def _with(found: Mapping[str, Any], path: tuple[str, ...], entry: Mapping[str, Any]) -> dict[str, Any]:
    name, *rest = path
    inner = _with(found.get(name) or {}, tuple(rest), entry) if rest else dict(entry)
    return {**found, name: inner}
