from typing import Any

import pytest
from triagebook.runbooks.library.document import read_document
from triagebook.runbooks.library.yaml_text import write_yaml

DATA: dict[str, Any] = {
    "about": "é: 'quoted' # no comment",
    "facts": {"pids": {"limit": 5, "units": [{"name": "a", "on": True}, {"name": "b" * 20, "on": None}]}, "/srv": {}},
    "none": [],
    "list": ["on", 1.5],
}


def test_narrow_text_gives_each_member_a_line() -> None:
    assert write_yaml(DATA) == (
        "about: \"é: 'quoted' # no comment\"\n"
        "facts:\n"
        "  pids:\n"
        "    limit: 5\n"
        "    units:\n"
        '      - name: "a"\n'
        "        on: true\n"
        f'      - name: "{"b" * 20}"\n'
        "        on: null\n"
        '  "/srv": {}\n'
        "none: []\n"
        "list:\n"
        '  - "on"\n'
        "  - 1.5\n"
    )


def test_wide_text_reads_like_a_table() -> None:
    assert write_yaml(DATA, width=30) == (
        "about: \"é: 'quoted' # no comment\"\n"
        "facts:\n"
        "  pids:\n"
        "    limit: 5\n"
        "    units:\n"
        '      - {"name": "a", "on": true}\n'
        f'      - {{"name": "{"b" * 20}", "on": null}}\n'
        '  "/srv": {}\n'
        "none: []\n"
        'list: ["on", 1.5]\n'
    )


@pytest.mark.parametrize("width", [0, 30, 500])
def test_what_is_written_is_read_back(width: int) -> None:
    assert read_document(write_yaml(DATA, width), "x.yaml").data == DATA
