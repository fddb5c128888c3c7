"""Reads YAML 1.2 for people: plain data, and the line of every value, so that each error can say where.

Strict on purpose: one document, no anchors, aliases or tags, no duplicate keys, bounded size and depth. Source: YAML
1.2 core schema as ruamel.yaml resolves it (`on` stays text, `010` is ten).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError

MAX_BYTES = 512 * 1024
MAX_EVENTS = 40_000  # nine times the longest runbook; ruamel.yaml takes 20 to 70 microseconds for each
MAX_DEPTH = 24
MAX_SCALAR = 16 * 1024
MAX_NUMBER = 19  # digits of 2**63
PathKey = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """Describes the data of one file and where each value stands."""

    file: str
    data: Any
    lines: Mapping[PathKey, int]

    def error(self, path: PathKey, what: str) -> RunbookError:
        """Return `file:line: path: what`, with the line of the nearest value that exists."""
        return RunbookError(f"{self.file}:{self.line(path)}: {render_path(path)}: {what}")

    def line(self, path: PathKey) -> int:
        """Return the line of the value at `path`, or of the closest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def render_path(path: PathKey) -> str:
    """Return `checks[0].states[1].when`; `(top)` for the document itself."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(top)"


def read_document(text: str, file: str) -> Document:
    """Read one YAML document. Raises RunbookError, and nothing else, whatever the text is."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise RunbookError(f"{file}:1: (top): larger than {MAX_BYTES // 1024} KiB")
    from ruamel.yaml import YAML  # noqa: PLC0415 - a cached runbook needs no YAML at all
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    yaml = YAML(typ="safe", pure=True)
    reading = _Reading(_refuse_bombs(yaml.parse(text), file), _tag_of(yaml), {}, file)
    try:
        root = next(reading.events, None)
        if root is None:
            raise RunbookError(f"{file}:1: (top): empty")
        data = _value(reading, root, ())
        for _event in reading.events:  # to the end: what follows is refused too
            pass
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        cure = "; indent by spaces, not by tabs" if "'\\t'" in str(error.problem) else ""
        raise RunbookError(f"{file}:{line}: (top): not YAML: {error.problem or error}{cure}") from None
    except (YAMLError, ValueError, RecursionError, AttributeError, IndexError) as error:
        # ruamel.yaml lets a few of its own errors through on odd input
        raise RunbookError(f"{file}:1: (top): not YAML: {error}") from None
    return Document(file, data, reading.lines)


@dataclass(frozen=True)
class _Reading:
    """Describes a file while its values are built from the parser's events, in one pass: half of all time is parsing."""

    events: Iterator[Any]
    tag_of: Callable[[Any], str]
    lines: dict[PathKey, int]
    file: str


def _tag_of(yaml: Any) -> Callable[[Any], str]:
    """Return what names the type of a scalar event: int, float, bool, null or str."""
    from ruamel.yaml.nodes import ScalarNode  # noqa: PLC0415

    return lambda event: str(yaml.resolver.resolve(ScalarNode, event.value, event.implicit)).rsplit(":", 1)[-1]


def _refuse_bombs(events: Iterator[Any], file: str) -> Iterator[Any]:
    """Yield the events of values. Refuse anchors, aliases, tags, several documents, deep nesting and huge scalars as they come."""
    depth = documents = 0
    for number, event in enumerate(events):
        name = type(event).__name__
        where = f"{file}:{event.start_mark.line + 1}: (top):" if event.start_mark else f"{file}:1: (top):"
        if name == "AliasEvent" or getattr(event, "anchor", None):
            raise RunbookError(f"{where} anchors and aliases are not allowed; write the value again")
        if getattr(event, "tag", None):
            raise RunbookError(f"{where} tags are not allowed")
        documents += name == "DocumentStartEvent"
        if documents > 1:
            raise RunbookError(f"{where} a second document; one file holds one")
        depth += name in {"MappingStartEvent", "SequenceStartEvent"}
        depth -= name in {"MappingEndEvent", "SequenceEndEvent"}
        if number > MAX_EVENTS:
            raise RunbookError(f"{where} more than {MAX_EVENTS} values and marks")
        if depth > MAX_DEPTH:
            raise RunbookError(f"{where} nested deeper than {MAX_DEPTH}")
        if name == "ScalarEvent" and len(event.value) > MAX_SCALAR:
            raise RunbookError(f"{where} a text longer than {MAX_SCALAR} characters")
        if not name.startswith(("Stream", "Document")):
            yield event


def _value(reading: _Reading, event: Any, path: PathKey) -> Any:
    """Build the value that begins with this event, and take its events."""
    line = reading.lines[path] = event.start_mark.line + 1
    kind = type(event).__name__
    if kind == "SequenceStartEvent":
        return [_value(reading, item, (*path, index)) for index, item in enumerate(_until(reading.events, "SequenceEndEvent"))]
    if kind == "MappingStartEvent":
        return _read_mapping(reading, path)
    return _scalar(reading.tag_of(event), str(event.value), path, line, reading.file)


def _until(events: Iterator[Any], end: str) -> Iterator[Any]:
    """Yield the events that begin an item: those up to the end of its collection, which is taken too."""
    return itertools.takewhile(lambda event: type(event).__name__ != end, events)


def _read_mapping(reading: _Reading, path: PathKey) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for event in _until(reading.events, "MappingEndEvent"):
        where = f"{reading.file}:{event.start_mark.line + 1}:"
        if type(event).__name__ != "ScalarEvent":
            raise RunbookError(f"{where} {render_path(path)}: a key must be plain text")
        key = str(event.value)
        if key in result:
            raise RunbookError(f"{where} {render_path((*path, key))}: the key stands here twice")
        result[key] = _value(reading, next(reading.events), (*path, key))
        reading.lines[(*path, key)] = event.start_mark.line + 1
    return result


def _scalar(tag: str, text: str, path: PathKey, line: int, file: str) -> Any:
    try:
        if tag == "int":
            if len(text) > MAX_NUMBER + 1:
                raise ValueError("number out of range")
            return int(text.replace("_", ""), 0) if text[:2].lower() in {"0x", "0o"} else int(text.replace("_", ""))
        if tag == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError as error:
        raise RunbookError(f"{file}:{line}: {render_path(path)}: {error}") from None
    if tag == "bool":
        return text.lower() == "true"
    return None if tag == "null" else text
