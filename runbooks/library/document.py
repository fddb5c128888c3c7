"""Reads YAML 1.2 for people: plain data, and the line of every value, so that each error can say where.

Strict on purpose: one document, no anchors, aliases or tags, no duplicate keys, bounded size and depth. Source: YAML
1.2 core schema as ruamel.yaml resolves it (`on` stays text, `010` is ten).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError

MAX_BYTES = 512 * 1024
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

    try:
        _refuse_bombs(YAML(typ="safe", pure=True).parse(text), file)
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RunbookError(f"{file}:{line}: (top): not YAML: {error.problem or error}") from None
    except (YAMLError, ValueError, RecursionError, AttributeError, IndexError) as error:
        # ruamel.yaml lets a few of its own errors through on odd input
        raise RunbookError(f"{file}:1: (top): not YAML: {error}") from None
    if node is None:
        raise RunbookError(f"{file}:1: (top): empty")
    lines: dict[PathKey, int] = {}
    return Document(file, _value(node, (), lines, file), lines)


def _refuse_bombs(events: Iterator[Any], file: str) -> None:
    """Refuse anchors, aliases, tags, several documents, deep nesting and huge scalars, before anything is built."""
    depth = documents = 0
    for event in events:
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
        if depth > MAX_DEPTH:
            raise RunbookError(f"{where} nested deeper than {MAX_DEPTH}")
        if name == "ScalarEvent" and len(event.value) > MAX_SCALAR:
            raise RunbookError(f"{where} a text longer than {MAX_SCALAR} characters")


def _value(node: Any, path: PathKey, lines: dict[PathKey, int], file: str) -> Any:
    lines[path] = node.start_mark.line + 1
    kind = type(node).__name__
    if kind == "SequenceNode":
        return [_value(item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    if kind == "MappingNode":
        return _read_mapping(node, path, lines, file)
    return _scalar(node, path, lines[path], file)


def _read_mapping(node: Any, path: PathKey, lines: dict[PathKey, int], file: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if type(key_node).__name__ != "ScalarNode":
            raise RunbookError(f"{file}:{line}: {render_path(path)}: a key must be plain text")
        key = str(key_node.value)
        if key in result:
            raise RunbookError(f"{file}:{line}: {render_path((*path, key))}: the key stands here twice")
        result[key] = _value(value_node, (*path, key), lines, file)
        lines[(*path, key)] = line
    return result


def _scalar(node: Any, path: PathKey, line: int, file: str) -> Any:
    tag, text = str(node.tag).rsplit(":", 1)[-1], str(node.value)
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
