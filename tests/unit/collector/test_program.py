"""The program that is sent: minified, and kept from run to run under the digest of all that it was made from."""

from pathlib import Path

import pytest
from triagebook.runbooks.probes import catalog
from triagebook.tools.collector import program
from triagebook.tools.collector.minify import minify
from triagebook.tools.files import FileCache

KINDS = tuple(kind for kind in catalog.kinds() if catalog.is_collected(kind))


def build(kinds: tuple[str, ...], folder: Path) -> str:
    """As a new process would."""
    program.build.cache_clear()
    return program.build(kinds, cache=FileCache(folder))


def test_a_program_from_the_cache_is_the_one_that_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build(KINDS, tmp_path)
    assert built == program.build(KINDS)
    monkeypatch.setattr(program, "minify", lambda awk: pytest.fail("it was minified again"))
    assert build(KINDS, tmp_path) == built


def test_other_kinds_make_another_file(tmp_path: Path) -> None:
    assert len({build(KINDS[:count], tmp_path) for count in (1, 2)}) == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("what", ["cut", "of another program", "made by others"])
def test_a_wrong_file_in_the_cache_is_not_sent_to_a_host(tmp_path: Path, what: str) -> None:
    built, other = build(KINDS, tmp_path), build(KINDS[:1], tmp_path / "other")
    (file,), (foreign,) = tmp_path.glob("*.awk"), (tmp_path / "other").iterdir()
    if what == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif what == "of another program":
        file.write_text(f"{'0' * 64}\n{other}")
    else:
        file.write_bytes(foreign.read_bytes())
        file.chmod(0o666)
    assert build(KINDS, tmp_path) == built
    assert build(KINDS, tmp_path) == built


def test_what_it_is_made_from_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(("meminfo",), tmp_path)
    changed = catalog.awk_of("meminfo") + 'function meminfo_after() { emit("new"); }\n'
    monkeypatch.setattr(catalog, "awk_of", lambda _kind: changed)
    assert '"new"' in build(("meminfo",), tmp_path)
    program.build.cache_clear()


def test_a_function_that_is_called_once_and_gives_nothing_back_is_put_where_it_is_called() -> None:
    begins = "function begin() { total = 1; if (total) { count = 2; } } BEGIN { begin(); print count; }"
    assert minify(begins) == "BEGIN{B=1;if(B){A=2}print A}"


@pytest.mark.parametrize(
    "awk",
    [
        "function gives() { return 1; } BEGIN { gives(); }",
        "function takes(one) { all = one; } BEGIN { takes(); }",
        "function twice() { all = 1; } BEGIN { twice(); twice(); }",
        "function value() { all = 1; } BEGIN { all = value(); }",
    ],
)
def test_any_other_function_stays_one(awk: str) -> None:
    assert minify(awk).startswith("function ")


def test_a_parameter_has_the_same_letter_in_all_functions_and_no_letter_of_another_name() -> None:
    awk = "function one(i, text) { return text i; } function two(text, i) { return i text all; } BEGIN { print one(1) two(1); }"
    assert minify(awk) == "function A(a,b){return b a};function B(b,a){return a b C};BEGIN{print A(1)B(1)}"


def test_what_only_a_watch_needs_is_not_sent_for_a_diagnosis() -> None:
    whole, sent = program.build(KINDS, is_watch=True), program.build(KINDS)
    assert '"brief"' in whole
    assert '"brief"' not in sent
    assert len(sent) < len(whole) * 0.96


@pytest.mark.parametrize(
    ("awk", "minified"),
    [
        ("function add(first, second) { return (first + second); }", "function A(a,b){return(a+b)}"),
        ('BEGIN { text = "a  - b" (1 - 2); }', 'BEGIN{A="a  - b"(1-2)}'),
        ("BEGIN { total = total (part); if (total) { exit 1; } }", "BEGIN{A=A (B);if(A){exit 1}}"),
        ("BEGIN { a = b - -c; d = e + ++f; }", "BEGIN{A=B- -C;D=E+ ++F}"),
        ("BEGIN { if (x in seen && !(y)) { y = 1; } }", "BEGIN{if(C in B&&!(A)){A=1}}"),
        ("# why\nBEGIN { x = 1; }\n\nfunction f() {\n  return x; }", "BEGIN{A=1};function B(){return A}"),
        ("BEGIN { x = y \\\n  z; }", "BEGIN{A=B C}"),
    ],
)
def test_a_program_is_made_short(awk: str, minified: str) -> None:
    assert minify(awk) == minified
