"""Writes YAML for people, as plain as `document` reads it. Strings are quoted as in JSON, so that none is read as another type."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def write_yaml(data: Mapping[str, Any], width: int = 0, indent: int = 0) -> str:
    """Return the text of a mapping. What takes up to `width` characters, and each item of a list, is then one line, as in a table.

    With width 0 every member has a line of its own. The members of the outermost mapping are always lines.
    """
    return "".join(_member(_key(key), value, width, indent) for key, value in data.items())


def _member(key: str, value: Any, width: int, indent: int) -> str:
    pad, flow = "  " * indent, json.dumps(value, ensure_ascii=False)
    is_mapping = isinstance(value, Mapping)
    fits = len(flow) <= width and not (is_mapping and indent == 0)
    if not value or fits or not isinstance(value, (Mapping, list)):
        return f"{pad}{key}: {flow}\n"
    if is_mapping:
        return f"{pad}{key}:\n{write_yaml(cast('Mapping[str, Any]', value), width, indent + 1)}"
    return f"{pad}{key}:\n" + "".join(_item(item, width, indent + 1) for item in value)


def _item(item: Any, width: int, indent: int) -> str:
    pad = "  " * indent
    if not isinstance(item, Mapping) or not item or width:
        return f"{pad}- {json.dumps(item, ensure_ascii=False)}\n"
    inner = write_yaml(item, width, indent + 1)
    return f"{pad}- {inner[len(pad) + 2 :]}"


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)
