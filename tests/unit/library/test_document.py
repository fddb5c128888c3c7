"""The YAML loader: what it reads, what it refuses, and that it raises nothing but its own error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.library.document import MAX_BYTES, read_document


def test_values_are_those_of_yaml_1_2_and_every_one_has_its_line() -> None:
    document = read_document("run: on\nport: 010\nratio: 1.5\nyes: true\nnone: null\nlist:\n  - a\n  - {b: 2}\n", "x.yaml")
    assert document.data == {"run": "on", "port": 10, "ratio": 1.5, "yes": True, "none": None, "list": ["a", {"b": 2}]}
    assert document.line(("list", 1, "b")) == 8
    assert str(document.error(("list", 1, "c"), "what")) == "x.yaml:8: list[1].c: what"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "x.yaml:2: a: the key stands here twice"),
        ("a: &x [1]\nb: *x\n", "x.yaml:1: (top): anchors and aliases are not allowed; write the value again"),
        ("a: !!python/object:os.system {}\n", "x.yaml:1: (top): tags are not allowed"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: (top): a second document; one file holds one"),
        ("[" * 40 + "]" * 40, "x.yaml:1: (top): nested deeper than 24"),
        ("a: " + "9" * 30, "x.yaml:1: a: number out of range"),
        ("? [a, b]\n: 1\n", "x.yaml:1: (top): a key must be plain text"),
        ("", "x.yaml:1: (top): empty"),
        ("a: " + "x" * (MAX_BYTES + 1), f"x.yaml:1: (top): larger than {MAX_BYTES // 1024} KiB"),
        ("a: '" + "x" * 20000 + "'", "x.yaml:1: (top): a text longer than 16384 characters"),
    ],
)
def test_what_a_runbook_must_not_hold_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RunbookError) as caught:
        read_document(text, "x.yaml")
    assert str(caught.value) == message


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(RunbookError, match=r"^x\.yaml:2: \(top\): not YAML: "):
        read_document("a: [1,\nb: }", "x.yaml")


@given(st.text(alphabet=st.characters(codec=None), max_size=200) | st.text(alphabet="{}[]:,-&*!|>'\"#%@? \n\tab01.", max_size=60))
def test_the_loader_never_raises_anything_but_its_own_error(text: str) -> None:
    try:
        read_document(text, "x.yaml")
    except RunbookError as error:
        assert str(error).startswith("x.yaml:")  # noqa: PT017 - not raising is fine too
